//! To a target and back; once more, or to another target, where that does no harm.

mod hedged;

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, Response};
use rad_resilience::{Outcome, Timestamp};

use super::answer;
use super::body::{RequestBody, ResponseBody, UpstreamBody};
use super::breaker::{self, Admission, Tried};
use super::connection::{Answer, By, Connection, ExchangeError, RequestHead};
use super::limit::ceil_s;
use super::plan::{Hedge, Retry};
use super::ticket::{Ending, Ticket};
use super::worker::Worker;

/// A request on its way to an upstream.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub head: &'a RequestHead,
    pub body: RequestBody,
    pub started: Timestamp,
    /// For the head of an answer, with all attempts and the waits between them.
    pub within: Duration,
    pub retry: Option<&'a Retry>,
    pub hedge: Option<&'a Hedge>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The breakers of all targets are open.
    ShortCircuited(Duration),
    /// No target could be connected to: nobody has seen the request.
    Unreachable,
    /// The upstream broke off, or spoke no HTTP.
    Broken,
    /// An idle connection closed under a request: says nothing of the target.
    Unlucky,
    TimedOut,
    /// The gateway itself has no more connections to give.
    Exhausted,
    /// The client's body broke off.
    Client,
    /// The client's body did not come in time.
    ClientTimedOut,
}

type Attempt = Result<(Answer, Box<Connection>), Failure>;

/// Sends a request to an upstream and passes the answer on.
pub async fn forward(
    worker: &Worker,
    upstream: usize,
    outgoing: Outgoing<'_>,
    mut ticket: Ticket,
) -> Response<ResponseBody> {
    let Outgoing { head, mut body, started, within: timeout, retry, hedge } = outgoing;
    // Whose time was over before it went out, is not the upstream's to answer for.
    if timeout.is_zero() {
        return give_up(Failure::TimedOut, ticket);
    }
    let retry = retry.filter(|retry| retry.allows(head.is_idempotent()));
    // Only what changes nothing, and has no body that would have to be said twice.
    let hedge = hedge.filter(|_| head.parts.method.is_safe() && body.kept().is_some_and(<[u8]>::is_empty));
    let budget = retry.map(|retry| &retry.budget).or(hedge.map(|hedge| &hedge.budget));
    if let Some(budget) = budget {
        budget.deposit(started);
    }
    let mut tried = Tried::default();
    let mut admission = match breaker::admit(worker, upstream, started, &tried, &[]) {
        Ok(admission) => admission,
        Err(retry_after) => return give_up(Failure::ShortCircuited(retry_after), ticket),
    };
    let mut attempts = 0;
    let mut previous = Duration::ZERO;
    let mut now = started;
    let attempt = loop {
        attempts += 1;
        let again = body.again();
        let sent = match &again {
            Some(again) => again.again().unwrap_or_else(RequestBody::empty),
            None => std::mem::replace(&mut body, RequestBody::empty()),
        };
        let left = timeout.saturating_sub(now.since(started));
        let deadline = retry.and_then(|retry| retry.policy.settings().attempt_deadline);
        let patience = deadline.unwrap_or(left).min(left);
        let may_repeat = again.is_some() && head.is_idempotent();
        let one = One { worker, upstream, head, started: now, patience, may_repeat };
        let attempt = match (hedge, budget) {
            // What is slow is asked for once more; what has failed, a retry is for.
            (Some(hedge), Some(budget)) if attempts == 1 => {
                // Requests that are not hedged need not carry what it takes.
                Box::pin(hedged::attempt(&one, hedge, budget, admission, &mut ticket, &mut tried)).await
            }
            _ => one.attempt(admission, sent, &mut ticket, &mut tried).await,
        };
        let wait = retry.filter(|_| again.is_some()).and_then(|retry| {
            let now_s = worker.unix_s(worker.now());
            let asked = worth_another(&attempt, retry, now_s)?;
            let wait = retry.wait(attempts, previous, asked)?;
            let now = worker.now();
            if now.since(started).saturating_add(wait) >= timeout {
                return None;
            }
            // It may open its breaker; then nobody has to wait, or to pay, for an attempt that is none.
            let said = outcome(&attempt);
            if said != Outcome::Success {
                ticket.attempted(said);
            }
            let may_go = breaker::would_admit(worker, upstream, now.after(wait));
            (may_go && retry.budget.withdraw(now)).then_some(wait)
        });
        let Some(wait) = wait else { break attempt };
        ticket.attempted(outcome(&attempt));
        if let Some(target) = ticket.target() {
            tried.fails(target);
        }
        tokio::time::sleep(wait).await;
        previous = wait;
        now = worker.now();
        // What the target said last is still the best answer if no target may be asked again.
        admission = match breaker::admit(worker, upstream, now, &tried, &[]) {
            Ok(admission) => admission,
            Err(_) => break attempt,
        };
        ticket.retry();
        if let (Ok((_, connection)), Some(target)) = (attempt, ticket.target()) {
            worker.pools[target].give_back(connection, now);
        }
    };
    match attempt {
        Ok((answer, mut connection)) => {
            // An attempt's own deadline is for the head alone.
            connection.set_patience(worker.plan.upstreams[upstream].timeout);
            ticket.answered(answer.status.as_u16());
            let mut response = Response::new(ResponseBody::Upstream(UpstreamBody::new(connection, ticket)));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            response
        }
        Err(failure) => give_up(failure, ticket),
    }
}

