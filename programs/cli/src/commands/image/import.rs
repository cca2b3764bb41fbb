//! `aux image import`: specifications out of the `images.json` that described origin images before.

use std::path::PathBuf;

use aux_app::exit;
use aux_core::limits::IMAGE_CATALOG_BYTES_MAX;
use aux_image::spec::import;
use aux_io::{file, input};

use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Write a specification for each image of an old `images.json`: its packages by name, without the versions that kept updates out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The old file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder that specifications are written to, NAME.toml; one that is there already is not replaced.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let bytes = input::read(&args.file, IMAGE_CATALOG_BYTES_MAX)?;
    let imported = import(&bytes).map_err(|error| {
        Failure::new(format!("{}: {error}", args.file.display()))
            .hint("nothing was written; it is a list of images with namePrefix, origin and pkgsrc")
    })?;
    let place = |name: &str| args.output.join(format!("{name}.toml"));
    if let Some(there) = imported.iter().map(|one| place(&one.name)).find(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::new(format!("{}: is there already", there.display()))
            .hint("nothing was written; name another folder with --output"));
    }
    std::fs::create_dir_all(&args.output)
        .map_err(|error| Failure::new(format!("{}: {error}", args.output.display())))?;
    let mut lines = Vec::new();
    for one in &imported {
        let path = place(&one.name);
        file::replace(&path, one.text.as_bytes())?;
        lines.push(format!("{}: written", path.display()));
        if !one.unpinned.is_empty() {
            let count = counted(one.unpinned.len(), "version", "versions");
            lines.push(format!("  {count} not pinned any more: {}", one.unpinned.join(", ")));
        }
    }
    lines.push("name a repository of packages and a policy in each: docs/formats/image-spec.md".to_owned());
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}
