//! Counts SQL statements by request, and keeps their plans where PostgreSQL shows them: a tracing layer that reads the driver's
//! own events and the span they happen in.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

static SEEN: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

static PLANS: LazyLock<Mutex<HashMap<String, Vec<Value>>>> = LazyLock::new(Mutex::default);

/// PostgreSQL's plans of a request's statements, where it was told to show them; each is given once.
pub(crate) fn plans_of(request: &str) -> Vec<Value> {
    PLANS.lock().unwrap().remove(request).unwrap_or_default()
}

/// A plan out of a notice of `auto_explain`.
fn plan(notice: &str) -> Option<Value> {
    let (_, plan) = notice.strip_prefix("duration: ")?.split_once("plan:\n")?;
    serde_json::from_str(plan).ok()
}

/// The statements of a request so far, each by its first line.
pub(crate) fn of(request: &str) -> Vec<String> {
    SEEN.lock().unwrap().get(request).cloned().unwrap_or_default()
}

/// The layer.
pub(crate) struct Counter;

struct RequestId(String);

#[derive(Default)]
struct Values(HashMap<&'static str, String>);

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Counter {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != "request" {
            return;
        }
        let mut values = Values::default();
        attributes.record(&mut values);
        if let (Some(span), Some(request)) = (context.span(id), values.0.remove("id")) {
            span.extensions_mut().insert(RequestId(request));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let is_notice = event.metadata().target() == "sqlx::postgres::notice";
        if !is_notice && event.metadata().target() != "sqlx::query" {
            return;
        }
        let request = context
            .event_scope(event)
            .and_then(|mut scope| scope.find_map(|span| span.extensions().get::<RequestId>().map(|request| request.0.clone())));
        let Some(request) = request else { return };
        let mut values = Values::default();
        event.record(&mut values);
        if is_notice {
            if let Some(plan) = values.0.remove("message").as_deref().and_then(plan) {
                PLANS.lock().unwrap().entry(request).or_default().push(plan);
            }
            return;
        }
        let summary = values.0.remove("summary").unwrap_or_default();
        SEEN.lock().unwrap().entry(request).or_default().push(summary);
    }
}
