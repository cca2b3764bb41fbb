//! What a cache lacks comes through it from others, to an unmodified Nix.

use serde_json::{Value, json};

use crate::world::{Nix, World, hash};

/// Gives the cache `staging` of a server another's as upstream.
fn follow(near: &World, far: &World) -> Value {
    let wish = json!({ "url": far.url("staging"), "keys": [far.public_key] });
    near.api("PUT", "caches/staging/upstreams/far", &wish)
}

#[test]
fn a_closure_is_substituted_through_the_cache_and_stays_when_the_upstream_is_gone() {
    let mut far = World::new();
    let near = World::beside(&far);
    for world in [&far, &near] {
        world.api("PATCH", "caches/staging", &json!({ "anonymous": true, "signs": true }));
    }
    follow(&near, &far);
    let token = far.token("staging", &["push"]);
    let keys = (far.public_key.clone(), near.public_key.clone());
    let nix = Nix::new(&far, &token);
    let Some(nix) = nix else { return };
    let path = nix.build();
    let closure = nix.closure(&path);
    nix.run("nix", &["copy", "--to", &far.url("staging"), &path]);
    let narinfo = near.ask(&format!("GET /staging/{}.narinfo", hash(&path)), "", b"");
    for key in [&keys.0, &keys.1] {
        let name = key.split(':').next().unwrap();
        assert!(narinfo.text().contains(&format!("\nSig: {name}:")), "{}", narinfo.text());
    }
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 0, "an offer is no path");
    // A client that trusts the near server alone.
    let second = nix.second_store("second");
    let from = near.url("staging");
    nix.run("nix", &["copy", "--from", &from, "--to", &second, "--option", "trusted-public-keys", &keys.1, &path]);
    for one in &closure {
        let copied = far.path("second").join("nix/store").join(one.rsplit('/').next().unwrap());
        assert!(copied.exists(), "{}", copied.display());
    }
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 4);
    let trail = near.api("GET", "trail", &json!({}));
    let pulled = trail["entries"].as_array().unwrap().iter().filter(|entry| entry["by"] == "upstream far").count();
    assert_eq!(pulled, 4, "{trail}");
    assert_eq!(near.api("POST", "fsck", &json!({}))["clean"], true);
    // Gone and forgotten.
    let child = far.take_child();
    drop(Killed(child));
    let nix = Nix::new(&far, &token).unwrap();
    nix.forget();
    let third = nix.second_store("third");
    nix.run("nix", &["copy", "--from", &from, "--to", &third, "--option", "trusted-public-keys", &keys.0, &path]);
}

/// A server that ends here.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
