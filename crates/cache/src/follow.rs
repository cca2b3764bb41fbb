//! Following: what other servers of the same store did becomes true in this one's memory too.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use aux_core::limits::CACHE_CHANGE_SECONDS_MAX;

use crate::access::{AccessError, Caller};
use crate::cache::Cache;
use crate::records::{Change, RecordsError, SpaceRow};

/// Changes that are followed one by one; of more, everything is read anew.
const CHANGES_MAX: usize = 5_000;

impl Cache {
    /// Reads what other servers changed since this was done last.
    pub(crate) fn catch_up(&self) -> Result<(), RecordsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(changes) = self.records.changes(*seen)? else { return Ok(()) };
        match &changes.since {
            Some(since) => self.apply(since)?,
            None => self.apply(&[Change::Tokens, Change::Upstreams, Change::Spaces])?,
        }
        *seen = changes.number;
        Ok(())
    }

    /// Waits a while for other servers' changes and reads them; `false` where no other server can be.
    pub(crate) fn follow(&self) -> Result<bool, RecordsError> {
        // An announcement can be lost with its connection, so changes are looked for without one as well.
        let patience = Duration::from_millis(CACHE_CHANGE_SECONDS_MAX * 1_000 / 4);
        if !self.records.wait(patience)? {
            return Ok(false);
        }
        self.catch_up()?;
        self.judge_changed()?;
        Ok(true)
    }

    /// Whether a token that was valid when a request began is so still, for somebody who has caught up.
    pub(crate) fn confirm(&self, caller: &Caller) -> Result<(), AccessError> {
        let Caller::Known(token) = caller else { return Ok(()) };
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        if tokens.is_valid(token.number, self.now()) { Ok(()) } else { Err(AccessError::Unauthorized) }
    }

    fn apply(&self, changes: &[Change]) -> Result<(), RecordsError> {
        if changes.contains(&Change::Tokens) {
            self.reload_tokens()?;
        }
        if changes.contains(&Change::Upstreams)
            && let Err(error) = self.upstreams.set_up_all(self.records.upstreams()?)
        {
            tracing::error!("upstreams stay as they were: {error}");
        }
        let is_all = changes.contains(&Change::Spaces) || changes.len() > CHANGES_MAX;
        let named: BTreeSet<i64> = changes.iter().filter_map(|change| space(*change)).collect();
        if is_all || !named.is_empty() {
            let is_named = |row: &SpaceRow| {
                is_all || named.contains(&row.number) || row.source.is_some_and(|source| named.contains(&source))
            };
            for row in self.records.spaces()?.into_iter().filter(is_named) {
                self.reload(&row)?;
                if row.source.is_some() {
                    self.changed_views.lock().unwrap_or_else(PoisonError::into_inner).insert(row.number);
                }
            }
        }
        for change in changes {
            match *change {
                Change::Path { space, path } if !is_all && !named.contains(&space) => self.show(space, path)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Serves a path that another server committed.
    fn show(&self, space: i64, path: i64) -> Result<(), RecordsError> {
        let _keeping = self.keeping.read().unwrap_or_else(PoisonError::into_inner);
        let (Some(space), Some(row)) = (self.catalogue.numbered(space), self.records.numbered(path)?) else {
            return Ok(());
        };
        let mut space = space.write();
        if space.withdrawn(row.hash).is_none() {
            space.add(&row);
        }
        Ok(())
    }

    /// Judges views that another server changed: a verdict is this server's own.
    fn judge_changed(&self) -> Result<(), RecordsError> {
        let changed = std::mem::take(&mut *self.changed_views.lock().unwrap_or_else(PoisonError::into_inner));
        for view in changed.into_iter().filter_map(|number| self.catalogue.numbered(number)) {
            let _views = self.changing_views()?;
            if let Err(error) = self.judge_view(&view) {
                tracing::error!("the view {} cannot be judged: {error}", view.read().row.name);
            }
        }
        Ok(())
    }
}

fn space(change: Change) -> Option<i64> {
    match change {
        Change::Space(space) => Some(space),
        Change::Tokens | Change::Upstreams | Change::Spaces | Change::Path { .. } => None,
    }
}
