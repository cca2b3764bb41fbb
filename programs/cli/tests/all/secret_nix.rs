//! The NixOS module of secrets, as a real nix evaluates it: what it makes, what it copies to the store, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::corpora::in_ci;
use crate::secret_machine::{ADMIN, add, fleet};
use crate::world::{World, good, skipped};

/// What nix says to an expression, with a store of the test's own; nothing where there is no nix.
#[expect(clippy::disallowed_methods, reason = "nix itself evaluates the module")]
fn nix(world: &World, expression: &str, options: &[&str]) -> Option<Output> {
    let output = Command::new("nix-instantiate")
        .args(["--eval", "--strict", "--json", "--read-write-mode"])
        .args(options)
        .args(["-E", expression])
        .env("HOME", world.outside("home"))
        .env("NIX_STORE_DIR", world.outside("store"))
        .env("NIX_STATE_DIR", world.outside("state"))
        .env("NIX_LOG_DIR", world.outside("state"))
        .output();
    if output.is_err() {
        assert!(!in_ci(), "nix-instantiate is not installed");
        skipped("no nix-instantiate; `apt-get install nix-bin` would bring it");
    }
    output.ok()
}

fn module() -> String {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/tests/secrets.nix").canonicalize().unwrap();
    module.display().to_string()
}

/// What the NixOS module makes of a configuration.
pub(crate) fn evaluated(world: &World, configuration: &str) -> Option<serde_json::Value> {
    let expression = format!("import {} {{ configuration = {configuration}; }}", module());
    let output = nix(world, &expression, &[])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Why nix refuses a configuration of the machine `web1`; nothing where there is no nix.
fn refused(world: &World, options: &str) -> Option<String> {
    let configuration = format!("{{ services.aux-secrets = {{ enable = true; machine = \"web1\"; {options} }}; }}");
    let output = nix(world, &format!("import {} {{ configuration = {configuration}; }}", module()), &[])?;
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_nixos_module_hands_each_service_its_secrets_and_starts_commands_that_are_understood() {
    let world = fleet();
    let Some(nothing) = evaluated(&world, "{ }") else { return };
    assert_eq!(nothing, serde_json::json!({ "services": {}, "sockets": {}, "secrets": {} }));
    add(&world, "db-password", "--type password --unit postgresql.service");
    add(&world, "token", "--type hex --unit app.service --unit postgresql.service --file");
    add(&world, "licence", "--type envelope --scope machine:web1 --unit app.service");
    let configuration = format!(
        "{{ services.aux-secrets = {{ enable = true; machine = \"web1\"; identity = \"/etc/key\"; repository = \"{}\"; }}; }}",
        world.path("fleet").display()
    );
    let made = evaluated(&world, &configuration).unwrap();
    let credentials = |unit: &str| made["services"][unit]["serviceConfig"]["LoadCredential"].clone();
    assert_eq!(credentials("app"), serde_json::json!(["token:/run/aux/cred.sock"]));
    let both = serde_json::json!(["db-password:/run/aux/cred.sock", "token:/run/aux/cred.sock"]);
    assert_eq!(credentials("postgresql"), both);
    assert_eq!(made["services"]["app"]["restartTriggers"][0], made["secrets"]["token"]["check"]);
    assert_eq!(made["secrets"]["token"]["path"], "/run/aux/secrets/current/token");
    assert_eq!(made["secrets"]["db-password"]["path"], serde_json::Value::Null);
    assert_eq!(made["sockets"]["aux-secrets"]["socketConfig"]["SocketMode"], "0600");
    for unit in ["aux-secrets", "aux-secrets-install"] {
        let started = made["services"][unit]["serviceConfig"]["ExecStart"].as_str().unwrap();
        let (_, arguments) = started.split_once("/bin/aux ").unwrap();
        // `--help` ends what is well-formed before it begins.
        good(&world, &format!("{arguments} --help"));
    }
}

#[test]
fn the_store_gets_what_the_machine_reads_and_nothing_that_lies_beside() {
    let world = fleet();
    good(&world, &format!("secret enroll db1 --repo fleet --recipient {} --identity admin.key", ADMIN.1));
    for (name, scope) in [("licence", "machine:web1"), ("other", "machine:db1")] {
        add(&world, name, &format!("--type envelope --scope {scope} --unit app.service"));
        let said =
            world.run_with(&format!("secret set {name} --repo fleet --identity admin.key --file -"), b"a licence");
        assert_eq!(said.code, Some(0), "{}", said.shown());
    }
    world.file("fleet/notes", "what is planned");
    world.file("fleet/.git/config", "[core]");
    let repository = world.path("fleet").display().to_string();
    let configuration = format!(
        "{{ services.aux-secrets = {{ enable = true; machine = \"web1\"; identity = \"/etc/key\"; repository = {repository}; }}; }}"
    );
    let Some(made) = evaluated(&world, &configuration) else { return };
    let started = made["services"]["aux-secrets"]["serviceConfig"]["ExecStart"].as_str().unwrap();
    let copy = started.split(' ').find(|word| word.ends_with("-aux-secrets")).unwrap();
    let mut files = files(Path::new(copy));
    files.sort();
    let wanted = [
        "allowed_signers",
        "aux-secrets.json",
        "aux-secrets.json.sig",
        "machines/web1/scope.age",
        "secrets/machine-web1/licence.age",
    ];
    assert_eq!(files, wanted);
    // It is all that the machine needs.
    let show = |name: &str| format!("secret show {name} -m web1 --repo {copy} --identity web1.key --output -");
    assert_eq!(good(&world, &show("licence")), "a licence");
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|file| format!("{name}/{file}")));
        } else {
            found.push(name);
        }
    }
    found
}