/// What an attempt says of its target.
fn outcome(attempt: &Attempt) -> Outcome {
    match attempt {
        Ok((answer, _)) => Outcome::of_status(answer.status.as_u16()),
        Err(Failure::Unlucky | Failure::Exhausted) => Outcome::Ignored,
        Err(_) => Outcome::Failure,
    }
}

/// Whether an attempt is worth another, and how long its answer asks to wait.
fn worth_another(attempt: &Attempt, retry: &Retry, now_s: u64) -> Option<Duration> {
    match attempt {
        Ok((answer, _)) => {
            retry.statuses.contains(&answer.status.as_u16()).then(|| retry_after(&answer.headers, now_s))
        }
        Err(Failure::Unreachable | Failure::Broken | Failure::Unlucky | Failure::TimedOut) => {
            Some(Duration::ZERO)
        }
        Err(Failure::ShortCircuited(_) | Failure::Exhausted | Failure::Client | Failure::ClientTimedOut) => {
            None
        }
    }
}

/// The time that an answer asks to wait, as seconds or as a date (RFC 9110 §10.2.3); none if it is neither.
fn retry_after(headers: &HeaderMap, now_s: u64) -> Duration {
    let Some(text) = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::trim) else {
        return Duration::ZERO;
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than can be counted is longer than anybody waits.
        return Duration::from_secs(text.parse().unwrap_or(u64::MAX));
    }
    let date = httpdate::parse_http_date(text).ok();
    let date_s =
        date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs());
    Duration::from_secs(date_s.saturating_sub(now_s))
}

fn give_up(failure: Failure, mut ticket: Ticket) -> Response<ResponseBody> {
    let (status, ending, response) = match failure {
        Failure::ShortCircuited(retry_after) => {
            (503, Ending::ShortCircuited, answer::short_circuited(ceil_s(retry_after).max(1)))
        }
        Failure::Unreachable | Failure::Broken => (502, Ending::Broken, answer::bad_gateway()),
        Failure::Unlucky => {
            ticket.excuse_target();
            (502, Ending::Broken, answer::bad_gateway())
        }
        Failure::TimedOut => (504, Ending::Broken, answer::gateway_timeout()),
        Failure::Exhausted => {
            ticket.excuse_target();
            (503, Ending::Broken, answer::exhausted())
        }
        Failure::Client => (400, Ending::Abandoned, answer::bad_request()),
        Failure::ClientTimedOut => (408, Ending::Abandoned, answer::request_timeout()),
    };
    ticket.answered(status);
    ticket.end(ending);
    response
}

