//! One path in memory: its narinfo without what can be said in fewer bytes, and made whole when it is sent.
//!
//! Of a million narinfos the longest part are hashes that stand there twice, as text. They are kept once, as bytes, and so
//! a path takes a third less. A cache and its views share what they both serve.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use aux_nix::{Sha256, nix32};

use crate::packing::Packing;
use crate::records::PathRow;

/// A path, ready to be sent but for its hashes.
#[derive(Debug)]
pub struct Kept {
    pub number: i64,
    pub nar_hash: Sha256,
    pub nar_size: u64,
    pub file_hash: Sha256,
    pub file_size: u64,
    packing: Packing,
    /// The narinfo without the lines between the first and the references, and behind it the server's own signatures.
    text: Box<str>,
    /// Where the first line ends.
    first: u32,
    /// Where the server's own signatures begin.
    own: u32,
    /// The day on which it was used last since the start, counted from 1970.
    used: AtomicU32,
}

/// What is said of it; by whom it was asked for makes no difference.
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        let said = |kept: &Self| (kept.number, kept.nar_hash, kept.nar_size, kept.file_hash, kept.file_size);
        let written = |kept: &Self| (kept.packing, kept.first, kept.own);
        said(self) == said(other) && written(self) == written(other) && self.text == other.text
    }
}

/// Room for the lines that are left out.
const LINES_BYTES: usize = 320;

impl Kept {
    /// Cuts a narinfo as `NarInfo::print` writes it for a kept NAR; `None` where it is written otherwise.
    pub fn cut(number: i64, narinfo: &str, own: Option<&str>) -> Option<Self> {
        let first = narinfo.find('\n')? + 1;
        let (store_path, rest) = narinfo.split_at_checked(first)?;
        if !store_path.starts_with("StorePath: ") {
            return None;
        }
        let (url, rest) = rest.strip_prefix("URL: nar/")?.split_once('\n')?;
        let (compression, rest) = rest.strip_prefix("Compression: ")?.split_once('\n')?;
        let (file_hash, rest) = rest.strip_prefix("FileHash: sha256:")?.split_once('\n')?;
        let (file_size, rest) = rest.strip_prefix("FileSize: ")?.split_once('\n')?;
        let (nar_hash, rest) = rest.strip_prefix("NarHash: sha256:")?.split_once('\n')?;
        let (nar_size, rest) = rest.strip_prefix("NarSize: ")?.split_once('\n')?;
        let packing = Packing::parse(compression)?;
        if url.strip_prefix(nar_hash)?.strip_prefix(".nar")? != packing.suffix() {
            return None;
        }
        // Exactly: a million times a few bytes left over would be many.
        let own_bytes: usize = own.iter().flat_map(|own| own.lines()).map(|line| "Sig: \n".len() + line.len()).sum();
        let mut text = String::with_capacity(store_path.len() + rest.len() + own_bytes);
        text.push_str(store_path);
        text.push_str(rest);
        let own_start = u32::try_from(text.len()).ok()?;
        for signature in own.into_iter().flat_map(str::lines) {
            text.extend(["Sig: ", signature, "\n"]);
        }
        Some(Self {
            number,
            nar_hash: Sha256(nix32::decode(nar_hash)?),
            nar_size: decimal(nar_size)?,
            file_hash: Sha256(nix32::decode(file_hash)?),
            file_size: decimal(file_size)?,
            packing,
            text: text.into_boxed_str(),
            first: u32::try_from(first).ok()?,
            own: own_start,
            used: AtomicU32::new(0),
        })
    }

    /// A path of the records. What is written otherwise than this server writes it is written down anew.
    pub fn of(path: &PathRow) -> Option<Self> {
        let own = path.signature.as_deref();
        Self::cut(path.number, &path.narinfo, own).filter(|kept| kept.is_of(path))
    }

    fn is_of(&self, path: &PathRow) -> bool {
        let object = path.object;
        (self.nar_hash, self.nar_size) == (object.nar_hash, object.nar_size)
            && (self.file_hash, self.file_size) == (object.file_hash, object.file_size)
    }

