//! Damaged forms of the fuzz targets' seeds, for the ordinary tests: cut, changed, doubled and nested, the same every time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const CUTS: usize = 150;
const CHANGES: usize = 400;
/// What parsers look for.
const TELLING: &[u8] = b"\0\n\"\\[]{}(),:;<>=-+.*%@/#'0129eEnp\x7f\x80\xc3\xff";

/// Hands every seed of a target to `parse`, whole and in some hundred damaged forms.
pub(crate) fn every_form(target: &str, parse: &dyn Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seed for {target}");
    for file in files {
        forms(&std::fs::read(file).unwrap(), parse);
    }
}

/// The same for text; bytes that are none are passed over.
pub(crate) fn every_text(target: &str, parse: &dyn Fn(&str)) {
    every_form(target, &|bytes| parse(&String::from_utf8_lossy(bytes)));
}

/// Hands one document to `parse`, whole and damaged; a panic is reported with the form that caused it.
pub(crate) fn forms(seed: &[u8], parse: &dyn Fn(&[u8])) {
    let parse = |form: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| parse(form))) {
            panic!("{:?} on {:?}", panic.downcast_ref::<String>(), String::from_utf8_lossy(form));
        }
    };
    parse(seed);
    (0..CUTS).for_each(|cut| parse(&seed[..seed.len() * cut / CUTS]));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..CHANGES {
        let mut form = seed.to_vec();
        (0..=random.below(4)).for_each(|_| change(&mut form, &mut random));
        parse(&form);
    }
}

fn change(form: &mut Vec<u8>, random: &mut Random) {
    let start = random.below(form.len());
    let end = start + random.below((form.len() - start).min(64));
    match random.below(6) {
        0 => drop(form.drain(start..end)),
        1 => form.splice(start..start, form[start..end].to_vec()).for_each(drop),
        2 => form.splice(start..start, [b'[', b'{', b'('][random.below(3)..][..1].repeat(300)).for_each(drop),
        3 => form.splice(start..end, b"99999999999999999999".to_vec()).for_each(drop),
        4 => form.insert(start, TELLING[random.below(TELLING.len())]),
        _ if start < form.len() => form[start] = TELLING[random.below(TELLING.len())],
        _ => form.push(0),
    }
}

/// xorshift: not random at all, which is what a test wants.
struct Random(u64);

impl Random {
    /// From 0 up to `bound`, which it never is; 0 where there is nothing below.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap() % bound.max(1)
    }
}
