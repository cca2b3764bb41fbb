//! A small fleet on disk, as tests share it.

use std::path::Path;

use aux_secrets::acts::{InitRequest, Session, View, init};
use aux_secrets::declaration::{Edit, Scope, Uses};
use aux_secrets::kinds::Parameters;
use aux_secrets::repository::Step;
use aux_secrets::{FleetId, Holder, Identities, Label, Repository, SecretBytes};
use zeroize::Zeroizing;

/// Identities that belong to nobody, and their recipients.
pub(crate) const ADMIN: (&str, &str) = (
    "AGE-SECRET-KEY-14QHMRAG5GRPANQ7K65S9JEY4DAZRCDLYHE8QLWUHNUJD623482DS3NTJL8",
    "age1ef6puedulhmdv229aewsxk9t9k8ch7fxmwuz60p3vlrhyhylm95qnsgxg6",
);
pub(crate) const OTHER: (&str, &str) = (
    "AGE-SECRET-KEY-1DCYWFYXPFAUAAFX0DPJF299ETRVFJ5R58HX62Q6Q9TYH6U59HL0QUFHRMX",
    "age12agv4rers907eev4rwyrpqfkt6u6hvsz4kzn3nkpxhppalspu5kqvq9739",
);
pub(crate) const MACHINE: (&str, &str) = (
    "AGE-SECRET-KEY-135ATYNU4T2XS5UKZJJC5GQ3VGWHMD3WFP2GM3SG55AW90K4NL44ST2Z7KJ",
    "age1qck925gz4ppaaz0q682l47yf24nxzjq8mzhj6gd722qfsluzrq3qyynx7w",
);

pub(crate) fn identities(text: &str) -> Identities {
    Identities::read(&SecretBytes::from(text.to_owned())).ok().unwrap()
}

pub(crate) fn label(text: &str) -> Label {
    text.parse().unwrap()
}

pub(crate) fn begin(folder: &Path, reached: &mut dyn FnMut(Step)) {
    let recipients = [ADMIN.1, OTHER.1].map(|text| text.parse().unwrap()).to_vec();
    let today = jiff::civil::date(2026, 1, 2);
    let request = InitRequest { recipients, fleet: FleetId([5; 16]), seed: Zeroizing::new([6; 32]), today };
    let repository = Repository::create(folder).unwrap();
    let made = init(repository, request, vec![identities(ADMIN.0), identities(OTHER.0)], reached).unwrap();
    assert_eq!(made.tried.len(), 2);
}

pub(crate) fn session(folder: &Path) -> Session {
    Session::open(Repository::open(folder, None).unwrap(), identities(ADMIN.0)).unwrap()
}

pub(crate) fn secret(name: &str, type_word: &str, scope: &str) -> Edit {
    used(name, type_word, scope, Uses::default())
}

/// The same, with who uses it.
pub(crate) fn used(name: &str, type_word: &str, scope: &str, uses: Uses) -> Edit {
    let parameters = Parameters {
        not_before: type_word.starts_with("tls").then_some(jiff::civil::date(2026, 1, 2)),
        ..Parameters::default()
    };
    let scope: Scope = scope.parse().unwrap();
    let (name, type_word) = (label(name), type_word.to_owned());
    Edit::AddSecret { name, type_word, parameters: Box::new(parameters), scope, uses }
}

pub(crate) fn machine(name: &str, groups: &[&str]) -> Edit {
    let groups = groups.iter().map(|group| label(group)).collect();
    Edit::AddMachine { name: label(name), environment: None, groups, recipients: vec![MACHINE.1.to_owned()] }
}

/// Three machines, one group, derived secrets and envelopes of each scope.
pub(crate) fn filled(folder: &Path) {
    begin(folder, &mut |_| {});
    let declaration = folder.join("aux-secrets.toml");
    let text = std::fs::read_to_string(&declaration).unwrap() + "\n[groups.web]\n";
    aux_io::file::replace(&declaration, text.as_bytes()).unwrap();
    let mut session = session(folder);
    let edits = [
        machine("web1", &["web"]),
        machine("web2", &["web"]),
        machine("db1", &[]),
        secret("token", "hex", "machine"),
        secret("ssh-host", "ssh-ed25519", "machine"),
        secret("shared", "password", "group:web"),
        secret("api-key", "envelope", "group:web"),
        secret("licence", "envelope", "machine:db1"),
        secret("ca", "tls-ca", "admin"),
    ];
    session.edit(&edits).unwrap();
    session.fill(&label("api-key"), None, SecretBytes::from(&b"the api key"[..])).unwrap();
    session.fill(&label("licence"), None, SecretBytes::from(&b"the licence"[..])).unwrap();
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
}

/// The same with secrets that are files and have units: one of the machine, one of its group, an envelope.
pub(crate) fn with_files(folder: &Path) {
    filled(folder);
    let mut session = session(folder);
    let uses = |unit: &str| Uses { units: vec![unit.to_owned()], is_file: true, ..Uses::default() };
    let edits = [
        used("db-password", "password", "machine", uses("db.service")),
        used("cookie", "hex", "group:web", uses("web@.service")),
        used("mail-key", "envelope", "machine:web1", uses("mail.service")),
    ];
    session.edit(&edits).unwrap();
    session.fill(&label("mail-key"), None, SecretBytes::from(&b"the mail key"[..])).unwrap();
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
}

/// What opens the secrets of `web1`.
pub(crate) fn source(folder: &Path) -> aux_secrets::credential::Source {
    let identities = identities(MACHINE.0);
    let identities = aux_secrets::KeptIdentities::new(&identities);
    aux_secrets::credential::Source { folder: folder.to_path_buf(), machine: label("web1"), identities, signers: None }
}

/// A secret gets its next version.
pub(crate) fn rotate(folder: &Path, name: &str) {
    let mut session = session(folder);
    let today = jiff::civil::date(2026, 1, 3);
    session.rotate(&aux_secrets::acts::Rotation::Secret(label(name)), today, Zeroizing::new([9; 32])).unwrap();
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
}

/// What a machine reads, as the machine itself.
pub(crate) fn read(folder: &Path, machine: &str, name: &str) -> Result<Vec<u8>, String> {
    let (machine, name) = (label(machine), label(name));
    let view = || {
        let mut view = View::open(Repository::open(folder, None)?, None)?;
        view.unlock_machine(&machine, &identities(MACHINE.0))?;
        let holder: Holder = view.holder(&name, Some(&machine))?;
        view.value(&holder, &name)
    };
    view().map(|value| value.reveal().to_vec()).map_err(|error: aux_secrets::acts::ViewError| error.to_string())
}
