//! A fleet's folder as others meet it: Nix, OpenSSH, and those who put old or foreign files into it.

use std::fs;
use std::path::Path;

use aux_secrets::acts::{CheckRequest, Rotation, check};
use aux_secrets::{Manifest, Repository, SecretBytes};
use zeroize::Zeroizing;

use crate::fleet::{ADMIN, MACHINE, filled, identities, label, read, session};
use crate::tools::{asked, peer};

fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    folder
}

fn manifest(folder: &Path) -> Manifest {
    Manifest::unverified(&fs::read(folder.join("aux-secrets.json")).unwrap()).unwrap()
}

#[test]
fn machines_read_their_own_and_their_groups_and_nothing_else() {
    let folder = made();
    let read = |machine: &str, name: &str| read(folder.path(), machine, name);
    assert_eq!(read("web1", "api-key").unwrap(), b"the api key");
    assert_eq!(read("web1", "shared"), read("web2", "shared"));
    assert_ne!(read("web1", "token"), read("web2", "token"));
    for (machine, name) in
        [("db1", "api-key"), ("web1", "licence"), ("web1", "ca"), ("web1", "none"), ("none", "token")]
    {
        assert!(read(machine, name).is_err(), "{machine} {name}");
    }
}

#[test]
fn an_old_foreign_or_renamed_file_is_refused() {
    let folder = made();
    let path = folder.path();
    let swap = |from: &str, to: &str| {
        let (kept, other) = (fs::read(path.join(to)).unwrap(), fs::read(path.join(from)).unwrap());
        aux_io::file::replace(path.join(to), &other).unwrap();
        kept
    };
    let restore = |to: &str, kept: &[u8]| aux_io::file::replace(path.join(to), kept).unwrap();
    // Keys of another machine, encrypted to the same recipient.
    let kept = swap("machines/web2/scope.age", "machines/web1/scope.age");
    let error = read(path, "web1", "token").unwrap_err();
    assert!(error.contains("was delivered to the machine web2"), "{error}");
    restore("machines/web1/scope.age", &kept);
    // Everything of an earlier day.
    let old = ["aux-secrets.json", "aux-secrets.json.sig", "machines/web1/scope.age"]
        .map(|name| (name, fs::read(path.join(name)).unwrap()));
    let mut session = session(path);
    let today = jiff::civil::date(2026, 1, 3);
    session.rotate(&Rotation::Holder("machine:web1".parse().unwrap()), today, Zeroizing::new([0; 32])).unwrap();
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
    let new = old.each_ref().map(|(name, _)| (*name, fs::read(path.join(name)).unwrap()));
    restore(old[2].0, &old[2].1);
    let error = read(path, "web1", "token").unwrap_err();
    assert!(error.contains("an old file was put back"), "{error}");
    restore(new[2].0, &new[2].1);
    restore(old[0].0, &old[0].1);
    let error = read(path, "web1", "token").unwrap_err();
    assert!(error.contains("an old manifest was put back"), "{error}");
    restore(new[0].0, &new[0].1);
    assert!(read(path, "web1", "token").is_ok());
}

#[test]
fn a_manifest_of_a_stranger_is_refused() {
    let (folder, stranger) = (made(), made());
    for name in ["aux-secrets.json", "aux-secrets.json.sig"] {
        fs::copy(stranger.path().join(name), folder.path().join(name)).unwrap();
    }
    // The same seed and id, so the same signer: what differs are the files, which the manifest names.
    let request = || CheckRequest { signers: None, identities: identities(ADMIN.0) };
    let report = check(Repository::open(folder.path(), None).unwrap(), request()).unwrap();
    assert!(!report.is_content() && !report.files.is_empty());
    let signature = folder.path().join("aux-secrets.json.sig");
    let text = fs::read_to_string(&signature).unwrap().replace('A', "B");
    aux_io::file::replace(&signature, text.as_bytes()).unwrap();
    assert!(check(Repository::open(folder.path(), None).unwrap(), request()).is_err());
}

/// Whoever can write the repository can name themselves a signer in it; who opens the seed does not fall for that.
#[test]
fn a_signer_that_only_the_repository_names_is_told() {
    let folder = made();
    let path = folder.path();
    let key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let stranger = aux_secrets::Signer::of(&key.verifying_key());
    let mut forged = manifest(path);
    forged.signers.push(stranger.clone());
    let text = forged.to_text();
    let write = |name: &str, text: &str| aux_io::file::replace(path.join(name), text.as_bytes()).unwrap();
    write("aux-secrets.json", &text);
    write("aux-secrets.json.sig", &aux_secrets::sshsig::sign(text.as_bytes(), &key));
    write("allowed_signers", &format!("aux-secrets {}\n", stranger.as_str()));
    let declaration = fs::read_to_string(path.join("aux-secrets.toml")).unwrap();
    let own = forged.signers[0].as_str();
    write(
        "aux-secrets.toml",
        &declaration.replace(&format!("\"{own}\","), &format!("\"{own}\", \"{}\",", stranger.as_str())),
    );
    let checked = |text: Option<&str>| {
        let identities = text.map(identities).unwrap_or_default();
        check(Repository::open(path, None).unwrap(), CheckRequest { signers: None, identities }).unwrap()
    };
    assert!(checked(None).is_content(), "without the seed, the repository's own list is all there is");
    assert!(!checked(Some(ADMIN.0)).is_content());
    let session = aux_secrets::acts::Session::open(Repository::open(path, None).unwrap(), identities(ADMIN.0));
    assert!(session.err().unwrap().to_string().contains("its signature was made by"));
}

