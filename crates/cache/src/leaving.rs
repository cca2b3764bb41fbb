//! What no record knows any more leaves the store: at once where whoever reads it has it open, and out of a bucket only
//! when no server can be sending it still.

use std::collections::BTreeSet;

use aux_core::limits::CACHE_BUCKET_LEAVING_SECONDS;

use crate::cache::Cache;
use crate::check::{Known, OrderError};
use crate::objects::{Found, ObjectName};
use crate::turns::Keeping;

impl Cache {
    /// Forgets that something was leaving which records know again: whoever reads it from now on has the whole time.
    pub(crate) fn forget_returned(&self, keeping: &Keeping<'_>) -> Result<(), OrderError> {
        let leaving = keeping.leaving()?;
        if leaving.is_empty() {
            return Ok(());
        }
        let known = Known::of(&keeping.objects()?);
        let is_known =
            |name: &String| ObjectName::parse(name).is_none_or(|name| known.has(&Found::Remote(name)) == Some(true));
        let returned: Vec<String> = leaving.into_keys().filter(is_known).collect();
        Ok(keeping.leave(&[], &returned, self.now())?)
    }

    /// Removes what no record knows.
    pub(crate) fn remove_unknown(&self, keeping: &Keeping<'_>) -> Result<(), OrderError> {
        let known = Known::of(&keeping.objects()?);
        let (leaving, now) = (keeping.leaving()?, self.now());
        let (mut unknown, mut listed, mut new) = (Vec::new(), BTreeSet::new(), Vec::new());
        self.objects.list(&mut |found| {
            let Found::Remote(name) = &found else {
                if known.has(&found) == Some(false) {
                    unknown.push(found);
                }
                return;
            };
            let name = name.to_string();
            match leaving.get(&name) {
                _ if known.has(&found) == Some(true) => {}
                None => new.push(name),
                Some(since) => {
                    if now.as_second().saturating_sub(*since) >= CACHE_BUCKET_LEAVING_SECONDS {
                        unknown.push(found);
                    }
                    listed.insert(name);
                }
            }
        })?;
        for found in &unknown {
            // Once the lock is lost, another server may be keeping this very NAR.
            if !keeping.is_held() {
                tracing::warn!("the database ended during the collection; the next one removes what is left");
                return Ok(());
            }
            self.objects.remove(found)?;
        }
        // What was just removed is listed no more the next time, and its row goes then.
        let gone: Vec<String> = leaving.into_keys().filter(|name| !listed.contains(name)).collect();
        Ok(keeping.leave(&new, &gone, now)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;

    use crate::access::Caller;
    use crate::cache::Surroundings;
    use crate::names::{SpaceName, UploadName};
    use crate::objects::{BucketSettings, Keep, REGION};
    use crate::push::NarTerms;
    use crate::records::{Actor, Terms};

    use super::*;

    fn nar(text: &[u8]) -> Vec<u8> {
        let mut writer = aux_nix::nar::Writer::new(Vec::new());
        writer.file(false, text.len() as u64).unwrap();
        writer.content(text).unwrap();
        writer.end_file().unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_nobody_needs_stays_in_the_bucket_until_no_server_can_be_sending_it() {
        let Some(store) = crate::moto::Moto::new() else { return };
        let data = tempfile::tempdir().unwrap();
        let credentials = data.path().join("credentials");
        aux_io::file::create_private(&credentials, crate::moto::CREDENTIALS).unwrap();
        let endpoint = store.endpoint();
        let settings = BucketSettings::new("s3://bucket/nars", Some(&endpoint), REGION, &credentials).unwrap();
        let second = Arc::new(AtomicI64::new(1_000_000));
        let clock = Arc::clone(&second);
        let surroundings = Surroundings {
            now: Box::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            bucket: Some(settings),
            ..Surroundings::of_a_test(Keep::Whole)
        };
        let cache = Cache::open(&data.path().join("data"), surroundings).unwrap();
        let pass = |seconds: i64| second.fetch_add(seconds, Ordering::SeqCst);
        let space = cache.space(&SpaceName::parse("staging").unwrap()).unwrap();
        let put = |text: &[u8]| {
            let actor = Actor { by: "a test".to_owned(), now: cache.now() };
            let name = UploadName::parse("0000000000000000000000000000000000000000000000000000.nar").unwrap();
            let terms = NarTerms { actor: &actor, announced: None, may_refer: false };
            cache.take_nar(&space, &name, &mut &*nar(text), terms).unwrap()
        };
        let collect = || {
            let before = Timestamp::from_second(second.load(Ordering::SeqCst)).unwrap();
            cache.collect(Terms::older_than(before, false), &Caller::Anonymous).unwrap().objects.len()
        };
        let nars = || store.keys().into_iter().filter(|key| !key.ends_with("records")).count();
        let leftovers = || cache.check().unwrap().leftovers;
        put(b"one");
        pass(1);
        assert_eq!((collect(), nars(), leftovers()), (1, 1, 0), "no record knows it, and it is there");
        pass(CACHE_BUCKET_LEAVING_SECONDS - 1);
        assert_eq!((collect(), nars()), (0, 1));
        // It is needed again, and then once more not: from then on it has the whole time.
        put(b"one");
        pass(CACHE_BUCKET_LEAVING_SECONDS);
        assert_eq!((collect(), nars()), (1, 1));
        pass(CACHE_BUCKET_LEAVING_SECONDS - 1);
        assert_eq!((collect(), nars()), (0, 1));
        pass(1);
        assert_eq!((collect(), nars(), leftovers()), (0, 0, 0));
        collect();
        assert!(cache.records.leaving().unwrap().is_empty());
    }
}
