//! Who is on the other end of the socket, as the kernel says.

use std::os::unix::net::UnixStream;

/// The user behind a connection, when it was made (`SO_PEERCRED`, unix(7)).
pub(crate) fn user(stream: &UnixStream) -> Option<u32> {
    rustix::net::sockopt::socket_peercred(stream).ok().map(|credentials| credentials.uid.as_raw())
}

/// Over the socket only root and the agent's own user may change something; others ask over the bus, where
/// PolicyKit decides.
pub(crate) fn may_change(user: Option<u32>) -> bool {
    user.is_some_and(|user| user == 0 || user == rustix::process::geteuid().as_raw())
}
