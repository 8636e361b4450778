//! Asking another target before the first has answered. The first good answer wins; what the others would have
//! said is not waited for, and says nothing of their targets.

use std::cell::{Cell, RefCell};

use rad_resilience::hedge::hedge;
use rad_resilience::{Outcome, RetryBudget};

use super::{Attempt, Failure, One, outcome};
use crate::gateway::body::RequestBody;
use crate::gateway::breaker::{self, Admission, Tried};
use crate::gateway::plan::Hedge;
use crate::gateway::ticket::{Ending, Ticket};

/// An attempt beyond the first that is over. Unless it is the one that counts, its account is closed by what it
/// came to.
struct Other {
    ticket: Option<Ticket>,
    ending: Ending,
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.end(self.ending);
        }
    }
}

/// An attempt that is over; without an account of its own, it is the first.
type Over = Box<(Attempt, Option<Other>)>;

/// Makes an attempt, and others beside it if it is slow.
pub(super) async fn attempt(
    one: &One<'_>,
    settings: &Hedge,
    budget: &RetryBudget,
    admission: Admission,
    ticket: &mut Ticket,
    tried: &mut Tried,
) -> Attempt {
    let worker = one.worker;
    let beside = ticket.beside();
    // Where one is under way, another is sent only if no target is free.
    let asked = RefCell::new(tried.clone());
    asked.borrow_mut().fails(admission.target);
    let first_said = Cell::new(Outcome::Ignored);
    let failed = RefCell::new(None);
    let counters = &worker.shard.routes[beside.route];
    let mut first = Some((admission, &mut *ticket, &mut *tried));
    let ended = hedge(&settings.delay)
        .at_most(settings.max)
        .run(|_| {
            let (first, asked, failed) = (first.take(), &asked, &failed);
            let (first_said, beside) = (&first_said, &beside);
            async move {
                if let Some((admission, ticket, tried)) = first {
                    let attempt = one.attempt(admission, RequestBody::empty(), ticket, tried).await;
                    first_said.set(outcome(&attempt));
                    return judged(Box::new((attempt, None)), failed);
                }
                let now = worker.now();
                if !breaker::would_admit(worker, one.upstream, now) || !budget.withdraw(now) {
                    return Err(());
                }
                let mut tried = asked.borrow().clone();
                let admission = breaker::admit(worker, one.upstream, now, &tried, &[]).map_err(|_| ())?;
                asked.borrow_mut().fails(admission.target);
                counters.hedges.add();
                let patience = one.patience.saturating_sub(now.since(one.started));
                let one = One { started: now, patience, ..*one };
                let mut ticket = beside.open(now);
                let attempt = one.attempt(admission, RequestBody::empty(), &mut ticket, &mut tried).await;
                let ending = match &attempt {
                    Ok((answer, _)) => {
                        ticket.answered(answer.status.as_u16());
                        Ending::Complete
                    }
                    Err(_) if outcome(&attempt) == Outcome::Ignored => Ending::Abandoned,
                    Err(_) => Ending::Broken,
                };
                judged(Box::new((attempt, Some(Other { ticket: Some(ticket), ending }))), failed)
            }
        })
        .await;
    let is_good = ended.result.is_ok();
    // One that was not let out has nothing to say; the last that failed has.
    let over = ended.result.ok().or_else(|| failed.take());
    let (attempt, other) = over.map_or((Err(Failure::Broken), None), |over| *over);
    if let Some(other) = other.and_then(|mut other| other.ticket.take()) {
        ticket.takes_over(other, first_said.get());
        if is_good {
            counters.hedge_wins.add();
        }
    }
    attempt
}

/// Keeps one that failed, for the case that no other does better.
fn judged(over: Over, failed: &RefCell<Option<Over>>) -> Result<Over, ()> {
    if over.0.as_ref().is_ok_and(|(answer, _)| !answer.status.is_server_error()) {
        return Ok(over);
    }
    // The one before is over for good, and accounted for when it goes.
    let before = failed.replace(Some(over));
    drop(before);
    Err(())
}
