//! The log lines of a request.

use super::{Access, Ending, Ticket, Trace};
use crate::telemetry::log::{Level, Line, Value};

/// From here on a request is slow, or worse; microseconds.
const SLOW_US: u64 = 3_000_000;
const CRITICAL_US: u64 = 5_000_000;

impl Ticket {
    pub(super) fn log(&self, access: &Access, ending: Ending, failed: bool, us: u64) {
        let worker = &self.worker;
        let route = &worker.plan.routes[self.route];
        let mut fields = Vec::with_capacity(16);
        if let Ok(id) = access.id.to_str() {
            fields.push(("request_id", Value::Text(id)));
        }
        if let Some(Trace { trace_id, span_id }) = &access.trace {
            fields.push(("trace_id", Value::Text(trace_id)));
            fields.push(("span_id", Value::Text(span_id)));
        }
        fields.push(("client_ip", Value::Display(&access.client)));
        fields.push(("method", Value::Text(access.method.as_str())));
        fields.push(("path", Value::Text(&access.path)));
        fields.push(("route", Value::Text(&route.path)));
        if let Some(target) = self.target {
            fields.push(("upstream", Value::Text(&worker.plan.targets[target].name)));
        }
        if self.status != 0 {
            fields.push(("status", Value::Count(u64::from(self.status))));
        }
        fields.push(("duration_ms", Value::Micros(us)));
        let error = match ending {
            Ending::Complete if failed => Some("the upstream answered with an error"),
            Ending::Complete => None,
            Ending::Broken => Some("the upstream did not answer"),
            Ending::ShortCircuited => Some("the circuit breaker is open"),
            Ending::Shed => Some("too many requests are waiting"),
            Ending::Abandoned => Some("the client went away"),
        };
        let (level, event) = match error {
            None => (Level::Info, "query_execute_success"),
            Some(_) if ending == Ending::Abandoned => (Level::Info, "query_execute_error"),
            Some(_) => (Level::Error, "query_execute_error"),
        };
        let common = fields.len();
        fields.extend(error.map(|error| ("error", Value::Text(error))));
        worker.log(&Line { level, event, fields: &fields });
        fields.truncate(common);
        if us > SLOW_US {
            let (event, threshold_us, severity) = if us > CRITICAL_US {
                ("performance_critical", CRITICAL_US, "critical")
            } else {
                ("performance_slow", SLOW_US, "warning")
            };
            fields.push(("threshold_ms", Value::Count(threshold_us / 1_000)));
            fields.push(("severity", Value::Text(severity)));
            worker.log(&Line { level: Level::Warn, event, fields: &fields });
        }
    }
}
