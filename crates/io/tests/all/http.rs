//! The client, against a real server on loopback.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aux_io::http::{HttpClient, HttpError, HttpOptions, Length, Method, Proxy, Request, Response, RetryAfter, Url};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::http_server::{Answer, HttpServer, Received};

const AUTHORITY: &[u8] = include_bytes!("../../../../tests/support/tls/authority.pem");
const SERVER_CERTIFICATE: &[u8] = include_bytes!("../../../../tests/support/tls/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../../../tests/support/tls/server.key");
const LIMIT_BYTES: u64 = 1 << 20;

fn client(change: impl FnOnce(&mut HttpOptions)) -> HttpClient {
    let mut options = HttpOptions::new("aux/test");
    change(&mut options);
    HttpClient::new(options).unwrap()
}

fn get(url: &str) -> Request {
    Request::get(Url::parse(url).unwrap(), LIMIT_BYTES)
}

fn fetch(request: &Request) -> Result<Response, HttpError> {
    client(|_| {}).fetch(request)
}

/// What comes of a fetch whose body is the trouble.
fn whole(request: &Request, change: impl FnOnce(&mut HttpOptions)) -> Result<Vec<u8>, HttpError> {
    client(change).fetch(request)?.bytes()
}

#[test]
fn a_body_comes_back_with_the_headers_that_matter() {
    let server = HttpServer::start(|_| {
        Answer::ok("{}").header("ETag", "\"one\"").header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
    });
    let response = fetch(&get(&server.url("/a?b=c")).header("apiKey", "k")).unwrap();
    assert_eq!((response.status, response.etag.as_deref()), (200, Some("\"one\"")));
    assert_eq!(response.last_modified.as_deref(), Some("Wed, 21 Oct 2015 07:28:00 GMT"));
    assert_eq!((response.body.length_bytes(), response.body.is_delimited()), (Some(2), true));
    assert_eq!(response.bytes().unwrap(), b"{}");
    let asked = &server.requests()[0];
    assert_eq!((asked.path.as_str(), asked.headers["user-agent"].as_str()), ("/a?b=c", "aux/test"));
    assert_eq!(asked.headers["apikey"], "k");
}

#[test]
fn what_is_unchanged_is_not_sent_again() {
    let server = HttpServer::start(|request| Answer::file(request, "\"one\"", b"body"));
    let request = Request { etag: Some("\"one\"".to_owned()), ..get(&server.url("/")) };
    assert!(fetch(&request).unwrap().is_unchanged());
    let older = Request { etag: Some("\"old\"".to_owned()), ..request };
    assert_eq!(fetch(&older).unwrap().bytes().unwrap(), b"body");
}

#[test]
fn a_download_is_resumed_only_where_it_is_still_the_same() {
    let server = HttpServer::start(|request| Answer::file(request, "\"one\"", b"0123456789"));
    let rest = Request { range_start: Some(4), etag: Some("\"one\"".to_owned()), ..get(&server.url("/")) };
    let part = fetch(&rest).unwrap();
    assert_eq!((part.status, part.range.unwrap().start, part.range.unwrap().total_bytes), (206, 4, Some(10)));
    assert_eq!(part.bytes().unwrap(), b"456789");
    let changed = fetch(&Request { etag: Some("\"old\"".to_owned()), ..rest.clone() }).unwrap();
    assert_eq!((changed.status, changed.bytes().unwrap().len()), (200, 10));
    assert_eq!(fetch(&Request { range_start: Some(10), ..rest }).unwrap().status, 416);
}

#[test]
fn other_bytes_than_those_asked_for_are_refused() {
    let server =
        HttpServer::start(|_| Answer { status: 206, ..Answer::ok("x") }.header("Content-Range", "bytes 0-0/10"));
    let request = Request { range_start: Some(4), ..get(&server.url("/")) };
    assert!(matches!(fetch(&request), Err(HttpError::Range { asked: 4, .. })));
}

#[test]
fn statuses_are_answers_and_say_when_to_come_again() {
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/busy" => Answer::new(429).header("Retry-After", &30),
        "/down" => Answer::new(503).header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
        _ => Answer::new(404),
    });
    let missing = fetch(&get(&server.url("/none"))).unwrap();
    assert!(missing.is_missing());
    let error = missing.bytes().unwrap_err();
    assert_eq!(error.to_string(), format!("{}: answered 404 Not Found", server.url("/none")));
    assert_eq!(error.advice(), "check the URL; the server knows nothing there");
    let busy = fetch(&get(&server.url("/busy"))).unwrap();
    assert!(busy.is_later() && busy.unexpected().is_passing());
    assert_eq!(busy.retry_after, Some(RetryAfter::Seconds(30)));
    assert!(matches!(fetch(&get(&server.url("/down"))).unwrap().retry_after, Some(RetryAfter::At(_))));
}

