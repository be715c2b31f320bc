//! Times in which a station went on saying the same.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::Span;

use super::time::rfc3339;

/// A time in which a station went on saying the same.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SpanObject {
    /// When its first report was heard.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_at: Option<Timestamp>,
    /// When its last report was heard.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_at: Option<Timestamp>,
    /// Whether the first contact was on.
    pub alarm1: bool,
    /// Whether the second contact was on.
    pub alarm2: bool,
    /// How many reports it has.
    pub reports: i64,
}

impl SpanObject {
    /// Of a span that is over.
    #[must_use]
    pub fn new(span: &Span) -> SpanObject {
        SpanObject {
            first_at: rfc3339(span.first_at_ms),
            last_at: rfc3339(span.last_at_ms),
            alarm1: span.alarm1,
            alarm2: span.alarm2,
            reports: span.reports,
        }
    }
}
