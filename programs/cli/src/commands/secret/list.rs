//! `aux secret list`: what there is, and whose.

use aux_app::exit;
use aux_secrets::Label;
use aux_secrets::acts::View;
use serde_json::json;

use super::common::{Place, Signers};
use crate::failure::Failure;
use crate::ui::Ui;

/// List the secrets of a fleet, or those that one machine reads. Needs no identity.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those that this machine reads.
    #[arg(long, short = 'm', value_name = "MACHINE")]
    machine: Option<Label>,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    place: Place,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let view = View::open(args.place.open()?, args.signers.read()?)?;
    let manifest = &view.manifest;
    if let Some(machine) = args.machine.as_ref().filter(|machine| !manifest.machines.contains_key(*machine)) {
        return Err(Failure::new(format!("there is no machine `{machine}` in the manifest")));
    }
    let mut secrets = Vec::new();
    for (name, secret) in &manifest.secrets {
        let is_read = |machine: &Label| manifest.holder_of(machine, name).is_some();
        if args.machine.as_ref().is_some_and(|machine| !is_read(machine)) {
            continue;
        }
        let holders = manifest.holders().filter_map(|holder| manifest.values(&holder)?.get(name));
        let (values, filled) =
            holders.fold((0, 0), |(all, filled), one| (all + 1, filled + usize::from(one.check.is_some())));
        secrets.push((name, secret, values, filled));
    }
    if args.json {
        let one = |(name, secret, values, filled): &(&Label, &aux_secrets::manifest::SecretEntry, usize, usize)| {
            json!({
                "name": name.as_str(), "type": secret.type_id, "scope": secret.scope, "version": secret.version, "owner": secret.owner,
                "mode": secret.mode, "units": secret.units, "values": values, "filled": filled,
            })
        };
        let answer = json!({
            "schema": "aux.secret-list/1", "serial": manifest.serial, "machines": manifest.machines.keys().collect::<Vec<_>>(),
            "groups": manifest.groups.keys().collect::<Vec<_>>(), "secrets": secrets.iter().map(one).collect::<Vec<_>>(),
        });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(exit::DONE);
    }
    let mut rows = vec![format!("{:<24} {:<16} {:>3}  {:<20} {}", "NAME", "TYPE", "VER", "SCOPE", "VALUES")];
    for (name, secret, values, filled) in secrets {
        let empty = if filled < values { format!("{values}, {} empty", values - filled) } else { values.to_string() };
        let (type_id, version, scope) = (&secret.type_id, secret.version, &secret.scope);
        rows.push(format!("{:<24} {type_id:<16} {version:>3}  {scope:<20} {empty}", name.as_str()));
    }
    if rows.len() == 1 {
        rows = vec!["no secret is declared; aux secret add NAME --type password declares one".to_owned()];
    }
    ui.answer_rows(&rows)?;
    Ok(exit::DONE)
}
