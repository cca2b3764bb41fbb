//! The client: one request, its redirects, and what may go wrong on the way.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, ProxyProtocol, SendBody, Timeout};

use super::body::{Body, Bounds};
use super::{ByteRange, HttpError, HttpOptions, Method, Proxy, Request, Response, RetryAfter, Url};

/// Makes requests; connections are reused between them. Cheap to keep, and safe to share among threads.
#[derive(Clone)]
pub struct HttpClient {
    agent: Agent,
    /// The same without the proxy, for this machine.
    local: Agent,
    options: Arc<HttpOptions>,
}

/// Bodies from here on wait for the server's word.
const EXPECT_BYTES: u64 = 1 << 20;
/// Headers that a redirect may carry to another server: they say nothing about who asks.
const HARMLESS_HEADERS: &[&str] = &["accept", "accept-encoding", "accept-language"];

impl HttpClient {
    /// Sets a client up; opens no connection.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        let proxy = options.proxy.as_ref().map(proxy).transpose()?;
        let tls = tls(options.root_certificates.as_deref())?;
        let agent = |proxy| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(options.user_agent.clone())
                .tls_config(tls.clone())
                .proxy(proxy)
                .timeout_resolve(Some(options.connect_limit))
                .timeout_connect(Some(options.connect_limit))
                .timeout_recv_response(Some(options.response_limit))
                .timeout_per_read(Some(options.speed_window.max(Duration::from_millis(1))))
                .timeout_per_write(Some(options.response_limit))
                .max_idle_connections_per_host(options.idle_connections_max)
                .max_idle_connections(options.idle_connections_max.max(10))
                .build();
            Agent::new_with_config(config)
        };
        Ok(Self { agent: agent(proxy), local: agent(None), options: Arc::new(options) })
    }

    /// Sends a request and follows a GET's redirects. Any status is an answer; only what is no HTTP is an error.
    pub fn fetch(&self, request: &Request) -> Result<Response, HttpError> {
        let deadline = Instant::now() + self.options.total_limit;
        let (origin, mut request) = (request.url.clone(), request.clone());
        for _ in 0..=self.options.redirects_max {
            self.check(&request.url)?;
            let answer = self.once(&request, None, deadline)?;
            let Some(location) = redirect_of(&request, &answer) else {
                return self.response(&request, answer, deadline);
            };
            let from = request.url.clone();
            request = redirected(request, &location)?;
            if ![&from, &origin].iter().any(|one| one.is_same_origin(&request.url))
                && !self.may_redirect_to(&request.url)
            {
                return Err(HttpError::Elsewhere { url: from, to: request.url });
            }
        }
        Err(HttpError::Redirects { url: request.url, limit: self.options.redirects_max })
    }

    fn may_redirect_to(&self, to: &Url) -> bool {
        self.options.redirect_origins.as_ref().is_none_or(|origins| origins.iter().any(|one| one.is_same_origin(to)))
    }

    fn check(&self, url: &Url) -> Result<(), HttpError> {
        if url.is_file() {
            return Err(HttpError::NotHttp { url: url.clone() });
        }
        if !url.is_https() && !url.is_loopback() && !self.options.allow_insecure {
            return Err(HttpError::Insecure { url: url.clone() });
        }
        Ok(())
    }

    /// Sends a request with a body that is read as it goes out. Redirects are the answer.
    pub fn upload(&self, request: &Request, body: &mut dyn Read, length: Length) -> Result<Response, HttpError> {
        let deadline = Instant::now() + self.options.total_limit;
        self.check(&request.url)?;
        let mut body = Outgoing { body, length, sent_bytes: 0 };
        let answer = self.once(request, Some((&mut body, length)), deadline).map_err(|error| match error {
            // Whoever refuses it before its end hangs up, and the library does not listen while it sends.
            HttpError::Connect { url, cause } if body.sent_bytes > 0 => {
                HttpError::Broken { url, sent_bytes: body.sent_bytes, cause }
            }
            error => error,
        })?;
        self.response(request, answer, deadline)
    }

    /// One exchange; a body given here is sent in place of the method's own.
    fn once(
        &self,
        request: &Request,
        body: Option<(&mut dyn Read, Length)>,
        deadline: Instant,
    ) -> Result<ureq::http::Response<ureq::Body>, HttpError> {
        let wrong = |cause: String| HttpError::Request { url: request.url.clone(), cause };
        let mut builder = ureq::http::Request::builder().uri(request.url.for_the_wire());
        for (name, value) in headers(request) {
            builder = builder.header(name, value);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.timeout(&request.url, Timeout::Global));
        }
        let agent = if request.url.is_loopback() { &self.local } else { &self.agent };
        let builder = builder.method(request.method.name());
        let sent = match (body, request.method.body()) {
            (Some((body, length)), _) => {
                let (Length::Exactly(bytes) | Length::About(bytes)) = length;
                // A server that does not want it says so before the body is sent (RFC 9110, section 10.1.1).
                let expects = bytes >= EXPECT_BYTES;
                let builder = if expects { builder.header(header::EXPECT, "100-continue") } else { builder };
                let builder = match length {
                    Length::Exactly(bytes) => builder.header(header::CONTENT_LENGTH, bytes),
                    Length::About(_) => builder,
                };
                let built = builder.body(SendBody::from_reader(body));
                let built = built.map_err(|error| wrong(error.to_string()))?;
                agent.run(agent.configure_request(built).timeout_global(Some(left)).build())
            }
            (None, None) => {
                let built = builder.body(()).map_err(|error| wrong(error.to_string()))?;
                agent.run(agent.configure_request(built).timeout_global(Some(left)).build())
            }
            (None, Some(body)) => {
                let built = builder.body(body).map_err(|error| wrong(error.to_string()))?;
                agent.run(agent.configure_request(built).timeout_global(Some(left)).build())
            }
        };
        sent.map_err(|error| self.failed(&request.url, error))
    }

    fn response(
        &self,
        request: &Request,
        answer: ureq::http::Response<ureq::Body>,
        deadline: Instant,
    ) -> Result<Response, HttpError> {
        let url = request.url.clone();
        let (parts, body) = answer.into_parts();
        let text = |name: HeaderName| text_of(&parts.headers, &name);
        let status = parts.status.as_u16();
        let range = text(header::CONTENT_RANGE).as_deref().and_then(ByteRange::parse);
        // Whoever writes `Range` as it likes looks at the answer's by itself.
        let is_own = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("range"));
        if status == 206 && !is_own && range.map(|range| range.start) != request.range_start {
            return Err(HttpError::Range { url, asked: request.range_start.unwrap_or(0) });
        }
        let length_bytes = body.content_length();
        // An error's page is nobody's download; it is bounded where it is read.
        let is_download = request.method == Method::Get && parts.status.is_success();
        if is_download && length_bytes.is_some_and(|length| length > request.limit_bytes) {
            return Err(HttpError::TooLarge { url, limit_bytes: request.limit_bytes });
        }
        let is_delimited = length_bytes.is_some() || parts.headers.contains_key(header::TRANSFER_ENCODING);
        let bounds = Bounds {
            url: url.clone(),
            limit_bytes: request.limit_bytes,
            deadline: Some(deadline),
            total_limit: self.options.total_limit,
            speed_bytes_per_second_min: self.options.speed_bytes_per_second_min,
            speed_window: self.options.speed_window,
        };
        let reader = body.into_with_config().limit(u64::MAX).reader();
        Ok(Response {
            url,
            status,
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
            content_type: text(header::CONTENT_TYPE),
            content_encoding: text(header::CONTENT_ENCODING),
            retry_after: text(header::RETRY_AFTER).as_deref().and_then(RetryAfter::parse),
            range,
            location: text(header::LOCATION),
            headers: texts(&parts.headers),
            body: Body::new(Box::new(reader), bounds, length_bytes, is_delimited),
        })
    }

    fn failed(&self, url: &Url, error: ureq::Error) -> HttpError {
        let url = url.clone();
        match error {
            ureq::Error::Timeout(reason) => self.timeout(&url, reason),
            ureq::Error::HostNotFound => HttpError::UnknownHost { url },
            ureq::Error::Rustls(cause) => HttpError::Tls { url, cause: cause.to_string() },
            ureq::Error::Tls(cause) => HttpError::Tls { url, cause: cause.to_owned() },
            // A handshake that fails comes back through `Read` and is wrapped as it does so.
            ureq::Error::Io(cause) => match cause.downcast::<rustls::Error>() {
                Ok(cause) => HttpError::Tls { url, cause: cause.to_string() },
                Err(cause) => HttpError::Connect { url, cause: cause.to_string() },
            },
            ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => {
                HttpError::Connect { url, cause: error.to_string() }
            }
            ureq::Error::Http(cause) => HttpError::Request { url, cause: cause.to_string() },
            other => HttpError::Protocol { url, cause: other.to_string() },
        }
    }

    fn timeout(&self, url: &Url, reason: Timeout) -> HttpError {
        let HttpOptions { connect_limit, response_limit, total_limit, speed_window, .. } = *self.options;
        let (what, limit) = match reason {
            Timeout::Resolve => ("looking up its host", connect_limit),
            Timeout::Connect => ("connecting", connect_limit),
            Timeout::PerRead => ("waiting for its next byte", speed_window),
            Timeout::RecvResponse => ("its response", response_limit),
            Timeout::PerWrite | Timeout::SendBody | Timeout::SendRequest => ("sending", response_limit),
            _ => ("the whole fetch", total_limit),
        };
        HttpError::Timeout { url: url.clone(), what, limit }
    }
}

