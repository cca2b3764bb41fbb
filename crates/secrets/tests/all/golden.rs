//! Golden files of what is committed: a declaration and the manifest that follows from it and a fixed seed.

use std::fs;
use std::path::{Path, PathBuf};

use aux_secrets::manifest::Envelopes;
use aux_secrets::{Declaration, Holder, Keyring, Manifest, SecretBytes, Seed};
use zeroize::Zeroizing;

use crate::fleet::label;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// `AUX_VECTORS=write` writes the manifest; a difference there is a difference for every fleet.
#[test]
#[expect(clippy::disallowed_methods, reason = "writing the golden file is asked for by a variable")]
fn a_declaration_and_a_seed_give_this_manifest() {
    let declaration = Declaration::read(&fs::read(path("aux-secrets.toml")).unwrap()).unwrap();
    let as_json = Declaration::read(&fs::read(path("declaration.json")).unwrap()).unwrap();
    assert_eq!(declaration, as_json, "TOML by people and JSON by Nix mean the same");
    let seed = Seed::new(Zeroizing::new([6; 32]));
    let keyring = Keyring::of_root(&seed.root(declaration.fleet.id, declaration.fleet.epoch));
    let envelopes =
        Envelopes::from([((Holder::Group(label("web")), label("api-key")), SecretBytes::from(&b"the api key"[..]))]);
    let manifest = Manifest::build(&declaration, &keyring, None, &envelopes).unwrap();
    if std::env::var("AUX_VECTORS").is_ok_and(|what| what == "write") {
        fs::write(path("aux-secrets.json"), manifest.to_text()).unwrap();
    }
    assert_eq!(fs::read_to_string(path("aux-secrets.json")).unwrap(), manifest.to_text());
    assert_eq!(Manifest::unverified(manifest.to_text().as_bytes()).unwrap(), manifest);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let text = fs::read_to_string(path("aux-secrets.toml")).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Declaration::read(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
    };
    for (from, to, said) in [
        ("length = 40", "length = 12", "secrets.db-password: 71 bits of entropy, fewer than 80"),
        ("length = 40", "words = 40", "secrets.db-password: type password takes no `words`"),
        ("length = 40", "lenght = 40", "secrets.db-password: unknown field `lenght`"),
        ("type = \"password\"", "type = \"pasword\"", "secrets.db-password: there is no type `pasword`"),
        ("type = \"password\"", "type = \"password@2\"", "`password@2` is not known here"),
        ("groups = [\"web\"]", "groups = [\"wep\"]", "machines.web1: there is no group `wep`"),
        ("of = \"db-password\"", "of = \"none\"", "secrets.db-login: there is no secret `none`"),
        ("generation = 2", "generation = 0", "machines.web1.generation: is 0"),
        ("mode = \"0440\"", "mode = \"0444\"", "secrets.db-password.mode: `0444` is no mode of a secret"),
        ("scope = \"admin\"", "scope = \"machine\"", "secrets.ca: an authority's key stays with the admins"),
        ("[groups.web]", "[groups.WEB]", "groups: `WEB`: a name begins with a-z"),
        ("epoch = 1", "epoch = ", "line 3"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(said), "{from} -> {to}: {error}");
    }
}
