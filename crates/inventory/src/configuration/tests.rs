//! Readers of a running system and of documents, on folders of the tests' own.

use std::path::Path;

use aux_core::Fact;
use aux_core::configuration::{Configuration, PlatformKey, SecureBoot};

use super::{KEY, read_evaluated, read_running};

/// A root folder with these files.
fn root(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        put(folder.path(), name, bytes);
    }
    folder
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    aux_io::file::replace(path, bytes).unwrap();
}

fn read(files: &[(&str, &[u8])]) -> Configuration {
    read_running(root(files).path())
}

fn value<T: Clone + std::fmt::Debug>(fact: &Fact<T>) -> T {
    match fact {
        Fact::Seen { value, .. } => value.clone(),
        other => panic!("{other:?}"),
    }
}

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

fn variable(name: &str) -> String {
    format!("sys/firmware/efi/efivars/{name}-{GLOBAL}")
}

/// A signature list with one certificate, which is as much of DER as a name needs.
fn platform_key(name: &str) -> Vec<u8> {
    let mut certificate = vec![0x30, 0x20, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, u8::try_from(name.len()).unwrap()];
    certificate.extend(name.as_bytes());
    let mut list = vec![7, 0, 0, 0];
    list.extend([0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72]);
    let signature_bytes = u32::try_from(certificate.len() + 16).unwrap();
    for length in [28 + signature_bytes, 0, signature_bytes] {
        list.extend(length.to_le_bytes());
    }
    list.extend([0; 16]);
    list.extend(certificate);
    list
}

#[test]
fn secure_boot_is_what_the_firmware_says_and_setup_mode_undoes_it() {
    let (boot, setup) = (variable("SecureBoot"), variable("SetupMode"));
    let state =
        |boot_bytes: &[u8], setup_bytes: &[u8]| read(&[(&boot, boot_bytes), (&setup, setup_bytes)]).boot.secure_boot;
    assert_eq!(value(&state(&[6, 0, 0, 0, 1], &[6, 0, 0, 0, 0])), SecureBoot::Enforced);
    assert_eq!(value(&state(&[6, 0, 0, 0, 0], &[6, 0, 0, 0, 0])), SecureBoot::Off);
    assert_eq!(value(&state(&[6, 0, 0, 0, 1], &[6, 0, 0, 0, 1])), SecureBoot::Off);
    assert!(matches!(state(&[6, 0, 0], &[]), Fact::Unseen { .. }));
    assert_eq!(value(&read(&[("sys/firmware/acpi/x", b"")]).boot.secure_boot), SecureBoot::Off, "no UEFI");
    assert!(matches!(read(&[("sys/kernel/x", b"")]).boot.secure_boot, Fact::Unseen { .. }), "a container");
}

#[test]
fn a_platform_key_is_ones_own_only_where_the_very_certificate_lies_there() {
    let (key, setup) = (variable("PK"), variable("SetupMode"));
    let user = [6, 0, 0, 0, 0];
    let of = |name: &str| read(&[(&key, &platform_key(name)), (&setup, &user)]).boot.platform_key;
    assert_eq!(value(&of("Acme PK")), PlatformKey::Named("Acme PK".to_owned()));
    assert_eq!(value(&of("DO NOT TRUST - Test PK")), PlatformKey::Test("DO NOT TRUST - Test PK".to_owned()));
    // The bytes 30 20 06 03 55 04 03 0c 07 and `Acme PK`.
    let own = b"-----BEGIN CERTIFICATE-----\nMCAGA1UEAwwHQWNtZSBQSw==\n-----END CERTIFICATE-----\n";
    let pem = "var/lib/sbctl/keys/PK/PK.pem";
    let facts = read(&[(&key, &platform_key("Acme PK")), (&setup, &user), (pem, own)]);
    assert_eq!(value(&facts.boot.platform_key), PlatformKey::Own(format!("/{pem}")));
    let facts = read(&[(&key, &platform_key("Other PK")), (&setup, &user), (pem, own)]);
    assert_eq!(value(&facts.boot.platform_key), PlatformKey::Named("Other PK".to_owned()));
    assert_eq!(value(&read(&[(&setup, &[6, 0, 0, 0, 1])]).boot.platform_key), PlatformKey::Absent);
}

#[test]
fn nix_conf_is_read_with_its_includes_additions_and_defaults() {
    let conf = b"# a comment\ntrusted-users = root # and nobody else\n!include missing.conf\ninclude more.conf\nextra-substituters = https://b\n";
    let nix = read(&[
        ("etc/nix/nix.conf", conf),
        ("etc/nix/more.conf", b"require-sigs = false\nbuild-use-sandbox = false\n"),
        ("etc/nix/machines", b"ssh://root@one x86_64-linux - 4\n# two\nthree aarch64-linux /etc/key\n"),
    ])
    .nix;
    assert_eq!(value(&nix.trusted_users), ["root"]);
    assert_eq!(value(&nix.allowed_users), ["*"], "the default");
    assert!(!value(&nix.require_sigs));
    assert_eq!(value(&nix.sandbox), "false");
    assert_eq!(value(&nix.substituters), ["https://cache.nixos.org/", "https://b"]);
    let builders = value(&nix.builders);
    assert_eq!((builders[0].user.as_deref(), builders[0].key.as_deref()), (Some("root"), None));
    assert_eq!((builders[1].host.as_str(), builders[1].key.as_deref()), ("three", Some("/etc/key")));
    let broken = read(&[("etc/nix/nix.conf", b"include gone.conf\n")]).nix;
    assert!(matches!(broken.sandbox, Fact::Unseen { .. }), "anything may be set there");
    assert_eq!(read(&[("etc/hostname", b"x")]).nix.sandbox, Fact::NotAsked, "no Nix, no settings of it");
}

