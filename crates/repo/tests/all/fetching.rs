//! Fetching by branch, tag and revision; listing, reading and laying out what came.

use std::fs;

use aux_repo::{EntryKind, FetchError, Reference, Revision, TreeError};

use crate::world::World;

#[test]
fn a_branch_a_tag_and_a_revision_are_fetched_and_read_without_a_checkout() {
    let Some(world) = World::new() else { return };
    world.file("origin/flake.nix", "{ }");
    world.file("origin/hosts/a b.nix", "one");
    let first = world.commit("first");
    world.git("origin", &["tag", "-a", "v1", "-m", "v1"]);
    world.file("origin/hosts/a b.nix", "two");
    let second = world.commit("second");
    for (parameters, wanted, text) in [
        (String::new(), &second, "two"),
        ("?ref=main".to_owned(), &second, "two"),
        ("?ref=v1".to_owned(), &first, "one"),
        (format!("?rev={first}"), &first, "one"),
        ("?ref=refs/tags/v1".to_owned(), &first, "one"),
    ] {
        let (repository, revision) = world.fetch(&world.origin(&parameters));
        assert_eq!(&revision, wanted, "{parameters}");
        assert_eq!(repository.read(&revision, "hosts/a b.nix").unwrap(), text.as_bytes());
        let names: Vec<_> = repository.list(&revision).unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(names, ["flake.nix", "hosts/a b.nix"]);
    }
    assert_eq!(fs::read_dir(world.path("cache")).unwrap().filter(is_repository).count(), 1);
}

fn is_repository(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "git")
}

#[test]
fn a_revision_that_is_there_is_not_asked_for_again_and_a_branch_follows_its_origin() {
    let Some(world) = World::new() else { return };
    let first = world.commit("first");
    let target = world.origin("");
    world.fetch(&target);
    let second = world.commit("second");
    assert_eq!(world.fetch(&target).1, second);
    fs::remove_dir_all(world.path("origin")).unwrap();
    assert_eq!(world.fetch(&target.at(Reference::Revision(first.clone()))).1, first);
    let error = aux_repo::fetch(&world.ours(), &target, &world.path("cache")).unwrap_err();
    assert!(matches!(error, FetchError::Git(_)), "{error}");
}

#[test]
fn what_is_not_there_is_said_by_name() {
    let Some(world) = World::new() else { return };
    let fetch = |parameters: &str| {
        aux_repo::fetch(&world.ours(), &world.origin(parameters), &world.path("cache")).unwrap_err().to_string()
    };
    assert_eq!(fetch(""), "has no commit yet");
    let revision = world.commit("first");
    assert_eq!(fetch("?ref=none"), "has no branch or tag `none`");
    let absent = "0123456789012345678901234567890123456789";
    assert_eq!(fetch(&format!("?rev={absent}")), format!("has no revision {absent}"));
    let (repository, _) = world.fetch(&world.origin(""));
    assert!(matches!(repository.read(&revision, "none"), Err(TreeError::Missing(_))));
}

#[test]
fn a_revision_is_laid_out_with_its_links_and_without_its_submodules() {
    let Some(world) = World::new() else { return };
    world.file("origin/hosts/a.nix", "a");
    world.link("origin/hosts/b.nix", "../hosts/a.nix");
    world.git("other", &["init", "--quiet", "."]);
    world.git("other", &["commit", "--quiet", "--allow-empty", "-m", "x"]);
    let other = world.path("other").display().to_string();
    world.git("origin", &["submodule", "--quiet", "add", &other, "sub"]);
    let revision = world.commit("all");
    let (repository, _) = world.fetch(&world.origin(""));
    let laid = repository.lay_out(&revision, &world.path("laid")).unwrap();
    assert_eq!((laid.files, laid.submodules), (3, vec!["sub".to_owned()]));
    assert_eq!(fs::read_to_string(world.path("laid/hosts/b.nix")).unwrap(), "a");
    assert_eq!(fs::read_dir(world.path("laid/sub")).unwrap().count(), 0);
    assert!(!world.path("laid/.git").exists() && !world.path("laid.index").exists());
    let kinds: Vec<_> = repository.list(&revision).unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::File, EntryKind::Link, EntryKind::Submodule]);
    assert!(matches!(repository.read(&revision, "hosts/b.nix"), Err(TreeError::NoFile { .. })));
    assert!(matches!(repository.read(&revision, "hosts"), Err(TreeError::NoFile { .. })));
    assert!(matches!(repository.read(&revision, "../x"), Err(TreeError::Outside(_))));
}

#[test]
fn two_at_once_wait_for_each_other() {
    let Some(world) = World::new() else { return };
    let revision = world.commit("first");
    let fetched: Vec<Revision> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| world.fetch(&world.origin("")).1)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(fetched, vec![revision; 4]);
}