/// How long a body is that is read as it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Exactly(u64),
    /// Something like so many; it goes out in pieces that each say their length (RFC 9112, section 7.1).
    About(u64),
}

/// A body that is counted, and ends where it was said to end: a library that waits for the rest of a shorter one would wait
/// forever.
struct Outgoing<'a> {
    body: &'a mut dyn Read,
    length: Length,
    sent_bytes: u64,
}

impl Read for Outgoing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = match self.length {
            Length::Exactly(bytes) => bytes.saturating_sub(self.sent_bytes),
            Length::About(_) => u64::MAX,
        };
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..limit).filter(|part| !part.is_empty()) else { return Ok(0) };
        let length = self.body.read(part)?;
        if length == 0 && matches!(self.length, Length::Exactly(_)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sent_bytes += length as u64;
        Ok(length)
    }
}

/// The provider is chosen here, for this client; the process's default is neither read nor set.
fn tls(root_certificates: Option<&[u8]>) -> Result<TlsConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = match root_certificates {
        None => RootCerts::PlatformVerifier,
        Some(pem) => {
            let mut certificates: Vec<Certificate<'static>> = Vec::new();
            for item in ureq::tls::parse_pem(pem) {
                match item {
                    Ok(ureq::tls::PemItem::Certificate(certificate)) => certificates.push(certificate),
                    Ok(_) => {}
                    Err(cause) => return Err(HttpError::Setup { cause: format!("the root certificates: {cause}") }),
                }
            }
            if certificates.is_empty() {
                return Err(HttpError::Setup { cause: "the root certificates hold no certificate in PEM".to_owned() });
            }
            RootCerts::from(certificates)
        }
    };
    Ok(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build())
}

