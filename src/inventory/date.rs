//! The time by the service's clock, as every answer tells it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use jiff::Timestamp;

use crate::clock::{Clock, SystemClock};

/// The service's clock beside ours, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTime {
    /// The `Date` of an answer, to the second.
    pub theirs: Timestamp,
    /// Our wall clock when it came.
    pub ours: Timestamp,
}

/// Looks at every answer for its `Date`, also at those that refuse: a clock that is far off is
/// refused by its signature. Only the newest is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct DateWatch(Arc<Mutex<Option<ServerTime>>>);

impl DateWatch {
    pub(super) fn newest(&self) -> Option<ServerTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for DateWatch {
    fn name(&self) -> &'static str {
        "DateWatch"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(theirs) = context.response().headers().get("date").and_then(http_date) {
            let read = ServerTime { theirs, ours: SystemClock.now().wall };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        }
        Ok(())
    }
}

/// `Sat, 21 Nov 2026 07:56:19 GMT`
fn http_date(text: &str) -> Option<Timestamp> {
    let time = aws_smithy_types::DateTime::from_str(text, aws_smithy_types::date_time::Format::HttpDate);
    Timestamp::from_second(time.ok()?.secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        let read = http_date("Sat, 21 Nov 2026 07:56:19 GMT");
        assert_eq!(read, "2026-11-21T07:56:19Z".parse().ok());
        assert_eq!(http_date("yesterday"), None);
    }
}