#[test]
fn what_would_be_in_the_clear_in_the_store_is_refused() {
    let world = fleet();
    add(&world, "token", "--type hex --unit app.service --file");
    let (fleet, key) = (world.path("fleet").display().to_string(), world.path("web1.key").display().to_string());
    let repository = format!("repository = {fleet};");
    // A path is copied to the store as soon as it is text.
    let Some(said) = refused(&world, &format!("{repository} identity = {key};")) else { return };
    assert!(said.contains("identity is not of type null or string"), "{said}");
    let said = refused(&world, &format!("{repository} identity = \"${{{key}}}\";")).unwrap();
    assert!(said.contains("identity lies in the store, where every user can read it"), "{said}");
    let stored = world.outside("store").join("key").display().to_string();
    let said = refused(&world, &format!("{repository} identity = \"{stored}\";")).unwrap();
    assert!(said.contains("identity lies in the store"), "{said}");
    // One that somebody forgot there, in whichever folder.
    for name in ["fleet/admin.key", "fleet/old/id_ed25519", "fleet/old/keys.txt"] {
        world.file(name, &format!("# public key: …\n{}\n", ADMIN.0));
        let said = refused(&world, &format!("{repository} identity = \"/etc/key\";")).unwrap();
        assert!(
            said.contains("holds private keys") && said.contains(&world.path(name).display().to_string()),
            "{said}"
        );
        assert!(!said.contains(ADMIN.0));
        fs::remove_file(world.path(name)).unwrap();
    }
    // A value cannot be read while a flake is evaluated: Nix itself refuses that, whoever asks.
    world.file("secrets/current/token", "a value");
    let read = format!("builtins.readFile \"{}\"", world.path("secrets/current/token").display());
    let pure = nix(&world, &read, &["--option", "pure-eval", "true"]).unwrap();
    let said = String::from_utf8_lossy(&pure.stderr).into_owned();
    assert!(!pure.status.success() && said.contains("forbidden in pure eval"), "{said}");
}

#[test]
fn a_value_in_a_derivation_is_found_by_its_path_and_by_a_link_to_it() {
    let world = fleet();
    add(&world, "tls-key", "--type p256 --unit app.service");
    let value = good(&world, "secret show tls-key -m web1 --repo fleet --identity web1.key --output -");
    world.file("value", &value);
    let leak = "key = builtins.readFile VALUE;".replace("VALUE", &world.path("value").display().to_string());
    let derivation =
        format!("(derivation {{ name = \"leak\"; system = \"none\"; builder = \"none\"; {leak} }}).drvPath");
    let Some(output) = nix(&world, &derivation, &[]) else { return };
    let path: String = serde_json::from_slice(&output.stdout).unwrap();
    std::os::unix::fs::symlink(&path, world.path("result")).unwrap();
    for named in ["result", &path] {
        let said = world.run(&format!("secret lint fleet --identity admin.key --json --path {named}"));
        assert_eq!(said.code, Some(1));
        let document = said.json();
        let found: Vec<_> =
            document["findings"].as_array().unwrap().iter().filter_map(|one| one["what"].as_str()).collect();
        for what in ["holds the value of tls-key of machine:web1, in the open", "holds a private key, in the open"] {
            assert!(found.contains(&what), "{found:?}");
        }
    }
}
