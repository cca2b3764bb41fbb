//! Secrets as files of a machine: all of them at once, as a new generation, or none.

mod accounts;
mod folder;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use accounts::Accounts;
use folder::{Before, File, Folder};
pub use folder::{FolderError, Step, has_restarted};
pub use state::{ChangeKind, Entry, SCHEMA, State};

use crate::acts::{View, ViewError};
use crate::declaration::Holder;
use crate::derive::Label;
use crate::kinds::Rule;
use crate::manifest::SecretEntry;

/// What to install, and where.
pub struct InstallRequest<'a> {
    /// Opened, with the machine's keys.
    pub view: &'a View,
    pub machine: &'a Label,
    pub folder: &'a Path,
    pub accounts: &'a Accounts,
    /// A folder that lies on a disk is meant.
    pub accept_disk: bool,
    /// The caller restarts units, and says so by [`has_restarted`]; until then they stay pending.
    pub will_restart: bool,
}

/// A generation that is in place.
#[derive(Debug)]
pub struct Installed {
    /// Where it lies; `current` in the folder leads there.
    pub path: PathBuf,
    pub serial: u64,
    pub files: Vec<Label>,
    /// Since the generation before.
    pub changes: BTreeMap<Label, ChangeKind>,
    /// Units that still use a value of before; none where there was no generation before.
    pub units: BTreeSet<String>,
    /// Envelopes that were never filled: they have no file.
    pub empty: Vec<Label>,
    /// Whose version before is wanted, and cannot be derived.
    pub without_previous: Vec<Label>,
    /// The generation before was made from a newer manifest, this one.
    pub older_than: Option<u64>,
    /// There was a generation before, and what it says of itself cannot be read: so everything counts as changed.
    pub is_before_unknown: bool,
}

/// Why nothing was installed; the generation before is whole. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{0}")]
    View(#[from] ViewError),
    #[error("{0}")]
    Folder(#[from] FolderError),
    #[error("`{name}`: this system has no {what} `{account}`")]
    Account { name: Label, what: &'static str, account: String },
    #[error("`{name}` belongs to {account}, and only root can give a file away")]
    Owner { name: Label, account: String },
    #[error("`{name}`: `{mode}` is no mode of a secret")]
    Mode { name: Label, mode: String },
    #[error("`{name}` is the name of a secret and of the version before of another")]
    Clash { name: String },
}

/// Derives every secret of a machine that is a file, and puts them in place as one. `reached` hears of each step.
pub fn install(request: &InstallRequest<'_>, reached: &mut dyn FnMut(Step)) -> Result<Installed, InstallError> {
    // Everything that can fail for the secrets' sake fails here, before anything is written.
    let plan = plan(request)?;
    let folder = Folder::open(request.folder, request.accept_disk)?;
    let before = folder.before();
    let known = if let Before::Known(state) = &before { Some(state) } else { None };
    let mut state = State {
        schema: SCHEMA.to_owned(),
        machine: request.machine.clone(),
        serial: request.view.manifest.serial,
        secrets: plan.entries,
        pending: BTreeSet::new(),
    };
    let changes = state.changes(known);
    let mut units = BTreeSet::new();
    if !matches!(before, Before::Nothing) {
        units = state.units(&changes, known);
        units.extend(known.into_iter().flat_map(|state| state.pending.iter().cloned()));
    }
    // Who restarts by hand is told once; what a restart of ours left undone stays until one of ours does it.
    let undone = known.map(|state| state.pending.clone()).unwrap_or_default();
    state.pending = if request.will_restart { units.clone() } else { undone };
    let path = folder.replace(&plan.files, &state, reached)?;
    Ok(Installed {
        path,
        serial: state.serial,
        files: state.secrets.into_keys().collect(),
        changes,
        units,
        empty: plan.empty,
        without_previous: plan.without_previous,
        older_than: known.map(|known| known.serial).filter(|serial| *serial > state.serial),
        is_before_unknown: matches!(before, Before::Unknown),
    })
}

#[derive(Default)]
struct Plan {
    files: Vec<File>,
    entries: BTreeMap<Label, Entry>,
    empty: Vec<Label>,
    without_previous: Vec<Label>,
}

fn plan(request: &InstallRequest<'_>) -> Result<Plan, InstallError> {
    let manifest = &request.view.manifest;
    if !manifest.machines.contains_key(request.machine) {
        let (what, name) = ("machine", request.machine.to_string());
        return Err(ViewError::Unknown { what, name }.into());
    }
    let mut plan = Plan::default();
    for (name, secret) in manifest.secrets.iter().filter(|(_, secret)| secret.file) {
        let Some(holder) = manifest.holder_of(request.machine, name) else { continue };
        let Some(check) = manifest.values(&holder).and_then(|values| values.get(name)?.check) else {
            plan.empty.push(name.clone());
            continue;
        };
        let (user, group, mode) = rights(request.accounts, name, secret)?;
        let file = |name: String, value| File { name, value, user, group, mode };
        plan.files.push(file(name.to_string(), request.view.value(&holder, name)?));
        match previous(request.view, &holder, name, secret)? {
            Previous::Unwanted => {}
            Previous::Unknown => plan.without_previous.push(name.clone()),
            Previous::Value(value) => plan.files.push(file(format!("{name}.prev"), value)),
        }
        plan.entries.insert(name.clone(), Entry { check, units: secret.units.iter().cloned().collect() });
    }
    let mut names = BTreeSet::new();
    match plan.files.iter().find(|file| !names.insert(&file.name)) {
        Some(file) => Err(InstallError::Clash { name: file.name.clone() }),
        None => Ok(plan),
    }
}

enum Previous {
    Unwanted,
    Unknown,
    Value(crate::SecretBytes),
}

fn previous(view: &View, holder: &Holder, name: &Label, secret: &SecretEntry) -> Result<Previous, ViewError> {
    if secret.keep_previous == 0 || secret.version < 2 {
        return Ok(Previous::Unwanted);
    }
    let rule = secret.rule().map_err(|cause| ViewError::Rule { name: name.clone(), cause })?;
    if rule == Rule::Envelope || !rule.others().is_empty() {
        // An envelope's old value is gone, and what a value was made of then is not known.
        return Ok(Previous::Unknown);
    }
    view.previous_value(holder, name).map(Previous::Value)
}

/// The numbers of owner and group, and the mode.
fn rights(accounts: &Accounts, name: &Label, secret: &SecretEntry) -> Result<(u32, u32, u32), InstallError> {
    let unknown = |what, account: &String| InstallError::Account { name: name.clone(), what, account: account.clone() };
    let user = accounts.user(&secret.owner).ok_or_else(|| unknown("user", &secret.owner))?;
    let group = accounts.group(&secret.group).ok_or_else(|| unknown("group", &secret.group))?;
    let mode = u32::from_str_radix(&secret.mode, 8).ok().filter(|mode| mode & !0o770 == 0);
    let mode = mode.ok_or_else(|| InstallError::Mode { name: name.clone(), mode: secret.mode.clone() })?;
    let own = (rustix::process::geteuid(), rustix::process::getegid());
    if !own.0.is_root() && (user, group) != (own.0.as_raw(), own.1.as_raw()) {
        let account = format!("{}:{}", secret.owner, secret.group);
        return Err(InstallError::Owner { name: name.clone(), account });
    }
    Ok((user, group, mode))
}
