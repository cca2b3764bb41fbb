//! Deciding one thing after the other on a terminal, in the habit of `git add -p`.

use std::path::Path;

use aux_core::Severity;
use aux_feed::{DecideError, Decider, Decision, Matter, Pending, decide};
use jiff::ToSpan;
use jiff::civil::Date;

use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// VEX's words for why an advisory does not hold, and what each means.
const JUSTIFICATIONS: [(&str, &str); 5] = [
    ("component_not_present", "the part it is about is not in the package"),
    ("vulnerable_code_not_present", "the code with the fault is not in the package"),
    ("vulnerable_code_not_in_execute_path", "the code is there and never runs"),
    ("vulnerable_code_cannot_be_controlled_by_adversary", "it runs, and no attacker reaches it"),
    ("inline_mitigations_already_exist", "the package carries a fix or a guard"),
];

/// One sitting.
pub(super) struct Session<'a> {
    pub(super) folder: &'a Path,
    pub(super) author: &'a str,
    pub(super) today: Date,
    pub(super) holds_days: i64,
}

/// What a person answered.
enum Answer {
    Decided(Decision),
    Skip,
    /// Another look at the question.
    Back,
    Quit,
}

/// The first line of a matter: its kind, what it is about, and whom it touches.
pub(super) fn headline(pending: &Pending) -> String {
    let systems = match pending.systems.len() {
        0 => "no system".to_owned(),
        number => format!("{}: {}", counted(number, "system", "systems"), pending.systems.join(", ")),
    };
    let kev = if pending.kev { ", known to be exploited" } else { "" };
    let worst = match pending.severity {
        Severity::Unknown => String::new(),
        severity => format!(", {}", severity.as_str()),
    };
    let subject = match &pending.matter {
        Matter::Identity { package, product, .. } => format!("{package} = {product}?"),
        Matter::Finding { package, id, versions, .. } => format!("{id} in {package} {}", versions.join(", ")),
        Matter::Expiring { package, ids, .. } => format!("{} in {package}", ids.join(", ")),
        Matter::Waiver { subject, .. } => subject.clone(),
    };
    format!("{} {subject}{worst}{kev}; {systems}", pending.matter.kind())
}

/// What is asked.
pub(super) fn question(pending: &Pending) -> String {
    match &pending.matter {
        Matter::Identity { ecosystem, package, product, ids } => {
            let shown = ids.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = if ids.len() > 3 { ", …" } else { "" };
            let advisories = counted(ids.len(), "advisory", "advisories");
            format!("Is {ecosystem}/{package} what {product} stands for? {advisories}: {shown}{more}.")
        }
        Matter::Finding { package, fixed, .. } => {
            let fix = if fixed.is_empty() { String::new() } else { format!(" Fixed in {}.", fixed.join(", ")) };
            format!("Does it hold for {package}?{fix}")
        }
        Matter::Expiring { place, expires, .. } => {
            format!("The statement at {place} ends on {expires}. Does it still hold?")
        }
        Matter::Waiver { message, .. } => format!("{message}. Remove or change it by hand."),
    }
}

