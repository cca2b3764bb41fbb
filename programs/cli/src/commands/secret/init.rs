//! `aux secret init`: a seed that is encrypted to those who can recover it, and an empty manifest.

use std::path::PathBuf;

use aux_app::exit;
use aux_secrets::acts::{InitRequest, init};
use aux_secrets::{FleetId, Label, Recipient, Repository};
use jiff::civil::Date;
use serde_json::json;

use super::common::{random, read_identities, today};
use super::here::{self, Beginning};
use crate::failure::Failure;
use crate::ui::Ui;

/// Begin a fleet's secrets: make a seed, encrypt it to at least two recipients, sign an empty manifest.
///
/// Whoever has the key of one recipient can open the seed, and with it everything: keep them apart. With --identity each
/// of them is tried at the end, by really opening the seed. With --here no key is needed: those of recovery are made, one is
/// kept as ~/.config/aux/secrets-identity and one printed, and this machine is enrolled with a key of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to make it in; usually that of your configuration.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Who can recover everything: a recipient of age (age1…, age1tag1…, age1tagpq1…); at least two.
    #[arg(long = "recipient", short = 'r', value_name = "AGE", required_unless_present = "here")]
    recipients: Vec<String>,
    /// Make the keys too, and enrol this machine; prints the key to put away.
    #[arg(long, conflicts_with_all = ["recipients", "identities", "accept_single_recipient"])]
    here: bool,
    /// With --here: what this machine is called; its host name otherwise.
    #[arg(long, value_name = "NAME", requires = "here")]
    machine: Option<Label>,
    /// Begin with one recipient: where its key is lost, everything is.
    #[arg(long)]
    accept_single_recipient: bool,
    /// The identity of a recipient, to try it; may be given several times.
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<PathBuf>,
    /// Begin as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    if args.here {
        let beginning = Beginning { dir: &args.dir, machine: args.machine.clone(), today: today(args.as_of)? };
        return here::run(beginning, args.json, ui);
    }
    let mut recipients = Vec::new();
    for text in &args.recipients {
        let recipient: Recipient = text.parse().map_err(Failure::new)?;
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    if recipients.len() < 2 && !args.accept_single_recipient {
        return Err(Failure::new("one recipient alone: if its key is lost, every secret of the fleet is")
            .hint("name another with --recipient, or say --accept-single-recipient"));
    }
    let mut offered = Vec::new();
    for path in &args.identities {
        let identities = read_identities(path, ui)?;
        if !identities.recipients().iter().any(|recipient| recipients.contains(recipient)) {
            return Err(Failure::new(format!("{}: belongs to none of the recipients", path.display()))
                .hint("age-keygen -y FILE prints the recipient of an identity"));
        }
        offered.push(identities);
    }
    let count = recipients.len();
    let request = InitRequest { recipients, fleet: FleetId(*random()?), seed: random()?, today: today(args.as_of)? };
    let made = init(Repository::create(&args.dir)?, request, offered, &mut |_| {})?;
    let dir = args.dir.display();
    if args.json {
        let answer = json!({
            "schema": "aux.secret-init/1", "fleet": made.fleet.to_string(), "signer": made.signer.as_str(),
            "files": made.committed.paths, "recipients": count,
            "tried": made.tried.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(exit::DONE);
    }
    ui.answer_rows(&[
        format!("fleet     {}", made.fleet),
        format!("signer    {}", made.signer.as_str()),
        format!("recovery  {} of {count} recipients opened the seed just now", made.tried.len()),
        String::new(),
        format!("Next: aux secret enroll MACHINE --repo {dir} --recipient AGE --identity FILE"),
    ])?;
    if made.tried.len() < count {
        ui.remark(&format!(
            "aux: {} not tried; open the seed once with each: age -d -i IDENTITY {dir}/seed.age >/dev/null",
            match count - made.tried.len() {
                1 => "one recipient was".to_owned(),
                untried => format!("{untried} recipients were"),
            }
        ));
    }
    Ok(exit::DONE)
}
