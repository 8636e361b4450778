//! An evaluation, step by step, for people who try one out.

use super::words::{condition, list};
use super::{Attribute, Context, Snapshot};

impl Snapshot {
    /// What was looked at on the way to what `evaluate` answers, as sentences.
    #[must_use]
    pub fn steps(&self, at: usize, context: &dyn Context) -> Vec<String> {
        let Some(entry) = self.entries().get(at) else { return Vec::new() };
        let flag = &entry.kept.flag;
        let mut steps = Vec::new();
        if !flag.on || !flag.environments.contains(&self.environment()) {
            return steps;
        }
        steps.push(format!("It is on, and for {}.", list(&flag.environments, "and")));
        for needed in &flag.prerequisites {
            let other = self.position(&needed.flag).and_then(|at| self.evaluate(at, context));
            let is_met = matches!(other, Some(Ok(found)) if found.variant == needed.variant);
            if !is_met {
                return steps;
            }
            steps.push(format!("{} is {}, as it needs.", needed.flag, needed.variant));
        }
        for (rule, number) in flag.rules.iter().zip(1..) {
            let failing =
                rule.conditions.iter().find(|wanted| !super::operator::Test::new(wanted).holds(context));
            let Some(failing) = failing else { break };
            let found = match context.get(&failing.attribute) {
                None => "is not known".to_owned(),
                Some(Attribute::Text(text)) => format!("is {text:?}"),
                Some(Attribute::Number(number)) => format!("is {number}"),
                Some(Attribute::Bool(value)) => format!("is {value}"),
                Some(Attribute::List(_)) => "is a list".to_owned(),
                Some(Attribute::Other) => "is an object".to_owned(),
            };
            let wanted = condition(failing);
            steps.push(format!(
                "Rule {number} does not match: it wants that {wanted}; here {} {found}.",
                failing.attribute
            ));
        }
        steps
    }
}
