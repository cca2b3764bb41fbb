//! Withdrawal of paths, going back to editions, and the answer to "why".

use jiff::Timestamp;

use crate::access::Caller;
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::names::PathHash;
use crate::promote::{PromoteError, view_row};
use crate::records::{Decision, Editing, RecordsError, To, Withdrawal};

/// Decisions told about one path.
const DECISIONS_MAX: u32 = 50;

/// Why a path is or is not served.
#[derive(Debug, Clone)]
pub struct Why {
    /// The store path's last part, or the hash where no such path was ever seen.
    pub path: String,
    /// `served`, `withdrawn`, `refused`, `removed`, `waiting` or `absent`.
    pub state: &'static str,
    pub withdrawal: Option<Withdrawal>,
    /// The day on which somebody asked for it last, as far as that is known.
    pub used: Option<Timestamp>,
    pub decisions: Vec<Decision>,
}

/// A path that was hidden or shown, and what went along with it.
#[derive(Debug, Clone)]
pub struct Hidden {
    pub path: String,
    pub also: Vec<String>,
}

impl Cache {
    /// Hides a path of a cache or view, and all that needs it. `None` where there is no such path.
    pub fn withdraw(
        &self,
        space: &SharedSpace,
        hash: PathHash,
        (reason, is_dry): (&str, bool),
        caller: &Caller,
    ) -> Result<Option<Hidden>, PromoteError> {
        let _views = self.changing_views()?;
        let row = space.row();
        let Some(path) = self.records.path(row.source.unwrap_or(row.number), hash)? else { return Ok(None) };
        let named = (path.number, hash, path.base.as_str());
        let also = if is_dry {
            self.records.dependents(&row, path.number)?
        } else {
            let keeping = self.keeping_alone()?;
            let also = keeping.withdraw(&row, named, reason, &self.actor(caller))?;
            self.refill(&row)?;
            drop(keeping);
            self.show_anew(space)?;
            also
        };
        Ok(Some(Hidden { path: path.base, also: also.into_iter().map(|(_, base)| base).collect() }))
    }

    /// Shows a path again. `None` where it was not hidden here by its own name.
    pub fn restore(
        &self,
        space: &SharedSpace,
        hash: PathHash,
        reason: &str,
        caller: &Caller,
    ) -> Result<Option<Hidden>, PromoteError> {
        let views = self.changing_views()?;
        let row = space.row();
        let Some(path) = self.records.path(row.source.unwrap_or(row.number), hash)? else { return Ok(None) };
        let also = views.restore(&row, (hash, &path.base), reason, &self.actor(caller))?;
        self.show_anew(space)?;
        Ok(also.map(|also| Hidden { path: path.base, also }))
    }

    /// Makes a view hold again what an edition held. `None` where there is no such edition.
    pub fn roll_back(
        &self,
        view: &SharedSpace,
        to: To,
        (reason, is_dry): (&str, bool),
        caller: &Caller,
    ) -> Result<Option<Editing>, PromoteError> {
        let views = self.changing_views()?;
        let row = view_row(view)?;
        let editing = views.roll_back(&row, to, (reason, is_dry), &self.actor(caller))?;
        if editing.as_ref().is_some_and(|editing| editing.edition.is_some()) {
            self.show_anew(view)?;
        }
        Ok(editing)
    }

    /// Why a path is or is not served.
    pub fn why(&self, space: &SharedSpace, hash: PathHash) -> Result<Why, RecordsError> {
        let row = space.row();
        let path = self.records.path(row.source.unwrap_or(row.number), hash)?;
        let decisions = self.records.decisions_on(row.number, hash, DECISIONS_MAX)?;
        let withdrawal = self.records.withdrawal(&row, hash)?;
        let last = decisions.first().and_then(|decision| decision.judgements.first());
        let was_held = match &path {
            Some(path) if row.source.is_some() => self.records.was_held(row.number, path.number)?,
            _ => false,
        };
        let state = match (&withdrawal, &path) {
            (Some(_), _) => "withdrawn",
            (None, _) if space.read().path(hash).is_some() => "served",
            (None, _) if last.is_some_and(|judgement| !judgement.admitted) => "refused",
            (None, _) if was_held => "removed",
            (None, Some(_)) => "waiting",
            (None, None) => "absent",
        };
        self.try_to_write_uses();
        let used = path.as_ref().map(|path| self.records.used(path.number)).transpose()?.flatten();
        let known = path.map(|path| path.base).or_else(|| withdrawal.as_ref().map(|one| one.base.clone()));
        let told = known.or_else(|| last.map(|judgement| judgement.base.clone()));
        Ok(Why { path: told.unwrap_or_else(|| hash.to_string()), state, withdrawal, used, decisions })
    }

    /// Serves a cache or view as it is written down now; with a cache also the views of it.
    fn show_anew(&self, space: &SharedSpace) -> Result<(), PromoteError> {
        let row = space.row();
        let number = row.number;
        self.reload(&row)?;
        for one in self.catalogue.all() {
            let row = one.row();
            if row.source == Some(number) {
                self.reload(&row)?;
            } else if row.number != number {
                continue;
            }
            if one.read().row.source.is_some() {
                self.judge_view(&one)?;
            }
        }
        Ok(())
    }
}
