//! Every room's error becomes a message, its causes and a hint that says what to type.

use std::fmt::Display;
use std::path::Path;

use aux_advisory::index::IndexError;

use aux_app::exit;

/// An error as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// More lines of the same: which files, which entries.
    pub(crate) details: Vec<String>,
    pub(crate) hint: Option<String>,
    pub(crate) code: u8,
}

impl Failure {
    /// No answer: exit code 2.
    pub(crate) fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), details: Vec::new(), hint: None, code: exit::UNKNOWN }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}

impl Failure {
    /// A feed that cannot be believed.
    pub(crate) fn feed(path: &Path, error: &IndexError) -> Self {
        let hint = match error {
            IndexError::Version { .. } => "build it again with this version of aux, or update aux",
            IndexError::Foreign => "a feed is what `aux feed build` writes",
            _ => "build or fetch it again; `aux feed build` makes one",
        };
        Self::new(format!("{}: {error}", path.display())).hint(hint)
    }
}

impl Failure {
    /// A feed that is no file to read.
    pub(crate) fn feed_file(error: &aux_io::file::FileError) -> Self {
        Self::new(error).hint("a feed is one file; `aux feed build` makes one")
    }
}

impl Failure {
    /// A details pack beside the feed that cannot be believed.
    pub(crate) fn details_pack(path: &Path, error: &IndexError) -> Self {
        let message = match error {
            IndexError::Foreign => "not a details pack (it does not begin with the pack's magic bytes)".to_owned(),
            other => other.to_string().replace("the index", "the pack"),
        };
        Self::new(format!("{}: {message}", path.display()))
            .hint("remove it, or build the feed again with --details; an audit needs the feed alone")
    }
}

impl From<aux_io::file::FileError> for Failure {
    fn from(error: aux_io::file::FileError) -> Self {
        Self::new(error)
    }
}

impl From<aux_io::input::InputError> for Failure {
    fn from(error: aux_io::input::InputError) -> Self {
        Self::new(error)
    }
}

impl Failure {
    /// A sync that was refused, with what to do about it.
    pub(crate) fn sync(error: &aux_sync::SyncError) -> Self {
        Self::new(error).hint(error.advice())
    }

    /// A state folder that cannot be read.
    pub(crate) fn state(error: aux_sync::StateError) -> Self {
        Self::sync(&error.into())
    }
}

impl From<aux_feed::repository::RepositoryError> for Failure {
    fn from(error: aux_feed::repository::RepositoryError) -> Self {
        use aux_feed::repository::RepositoryError as Error;
        let hint = match &error {
            Error::Exists { .. } => "publish there, or name another folder",
            Error::NotInitialised { .. } => "aux feed init --repo DIR makes one",
            Error::Locked { .. } => "wait for it to end",
            Error::Threshold { .. } => "ask for fewer signatures, or make more keys",
            Error::Key { .. } => "keys are what `aux feed init` writes, or PKCS #8 files of your own",
            Error::KeysMissing { .. } => "bring the keys back to DIR/keys, or name root keys with --root-key FILE",
            Error::Untrusted { .. } | Error::Metadata { .. } => {
                "DIR/public was changed by something else; restore it from where it is served"
            }
            Error::Index { .. } | Error::IndexEntry { .. } | Error::Nothing => {
                "publish what `aux feed build` writes: aux feed publish FILE.auxdb --repo DIR"
            }
            _ => "nothing was published; mend this and publish again",
        };
        Self::new(&error).hint(hint)
    }
}

impl From<aux_feed::BuildError> for Failure {
    fn from(error: aux_feed::BuildError) -> Self {
        let details = match &error {
            aux_feed::BuildError::NoSource | aux_feed::BuildError::NoAdvisory => Vec::new(),
            aux_feed::BuildError::Keys(cause) => vec![cause.to_string()],
            aux_feed::BuildError::Unread { unread } => {
                unread.iter().map(|(name, reason)| format!("{name}: {reason}")).collect()
            }
            aux_feed::BuildError::Triage { errors } => errors.iter().map(ToString::to_string).collect(),
        };
        let hint = match &error {
            aux_feed::BuildError::NoSource => {
                "for example: aux feed build --nvd nvd/ --triage triage/ --output feed.auxdb"
            }
            aux_feed::BuildError::NoAdvisory => {
                "against an empty feed everything would look clean; see what the sources hold"
            }
            aux_feed::BuildError::Unread { .. } => "fetch these files again, or leave them out of the folder",
            aux_feed::BuildError::Keys(_) => "--pkgsrc-key takes a file of armored public keys",
            aux_feed::BuildError::Triage { .. } => "`aux feed lint DIR` checks the folder alone",
        };
        Self::new(error).details(details).hint(hint)
    }
}

