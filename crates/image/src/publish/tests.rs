//! Servers that are slow or say nothing, met with limits that a test can wait for.

#[expect(dead_code, reason = "most of the server is for the tests of others")]
#[path = "../../../../tests/support/http_server.rs"]
mod http_server;

use std::cell::Cell;
use std::time::Duration;

use aux_core::limits::IMAGE_PUBLISH_ATTEMPTS_MAX;
use aux_io::http::{HttpClient, HttpError, HttpOptions};

use super::*;
use http_server::{Answer, HttpServer};

fn published(
    server: &HttpServer,
    to: &dyn Fn(&Surroundings<'_>) -> Result<Published, PublishError>,
) -> (PublishError, u32) {
    let limit = Duration::from_millis(200);
    let options = HttpOptions {
        response_limit: limit,
        speed_window: limit,
        speed_bytes_per_second_min: 1_000,
        ..HttpOptions::new("test")
    };
    let client = HttpClient::new(options).unwrap();
    let pauses = Cell::new(0);
    let pause = |_: SignedDuration| pauses.set(pauses.get() + 1);
    let world =
        Surroundings { client: &client, credentials: None, pause: &pause, progress: &|_| {}, is_dry_run: false };
    let error = to(&world).unwrap_err();
    assert!(error.to_string().contains(&server.port().to_string()) && error.is_passing(), "{error}");
    (error, pauses.get())
}

#[test]
fn a_slow_or_silent_server_is_given_up_after_some_attempts_and_named() {
    let slow = HttpServer::start(|_| Answer { drip: Some(Duration::from_secs(90)), ..Answer::ok("[]") });
    let silent = HttpServer::start(|_| {
        std::thread::park();
        Answer::new(200)
    });
    for server in [&slow, &silent] {
        let registry = |world: &Surroundings<'_>| {
            let target = RegistryTarget::read(&server.url("/team/origin")).unwrap();
            let folder = tempfile::tempdir().unwrap();
            to_registry(&Built::example(), &target, &mut Uploads::read(&folder.path().join("uploads")), world)
        };
        let imgapi = |world: &Surroundings<'_>| {
            let base = aux_io::http::Url::parse(&server.url("/")).unwrap();
            to_imgapi(&Built::example(), &ImgapiTarget { base, account: None, channels: Vec::new() }, world)
        };
        let (error, pauses) = published(server, &registry);
        assert!(matches!(error, PublishError::Http(HttpError::TooSlow { .. } | HttpError::Timeout { .. })), "{error}");
        let (error, _) = published(server, &imgapi);
        assert!(matches!(error, PublishError::Http(HttpError::TooSlow { .. } | HttpError::Timeout { .. })), "{error}");
        assert!(pauses < IMAGE_PUBLISH_ATTEMPTS_MAX);
    }
}

#[test]
fn begun_uploads_are_remembered_and_a_strange_file_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/uploads.json");
    let mut uploads = Uploads::read(&path);
    uploads.note("key", Some("https://h/upload")).unwrap();
    assert_eq!(Uploads::read(&path).place("key"), Some("https://h/upload"));
    uploads.note("key", None).unwrap();
    assert_eq!(Uploads::read(&path).place("key"), None);
    for strange in ["", "[]", "{\"schema\":\"aux.image-uploads/9\",\"uploads\":{\"key\":\"x\"}}"] {
        aux_io::file::replace(&path, strange.as_bytes()).unwrap();
        assert_eq!(Uploads::read(&path).place("key"), None);
    }
}