impl Session<'_> {
    /// Asks about everything in turn; says how much is left undecided.
    pub(super) fn run(&self, pending: &[Pending], ui: &mut Ui) -> Result<usize, Failure> {
        let mut decided = 0;
        for (number, one) in pending.iter().enumerate() {
            ui.tell(&[format!("({}/{}) {}", number + 1, pending.len(), headline(one)), format!("  {}", question(one))]);
            let is_over = loop {
                match self.answer(one, ui) {
                    Answer::Quit => break true,
                    Answer::Skip => break false,
                    Answer::Back => {}
                    Answer::Decided(decision) => {
                        if self.write(&decision, ui)? {
                            decided += 1;
                            break false;
                        }
                    }
                }
            };
            if is_over {
                break;
            }
        }
        Ok(pending.len() - decided)
    }

    /// False where the decision was refused, and is asked for once more.
    fn write(&self, decision: &Decision, ui: &mut Ui) -> Result<bool, Failure> {
        let decider = Decider { author: self.author, today: self.today };
        match decide(self.folder, decision, &decider) {
            Ok(path) => {
                ui.answer_lines(&[format!("{}: written", path.display())])?;
                Ok(true)
            }
            Err(
                error @ (DecideError::Refused { .. } | DecideError::Changed { .. } | DecideError::Unfamiliar { .. }),
            ) => {
                ui.tell(&[format!("not written: {error}")]);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn answer(&self, pending: &Pending, ui: &mut Ui) -> Answer {
        let is_waiver = matches!(pending.matter, Matter::Waiver { .. });
        let keys = if is_waiver { "[s,q,?]" } else { "[y,n,s,q,?]" };
        let Some(key) = ui.ask(keys) else { return Answer::Quit };
        match key.as_str() {
            "q" => Answer::Quit,
            "s" => Answer::Skip,
            "y" | "n" if !is_waiver => self.decision(pending, key == "y", ui).unwrap_or(Answer::Back),
            _ => {
                ui.tell(&help(&pending.matter));
                Answer::Back
            }
        }
    }

    /// `None` where a question was left empty.
    fn decision(&self, pending: &Pending, is_yes: bool, ui: &mut Ui) -> Option<Answer> {
        let expires = self.today.checked_add(self.holds_days.days()).ok()?;
        let decision = match &pending.matter {
            Matter::Identity { ecosystem, package, product, .. } => Decision::Identity {
                ecosystem: ecosystem.clone(),
                package: package.clone(),
                product: product.clone(),
                is_it: is_yes,
                reason: said(ui, "Reason, a sentence that a stranger can check:")?,
            },
            Matter::Finding { ecosystem, package, id, .. } => {
                let justification = if is_yes { None } else { Some(justification(ui)?) };
                let versions = said(ui, "Versions, such as >=1.0,<2.0, or * for every one:")?;
                let reason = said(ui, "Reason, a sentence that a stranger can check:")?;
                let (ecosystem, package, id) = (ecosystem.clone(), package.clone(), id.clone());
                Decision::Statement { ecosystem, package, id, justification, versions, reason, expires }
            }
            Matter::Expiring { place, .. } if is_yes => Decision::Renewal { place: place.clone(), expires },
            // A statement that no longer holds ends by itself on its day.
            Matter::Expiring { .. } | Matter::Waiver { .. } => return Some(Answer::Skip),
        };
        Some(Answer::Decided(decision))
    }
}

fn said(ui: &mut Ui, question: &str) -> Option<String> {
    ui.ask(&format!("  {question}")).filter(|text| !text.is_empty())
}

fn justification(ui: &mut Ui) -> Option<&'static str> {
    let lines = JUSTIFICATIONS.iter().enumerate().map(|(index, (_, means))| format!("  {} {means}", index + 1));
    ui.tell(&lines.collect::<Vec<_>>());
    let number: usize = said(ui, "Why does it not hold? [1-5]")?.parse().ok()?;
    JUSTIFICATIONS.get(number.checked_sub(1)?).map(|(word, _)| *word)
}

fn help(matter: &Matter) -> Vec<String> {
    let (yes, no) = match matter {
        Matter::Identity { .. } => ("y  it is this product: affirm it", "n  it is another: deny it"),
        Matter::Finding { .. } => (
            "y  it holds: a statement that it affects the package",
            "n  it does not: a statement with VEX's justification",
        ),
        Matter::Expiring { .. } => ("y  it still holds: renew it", "n  it does not: let it end on its day"),
        Matter::Waiver { .. } => ("", ""),
    };
    let own = [yes, no].into_iter().filter(|line| !line.is_empty());
    let common =
        ["s  skip it, and be asked again next time", "q  quit; what was decided is written already", "?  this help"];
    let lines = own.chain(common).map(|line| format!("  {line}"));
    lines.chain(["  An empty answer to a later question goes back.".to_owned()]).collect()
}