#[test]
fn a_body_is_posted_and_its_redirect_is_the_answer() {
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/hook" => Answer::new(204),
        _ => Answer::new(307).header("Location", "/hook"),
    });
    let url = |path: &str| Url::parse(&server.url(path)).unwrap();
    let sent = Request::post(url("/hook"), b"{\"a\":1}".to_vec(), 0).header("Content-Type", "application/json");
    assert!(fetch(&sent).unwrap().is_success());
    let received = &server.requests()[0];
    assert_eq!((received.method.as_str(), received.body.as_slice()), ("POST", &b"{\"a\":1}"[..]));
    assert_eq!(received.headers["content-type"], "application/json");
    let moved = fetch(&Request::post(url("/old"), Vec::new(), 0)).unwrap();
    assert_eq!((moved.status, moved.location.as_deref()), (307, Some("/hook")));
    assert_eq!(server.asked(), ["POST /hook", "POST /old"]);
}

#[test]
fn every_method_is_sent_by_its_name_with_its_body() {
    let server = HttpServer::start(|_| Answer::new(204));
    let url = Url::parse(&server.url("/x")).unwrap();
    let body = || b"body".to_vec();
    for method in [Method::Head, Method::Delete, Method::Put { body: body() }, Method::Patch { body: body() }] {
        assert!(fetch(&Request::new(url.clone(), method, 0)).unwrap().is_success());
    }
    assert_eq!(server.asked(), ["HEAD /x", "DELETE /x", "PUT /x", "PATCH /x"]);
    let lengths: Vec<usize> = server.requests().iter().map(|request| request.body.len()).collect();
    assert_eq!(lengths, [0, 0, 4, 4]);
}

#[test]
fn a_body_is_read_as_it_goes_out_and_must_be_as_long_as_it_was_said_to_be() {
    let server = HttpServer::start(|_| Answer::new(201));
    let request = Request::new(Url::parse(&server.url("/nar")).unwrap(), Method::Put { body: Vec::new() }, 0);
    let client = client(|_| {});
    let size = 3_u64 << 20;
    let response = client.upload(&request, &mut std::io::repeat(7).take(size), Length::Exactly(size)).unwrap();
    assert_eq!(response.status, 201);
    let received = &server.requests()[0];
    assert_eq!(received.headers["content-length"], size.to_string());
    assert_eq!(received.body.len() as u64, size);
    assert!(client.upload(&request, &mut &b"short"[..], Length::Exactly(100)).is_err());
}

#[test]
fn a_body_of_unknown_length_goes_out_in_pieces_and_one_that_breaks_off_is_none() {
    let server = HttpServer::start(|_| Answer::new(201));
    let request = Request::new(Url::parse(&server.url("/nar")).unwrap(), Method::Put { body: Vec::new() }, 0);
    let client = client(|_| {});
    let size = 3_u64 << 20;
    for about in [1, 100 << 20] {
        let response = client.upload(&request, &mut std::io::repeat(7).take(size), Length::About(about)).unwrap();
        assert_eq!(response.status, 201);
    }
    let received = server.requests();
    assert_eq!(received.len(), 2);
    for (received, expects) in received.iter().zip([false, true]) {
        assert_eq!(received.headers["transfer-encoding"], "chunked");
        assert_eq!(received.headers.contains_key("expect"), expects);
        assert!(!received.headers.contains_key("content-length"));
        assert!(received.body.len() as u64 == size && received.body.iter().all(|byte| *byte == 7));
    }
    let mut breaking = std::io::repeat(7).take(size).chain(Breaking);
    let broken = client.upload(&request, &mut breaking, Length::About(size)).unwrap_err();
    assert!(matches!(broken, HttpError::Broken { sent_bytes, .. } if sent_bytes == size), "{broken}");
    // Whoever comes later is heard, and of the other nothing was.
    client.upload(&request, &mut std::io::empty(), Length::About(0)).unwrap();
    let lengths: Vec<usize> = server.requests().iter().map(|request| request.body.len()).collect();
    assert_eq!(lengths[2..], [0], "its end never came");
}

struct Breaking;

impl Read for Breaking {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("it broke off"))
    }
}

#[test]
fn a_cut_connection_is_no_short_body() {
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/plain" => Answer { cut_after: Some(4), ..Answer::ok("0123456789") },
        _ => Answer::ok("4\r\n0123\r\n").header("Transfer-Encoding", "chunked"),
    });
    for path in ["/plain", "/chunked"] {
        let error = whole(&get(&server.url(path)), |_| {}).unwrap_err();
        assert!(matches!(error, HttpError::Interrupted { received_bytes: 4, .. }), "{path}: {error:?}");
        assert!(error.is_passing());
    }
}

