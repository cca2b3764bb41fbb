//! How a client behaves: who it says it is, how long and how slow is too much, and what it may trust.

use std::time::Duration;

use aux_core::limits::{
    HTTP_CONNECT_SECONDS_MAX, HTTP_IDLE_CONNECTIONS_MAX, HTTP_REDIRECTS_MAX, HTTP_RESPONSE_SECONDS_MAX,
    HTTP_SPEED_BYTES_PER_SECOND_MIN, HTTP_SPEED_WINDOW_SECONDS, HTTP_TOTAL_SECONDS_MAX,
};

use super::Url;

/// Everything a client is told once. The environment has no part in it.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Sent as `User-Agent`, such as `aux/0.1.0`.
    pub user_agent: String,
    /// Looking a name up, connecting, and agreeing on TLS: each.
    pub connect_limit: Duration,
    /// From the end of the request to the end of the response's headers.
    pub response_limit: Duration,
    /// A whole fetch, redirects and body included.
    pub total_limit: Duration,
    /// A body slower than this over [`Self::speed_window`] is given up; zero switches it off.
    pub speed_bytes_per_second_min: u64,
    /// Over how long the speed is measured, and how long a body may stand still.
    pub speed_window: Duration,
    pub redirects_max: u32,
    /// The origins that redirects may lead to besides the one that was asked; anywhere where nothing is said.
    pub redirect_origins: Option<Vec<Url>>,
    /// Connections to one server that are kept for the next requests.
    pub idle_connections_max: usize,
    /// Plain `http://` to other machines.
    pub allow_insecure: bool,
    pub proxy: Option<Proxy>,
    /// Certificates in PEM that may sign a server's, in place of those that the machine trusts.
    pub root_certificates: Option<Vec<u8>>,
}

impl HttpOptions {
    pub fn new(user_agent: impl Into<String>) -> Self {
        Self {
            user_agent: user_agent.into(),
            connect_limit: Duration::from_secs(HTTP_CONNECT_SECONDS_MAX),
            response_limit: Duration::from_secs(HTTP_RESPONSE_SECONDS_MAX),
            total_limit: Duration::from_secs(HTTP_TOTAL_SECONDS_MAX),
            speed_bytes_per_second_min: HTTP_SPEED_BYTES_PER_SECOND_MIN,
            speed_window: Duration::from_secs(HTTP_SPEED_WINDOW_SECONDS),
            redirects_max: HTTP_REDIRECTS_MAX,
            redirect_origins: None,
            idle_connections_max: HTTP_IDLE_CONNECTIONS_MAX,
            allow_insecure: false,
            proxy: None,
            root_certificates: None,
        }
    }
}

/// A proxy that requests to other machines go through. Requests to this machine never do.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// `http://` or `https://`, with credentials where it wants them.
    pub url: Url,
    /// Hosts that are reached without it, written as in `NO_PROXY`: `internal.example`, `.example`, `*`.
    pub except: Vec<String>,
}
