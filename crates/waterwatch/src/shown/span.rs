//! Times in which a station went on saying the same.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::Span;

use super::time::rfc3339;
use crate::store::reader::Timeline;

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
    /// Of a span.
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

/// What a station went on saying within some time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TimelineObject {
    /// The span that lasts, if it began by the end of that time.
    pub open: Option<SpanObject>,
    /// The spans that are over, the newest first.
    pub spans: Vec<SpanObject>,
    /// Whether there are earlier ones within that time.
    pub is_cut: bool,
}

impl From<&Timeline> for TimelineObject {
    fn from(Timeline { open, spans, is_cut }: &Timeline) -> TimelineObject {
        TimelineObject {
            open: open.as_ref().map(SpanObject::new),
            spans: spans.iter().map(SpanObject::new).collect(),
            is_cut: *is_cut,
        }
    }
}
