//! Secrets as files: all of a generation or nothing, whoever is killed, and which units must hear of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use aux_secrets::install::{
    Accounts, ChangeKind, FolderError, InstallError, InstallRequest, Installed, Step, has_restarted, install,
};

use crate::fleet::{label, rotate, source, with_files};
use crate::kill::{as_child, killed};

/// Root is whoever runs the test, so that it runs as anybody.
fn accounts() -> Accounts {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Accounts::read(&format!("root:x:{user}:{group}::/:\n"), &format!("root:x:{group}:\n"))
}

fn install_to(fleet: &Path, to: &Path, reached: &mut dyn FnMut(Step)) -> Result<Installed, InstallError> {
    let (view, machine, accounts) = (source(fleet).open().unwrap(), label("web1"), accounts());
    let request = InstallRequest {
        view: &view,
        machine: &machine,
        folder: to,
        accounts: &accounts,
        accept_disk: true,
        will_restart: true,
    };
    install(&request, reached)
}

fn files(to: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(to.join("current")).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| name != ".state.json").collect()
}

fn folders(to: &Path) -> usize {
    fs::read_dir(to).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
}

#[test]
fn a_machine_gets_its_files_and_hears_which_units_have_an_old_value() {
    let (fleet, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_files(fleet.path());
    let to = to.path().join("secrets");
    let first = install_to(fleet.path(), &to, &mut |_| {}).unwrap();
    assert_eq!(first.files, ["cookie", "db-password", "mail-key"].map(label));
    // Nothing runs yet that could have an old value.
    assert!(first.units.is_empty() && first.changes.len() == 3);
    let before = files(&to);
    assert_eq!(before["mail-key"], b"the mail key");
    let metadata = fs::metadata(to.join("current/db-password")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o400);
    assert_eq!(fs::metadata(to.join("current/")).unwrap().mode() & 0o7777, 0o711);
    assert_eq!(fs::metadata(to.join(".lock")).unwrap().mode() & 0o7777, 0o600);
    rotate(fleet.path(), "db-password");
    let second = install_to(fleet.path(), &to, &mut |_| {}).unwrap();
    assert_eq!(second.changes, BTreeMap::from([(label("db-password"), ChangeKind::Changed)]));
    assert_eq!(second.units.iter().collect::<Vec<_>>(), ["db.service"]);
    assert_ne!(files(&to)["db-password"], before["db-password"]);
    assert_eq!(files(&to)["cookie"], before["cookie"]);
    assert_eq!(folders(&to), 1);
    // Whoever was killed before the restart is told of it again, until it is done.
    let third = install_to(fleet.path(), &to, &mut |_| {}).unwrap();
    assert!(third.changes.is_empty() && third.units == second.units);
    has_restarted(&to).unwrap();
    assert!(install_to(fleet.path(), &to, &mut |_| {}).unwrap().units.is_empty());
}

#[test]
fn a_version_before_is_kept_where_it_is_wanted() {
    let (fleet, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_files(fleet.path());
    let declaration = fleet.path().join("aux-secrets.toml");
    let text = fs::read_to_string(&declaration).unwrap().replace("file = true", "file = true\nkeep_previous = 1");
    aux_io::file::replace(&declaration, text.as_bytes()).unwrap();
    rotate(fleet.path(), "cookie");
    install_to(fleet.path(), to.path(), &mut |_| {}).unwrap();
    let first = files(to.path());
    assert!(first.contains_key("cookie.prev") && !first.contains_key("db-password.prev"));
    rotate(fleet.path(), "cookie");
    rotate(fleet.path(), "db-password");
    install_to(fleet.path(), to.path(), &mut |_| {}).unwrap();
    let second = files(to.path());
    assert_eq!(second["cookie.prev"], first["cookie"]);
    assert_eq!(second["db-password.prev"], first["db-password"]);
}

#[test]
fn what_cannot_be_believed_or_placed_leaves_the_generation_before() {
    let (fleet, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_files(fleet.path());
    install_to(fleet.path(), to.path(), &mut |_| {}).unwrap();
    let before = files(to.path());
    let envelope = fleet.path().join("secrets/machine-web1/mail-key.age");
    let kept = fs::read(&envelope).unwrap();
    fs::copy(fleet.path().join("secrets/group-web/api-key.age"), &envelope).unwrap();
    assert!(matches!(install_to(fleet.path(), to.path(), &mut |_| {}), Err(InstallError::View(_))));
    aux_io::file::replace(&envelope, &kept).unwrap();
    let (view, machine) = (source(fleet.path()).open().unwrap(), label("web1"));
    let nobody = Accounts::default();
    let request = |accept_disk| InstallRequest {
        view: &view,
        machine: &machine,
        folder: to.path(),
        accounts: &nobody,
        accept_disk,
        will_restart: false,
    };
    assert!(matches!(install(&request(true), &mut |_| {}), Err(InstallError::Account { what: "user", .. })));
    fs::set_permissions(to.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = install_to(fleet.path(), to.path(), &mut |_| {});
    assert!(matches!(refused, Err(InstallError::Folder(FolderError::Untrusted { .. }))), "{refused:?}");
    fs::set_permissions(to.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(files(to.path()), before);
    // A generation that says nonsense of itself stops nothing, and everything counts as new.
    aux_io::file::replace(to.path().join("current/.state.json"), b"{").unwrap();
    let installed = install_to(fleet.path(), to.path(), &mut |_| {}).unwrap();
    assert!(installed.is_before_unknown && installed.units.len() == 3);
    fs::remove_file(to.path().join("current")).unwrap();
    std::os::unix::fs::symlink("/etc", to.path().join("current")).unwrap();
    let refused = install_to(fleet.path(), to.path(), &mut |_| {});
    assert!(matches!(refused, Err(InstallError::Folder(FolderError::Current { .. }))), "{refused:?}");
}

/// The process to be killed.
#[test]
fn child() {
    as_child(|folder, _, reached| drop(install_to(&folder.join("fleet"), &folder.join("to"), reached).unwrap()));
}

#[test]
fn a_killed_installation_leaves_the_generation_before_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (fleet, to) = (folder.path().join("fleet"), folder.path().join("to"));
    fs::create_dir(&fleet).unwrap();
    with_files(&fleet);
    install_to(&fleet, &to, &mut |_| {}).unwrap();
    let mut steps = Vec::new();
    for stop in 1.. {
        let before = files(&to);
        rotate(&fleet, "db-password");
        let Some(step) = killed("install::child", folder.path(), "install", stop) else { break };
        let after = files(&to);
        let is_switched = step == "Switched" || step == "Done";
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{step}");
        assert_eq!(after == before, !is_switched, "{step}");
        // Whether it got there or not, the unit is named until it has been restarted.
        let next = install_to(&fleet, &to, &mut |_| {}).unwrap();
        assert_eq!(next.units.iter().collect::<Vec<_>>(), ["db.service"], "{step}");
        assert_eq!(folders(&to), 1, "{step}");
        has_restarted(&to).unwrap();
        steps.push(step);
    }
    assert_eq!(steps, ["Written(1)", "Written(2)", "Written(3)", "Whole", "Switched", "Done"]);
}
