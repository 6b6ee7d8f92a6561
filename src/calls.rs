//! Calls URLs of others: pings, webhooks, a collector of traces. A call has a time limit, follows no redirects, and its errors never show the URL, which
//! is often a secret. Deliberately absent: retries, which are the caller's.

#[cfg(feature = "remote")]
use std::time::Duration;

/// The time limit for one call, from connecting to the end of the answer.
#[cfg(feature = "remote")]
const WITHIN: Duration = Duration::from_secs(10);

/// Why a call failed. The text has no URL and no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallError(pub String);

/// Calls a URL with GET.
pub async fn get(url: &str) -> Result<(), CallError> {
    call(url, &[], None).await.map(|_| ())
}

/// Sends JSON to a URL with POST. Returns the first part of the answer.
pub async fn post(url: &str, headers: &[(String, String)], json: String) -> Result<String, CallError> {
    call(url, headers, Some(json)).await
}

#[cfg(feature = "remote")]
async fn call(url: &str, headers: &[(String, String)], json: Option<String>) -> Result<String, CallError> {
    let client = client()?;
    let mut request = match json {
        Some(json) => client.post(url).header("content-type", "application/json").body(json),
        None => client.get(url),
    };
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut response = request.send().await.map_err(|why| described(&why))?;
    let status = response.status();
    let mut answer = Vec::new();
    while answer.len() < LONGEST_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => answer.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(why) => return Err(described(&why)),
        }
    }
    if !status.is_success() {
        return Err(CallError(format!("it answers with status {}", status.as_u16())));
    }
    answer.truncate(LONGEST_ANSWER);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(not(feature = "remote"))]
async fn call(_: &str, _: &[(String, String)], _: Option<String>) -> Result<String, CallError> {
    Err(CallError("this build of paylater cannot call URLs; build it with the feature `remote`".to_owned()))
}

/// The most bytes of an answer that are read.
#[cfg(feature = "remote")]
const LONGEST_ANSWER: usize = 16 << 10;

#[cfg(feature = "remote")]
fn client() -> Result<&'static reqwest::Client, CallError> {
    use std::sync::OnceLock;

    static CLIENT: OnceLock<Result<reqwest::Client, CallError>> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        // Set once per process; a second call fails harmlessly.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            // Calls are rare, and come from several runtimes, which cannot share connections.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("paylater/", env!("CARGO_PKG_VERSION")));
        client.build().map_err(|why| described(&why))
    });
    made.as_ref().map_err(CallError::clone)
}

#[cfg(feature = "remote")]
fn described(why: &reqwest::Error) -> CallError {
    CallError(match why {
        why if why.is_timeout() => format!("it does not answer within {} seconds", WITHIN.as_secs()),
        why if why.is_connect() => "it cannot be connected to, or its certificate is not trusted".to_owned(),
        why if why.is_builder() => "its URL, or a header, is not valid".to_owned(),
        _ => "the connection broke off".to_owned(),
    })
}
