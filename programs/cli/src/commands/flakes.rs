//! Targets that are flakes: a folder, or a repository somewhere else, evaluated to one inventory for each machine.

use std::io;
use std::path::{Path, PathBuf};

use aux_core::{FlakeInput, Inventory, Problem, TargetKind};
use aux_inventory::{Flake, FlakeTarget, Nix, ReadOptions, Step, read_flake, read_flake_lock};
use aux_repo::{Git, Reference, Repository, Revision, Scratch, Target};

use crate::ui::Ui;

/// What reading a flake may use.
pub(crate) struct Flakes {
    /// Where evaluation is wanted and `nix` is there.
    pub(crate) nix: Option<Nix>,
    /// Why nothing is evaluated, where nothing is.
    pub(crate) why_not: &'static str,
    pub(crate) git: Git,
    /// Where fetched repositories are kept.
    pub(crate) cache: PathBuf,
    /// Whose packages are looked at: `x86_64-linux`.
    pub(crate) system: String,
    pub(crate) options: ReadOptions,
}

/// Said where a flake is read without its machines.
pub(crate) const NO_EVALUATION: &str =
    "its inputs were read, but no machine and no package: evaluation was left out (--no-eval)";
pub(crate) const NO_NIX: &str = "its inputs were read, but no machine and no package: there is no `nix` to evaluate it \
                                 with; install nix, or audit a derivation graph or a closure";

impl Flakes {
    /// Reads a word that names a flake; `None` where it names something else.
    pub(crate) fn read(&self, word: &str, ui: &Ui) -> Option<Vec<Inventory>> {
        match Target::parse(word) {
            Some(Ok(target)) => Some(self.read_at(&target, ui)),
            Some(Err(error)) => Some(vec![unread(word, error.to_string())]),
            None if is_flake(Path::new(word)) => Some(self.in_folder(word, Path::new(word), ui)),
            None => None,
        }
    }

    /// A flake in a folder of the user's own, as `nix` sees it there.
    fn in_folder(&self, name: &str, folder: &Path, ui: &Ui) -> Vec<Inventory> {
        match Flake::in_folder(folder) {
            Ok(flake) => self.evaluated(name, flake, folder, ui),
            Err(error) => vec![unread(name, error.to_string())],
        }
    }

    /// A flake in a folder that was laid out for this.
    pub(crate) fn laid(&self, name: &str, folder: &Path, ui: &Ui) -> Vec<Inventory> {
        if !is_flake(folder) {
            return vec![unread(
                name,
                "has no flake.nix in that folder, and nothing else to audit is known".to_owned(),
            )];
        }
        let mut inventories = match Flake::of_tree(folder) {
            Ok(flake) => self.evaluated(name, flake, folder, ui),
            Err(error) => return vec![unread(name, error.to_string())],
        };
        // The layout is gone when somebody reads the report.
        let place = format!("{}/", folder.display());
        for problem in inventories.iter_mut().flat_map(|inventory| &mut inventory.problems) {
            problem.subject = problem.subject.replace(&place, "");
            problem.message = problem.message.replace(&place, "");
        }
        inventories
    }

    fn evaluated(&self, name: &str, flake: Flake, folder: &Path, ui: &Ui) -> Vec<Inventory> {
        let name = name.to_owned();
        let target = FlakeTarget { name, flake, lock: folder.join("flake.lock"), system: self.system.clone() };
        let Some(nix) = &self.nix else { return vec![read_flake_lock(&target, self.why_not)] };
        let bar = ui.progress("evaluating");
        let inventories = read_flake(&target, nix, &self.options, &mut |step| match step {
            Step::Found(number) => bar.set_length(number as u64),
            Step::Evaluated(_) => bar.inc(1),
        });
        bar.finish_and_clear();
        inventories
    }

    /// A repository somewhere else, at the state it names.
    pub(crate) fn read_at(&self, target: &Target, ui: &Ui) -> Vec<Inventory> {
        let bar = ui.progress("fetching");
        let fetched = aux_repo::fetch(&self.git, target, &self.cache);
        bar.finish_and_clear();
        match fetched {
            Ok((repository, revision)) => self.at_revision(&repository, &revision, target, ui),
            Err(error) => vec![unread(&target.name, error.to_string())],
        }
    }

    fn at_revision(&self, repository: &Repository, revision: &Revision, target: &Target, ui: &Ui) -> Vec<Inventory> {
        let scratch = match self.scratch() {
            Ok(scratch) => scratch,
            Err(message) => return vec![unread(&target.name, message)],
        };
        let folder = scratch.path("source");
        let laid = match repository.lay_out(revision, &folder) {
            Ok(laid) => laid,
            Err(error) => return vec![unread(&target.name, error.to_string())],
        };
        let inside = folder.join(&target.dir);
        let mut inventories = self.laid(&target.name, &inside, ui);
        if let Some(flake) = inventories.first_mut() {
            flake.inputs.insert(0, itself(target, revision));
            if !laid.submodules.is_empty() {
                let names = laid.submodules.join(", ");
                flake.problems.push(Problem::new(names, "is a submodule, which is not fetched"));
            }
        }
        inventories
    }

    pub(crate) fn scratch(&self) -> Result<Scratch, String> {
        let said = |cause: io::Error| format!("{}: the cache cannot be used: {cause}", self.cache.display());
        Scratch::in_cache(&self.cache).map_err(said)
    }
}

/// The state of the repository that was read, beside the inputs it locks.
fn itself(target: &Target, revision: &Revision) -> FlakeInput {
    FlakeInput {
        name: "self".to_owned(),
        follows: None,
        source: target.url().to_owned(),
        branch: match &target.reference {
            Reference::Name(name) => Some(name.clone()),
            Reference::Head | Reference::Revision(_) => None,
        },
        revision: Some(revision.to_string()),
        last_modified: None,
    }
}

pub(crate) fn is_flake(folder: &Path) -> bool {
    folder.join("flake.nix").is_file()
}

/// A target of which nothing could be read.
pub(crate) fn unread(name: &str, message: String) -> Inventory {
    let mut inventory = Inventory::new(name, TargetKind::Unrecognised);
    inventory.problems.push(Problem::new(name, message));
    inventory
}
