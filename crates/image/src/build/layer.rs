//! One layer out of many packages: sorted, owned by root, of one moment, with the package database.

use std::collections::BTreeMap;
use std::io::Write;

use aux_core::limits::IMAGE_LAYER_BYTES_MAX;
use flate2::{Compression, GzBuilder};
use jiff::Timestamp;

use super::package::{Node, Unpacked};

/// A layer as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The tar, as gzip packs it.
    pub packed: Vec<u8>,
    /// SHA-256 of the tar itself, which OCI calls the diff id.
    pub unpacked_sha256: String,
    pub files: usize,
    pub unpacked_bytes: u64,
}

/// Why packages do not become a layer. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    #[error("`{path}` is brought by {one} and by {other}")]
    Twice { path: String, one: String, other: String },
    #[error("{package} brings `{path}` below `{above}`, which is no folder")]
    Through { package: String, path: String, above: String },
    #[error("the layer has more than {IMAGE_LAYER_BYTES_MAX} bytes (IMAGE_LAYER_BYTES_MAX)")]
    TooLarge,
    #[error("the layer cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Makes the layer; `database` is where the package database stands, `needed_by` what `+REQUIRED_BY` says.
pub fn layer(
    packages: Vec<Unpacked>,
    database: &str,
    needed_by: &BTreeMap<String, Vec<String>>,
    at: Timestamp,
) -> Result<Layer, LayerError> {
    let nodes = united(packages, database, needed_by)?;
    let mut tar = tar::Builder::new(Vec::new());
    let mut total_bytes = 0_u64;
    let files = nodes.values().filter(|(node, _)| *node != Node::Folder).count();
    for (path, (node, _)) in nodes {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(u64::try_from(at.as_second()).unwrap_or_default());
        match node {
            Node::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                tar.append_data(&mut header, format!("{path}/"), std::io::empty())?;
            }
            Node::File { bytes, mode } => {
                total_bytes = total_bytes.saturating_add(bytes.len() as u64);
                if total_bytes > IMAGE_LAYER_BYTES_MAX {
                    return Err(LayerError::TooLarge);
                }
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(mode);
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, &path, bytes.as_slice())?;
            }
            Node::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                tar.append_link(&mut header, &path, &target)?;
            }
        }
    }
    let unpacked = tar.into_inner()?;
    let unpacked_sha256 = super::write::sha256(&unpacked);
    // No name and no moment of its own, so that the same tar is the same file.
    let mut gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
    gzip.write_all(&unpacked)?;
    Ok(Layer { packed: gzip.finish()?, unpacked_sha256, files, unpacked_bytes: unpacked.len() as u64 })
}

type Nodes = BTreeMap<String, (Node, String)>;

fn united(
    packages: Vec<Unpacked>,
    database: &str,
    needed_by: &BTreeMap<String, Vec<String>>,
) -> Result<Nodes, LayerError> {
    let mut nodes: Nodes = BTreeMap::new();
    for package in packages {
        let name = package.full_name.clone();
        let entry = |file: String| format!("{database}/{name}/{file}");
        let metadata =
            package.metadata.into_iter().map(|(file, bytes)| (entry(file), Node::File { bytes, mode: 0o644 }));
        let required = needed_by.get(&package.full_name).filter(|names| !names.is_empty());
        let required = required.map(|names| {
            let bytes = (names.join("\n") + "\n").into_bytes();
            (entry("+REQUIRED_BY".to_owned()), Node::File { bytes, mode: 0o644 })
        });
        for (path, node) in package.nodes.into_iter().chain(metadata).chain(required) {
            if let Some((_, one)) = nodes.get(&path) {
                return Err(LayerError::Twice { path, one: one.clone(), other: package.full_name });
            }
            nodes.insert(path, (node, package.full_name.clone()));
        }
    }
    // Whoever unpacks a layer follows links in it: nothing may stand below one.
    let mut folders: BTreeMap<String, (Node, String)> = BTreeMap::new();
    for (path, (_, package)) in &nodes {
        for (end, _) in path.match_indices('/') {
            let above = path.get(..end).unwrap_or_default();
            if nodes.contains_key(above) {
                let (package, path, above) = (package.clone(), path.clone(), above.to_owned());
                return Err(LayerError::Through { package, path, above });
            }
            folders.entry(above.to_owned()).or_insert_with(|| (Node::Folder, String::new()));
        }
    }
    nodes.extend(folders);
    Ok(nodes)
}
