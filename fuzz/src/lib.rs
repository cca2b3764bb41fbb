//! What the targets of the index share: a body with its lengths and checksum made right, and every question one can ask.

use aux_advisory::index::{AdvisoryKey, Index};
use aux_core::Ecosystem;

const HEADER_BYTES: usize = 48;
const SECTIONS: usize = 8;

/// The same file with a proper header, a last section that ends where the file does, and the checksum of what is there.
pub fn believable_index(data: &[u8]) -> Option<Vec<u8>> {
    let mut body = data.get(HEADER_BYTES..)?.to_vec();
    let (lengths, sections) = body.split_at_mut_checked(SECTIONS * 8)?;
    let (last, others) = lengths.split_last_chunk_mut::<8>().map(|(others, last)| (last, others))?;
    let announced = others.chunks_exact(8).filter_map(|eight| Some(u64::from_le_bytes(eight.try_into().ok()?)));
    let announced = announced.fold(0, u64::wrapping_add);
    *last = (sections.len() as u64).wrapping_sub(announced).to_le_bytes();
    let checksum = blake3::hash(&body);
    Some([b"\x89AUXDB\r\n\x01\0\0\0\x08\0\0\0", checksum.as_bytes().as_slice(), &body].concat())
}

/// Asks everything an audit, `--explain` and `feed show` ask.
pub fn ask_everything(index: &Index<'_>) {
    for id in ["CVE-2021-44228", "CVE-1999-0001", "GHSA-jfh8-c2jp-5v3q", ""] {
        let key = index.key_of(id).ok().flatten().unwrap_or(AdvisoryKey::of(id));
        let _advisory = (index.advisory(key), index.products_of(key));
    }
    let ecosystem = Ecosystem::NIX;
    for name in ["curl", "linuxkernel", "lodash", "", "\u{7f}"] {
        let products = index.products_named(name).unwrap_or_default().into_iter();
        let products = products.chain(index.product(&format!("a:haxx:{name}")).ok().flatten());
        let packages = [&ecosystem, &Ecosystem::new("npm")].map(|ecosystem| index.package(ecosystem, name).ok().flatten());
        let _entries: usize =
            products.chain(packages.into_iter().flatten()).map(|block| block.entries().flatten().count()).sum();
        let _said = (index.names(&ecosystem, name), index.statements(&ecosystem, name), index.fixes(&ecosystem, name));
    }
}