#[test]
fn an_endless_or_large_body_is_refused_at_its_limit() {
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/endless" => Answer { is_endless: true, ..Answer::ok(vec![b'x'; 4096]) },
        _ => Answer::ok(vec![b'x'; 11]),
    });
    for (path, limit) in [("/endless", 100_000), ("/large", 10)] {
        let error = whole(&Request { limit_bytes: limit, ..get(&server.url(path)) }, |_| {}).unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { limit_bytes, .. } if limit_bytes == limit), "{path}: {error:?}");
    }
    assert_eq!(whole(&Request { limit_bytes: 11, ..get(&server.url("/just")) }, |_| {}).unwrap().len(), 11);
    // Without a length an end and a cut are the same; the answer says so.
    assert!(!fetch(&get(&server.url("/endless"))).unwrap().body.is_delimited());
}

#[test]
fn a_slow_drip_and_a_standstill_are_cut_long_before_the_time_is_up() {
    let server = HttpServer::start(|request| Answer {
        drip: Some(if request.path == "/drip" { Duration::from_millis(5) } else { Duration::from_mins(10) }),
        is_endless: true,
        ..Answer::ok("x")
    });
    for path in ["/drip", "/still"] {
        let began = Instant::now();
        let error = whole(&get(&server.url(path)), |options| {
            options.speed_window = Duration::from_millis(150);
            options.speed_bytes_per_second_min = 10_000;
        });
        let error = error.unwrap_err();
        assert!(matches!(error, HttpError::TooSlow { bytes_per_second: 10_000, .. }), "{path}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn the_whole_fetch_has_an_end_however_it_is_stretched() {
    let server =
        HttpServer::start(|_| Answer { drip: Some(Duration::from_millis(5)), is_endless: true, ..Answer::ok("x") });
    let error = whole(&get(&server.url("/")), |options| {
        options.speed_bytes_per_second_min = 0;
        options.total_limit = Duration::from_millis(200);
    });
    let error = error.unwrap_err();
    assert!(error.to_string().ends_with("the whole fetch took longer than 200ms"), "{error:?}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let error = client(|options| options.response_limit = Duration::from_millis(50)).fetch(&get(&url)).unwrap_err();
    assert!(error.to_string().ends_with("its response took longer than 50ms"), "{error:?}");
}

#[test]
fn redirects_lead_to_the_same_origin_and_to_those_that_were_named() {
    let end = HttpServer::start(|_| Answer::ok("the end"));
    let there = end.url("/end");
    let start = HttpServer::start(move |request| match request.path.as_str() {
        "/away" => Answer::new(302).header("Location", &there),
        "/here" => Answer::new(302).header("Location", "/there"),
        _ => Answer::ok("still here"),
    });
    let named = |origins: &[&HttpServer]| {
        let origins = origins.iter().map(|server| Url::parse(&server.url("/")).unwrap()).collect();
        client(|options| options.redirect_origins = Some(origins))
    };
    let fetched =
        |client: &HttpClient, path: &str| client.fetch(&get(&start.url(path))).map(|answer| answer.bytes().unwrap());
    assert_eq!(fetched(&named(&[]), "/here").unwrap(), b"still here");
    assert_eq!(fetched(&named(&[&end]), "/away").unwrap(), b"the end");
    let refused = fetched(&named(&[]), "/away").unwrap_err();
    assert!(matches!(refused, HttpError::Elsewhere { .. }), "{refused}");
    assert_eq!(end.requests().len(), 1);
}

#[test]
fn redirects_are_followed_a_few_times_and_leave_secrets_behind() {
    let other = HttpServer::start(|_| Answer::ok("there"));
    let target = other.url("/there");
    let server = HttpServer::start(move |request| match request.path.as_str() {
        "/loop" => Answer::new(302).header("Location", "/loop"),
        "/near" => Answer::new(301).header("Location", "far"),
        "/file" => Answer::new(302).header("Location", "file:///etc/passwd"),
        "/mail" => Answer::new(302).header("Location", "mailto:root"),
        _ => Answer::new(307).header("Location", &target),
    });
    let response = fetch(&get(&server.url("/near")).header("apiKey", "secret").header("Accept", "text/plain")).unwrap();
    assert_eq!(response.url.to_string(), other.url("/there"));
    assert_eq!(server.asked(), ["GET /near", "GET /far"]);
    assert_eq!(server.requests()[1].headers["apikey"], "secret");
    let received = &other.requests()[0].headers;
    assert_eq!((received.get("apikey"), received["accept"].as_str()), (None, "text/plain"));
    assert!(matches!(fetch(&get(&server.url("/loop"))), Err(HttpError::Redirects { limit: 5, .. })));
    for path in ["/file", "/mail"] {
        let error = fetch(&get(&server.url(path))).unwrap_err();
        assert!(matches!(error, HttpError::RedirectTarget { .. }), "{error:?}");
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let error = fetch(&get("http://user:secret@feeds.example/")).unwrap_err();
    assert_eq!(error.to_string(), "http://user:***@feeds.example/: plain http is refused except to this machine");
    let server = HttpServer::start(|_| Answer::new(302).header("Location", "http://feeds.example/"));
    assert!(matches!(fetch(&get(&server.url("/"))), Err(HttpError::Insecure { .. })));
    assert!(matches!(fetch(&get("file:///etc/passwd")), Err(HttpError::NotHttp { .. })));
}

#[test]
fn credentials_in_the_url_are_sent_to_that_server_alone() {
    let other = HttpServer::start(|_| Answer::ok(""));
    let target = other.url("/");
    let server = HttpServer::start(move |request| match request.path.as_str() {
        "/near" => Answer::new(302).header("Location", "/far"),
        _ => Answer::new(302).header("Location", &target),
    });
    let url = server.url("/near").replace("http://", "http://user:pass@");
    fetch(&get(&url)).unwrap();
    for request in server.requests() {
        assert_eq!(request.headers["authorization"], "Basic dXNlcjpwYXNz");
    }
    assert_eq!(other.requests()[0].headers.get("authorization"), None);
}

#[test]
fn a_server_that_is_not_there_or_speaks_no_http_is_said() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = fetch(&get(&format!("http://127.0.0.1:{port}/"))).unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }) && error.is_passing(), "{error:?}");
    let server = HttpServer::start(|_| Answer { status: 9999, ..Answer::default() });
    let error = fetch(&get(&server.url("/"))).unwrap_err();
    assert!(matches!(error, HttpError::Protocol { .. }), "{error:?}");
}