#[test]
fn parameters_change_with_the_version_and_counters_never_go_back() {
    let folder = made();
    let declaration = folder.path().join("aux-secrets.toml");
    let text = fs::read_to_string(&declaration).unwrap();
    let refused = |changed: String| {
        aux_io::file::replace(&declaration, changed.as_bytes()).unwrap();
        session(folder.path()).prepare(false).err().unwrap().to_string()
    };
    let error = refused(text.replace("type = \"hex\"", "type = \"hex\"\nlength = 16"));
    assert!(error.contains("raise its version too"), "{error}");
    let error = refused(text.replace("type = \"envelope\"", "type = \"envelope\"\nversion = 2"));
    assert!(error.contains("no new value was set"), "{error}");
    let raised = text.replace("type = \"hex\"", "type = \"hex\"\nlength = 16\nversion = 2");
    aux_io::file::replace(&declaration, raised.as_bytes()).unwrap();
    session(folder.path()).prepare(false).unwrap().commit(&mut |_| {}).unwrap();
    let error = refused(text);
    assert!(error.contains("is lower than"), "{error}");
}

#[test]
fn what_is_taken_out_of_the_declaration_goes_away() {
    let folder = made();
    let declaration = folder.path().join("aux-secrets.toml");
    let text = fs::read_to_string(&declaration).unwrap();
    let start = text.find("[secrets.licence]").unwrap();
    let end = text[start..].find("\n\n").map_or(text.len(), |length| start + length);
    aux_io::file::replace(&declaration, format!("{}{}", &text[..start], &text[end..]).as_bytes()).unwrap();
    let mut session = session(folder.path());
    session.edit(&[]).unwrap();
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
    assert!(!folder.path().join("secrets/machine-db1").exists());
    assert!(!manifest(folder.path()).secrets.contains_key("licence"));
}

#[test]
fn nix_reads_the_manifest_purely_and_openssh_verifies_it() {
    let folder = made();
    let path = folder.path().join("aux-secrets.json");
    if peer("nix-instantiate", "nix-bin") {
        let expression =
            format!("(builtins.fromJSON (builtins.readFile {})).machines.web1.values.ssh-host.public", path.display());
        let state = folder.path().join("nix");
        let arguments = ["--eval", "--json", "--store", state.to_str().unwrap(), "-E", &expression];
        let (is_content, said) = asked("nix-instantiate", &arguments, b"");
        let public = manifest(folder.path()).machines["web1"].values["ssh-host"].public.clone().unwrap();
        assert!(is_content && said.contains(&public), "{said}");
    }
    if peer("ssh-keygen", "openssh-client") {
        let (signers, signature) = (folder.path().join("allowed_signers"), folder.path().join("aux-secrets.json.sig"));
        let arguments =
            ["-Y", "verify", "-f", signers.to_str().unwrap(), "-I", "aux-secrets", "-n", "aux-secrets", "-s"];
        let arguments = [&arguments[..], &[signature.to_str().unwrap()]].concat();
        let text = fs::read(&path).unwrap();
        let (is_content, said) = asked("ssh-keygen", &arguments, &text);
        assert!(is_content, "{said}");
        assert!(!asked("ssh-keygen", &arguments, &text[1..]).0);
    }
    if peer("age", "age") {
        let key = folder.path().join("key");
        aux_io::file::create_private(&key, ADMIN.0.as_bytes()).unwrap();
        let file = fs::read(folder.path().join("secrets/group-web/api-key.age")).unwrap();
        let (is_content, said) = asked("age", &["-d", "-i", key.to_str().unwrap()], &file);
        assert!(is_content && said.ends_with("\n\nthe api key"), "{said}");
    }
}

/// Fifty thousand values: the shape of it in the tests, the figures by a release build.
#[test]
fn a_large_fleet_is_one_manifest() {
    const MACHINES: usize = 60;
    let folder = made();
    let declaration = folder.path().join("aux-secrets.toml");
    let mut text = fs::read_to_string(&declaration).unwrap();
    for number in 0..MACHINES {
        text = text + "\n[machines.m" + &number.to_string() + "]\nrecipients = [\"" + MACHINE.1 + "\"]\n";
    }
    aux_io::file::replace(&declaration, text.as_bytes()).unwrap();
    let session = session(folder.path());
    assert!(session.refuse_new_people().is_err());
    let committed = session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
    // The keys of each new machine, and nothing that did not change.
    assert_eq!(committed.paths.len(), MACHINES + 3);
    assert_eq!(manifest(folder.path()).machines.len(), MACHINES + 3);
    assert_eq!(read(folder.path(), "m7", "token").unwrap().len(), 64);
    let again = crate::fleet::session(folder.path()).prepare(false).unwrap();
    assert!(again.is_empty(), "{:?}", again.paths());
}

#[test]
fn a_new_value_for_one_machine_keeps_those_of_the_others() {
    let folder = made();
    let mut session = session(folder.path());
    session.edit(&[crate::fleet::secret("own", "envelope", "machine")]).unwrap();
    for machine in ["web1", "web2"] {
        session.fill(&label("own"), Some(&label(machine)), SecretBytes::from(machine.to_owned())).unwrap();
    }
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
    let mut session = crate::fleet::session(folder.path());
    session.fill(&label("own"), Some(&label("web1")), SecretBytes::from(&b"newer"[..])).unwrap();
    session.prepare(false).unwrap().commit(&mut |_| {}).unwrap();
    assert_eq!(read(folder.path(), "web1", "own").unwrap(), b"newer");
    assert_eq!(read(folder.path(), "web2", "own").unwrap(), b"web2");
    assert!(read(folder.path(), "db1", "own").unwrap_err().contains("never filled"));
}
