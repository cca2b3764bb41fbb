//! What the commands for secrets share: where the repository lies, who opens it, and how a change is told.

use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_secrets::acts::{Committed, Prepared, Session};
use aux_secrets::manifest::{Change, ChangeKind};
use aux_secrets::secret_file;
use aux_secrets::{Identities, Repository, SecretBytes, Signer};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Where the repository lies.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The folder with aux-secrets.toml.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) repo: PathBuf,
    /// The declaration, where it is another file: TOML, or JSON out of Nix.
    #[arg(long, value_name = "FILE")]
    pub(super) declaration: Option<PathBuf>,
}

impl Place {
    pub(super) fn open(&self) -> Result<Repository, Failure> {
        Ok(Repository::open(&self.repo, self.declaration.as_deref())?)
    }
}

/// Who opens what is encrypted.
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    /// A file with an identity of age, as age-keygen writes it; may be given several times.
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    pub(super) identities: Vec<PathBuf>,
}

impl Keys {
    /// The identities of all the files; nothing where none is named and none is kept.
    pub(super) fn read(&self, ui: &mut Ui) -> Result<Identities, Failure> {
        let kept = environment::secrets_identity().filter(|path| self.identities.is_empty() && path.is_file());
        let mut all = Identities::default();
        for path in self.identities.iter().chain(kept.as_ref()) {
            all = all.with(read_identities(path, ui)?);
        }
        Ok(all)
    }

    /// The same, and a failure where there are none.
    pub(super) fn needed(&self, ui: &mut Ui) -> Result<Identities, Failure> {
        let identities = self.read(ui)?;
        if identities.is_empty() {
            let hint = "name one with --identity FILE, or keep it as ~/.config/aux/secrets-identity";
            return Err(Failure::new("no identity to open this with").hint(hint));
        }
        Ok(identities)
    }
}

/// The identities of one file.
pub(super) fn read_identities(path: &Path, ui: &mut Ui) -> Result<Identities, Failure> {
    let content = secret_file::read(path).map_err(Failure::new)?;
    if secret_file::is_open_to_others(path) {
        ui.remark(&format!("aux: {}: every user can read this identity; chmod 600 it", path.display()));
    }
    let read = Identities::read(&content);
    read.map_err(|error| {
        Failure::new(format!("{}: {error}", path.display())).hint("age-keygen -o FILE makes an identity")
    })
}

/// What somebody does who changes something.
#[derive(Debug, clap::Args)]
pub(super) struct Writing {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) keys: Keys,
    /// Say what would change, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the answer as one document.
    #[arg(long)]
    pub(super) json: bool,
}

impl Writing {
    /// An open repository, in which nobody new was slipped in.
    pub(super) fn session(&self, ui: &mut Ui) -> Result<Session, Failure> {
        let session = self.session_with_new_people(ui)?;
        session.refuse_new_people()?;
        Ok(session)
    }

    /// The same, where the change is just about them.
    pub(super) fn session_with_new_people(&self, ui: &mut Ui) -> Result<Session, Failure> {
        aux_secrets::memory::protect();
        let identities = self.keys.needed(ui)?;
        Ok(Session::open(self.place.open()?, identities)?)
    }

    /// Writes it, or says what would be written.
    pub(super) fn finish(&self, prepared: Prepared, more: &Answer, ui: &mut Ui) -> Result<u8, Failure> {
        let done = if self.dry_run {
            let serial = prepared.manifest.serial;
            Committed { serial, paths: prepared.paths(), changes: prepared.changes }
        } else {
            prepared.commit(&mut |_| {})?
        };
        self.tell(&done, more, ui)?;
        Ok(exit::DONE)
    }

    fn tell(&self, done: &Committed, more: &Answer, ui: &mut Ui) -> Result<(), Failure> {
        if self.json {
            let mut document = json!({
                "schema": "aux.secret-change/1", "dry_run": self.dry_run, "serial": done.serial, "files": done.paths,
                "changes": changes_json(&done.changes),
            });
            if let Some(document) = document.as_object_mut() {
                document.extend(more.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            }
            return ui.answer(&format!("{document:#}\n"));
        }
        let mut lines: Vec<String> = done.changes.iter().map(change_line).collect();
        lines.extend(more.lines.iter().cloned());
        let files = counted(done.paths.len(), "file", "files");
        lines.push(match (done.paths.is_empty(), self.dry_run) {
            (true, _) => "nothing to write: what is committed is what is declared".to_owned(),
            (false, true) => format!("would write {files}, manifest {}; nothing was written", done.serial),
            (false, false) => format!("wrote {files}, manifest {}; commit them", done.serial),
        });
        ui.answer_lines(&lines)
    }
}

/// What a command adds to the answer of a change.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) lines: Vec<String>,
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// One change as a person reads it.
pub(super) fn change_line(change: &Change) -> String {
    match change.kind {
        ChangeKind::Added => format!("+ {}", change.subject),
        ChangeKind::Removed => format!("- {}", change.subject),
        ChangeKind::Changed => format!("~ {}: {}", change.subject, change.what),
    }
}

pub(super) fn changes_json(changes: &[Change]) -> Value {
    let kind = |change: &Change| match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
    };
    let one = |change: &Change| {
        let what = Some(&change.what).filter(|what| !what.is_empty());
        json!({ "subject": change.subject.to_string(), "kind": kind(change), "what": what })
    };
    changes.iter().map(one).collect()
}

/// Bytes from the kernel that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(length) => filled += length,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::new(format!("the kernel gives no random bytes: {error}"))),
        }
    }
    Ok(bytes)
}

/// The day of now, or one that was asked for.
pub(super) fn today(as_of: Option<Date>) -> Result<Date, Failure> {
    Ok(environment::now(as_of)?.to_zoned(TimeZone::UTC).date())
}

/// Who is believed.
#[derive(Debug, clap::Args)]
pub(super) struct Signers {
    /// Who may have signed the manifest: a file of OpenSSH's allowed signers.
    #[arg(long = "signers", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Signers {
    /// The file, where one is named.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The signers that the file names, if one is named.
    pub(super) fn read(&self) -> Result<Option<Vec<Signer>>, Failure> {
        let Some(path) = &self.file else { return Ok(None) };
        let content: SecretBytes = secret_file::read(path).map_err(Failure::new)?;
        let signers = aux_secrets::acts::allowed_signers(content.reveal_text().unwrap_or_default());
        if signers.is_empty() {
            let hint = "its lines are such as: aux-secrets ssh-ed25519 AAAA…";
            return Err(Failure::new(format!("{}: names no Ed25519 key", path.display())).hint(hint));
        }
        Ok(Some(signers))
    }
}