    /// Notes that it is used on a day; whether that was not known.
    pub fn is_first_use(&self, day: u32) -> bool {
        self.used.load(Ordering::Relaxed) < day && self.used.fetch_max(day, Ordering::Relaxed) < day
    }

    /// Whether the server's own signature is there.
    pub fn is_signed(&self) -> bool {
        self.text.len() > self.own as usize
    }

    /// The narinfo, with the server's own signatures behind those that it came with or without them. The order of fields
    /// is free to Nix.
    pub fn narinfo(&self, with_own: bool) -> Vec<u8> {
        let (first, own) = (self.first as usize, self.own as usize);
        let end = if with_own { self.text.len() } else { own };
        let mut narinfo = String::with_capacity(end + LINES_BYTES);
        narinfo.push_str(self.text.get(..first).unwrap_or_default());
        let nar_hash = self.nar_hash.nix32();
        // Writing to a `String` does not fail.
        let _infallible = write!(
            narinfo,
            "URL: nar/{nar_hash}.nar{}\nCompression: {}\nFileHash: sha256:{}\nFileSize: {}\nNarHash: sha256:{nar_hash}\n\
             NarSize: {}\n",
            self.packing.suffix(),
            self.packing.compression().name(),
            self.file_hash.nix32(),
            self.file_size,
            self.nar_size,
        );
        narinfo.push_str(self.text.get(first..end).unwrap_or_default());
        narinfo.into_bytes()
    }
}

/// A number as it is printed: no sign, no zero before it.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text == "0" || text.bytes().next().is_some_and(|first| (b'1'..=b'9').contains(&first));
    is_plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narinfo(url: &str, size: &str) -> String {
        let (nar, file) = (Sha256::of(b"nar").nix32(), Sha256::of(b"file").nix32());
        format!(
            "StorePath: /nix/store/01rwx9dqpbp7r777v319h2acnmqqawp0-x\nURL: nar/{url}\nCompression: zstd\n\
             FileHash: sha256:{file}\nFileSize: {size}\nNarHash: sha256:{nar}\nNarSize: 7\nReferences: \n\
             Deriver: y.drv\nSig: k:AAAA\n"
        )
    }

    #[test]
    fn what_was_cut_is_made_whole_byte_by_byte() {
        let nar = Sha256::of(b"nar").nix32();
        let text = narinfo(&format!("{nar}.nar.zst"), "0");
        let kept = Kept::cut(3, &text, Some("own-1:a\nown-2:b")).unwrap();
        assert_eq!(String::from_utf8(kept.narinfo(false)).unwrap(), text);
        assert_eq!(String::from_utf8(kept.narinfo(true)).unwrap(), format!("{text}Sig: own-1:a\nSig: own-2:b\n"));
        assert!(kept.is_signed());
        let kept = Kept::cut(3, &text, None).unwrap();
        assert!(!kept.is_signed());
        assert_eq!(kept.narinfo(true), text.as_bytes());
        let uses = [3, 3, 2, 4].map(|day| kept.is_first_use(day));
        assert_eq!(uses, [true, false, false, true]);
        assert_eq!(Some(&kept), Kept::cut(3, &text, None).as_ref());
        assert_eq!(size_of::<Kept>(), 120, "there are millions");
        assert!(kept.text.len() * 3 < text.len() * 2);
    }

    #[test]
    fn what_would_not_be_the_same_again_is_not_cut() {
        let nar = Sha256::of(b"nar").nix32();
        let whole = format!("{nar}.nar.zst");
        for (url, size) in
            [("other.nar.zst", "7"), (&*format!("{nar}.nar"), "7"), (&*whole, "07"), (&*whole, "+7"), (&*whole, "")]
        {
            assert_eq!(Kept::cut(1, &narinfo(url, size), None), None, "{url} {size}");
        }
        assert_eq!(Kept::cut(1, "", None), None);
        assert_eq!(Kept::cut(1, "URL: x\n", None), None);
    }
}
