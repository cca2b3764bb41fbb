//! Kernel parameters that should be at least so high: what several checks share.

use aux_core::{Configuration, Fact};

use super::Judgement;

/// Every parameter with its least value. One that is too low fails; one that is not seen leaves the rest undecided.
pub(super) fn at_least(configuration: &Configuration, wanted: &[(&str, i64)]) -> Option<Judgement> {
    let (mut low, mut unseen, mut good) = (Vec::new(), Vec::new(), Vec::new());
    for (name, least) in wanted {
        match configuration.kernel.sysctls.get(*name) {
            None | Some(Fact::NotAsked) => {}
            Some(Fact::Unseen { why }) => unseen.push(why.clone()),
            Some(Fact::Seen { value, how }) => match value.trim().parse::<i64>() {
                Ok(number) if number >= *least => good.push(format!("{name} is {number} ({how})")),
                Ok(number) => low.push(format!("{name} is {number}, at least {least} is wanted ({how})")),
                Err(_) => unseen.push(format!("{name} is `{value}`, which is no number ({how})")),
            },
        }
    }
    if !low.is_empty() {
        Some(Judgement::Failed(low.join("; ")))
    } else if !unseen.is_empty() {
        Some(Judgement::Unknown(unseen.join("; ")))
    } else if !good.is_empty() {
        Some(Judgement::Passed(good.join("; ")))
    } else {
        None
    }
}