/// One attempt.
#[derive(Clone, Copy)]
struct One<'a> {
    worker: &'a Worker,
    upstream: usize,
    head: &'a RequestHead,
    started: Timestamp,
    patience: Duration,
    /// Whether a request that an idle connection swallowed may go out again.
    may_repeat: bool,
}

impl One<'_> {
    async fn attempt(
        &self,
        admission: Admission,
        mut body: RequestBody,
        ticket: &mut Ticket,
        tried: &mut Tried,
    ) -> Attempt {
        let Self { worker, head, started, patience, may_repeat, .. } = *self;
        let mut target = admission.target;
        ticket.admitted(admission, started);
        let mut pooled = true;
        loop {
            let mut connection = self.connect(&mut target, pooled, ticket, tried).await?;
            let to = &worker.plan.targets[target];
            let again = may_repeat.then(|| body.again()).flatten();
            let sent = std::mem::replace(&mut body, RequestBody::empty());
            match connection.exchange(head, to, sent, worker.instant(started), patience).await {
                Ok(answer) => return Ok((answer, connection)),
                // The target closed an idle connection in the moment of its use: no fault, a new one may
                // carry the request.
                Err(ExchangeError::Closed) if connection.is_reused => match again {
                    Some(again) => (body, pooled) = (again, false),
                    None => return Err(Failure::Unlucky),
                },
                Err(ExchangeError::Closed | ExchangeError::Broken) => return Err(Failure::Broken),
                Err(ExchangeError::Stalled(By::Upstream)) => return Err(Failure::TimedOut),
                Err(ExchangeError::Stalled(By::Client)) => return Err(Failure::ClientTimedOut),
                Err(ExchangeError::Client) => return Err(Failure::Client),
            }
        }
    }

    /// A connection to the target; or to another one of the upstream, if it cannot be reached: nothing has
    /// been sent yet.
    async fn connect(
        &self,
        target: &mut usize,
        pooled: bool,
        ticket: &mut Ticket,
        tried: &mut Tried,
    ) -> Result<Box<Connection>, Failure> {
        let worker = self.worker;
        if pooled && let Some(connection) = worker.pools[*target].take() {
            return Ok(connection);
        }
        let settings = &worker.plan.upstreams[self.upstream];
        let mut unreachable = Vec::new();
        loop {
            let to = &worker.plan.targets[*target];
            let left = self.patience.saturating_sub(worker.now().since(self.started));
            if left.is_zero() {
                return Err(Failure::TimedOut);
            }
            match Connection::open(&to.host, to.port, settings.connect_timeout.min(left)).await {
                Ok(connection) => return Ok(connection),
                Err(error) if is_exhaustion(&error) => return Err(Failure::Exhausted),
                Err(_) => unreachable.push(*target),
            }
            tried.fails(*target);
            let now = worker.now();
            let another = breaker::admit(worker, self.upstream, now, tried, &unreachable)
                .map_err(|_| Failure::Unreachable)?;
            *target = another.target;
            ticket.admitted(another, now);
            if let Some(connection) = worker.pools[*target].take() {
                return Ok(connection);
            }
        }
    }
}

/// Whether this machine lacks something, and not the target.
fn is_exhaustion(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_says_when_to_come_back_in_seconds_or_by_a_date() {
        // Thu, 01 Jan 2026 00:00:00 GMT.
        const NOW_S: u64 = 1_767_225_600;
        let asked = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static(value));
            retry_after(&headers, NOW_S)
        };
        for (value, seconds) in [
            (" 7 ", 7),
            ("18446744073709551616", u64::MAX),
            ("Thu, 01 Jan 2026 00:00:02 GMT", 2),
            ("Thursday, 01-Jan-26 00:01:00 GMT", 60),
            ("Wed, 31 Dec 2025 23:59:59 GMT", 0),
            ("soon", 0),
            ("-1", 0),
            ("", 0),
        ] {
            assert_eq!(asked(value), Duration::from_secs(seconds), "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW_S), Duration::ZERO);
    }
}
