//! The page of a check under docs/checks, made from the check itself, so that the two never disagree.

use std::fmt::Write as _;

use super::{CHECKS, Check};

/// The page, Markdown.
pub fn page(check: &Check) -> String {
    let Check { id, title, severity, why, seen, fix, .. } = check;
    let severity = severity.as_str();
    format!(
        "# {id}: {title}\n\nSeverity: {severity}.\n\n## Why it matters\n\n{why}\n\n## How it is seen\n\n{seen}\n\nWhat cannot be seen is \
         *unknown*, which is neither failed nor passed. A source that is not named here has nothing to do with this check.\n\n## What \
         fixes it\n\n```nix\n{fix}\n```\n\n## Where it is meant to be so\n\n```toml\n[[waiver]]\nids = [\"{id}\"]\nreason = \"why it \
         is meant to be so\"\nexpires = 2027-01-31\n```\n\nin a file given with `--waivers`; see [waivers](../formats/waivers.md).\n"
    )
}

/// The list of all checks that the folder's README holds, a Markdown table.
pub fn index() -> String {
    let mut text = "| check | looks at | severity |\n|---|---|---|\n".to_owned();
    for check in CHECKS {
        let Check { id, title, severity, .. } = check;
        let _ = writeln!(text, "| [{id}]({id}.md) | {title} | {} |", severity.as_str());
    }
    text
}
