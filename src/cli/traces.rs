//! Spans of runs and slices for an OpenTelemetry collector, by OTLP over HTTP as JSON, if the environment names one. OpenTelemetry's
//! own SDK is deliberately not used: it would bring some twenty crates for what is one JSON document here.
//!
//! A collector that does not answer holds up nothing: spans that no longer fit into the queue are dropped.

use std::env;
use std::fmt::Debug;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::calls;
use crate::clock;

/// How many spans wait for the collector.
const MOST_WAITING: usize = 4_096;

/// The most spans in one call.
const MOST_AT_ONCE: usize = 512;

/// How long spans are gathered before a call.
const GATHER_FOR: Duration = Duration::from_secs(2);

/// How long the program waits for the collector when it ends.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Where spans go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Collector {
    url: String,
    headers: Vec<(String, String)>,
    service: String,
}

impl Collector {
    /// The collector that OpenTelemetry's own variables name; `None` if they name none.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Collector> {
        if variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        let base = base.map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
        let header = |text: &str| {
            let (name, value) = text.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        Some(Collector {
            url: variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(base)?,
            headers: variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default().split(',').filter_map(header).collect(),
            service: variable("OTEL_SERVICE_NAME").unwrap_or_else(|| "paylater".to_owned()),
        })
    }
}

/// A span that has ended; `None` asks the thread that sends to end.
type Message = Option<Box<Span>>;

/// The spans on their way.
pub struct Traces(Option<(SyncSender<Message>, JoinHandle<()>)>);

/// Begins to send spans, if the environment names a collector.
pub fn begin() -> (Option<Spans>, Traces) {
    let named = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
    let Some(collector) = Collector::of(named) else { return (None, Traces(None)) };
    let (sender, ended) = sync_channel(MOST_WAITING);
    let thread = std::thread::Builder::new().name("traces".to_owned());
    match thread.spawn(move || send_all(&ended, &collector)) {
        Ok(sending) => (Some(Spans(sender.clone())), Traces(Some((sender, sending)))),
        Err(_) => (None, Traces(None)),
    }
}

impl Traces {
    /// Sends what is left, for a while.
    pub fn end(self) {
        let Some((sender, sending)) = self.0 else { return };
        if sender.try_send(None).is_err() {
            return;
        }
        let began = clock::monotonic();
        while !sending.is_finished() && clock::monotonic() - began < END_WITHIN {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Sends spans until it is asked to end.
fn send_all(ended: &Receiver<Message>, collector: &Collector) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut is_silent = false;
    loop {
        let Ok(first) = ended.recv() else { return };
        let Some(first) = first else { return };
        let (mut spans, mut is_last) = (vec![*first], false);
        let began = clock::monotonic();
        while spans.len() < MOST_AT_ONCE {
            let left = GATHER_FOR.saturating_sub(clock::monotonic() - began);
            match ended.recv_timeout(left) {
                Ok(Some(span)) => spans.push(*span),
                Ok(None) => is_last = true,
                Err(_) => break,
            }
            if is_last {
                break;
            }
        }
        let body = document(&spans, &collector.service).to_string();
        let sent = runtime.block_on(calls::post(&collector.url, &collector.headers, body));
        match &sent {
            Err(why) if !is_silent => tracing::warn!("the collector of traces did not take spans: {why}"),
            _ => {}
        }
        is_silent = sent.is_err();
        if is_last {
            return;
        }
    }
}

/// A span as it is sent.
#[derive(Debug, Clone)]
struct Span {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_id: Option<[u8; 8]>,
    name: &'static str,
    fields: Fields,
    began_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    /// The error that was logged in it.
    error: Option<String>,
}

/// The layer that makes spans.
pub struct Spans(SyncSender<Message>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Span>().map(|span| (span.trace_id, span.span_id))
        });
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let now = clock::now();
        span.extensions_mut().insert(Span {
            trace_id: above.map_or_else(random, |(trace_id, _)| trace_id),
            span_id: random(),
            parent_id: above.map(|(_, span_id)| span_id),
            name: span.name(),
            fields,
            began_at: now,
            ended_at: now,
            error: None,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(span) = span.extensions_mut().get_mut::<Span>() {
            values.record(&mut span.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let Some(span) = context.event_span(event) else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(span) = span.extensions_mut().get_mut::<Span>() {
            span.error = Some(fields.text("outcome").or_else(|| fields.text("message")).unwrap_or_default());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let ended = span.extensions_mut().remove::<Span>();
        if let Some(mut ended) = ended {
            ended.ended_at = clock::now();
            // A full queue: the collector does not keep up, and the span is dropped.
            let _ = self.0.try_send(Some(Box::new(ended)));
        }
    }
}

/// Bytes that no other span has. Without the system's random source, spans have the id zero, which collectors drop.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// The fields of a span or an event, as OTLP writes their values.
#[derive(Debug, Clone, Default)]
struct Fields(Vec<(&'static str, Json)>);

impl Fields {
    fn text(&self, name: &str) -> Option<String> {
        let value = self.0.iter().find(|(known, _)| *known == name)?;
        value.1["stringValue"].as_str().map(str::to_owned)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), json!({ "stringValue": format!("{value:?}") })));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), json!({ "stringValue": value })));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), json!({ "intValue": value.to_string() })));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), json!({ "boolValue": value })));
    }
}

/// The spans as an OTLP request.
fn document(spans: &[Span], service: &str) -> Json {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", service), text("service.version", version)] },
        "scopeSpans": [{
            "scope": { "name": "paylater", "version": version },
            "spans": spans.iter().map(span_of).collect::<Vec<_>>(),
        }],
    }] })
}

fn span_of(span: &Span) -> Json {
    // A run is named after its job.
    let name = span.fields.text("job").map_or_else(|| span.name.to_owned(), |job| format!("{} {job}", span.name));
    let attributes: Vec<Json> =
        span.fields.0.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let nanos = |at: DateTime<Utc>| at.timestamp_nanos_opt().unwrap_or_default().to_string();
    let status = match &span.error {
        Some(why) => json!({ "code": 2, "message": why }),
        None => json!({}),
    };
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "parentSpanId": span.parent_id.map(|id| hex(&id)).unwrap_or_default(),
        "name": name,
        // Internal: neither a client's nor a server's.
        "kind": 1,
        "startTimeUnixNano": nanos(span.began_at),
        "endTimeUnixNano": nanos(span.ended_at),
        "attributes": attributes,
        "status": status,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collector_is_the_one_that_the_environment_names() {
        let of = |variables: &[(&str, &str)]| {
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            Collector::of(find)
        };
        assert_eq!(of(&[]), None);
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        assert_eq!(of(&[base, ("OTEL_SDK_DISABLED", "TRUE")]), None);
        let collector = of(&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer x=, b = c")]).unwrap();
        assert_eq!(collector.url, "http://collector:4318/v1/traces");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(collector.headers, [header("authorization", "Bearer x="), header("b", "c")]);
        assert_eq!(collector.service, "paylater");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c.example/traces");
        assert_eq!(of(&[base, own, ("OTEL_SERVICE_NAME", "tea")]).unwrap().url, "https://c.example/traces");
    }
}
