//! `aux secret rotate`: make something new, and say whom that stops.

use aux_secrets::acts::Rotation;
use aux_secrets::{Holder, Label};
use jiff::civil::Date;
use serde_json::json;

use super::common::{Answer, Writing, random, today};
use crate::failure::Failure;
use crate::ui::Ui;

/// Give secrets a new version, or a machine, a group, an environment or the whole fleet a new key.
///
/// A new version stops whoever knew the value. It does not stop whoever has the machine's key, who can compute it: that
/// takes a new key. `aux secret blast-radius` says what one compromise takes.
#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = false)]
pub(crate) struct Args {
    /// Secrets that get a new version.
    #[arg(value_name = "NAME", group = "what")]
    names: Vec<Label>,
    /// A machine that gets a new key.
    #[arg(long, short = 'm', value_name = "MACHINE", group = "what")]
    machine: Option<Label>,
    /// A group that gets a new key.
    #[arg(long, value_name = "GROUP", group = "what")]
    group: Option<Label>,
    /// An environment that gets a new key, with all its machines and groups.
    #[arg(long, value_name = "ENVIRONMENT", group = "what")]
    environment: Option<Label>,
    /// The admins get a new key: authorities and the signing key change.
    #[arg(long, group = "what")]
    admin: bool,
    /// A new seed: everything derived changes.
    #[arg(long, group = "what")]
    epoch: bool,
    /// New certificates begin on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let rotations = rotations(args);
    let mut session = args.writing.session(ui)?;
    for rotation in &rotations {
        session.rotate(rotation, today(args.as_of)?, random()?)?;
    }
    let mut answer = Answer::default();
    if let Some(rotation) = rotations.first() {
        answer.lines.push(format!("stops: {}", rotation.stops()));
        answer.lines.push(format!("does not stop: {}", rotation.does_not_stop()));
        answer.fields = vec![("stops", json!(rotation.stops())), ("does_not_stop", json!(rotation.does_not_stop()))];
    }
    args.writing.finish(session.prepare(false)?, &answer, ui)
}

fn rotations(args: &Args) -> Vec<Rotation> {
    let mut all: Vec<Rotation> = args.names.iter().cloned().map(Rotation::Secret).collect();
    all.extend(args.machine.clone().map(|machine| Rotation::Holder(Holder::Machine(machine))));
    all.extend(args.group.clone().map(|group| Rotation::Holder(Holder::Group(group))));
    all.extend(args.environment.clone().map(Rotation::Environment));
    all.extend(args.admin.then_some(Rotation::Holder(Holder::Admin)));
    all.extend(args.epoch.then_some(Rotation::Epoch));
    all
}