fn proxy(proxy: &Proxy) -> Result<ureq::Proxy, HttpError> {
    let wrong = |cause: &str| HttpError::Setup { cause: format!("the proxy {}: {cause}", proxy.url) };
    if proxy.url.is_file() {
        return Err(wrong("a proxy is reached over http:// or https://"));
    }
    let parsed = ureq::Proxy::new(proxy.url.for_the_wire()).map_err(|error| wrong(&error.to_string()))?;
    let protocol = if proxy.url.is_https() { ProxyProtocol::Https } else { ProxyProtocol::Http };
    let mut builder = ureq::Proxy::builder(protocol).host(parsed.host()).port(parsed.port());
    if let Some(name) = parsed.username() {
        builder = builder.username(name);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for host in &proxy.except {
        builder = builder.no_proxy(host);
    }
    builder.build().map_err(|error| wrong(&error.to_string()))
}

/// The request's own headers and those that its fields stand for.
fn headers(request: &Request) -> Vec<(&str, String)> {
    let mut headers: Vec<(&str, String)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    if let Some(start) = request.range_start {
        headers.push(("range", format!("bytes={start}-")));
        // A part of another version must not be appended (RFC 9110, section 13.1.5); a weak tag cannot promise that.
        let strong = request.etag.clone().filter(|etag| !etag.starts_with("W/"));
        headers.extend(strong.or_else(|| request.last_modified.clone()).map(|value| ("if-range", value)));
    } else {
        headers.extend(request.etag.clone().map(|etag| ("if-none-match", etag)));
        headers.extend(request.last_modified.clone().map(|date| ("if-modified-since", date)));
    }
    headers
}

fn redirect_of(request: &Request, answer: &ureq::http::Response<ureq::Body>) -> Option<String> {
    let follows = request.method == Method::Get && matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if follows { text_of(answer.headers(), &header::LOCATION) } else { None }
}

fn redirected(request: Request, location: &str) -> Result<Request, HttpError> {
    let url = &request.url;
    let target =
        url.join(location).map_err(|cause| HttpError::RedirectTarget { url: url.clone(), cause: cause.to_string() })?;
    if target.is_file() {
        let cause = "a server may not name a file of this machine".to_owned();
        return Err(HttpError::RedirectTarget { url: request.url, cause });
    }
    if url.is_https() && !target.is_https() {
        return Err(HttpError::Downgrade { url: request.url, to: target });
    }
    let mut headers = request.headers;
    if !target.is_same_origin(url) {
        headers.retain(|(name, _)| HARMLESS_HEADERS.contains(&name.to_ascii_lowercase().as_str()));
    }
    let target = target.with_credentials_of(url);
    Ok(Request { url: target, headers, ..request })
}

/// All headers that are text.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("options", &self.options).finish_non_exhaustive()
    }
}
