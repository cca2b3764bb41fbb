//! What a derivation's environment tells an inventory, read once, from plain variables or from structured attributes.

use aux_nix::Derivation;
use aux_nix::structured_attrs::StructuredAttributes;
use std::borrow::Cow;

/// The few facts of a derivation that matter here.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, read one by one where a role is judged")]
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
                && let Some(fact) = Fact::named(name.spelling())
            {
                facts.read(fact, || value.lossy());
            }
        }
        facts
    }

    fn read_attributes(&mut self, attributes: &StructuredAttributes) {
        for name in Fact::NAMES {
            let Some(fact) = Fact::named(name.as_bytes()) else { continue };
            for value in attributes.strings(name) {
                self.read(fact, || Cow::Borrowed(&value));
            }
        }
        self.known_vulnerabilities = attributes.known_vulnerabilities();
    }

    /// Takes a fact in. The value is made only where it matters: build scripts are long.
    fn read<'v>(&mut self, fact: Fact, value: impl FnOnce() -> Cow<'v, str>) {
        match fact {
            Fact::Package => self.package = Some(value().into_owned()),
            Fact::Version => self.version = Some(value().into_owned()),
            Fact::Source => self.has_source = true,
            Fact::BuildCommand => self.has_build_command = true,
            Fact::Text => self.writes_text = true,
            Fact::PreferLocalBuild => self.prefers_local_build = true,
            Fact::Patches => self.patches.extend(value().split_ascii_whitespace().map(str::to_owned)),
            Fact::Urls => self.urls.extend(value().split_ascii_whitespace().map(str::to_owned)),
            Fact::Phase => self.patches.extend(patches_named_in(&value())),
        }
    }
}

/// What a variable tells.
#[derive(Debug, Clone, Copy)]
enum Fact {
    Package,
    Version,
    Source,
    BuildCommand,
    Text,
    PreferLocalBuild,
    Patches,
    Urls,
    /// A phase may apply patches by hand.
    Phase,
}

impl Fact {
    const NAMES: [&str; 15] = [
        "pname",
        "version",
        "src",
        "srcs",
        "buildCommand",
        "buildCommandPath",
        "text",
        "preferLocalBuild",
        "patches",
        "url",
        "urls",
        "extraPatches",
        "prePatch",
        "patchPhase",
        "postPatch",
    ];

    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"pname" => Self::Package,
            b"version" => Self::Version,
            b"src" | b"srcs" => Self::Source,
            b"buildCommand" | b"buildCommandPath" => Self::BuildCommand,
            b"text" => Self::Text,
            b"preferLocalBuild" => Self::PreferLocalBuild,
            b"patches" => Self::Patches,
            b"url" | b"urls" => Self::Urls,
            b"extraPatches" | b"prePatch" | b"patchPhase" | b"postPatch" => Self::Phase,
            _ => return None,
        })
    }
}

/// Store paths in a script that end as patches do.
fn patches_named_in(script: &str) -> impl Iterator<Item = String> {
    let words = script.split(|character: char| {
        character.is_ascii_whitespace()
            || matches!(character, '"' | '\'' | '<' | '>' | ';' | '(' | ')' | '=' | '|' | '&')
    });
    words.filter(|word| word.starts_with('/') && is_patch_name(word)).map(str::to_owned)
}

/// Whether a file name is that of a patch, packed or not.
fn is_patch_name(name: &str) -> bool {
    let bare = [".gz", ".xz", ".bz2"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
    [".patch", ".diff"].iter().any(|ending| bare.strip_suffix(ending).is_some())
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
