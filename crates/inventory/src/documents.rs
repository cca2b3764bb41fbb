//! One document, or an archive of them: told by content, and handed to its reader.

use crate::detect::{self, Document, JsonDocument};
use crate::{Gathered, ReadOptions, cyclonedx, list, manifest, nix_documents, spdx};
use aux_core::limits::{DERIVATION_BYTES_MAX, DOCUMENT_BYTES_MAX};
use aux_core::{Ecosystem, TargetKind};
use aux_io::input::{self, Input, InputError};

/// Reads a file or standard input; a list is streamed, whatever its size.
pub(crate) fn file(path: &str, options: &ReadOptions, into: &mut Gathered) {
    let outcome = input::open(path).and_then(|input| stream(input, options, into));
    if let Err(error) = outcome {
        into.problem(error.name(), error.message());
    }
}

fn stream(mut input: Input<'_>, options: &ReadOptions, into: &mut Gathered) -> Result<(), InputError> {
    let name = input.name().to_owned();
    let start = input.peek(detect::START_BYTES)?;
    if input::looks_like_tar(&name, start) {
        input::archive(&name, &mut input, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
            Ok(entry) => bytes(entry.name, entry.bytes, options, into),
            Err(error) => into.problem(error.name(), error.message()),
        });
        return Ok(());
    }
    let document = detect::document(start);
    if let Some((kind, ecosystem)) = list_kind(&document, options) {
        list::read(&name, &mut input, kind, &ecosystem, into);
        return Ok(());
    }
    if document == Document::PkgsrcSummary {
        list::read_summary(&name, &mut input, into);
        return Ok(());
    }
    let limit_bytes = match document {
        Document::Derivation => DERIVATION_BYTES_MAX,
        Document::Json => DOCUMENT_BYTES_MAX,
        _ => {
            into.problem(name, unreadable(&document));
            return Ok(());
        }
    };
    let mut whole = Vec::new();
    input.read_into(&mut whole, limit_bytes)?;
    bytes(&name, &whole, options, into);
    Ok(())
}

/// Reads a document in memory.
pub(crate) fn bytes(name: &str, bytes: &[u8], options: &ReadOptions, into: &mut Gathered) {
    let document = detect::document(bytes.get(..detect::START_BYTES).unwrap_or(bytes));
    if let Some((kind, ecosystem)) = list_kind(&document, options) {
        return list::read_bytes(name, bytes, kind, &ecosystem, into);
    }
    match document {
        Document::Derivation if bytes.len() as u64 > DERIVATION_BYTES_MAX => {
            let limit = format!("larger than the {DERIVATION_BYTES_MAX} bytes of a derivation (DERIVATION_BYTES_MAX)");
            into.problem(name, limit);
        }
        Document::Derivation => into.add_derivation(name, bytes.to_vec()),
        Document::Json => json(name, bytes, options, into),
        Document::PkgsrcSummary => list::read_summary(name, &mut &*bytes, into),
        other => into.problem(name, unreadable(&other)),
    }
}

fn json(name: &str, bytes: &[u8], options: &ReadOptions, into: &mut Gathered) {
    let fallback = options.ecosystem.clone().unwrap_or(Ecosystem::GENERIC);
    let pkgsrc = options.ecosystem.clone().unwrap_or(Ecosystem::PKGSRC);
    match detect::json(bytes) {
        JsonDocument::CycloneDx => cyclonedx::read(name, bytes, &fallback, into),
        JsonDocument::Spdx => spdx::read(name, bytes, &fallback, into),
        JsonDocument::Spdx3 => into.problem(name, "is SPDX 3 (JSON-LD), which is not read; export it as SPDX 2.3 JSON"),
        JsonDocument::FlakeLock => nix_documents::flake_lock(name, bytes, into),
        JsonDocument::PathInfo => nix_documents::path_info(name, bytes, options, into),
        JsonDocument::DerivationJson => nix_documents::derivation_json(name, bytes, options, into),
        JsonDocument::Configuration => configuration(name, bytes, into),
        JsonDocument::NameList => {
            let kind = if pkgsrc == Ecosystem::PKGSRC { TargetKind::PkgsrcList } else { TargetKind::NameList };
            manifest::read(name, bytes, kind, &pkgsrc, into);
        }
        JsonDocument::Manifest => manifest::read(name, bytes, TargetKind::TritonManifest, &Ecosystem::PKGSRC, into),
        JsonDocument::Broken(error) => into.problem(name, format!("not readable as JSON: {error}")),
        JsonDocument::Unknown(keys) if keys.is_empty() => into.problem(name, "is JSON without anything in it"),
        JsonDocument::Unknown(keys) => {
            let keys = keys.join(", ");
            into.problem(name, format!("is JSON of a kind not known here (its keys: {keys}); {KINDS}"));
        }
    }
}

fn configuration(name: &str, bytes: &[u8], into: &mut Gathered) {
    into.recognise(TargetKind::Configuration);
    match crate::configuration::read_evaluated(bytes) {
        Ok(configuration) if into.configuration.is_none() => into.configuration = Some(Box::new(configuration)),
        Ok(_) => into.problem(name, "is a second configuration in one target; name each as a target of its own"),
        Err(error) => into.problem(name, error.to_string()),
    }
}

/// What is read, for those who brought something else.
const KINDS: &str = "read are .drv files, JSON of CycloneDX, SPDX, `nix derivation show`, `nix path-info`, Triton \
                     manifests and evaluated configurations, flake.lock, and lists of names or package URLs";

/// Which list a document is, and what its names belong to. An ecosystem that was given outranks what was told.
fn list_kind(document: &Document, options: &ReadOptions) -> Option<(TargetKind, Ecosystem)> {
    let given = options.ecosystem.as_ref();
    let told = match document {
        Document::NameList => (TargetKind::NameList, Ecosystem::NIX),
        Document::PurlList => (TargetKind::PurlList, Ecosystem::NIX),
        Document::PkgsrcList => (TargetKind::PkgsrcList, Ecosystem::PKGSRC),
        // Other ecosystems write names that no store path could have.
        Document::Prose if given.is_some_and(|given| *given != Ecosystem::NIX) => {
            (TargetKind::NameList, Ecosystem::NIX)
        }
        _ => return None,
    };
    Some(match (told, given) {
        (told, None) => told,
        ((TargetKind::PurlList, _), Some(given)) => (TargetKind::PurlList, given.clone()),
        (_, Some(given)) if *given == Ecosystem::PKGSRC => (TargetKind::PkgsrcList, given.clone()),
        (_, Some(given)) => (TargetKind::NameList, given.clone()),
    })
}

fn unreadable(document: &Document) -> String {
    match document {
        Document::Empty => "is empty".to_owned(),
        Document::Html => "is an HTML page, perhaps a web page saved in place of the file".to_owned(),
        Document::Xml => "is XML; export the SBOM as JSON".to_owned(),
        Document::SpdxTagValue => "is SPDX in tag-value form; export it as SPDX 2.3 JSON".to_owned(),
        Document::Binary => format!("is a binary file; {KINDS}"),
        _ => format!("is text, but no list of package names; {KINDS}"),
    }
}
