//! The expression for configurations, evaluated by a real Nix over a small configuration of our own.

use std::ffi::OsString;
use std::time::Duration;

use aux_core::configuration::{SecureBoot, Setting};
use aux_core::{Configuration, Fact};
use aux_inventory::configuration::{CONFIGURATION_EXPRESSION, read_evaluated};
use aux_io::file;
use aux_io::process::{Command, ProcessError, run};

use crate::corpora::in_ci;

/// What a module system would have made: defaults, options that throw, packages, paths, functions.
const MACHINE: &str = r#"
let package = derivation { name = "p"; system = "x"; builder = "/b"; }; in
{
  config = {
    services.openssh = { enable = true; settings = { PermitRootLogin = "yes"; PasswordAuthentication = false; }; };
    security.apparmor.enable = throw "an assertion of its own";
    networking.firewall.enable = true;
    boot.lanzaboote.enable = true;
    boot.kernelParams = [ "quiet" "lockdown=integrity" ];
    boot.kernel.sysctl = { "kernel.dmesg_restrict" = 1; "kernel.kptr_restrict" = null; };
    nix.settings = { trusted-users = [ "root" "@wheel" ]; sandbox = "relaxed"; };
    nix.distributedBuilds = true;
    nix.buildMachines = [ { hostName = "b"; sshUser = null; sshKey = /root/.ssh/id_rsa; } ];
    users.users = {
      alice = { password = "hunter2"; hashedPassword = null; };
      bob = { hashedPassword = ""; };
      carol = { hashedPassword = "$6$abc"; };
    };
    systemd.services = {
      web = { serviceConfig = { ExecStart = "${package}/bin/web"; ProtectSystem = "strict"; PrivateTmp = false; }; };
      open = { script = "x"; environment.API_TOKEN = "s3cret"; environment.B_TOKEN = "/run/token"; };
      once = { script = "x"; serviceConfig.Type = "oneshot"; };
    };
    networking.wireguard.interfaces.wg0 = { privateKey = null; privateKeyFile = "${builtins.storeDir}/x-key"; };
    security.sudo = { enable = true; wheelNeedsPassword = false; extraRules = [ ]; };
    system.nixos = { release = "24.11"; versionSuffix = "pre1.abc"; };
  };
}
"#;

const OLD: &str = r#"
{
  config = {
    services.openssh = { enable = true; permitRootLogin = "no"; passwordAuthentication = true; };
    nix = { trustedUsers = [ "root" ]; requireSignedBinaryCaches = false; useSandbox = false;
      binaryCaches = [ "https://cache.nixos.org/" ]; };
    system.nixosRelease = "17.03";
  };
}
"#;