impl Failure {
    /// A fetch that could not begin.
    pub(crate) fn fetch(error: &aux_feed::FetchError) -> Self {
        Self::new(error).hint(error.advice())
    }

    /// A request without an answer.
    pub(crate) fn http(error: &aux_io::http::HttpError) -> Self {
        Self::new(error).hint(error.advice())
    }
}

impl Failure {
    /// A cache server that gave no answer, or said no.
    pub(crate) fn cache(error: &aux_cache::client::ClientError) -> Self {
        Self::new(error).hint(error.advice())
    }
}

impl From<aux_feed::DecideError> for Failure {
    fn from(error: aux_feed::DecideError) -> Self {
        let hint = match &error {
            aux_feed::DecideError::Folder { .. } => "`aux feed lint DIR` says everything that is wrong with it",
            aux_feed::DecideError::Refused { .. } => "decide it again in other words, or by hand",
            aux_feed::DecideError::Changed { .. } => "save what you edit, then decide again",
            _ => "check the triage folder and who may write into it",
        };
        Self::new(error).hint(hint)
    }
}

impl From<aux_secrets::repository::RepositoryError> for Failure {
    fn from(error: aux_secrets::repository::RepositoryError) -> Self {
        use aux_secrets::repository::RepositoryError as Error;
        let hint = match &error {
            Error::Missing { .. } => "aux secret init DIR makes one; --repo names where it is",
            Error::Exists { .. } => "name another folder, or go on with the fleet that is there",
            Error::Locked { .. } => "wait for it to end",
            _ => "nothing was changed",
        };
        Self::new(&error).hint(hint)
    }
}

impl From<aux_secrets::acts::SessionError> for Failure {
    fn from(error: aux_secrets::acts::SessionError) -> Self {
        use aux_secrets::acts::SessionError as Error;
        let details = match &error {
            Error::People { changes } => {
                changes.iter().map(|change| format!("{}: {}", change.subject, change.what)).collect()
            }
            _ => Vec::new(),
        };
        let hint = match error {
            Error::Repository(error) => return error.into(),
            Error::Age { .. } => "--identity must be one of recovery, whose recipient stands in fleet.recovery",
            Error::Manifest { .. } => "it was changed by something else; bring it back from the repository's history",
            Error::Declaration { .. } | Error::Edit { .. } => "mend it there; nothing was written",
            Error::People { .. } => "look at them: `aux secret plan`; then give them keys with `aux secret rekey`",
            Error::Unset { .. } => "aux secret set NAME gives it one, and raises the version by itself",
            Error::Unknown { .. } => "`aux secret list` says what there is",
            Error::Recovery { .. } => "remove the new folder and begin again with the right recipients",
            _ => "nothing was written",
        };
        Self::new(&error).details(details).hint(hint)
    }
}

impl From<aux_secrets::acts::ViewError> for Failure {
    fn from(error: aux_secrets::acts::ViewError) -> Self {
        use aux_secrets::acts::ViewError as Error;
        let hint = match error {
            Error::Repository(error) => return error.into(),
            Error::Age { .. } => "--identity must be the machine's own, or one of recovery",
            Error::Manifest { .. } => "it was changed by something else; bring it back from the repository's history",
            Error::Unknown { .. } | Error::NotOfMachine { .. } => "`aux secret list` says what there is",
            Error::Machine { .. } => "--machine MACHINE",
            Error::Empty { .. } => "aux secret set NAME gives it a value",
            Error::Key { .. } => "with --machine the machine's secrets are open, without it those of groups and admins",
            _ => "`aux secret check` says what else is not as it was signed",
        };
        Self::new(&error).hint(hint)
    }
}

impl From<aux_secrets::install::InstallError> for Failure {
    fn from(error: aux_secrets::install::InstallError) -> Self {
        use aux_secrets::install::{FolderError, InstallError as Error};
        let hint = match error {
            Error::View(error) => return error.into(),
            Error::Folder(FolderError::Disk { .. }) => {
                "name a folder below /run, or say --accept-disk if the disk is meant"
            }
            Error::Folder(FolderError::Locked { .. }) => "wait for it to end",
            Error::Folder(_) => "name another folder with --to, or mend this one; the generation before is whole",
            Error::Account { .. } => "add it to this system first, or change owner and group in the declaration",
            Error::Owner { .. } => "run it as root",
            Error::Mode { .. } | Error::Clash { .. } => "change the declaration; nothing was written",
        };
        Self::new(&error).hint(hint)
    }
}

impl From<aux_secrets::acts::CheckError> for Failure {
    fn from(error: aux_secrets::acts::CheckError) -> Self {
        match error {
            aux_secrets::acts::CheckError::View(error) => error.into(),
            other => Self::new(&other).hint("without this nothing can be compared"),
        }
    }
}
