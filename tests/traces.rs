//! Spans of runs and slices, as a collector of OpenTelemetry gets them.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::receiver::{HttpReceiver, Manner};
use crate::support::{POLICY, Scheme};

fn shop(collector: &HttpReceiver) -> Scheme {
    let mut scheme = Scheme::shop(POLICY).with_customer(&[]);
    scheme.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.url("")));
    scheme.env.push(("OTEL_EXPORTER_OTLP_HEADERS".to_owned(), "x-tenant=tea".to_owned()));
    scheme
}

/// All spans that the collector got.
fn spans(collector: &HttpReceiver) -> Vec<Json> {
    let calls = collector.calls();
    assert!(calls.iter().all(|called| (called.method.as_str(), called.path.as_str()) == ("POST", "/v1/traces")));
    let bodies = calls.iter().map(|called| serde_json::from_str::<Json>(&called.body).unwrap());
    let of_body = |body: Json| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    bodies.flat_map(of_body).collect()
}

fn named<'s>(spans: &'s [Json], name: &str) -> &'s Json {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no span {name}: {spans:?}"))
}

#[test]
fn a_close_is_a_span_with_its_parts_and_slices() {
    let collector = HttpReceiver::start();
    let scheme = shop(&collector);
    scheme.close("2026-03-01");
    let spans = spans(&collector);
    let (close, part) = (named(&spans, "run close_day"), named(&spans, "run assess_positions"));
    // The close works in one slice, the scheme's, in which its parts run.
    let above = |span: &Json| spans.iter().find(|other| other["spanId"] == span["parentSpanId"]).unwrap().clone();
    assert_eq!((&above(part)["name"], &above(&above(part))), (&"slice".into(), close));
    assert_eq!((&part["traceId"], &close["parentSpanId"]), (&close["traceId"], &"".into()));
    assert_eq!((close["spanId"].as_str().unwrap().len(), close["traceId"].as_str().unwrap().len()), (16, 32));
    let is_merchants = |span: &&Json| {
        span["name"] == "slice"
            && span["parentSpanId"] == part["spanId"]
            && span["attributes"][0]["value"]["stringValue"] == "SHOP"
    };
    assert_eq!(spans.iter().filter(is_merchants).count(), 1, "{spans:?}");
    let nanos = |span: &Json, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    assert!(nanos(close, "startTimeUnixNano") <= nanos(part, "startTimeUnixNano"));
    assert!(nanos(part, "endTimeUnixNano") <= nanos(close, "endTimeUnixNano"));
    assert_eq!(close["status"], serde_json::json!({}));
}

#[test]
fn a_run_that_fails_says_so() {
    let collector = HttpReceiver::start();
    let scheme = shop(&collector);
    std::fs::remove_dir_all(scheme.path("inbox")).unwrap();
    scheme.run_failing(&["job", "ingest_files"], 1);
    let spans = spans(&collector);
    let status = &named(&spans, "run ingest_files")["status"];
    assert_eq!(status["code"], 2);
    assert!(status["message"].as_str().unwrap().contains("the inbox"), "{status}");
}

#[test]
fn a_collector_that_hangs_holds_up_nothing() {
    let collector = HttpReceiver::start();
    collector.behave(Manner::Hangs);
    let scheme = shop(&collector);
    let began = Instant::now();
    scheme.close("2026-03-05");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