#[test]
fn the_servers_first_word_holds_and_a_match_is_seen_too() {
    let conf = b"Include sshd_config.d/*.conf\nPermitRootLogin yes\nMatch User backup\n  PasswordAuthentication yes\n";
    let facts = read(&[
        ("etc/ssh/sshd_config", conf),
        ("etc/ssh/sshd_config.d/10.conf", b"permitrootlogin \"no\"\nPasswordAuthentication=no\n"),
        ("etc/ssh/sshd_config.d/20.txt", b"PermitRootLogin yes\n"),
    ]);
    let ssh = value(&facts.network.ssh).unwrap();
    let values = |settings: &[aux_core::configuration::Setting]| {
        settings.iter().map(|setting| format!("{} {}", setting.value, setting.how)).collect::<Vec<_>>()
    };
    assert_eq!(values(&ssh.root_login), ["no /etc/ssh/sshd_config.d/10.conf:1"]);
    assert_eq!(values(&ssh.password), ["no /etc/ssh/sshd_config.d/10.conf:2", "yes /etc/ssh/sshd_config:4"]);
    assert_eq!(value(&read(&[("etc/hostname", b"x")]).network.ssh), None);
    assert!(matches!(read(&[]).network.ssh, Fact::Unseen { .. }));
}

#[test]
fn units_are_read_with_their_drop_ins_and_only_active_ones_where_that_is_known() {
    let unit = b"[Unit]\nUser=nobody\n[Service]\nExecStart=/bin/web\n";
    let files: &[(&str, &[u8])] = &[
        ("etc/systemd/system/web.service", unit),
        ("etc/systemd/system/web.service.d/overrides.conf", b"[Service]\nProtectSystem=full\nPrivateTmp=no\n"),
        ("etc/systemd/system/idle.service", unit),
        ("etc/systemd/system/once.service", b"[Service]\nType=oneshot\nExecStart=/bin/x\n"),
        ("etc/systemd/system/user.service", b"[Service]\nUser=u\nExecStart=/bin/x\n"),
        ("etc/systemd/system/many@.service", unit),
    ];
    let services = value(&read(files).services);
    let shown: Vec<String> =
        services.iter().map(|one| format!("{} {} {:?}", one.name, one.is_root, one.hardening)).collect();
    assert_eq!(shown, ["idle true []", "user false []", "web true [\"ProtectSystem\"]"]);
    let mut with_active = files.to_vec();
    with_active.push(("run/systemd/units/invocation:web.service", b""));
    assert_eq!(value(&read(&with_active).services).len(), 1);
}

#[test]
fn who_needs_no_password_is_named_with_its_line() {
    let facts = read(&[
        ("etc/shadow", b"root:!:1::::::\nalice::1::::::\nbob:$6$x:1::::::\n"),
        ("etc/sudoers", b"# NOPASSWD in a comment\n%wheel ALL=(ALL:ALL) NOPASSWD: ALL\nbob ALL=(ALL) ALL\n"),
        ("etc/sudoers.d/README.md", b"x ALL = NOPASSWD: ALL\n"),
        ("etc/doas.conf", b"permit nopass keepenv :ops\npermit nopass u as other\n"),
    ]);
    assert_eq!(value(&facts.accounts.empty_passwords), ["alice"]);
    assert_eq!(value(&facts.accounts.password_free_root), ["%wheel (/etc/sudoers:2)", ":ops (/etc/doas.conf:1)"]);
}

#[test]
fn an_empty_folder_is_seen_as_nothing() {
    let facts = read(&[]);
    assert!(matches!(facts.kernel.app_armor, Fact::Unseen { .. }));
    assert!(matches!(facts.secrets.in_store, Fact::Unseen { .. }));
    assert!(matches!(facts.secrets.readable, Fact::Unseen { .. }));
    assert!(matches!(facts.services, Fact::Unseen { .. }));
    assert!(matches!(facts.updates, Fact::Unseen { .. }));
    assert!(facts.kernel.sysctls.values().all(|fact| matches!(fact, Fact::Unseen { .. })));
}

#[test]
fn the_example_of_the_page_reads_and_wrong_documents_say_what_is_wrong() {
    let page = include_str!("../../../../docs/formats/configuration.md");
    let example = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let facts = read_evaluated(example.as_bytes()).unwrap();
    assert_eq!(value(&facts.nix.trusted_users), ["root", "@wheel"]);
    assert!(matches!(facts.kernel.app_armor, Fact::Unseen { .. }));
    for (document, says) in [
        (format!("{{\"{KEY}\": 2}}"), "is aux.configuration/2, and only aux.configuration/1 is known; update aux"),
        (format!("{{\"{KEY}\": 1}}"), "missing field `options`"),
        ("[]".to_owned(), "is no aux.configuration document"),
    ] {
        let error = read_evaluated(document.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
