//! What a derivation's environment tells an inventory, read once, from plain variables or from structured attributes.

use aux_nix::Derivation;
use aux_nix::structured_attrs::StructuredAttributes;

/// The few facts of a derivation that matter here.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// `pname`: the package's name without its version.
    pub package: Option<String>,
    pub version: Option<String>,
    /// It unpacks a source.
    pub has_source: bool,
    /// It runs a script of its own instead of the standard phases, as `runCommand` and `buildEnv` do.
    pub has_build_command: bool,
    /// It writes a text down, as `writeText` does.
    pub writes_text: bool,
    /// nixpkgs thinks it too small to be worth a substitute.
    pub prefers_local_build: bool,
    /// Store paths of patches, in order of application.
    pub patches: Vec<String>,
    /// Where it downloads from.
    pub urls: Vec<String>,
    /// `meta.knownVulnerabilities`, where structured attributes carry it.
    pub known_vulnerabilities: Vec<String>,
    /// The structured attributes are there and cannot be read.
    pub unreadable_attributes: bool,
}

impl Facts {
    pub(super) fn of(derivation: &Derivation<'_>) -> Self {
        let mut facts = Self::default();
        for (name, value) in &derivation.environment {
            if name.is("__json") {
                match StructuredAttributes::parse(&value.value()) {
                    Ok(attributes) => facts.read_attributes(&attributes),
                    Err(_) => facts.unreadable_attributes = true,
                }
            } else if !value.is_empty()
                && let Some(known) = KNOWN.iter().find(|known| name.is(known))
            {
                facts.read(known, &value.lossy());
            }
        }
        facts
    }

    fn read_attributes(&mut self, attributes: &StructuredAttributes) {
        for name in KNOWN {
            for value in attributes.strings(name) {
                self.read(name, &value);
            }
        }
        self.known_vulnerabilities = attributes.known_vulnerabilities();
    }

    fn read(&mut self, name: &str, value: &str) {
        match name {
            "pname" => self.package = Some(value.to_owned()),
            "version" => self.version = Some(value.to_owned()),
            "src" | "srcs" => self.has_source = true,
            "buildCommand" | "buildCommandPath" => self.has_build_command = true,
            "text" => self.writes_text = true,
            "preferLocalBuild" => self.prefers_local_build = true,
            "patches" => self.patches.extend(value.split_ascii_whitespace().map(str::to_owned)),
            "url" | "urls" => self.urls.extend(value.split_ascii_whitespace().map(str::to_owned)),
            // Phases may apply patches by hand.
            "prePatch" | "postPatch" | "patchPhase" | "extraPatches" => self.patches.extend(patches_named_in(value)),
            _ => {}
        }
    }
}

const KNOWN: [&str; 15] = [
    "pname",
    "version",
    "src",
    "srcs",
    "buildCommand",
    "buildCommandPath",
    "text",
    "preferLocalBuild",
    "patches",
    "extraPatches",
    "url",
    "urls",
    "prePatch",
    "patchPhase",
    "postPatch",
];

/// Store paths in a script that end as patches do.
fn patches_named_in(script: &str) -> impl Iterator<Item = String> {
    let words = script.split(|character: char| {
        character.is_ascii_whitespace()
            || matches!(character, '"' | '\'' | '<' | '>' | ';' | '(' | ')' | '=' | '|' | '&')
    });
    words.filter(|word| word.starts_with('/') && is_patch_name(word)).map(str::to_owned)
}

/// Whether a file name is that of a patch, packed or not.
pub(super) fn is_patch_name(name: &str) -> bool {
    let bare = [".gz", ".xz", ".bz2"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
    bare.ends_with(".patch") || bare.ends_with(".diff")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_applied_by_hand_are_seen() {
        let script = "patch -p1 < /nix/store/a-CVE-2016-1234.patch; xz -dc '/nix/store/b.diff.xz' /nix/store/c.txt";
        let found: Vec<_> = patches_named_in(script).collect();
        assert_eq!(found, ["/nix/store/a-CVE-2016-1234.patch", "/nix/store/b.diff.xz"]);
    }

    #[test]
    fn structured_attributes_say_the_same_as_variables() {
        let plain = br#"Derive([],[],[],"s","b",[],[("patches","/a.patch /b.patch"),("pname","x"),("src","/s"),("version","1")])"#;
        let structured = br#"Derive([],[],[],"s","b",[],[("__json","{\"patches\":[\"/a.patch\",\"/b.patch\"],\"pname\":\"x\",\"src\":\"/s\",\"version\":\"1\",\"text\":\"\",\"preferLocalBuild\":false}")])"#;
        for bytes in [plain.as_slice(), structured] {
            let facts = Facts::of(&Derivation::parse(bytes).unwrap());
            assert_eq!(facts.patches, ["/a.patch", "/b.patch"]);
            assert_eq!((facts.package.as_deref(), facts.version.as_deref()), (Some("x"), Some("1")));
            assert!(facts.has_source && !facts.writes_text && !facts.prefers_local_build);
        }
        let broken = Facts::of(&Derivation::parse(br#"Derive([],[],[],"s","b",[],[("__json","{")])"#).unwrap())
            .unreadable_attributes;
        assert!(broken);
    }
}