/// The document, by a real Nix; `None` where there is none.
fn evaluated(machine: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    file::replace(at.join("configuration.nix"), CONFIGURATION_EXPRESSION.as_bytes()).unwrap();
    file::replace(at.join("machine.nix"), machine.as_bytes()).unwrap();
    let mut ask = Command::new("nix-instantiate", Duration::from_mins(2));
    for argument in ["--eval", "--strict", "--json", "--readonly-mode", "-E"] {
        ask = ask.argument(argument);
    }
    let (expression, machine) = (at.join("configuration.nix"), at.join("machine.nix"));
    ask = ask.argument(format!("import {} (import {})", expression.display(), machine.display()));
    let path = "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin";
    let variables: [(&str, OsString); 4] = [
        ("PATH", path.into()),
        ("HOME", at.into()),
        ("NIX_STATE_DIR", at.join("state").into()),
        ("NIX_CONF_DIR", at.join("conf").into()),
    ];
    ask.environment = variables.into_iter().map(|(name, value)| (name.into(), value)).collect();
    match run(&ask) {
        Ok(output) => Some(String::from_utf8(output).unwrap()),
        Err(ProcessError::Missing { .. }) => {
            assert!(!in_ci(), "nix is not installed");
            eprintln!("skipped: no nix-instantiate; `apt-get install nix-bin` would bring it");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn facts(machine: &str) -> Option<Configuration> {
    evaluated(machine).map(|document| read_evaluated(document.as_bytes()).unwrap())
}

fn value<T: Clone>(fact: &Fact<T>) -> T {
    match fact {
        Fact::Seen { value, .. } => value.clone(),
        _ => panic!("not seen"),
    }
}

fn why<T: std::fmt::Debug>(fact: &Fact<T>) -> &str {
    match fact {
        Fact::Unseen { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_real_nix_answers_what_is_there_and_what_throws() {
    let Some(facts) = facts(MACHINE) else { return };
    let ssh = value(&facts.network.ssh).unwrap();
    let root = Setting { value: "yes".to_owned(), how: "services.openssh.settings.PermitRootLogin".to_owned() };
    assert_eq!(ssh.root_login, [root]);
    assert_eq!(ssh.password[0].value, "no");
    assert!(ssh.keyboard.is_empty());
    assert!(value(&facts.network.firewall));
    assert_eq!(why(&facts.kernel.app_armor), "security.apparmor.enable cannot be evaluated");
    assert_eq!(value(&facts.boot.secure_boot), SecureBoot::SignedOnly);
    assert_eq!(value(&facts.kernel.lockdown), "integrity");
    assert_eq!(value(&facts.kernel.sysctls["kernel.dmesg_restrict"]), "1");
    assert!(why(&facts.kernel.sysctls["kernel.kptr_restrict"]).contains("the kernel's own default"));
    assert_eq!(value(&facts.nix.trusted_users), ["root", "@wheel"]);
    assert_eq!(value(&facts.nix.sandbox), "relaxed");
    assert!(why(&facts.nix.require_sigs).contains("has no option nix.settings.require-sigs"));
    assert_eq!(value(&facts.nix.builders)[0].key.as_deref(), Some("/root/.ssh/id_rsa"));
    assert_eq!(
        value(&facts.secrets.in_store),
        [
            "networking.wireguard.interfaces.wg0.privateKeyFile",
            "systemd.services.open.environment.API_TOKEN",
            "users.users.alice.password",
            "users.users.carol.hashedPassword (a hash)",
        ]
    );
    assert_eq!(value(&facts.accounts.empty_passwords), ["bob"]);
    assert_eq!(value(&facts.accounts.password_free_root), ["security.sudo.wheelNeedsPassword"]);
    let services = value(&facts.services);
    let named: Vec<(&str, bool, usize)> =
        services.iter().map(|one| (one.name.as_str(), one.is_root, one.hardening.len())).collect();
    assert_eq!(named, [("open", true, 0), ("web", true, 1)]);
    assert_eq!(value(&facts.releases)[0].name, "unstable");
}

#[test]
fn no_secret_leaves_the_evaluation() {
    let Some(document) = evaluated(MACHINE) else { return };
    for secret in ["hunter2", "$6$abc", "s3cret"] {
        assert!(!document.contains(secret), "{secret}");
    }
}

#[test]
fn options_of_older_releases_are_known() {
    let Some(facts) = facts(OLD) else { return };
    assert_eq!(value(&facts.network.ssh).unwrap().password[0].value, "yes");
    assert_eq!(value(&facts.nix.trusted_users), ["root"]);
    assert!(!value(&facts.nix.require_sigs));
    assert_eq!(value(&facts.nix.sandbox), "false");
    assert_eq!(value(&facts.releases)[0].name, "17.03");
}

#[test]
fn a_configuration_of_nothing_is_seen_as_nothing() {
    let Some(facts) = facts("{ config = { }; }") else { return };
    assert!(why(&facts.network.ssh).contains("has no option"));
    assert!(why(&facts.accounts.empty_passwords).contains("has no option"));
    assert!(why(&facts.services).contains("has no option"));
    assert!(why(&facts.releases).contains("has no option"));
}

#[test]
fn one_user_that_throws_hides_that_there_is_no_secret_and_hides_none_that_is_there() {
    let throwing = r#"{ config = { users.users = { a.password = throw "x"; b = { }; }; systemd.services = { }; }; }"#;
    let Some(facts) = facts(throwing) else { return };
    assert!(why(&facts.secrets.in_store).contains("cannot be evaluated"));
    let Some(facts) = self::facts(&throwing.replace("b = { }", "b.password = \"x\"")) else { return };
    assert_eq!(value(&facts.secrets.in_store), ["users.users.b.password"]);
}