#[test]
fn requests_go_through_the_proxy_but_not_to_this_machine() {
    let proxy = HttpServer::start(|_| Answer::new(403));
    let server = HttpServer::start(|_| Answer::ok("direct"));
    let client = client(|options| {
        let url = Url::parse(&proxy.url("/").replace("http://", "http://user:pass@")).unwrap();
        options.proxy = Some(Proxy { url, except: Vec::new() });
    });
    assert_eq!(client.fetch(&get(&server.url("/"))).unwrap().bytes().unwrap(), b"direct");
    assert!(proxy.requests().is_empty());
    let error = client.fetch(&get("https://feeds.example/")).unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
    assert_eq!(proxy.asked(), ["CONNECT feeds.example:443"]);
    assert_eq!(proxy.requests()[0].headers["proxy-authorization"], "Basic dXNlcjpwYXNz");
}

fn tls_server(handler: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> HttpServer {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_slice_iter(SERVER_CERTIFICATE).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let wrap = move |mut stream| {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        connection.complete_io(&mut stream).ok()?;
        Some(Box::new(rustls::StreamOwned::new(connection, stream)) as Box<dyn crate::http_server::Stream>)
    };
    HttpServer::start_with(wrap, handler)
}

#[test]
fn https_is_never_left_for_http() {
    let plain = HttpServer::start(|_| Answer::ok("plain"));
    let target = plain.url("/");
    let server = tls_server(move |request| match request.path.as_str() {
        "/down" => Answer::new(302).header("Location", &target),
        _ => Answer::ok("sealed"),
    });
    let trusting = client(|options| {
        options.root_certificates = Some(AUTHORITY.to_vec());
        options.allow_insecure = true;
    });
    let url = |host: &str, path: &str| format!("https://{host}:{}{path}", server.port());
    let mut body = String::new();
    trusting.fetch(&get(&url("localhost", "/"))).unwrap().body.read_to_string(&mut body).unwrap();
    assert_eq!(body, "sealed");
    let error = trusting.fetch(&get(&url("127.0.0.1", "/down"))).unwrap_err();
    assert!(matches!(error, HttpError::Downgrade { .. }), "{error:?}");
    assert!(plain.requests().is_empty());
}

#[test]
fn a_certificate_nobody_trusts_or_of_another_name_is_refused() {
    let server = tls_server(|_| Answer::ok("sealed"));
    let url = |host: &str| get(&format!("https://{host}:{}/", server.port()));
    let error = fetch(&url("localhost")).unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }), "{error:?}");
    assert_eq!(error.advice(), "check this machine's clock and the certificates it trusts");
    let trusting = client(|options| options.root_certificates = Some(AUTHORITY.to_vec()));
    let error = trusting.fetch(&url("127.0.0.2")).unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. } | HttpError::Connect { .. }), "{error:?}");
    assert!(server.requests().is_empty());
    let mut options = HttpOptions::new("aux/test");
    options.root_certificates = Some(b"nothing".to_vec());
    assert!(matches!(HttpClient::new(options), Err(HttpError::Setup { .. })));
}
