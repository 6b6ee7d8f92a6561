//! The JSON that a webhook is sent, and whether its answer means that it took it.

use chrono_tz::Tz;
use serde_json::{Value as Json, json};

use super::words;
use crate::scheme::alerts::WebhookFormat;
use crate::store::alerts::Note;
use crate::views::status_check::TroubleCode;

/// The body of the call.
pub fn body(format: WebhookFormat, scheme: &str, notes: &[Note], zone: Tz) -> Json {
    let text = || format!("{}\n\n{}", words::subject(scheme, notes), words::text(notes, zone));
    match format {
        WebhookFormat::Alertmanager => alertmanager(scheme, notes),
        WebhookFormat::Text => json!({ "text": text() }),
        WebhookFormat::Dingtalk => json!({ "msgtype": "text", "text": { "content": text() } }),
        WebhookFormat::Feishu => json!({ "msg_type": "text", "content": { "text": text() } }),
    }
}

/// As Prometheus' Alertmanager calls webhooks, version 4.
fn alertmanager(scheme: &str, notes: &[Note]) -> Json {
    let status = |is_over| if is_over { "resolved" } else { "firing" };
    let alerts: Vec<Json> = notes
        .iter()
        .map(|note| {
            json!({
                "status": status(note.is_over),
                "labels": {
                    "alertname": note.code,
                    "about": note.about,
                    "scheme": scheme,
                    "service": "paylater",
                    "severity": severity(note),
                },
                "annotations": {
                    "summary": words::message(note),
                    "description": words::remedy(note).unwrap_or_default(),
                },
                "startsAt": note.began_at.to_rfc3339(),
                // Alertmanager writes the zero time of Go for an alert that is not over.
                "endsAt": note.over_at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_rfc3339()),
                "generatorURL": "",
                "fingerprint": format!("{:016x}", note.alert_no),
            })
        })
        .collect();
    let is_over = notes.iter().all(|note| note.is_over);
    json!({
        "version": "4",
        "groupKey": format!("paylater:{scheme}"),
        "truncatedAlerts": 0,
        "status": status(is_over),
        "receiver": "paylater",
        "groupLabels": { "scheme": scheme },
        "commonLabels": { "scheme": scheme, "service": "paylater" },
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": alerts,
    })
}

fn severity(note: &Note) -> &'static str {
    match TroubleCode::parse(&note.code) {
        Some(TroubleCode::Behind | TroubleCode::DaemonStopped | TroubleCode::JobFailed | TroubleCode::NotPublished) => {
            "critical"
        }
        Some(
            TroubleCode::FileOverdue
            | TroubleCode::ExceptionsOld
            | TroubleCode::MailTrouble
            | TroubleCode::ReceiverSilent,
        ) => "warning",
        None => "info",
    }
}

/// Chats answer with status 200 also when they refuse a message, and say so in the body.
pub fn ensure_taken(format: WebhookFormat, answer: &str) -> Result<(), String> {
    let key = match format {
        WebhookFormat::Alertmanager | WebhookFormat::Text => return Ok(()),
        WebhookFormat::Dingtalk => "errcode",
        WebhookFormat::Feishu => "code",
    };
    let code = serde_json::from_str::<Json>(answer).ok().and_then(|answer| answer[key].as_i64());
    match code {
        None | Some(0) => Ok(()),
        Some(code) => Err(format!("it answers with {key} {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::tests::note;
    use super::*;

    #[test]
    fn alertmanager_gets_its_own_shape() {
        let notes = [note("JOB_FAILED", "close_day", false), note("FILE_OVERDUE", "payments 2026-03-01", true)];
        let body = body(WebhookFormat::Alertmanager, "Tea", &notes, chrono_tz::UTC);
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    }

    #[test]
    fn chats_get_text() {
        let notes = [note("BEHIND", "", false)];
        for (format, path) in [
            (WebhookFormat::Text, "/text"),
            (WebhookFormat::Dingtalk, "/text/content"),
            (WebhookFormat::Feishu, "/content/text"),
        ] {
            let body = body(format, "Tea", &notes, chrono_tz::UTC);
            let text = body.pointer(path).and_then(Json::as_str).unwrap();
            assert!(
                text.starts_with("Tea: BEHIND\n\n") && text.contains("What to do: Run `paylater status`"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_chat_that_refuses_is_noticed() {
        for (format, answer, expected) in [
            (WebhookFormat::Dingtalk, "{\"errcode\":0,\"errmsg\":\"ok\"}", Ok(())),
            (WebhookFormat::Dingtalk, "{\"errcode\":310000}", Err("it answers with errcode 310000".to_owned())),
            (WebhookFormat::Feishu, "{\"code\":19024}", Err("it answers with code 19024".to_owned())),
            (WebhookFormat::Feishu, "{\"StatusCode\":0}", Ok(())),
            (WebhookFormat::Text, "no_service", Ok(())),
        ] {
            assert_eq!(ensure_taken(format, answer), expected, "{answer}");
        }
    }
}
