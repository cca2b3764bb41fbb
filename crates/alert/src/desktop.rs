//! Whether a session could show toasts, asked without showing or starting anything.

use std::time::Duration;

use aux_core::limits::ALERT_SEND_SECONDS_MAX;
use zbus::{Connection, connection};

use crate::notification::{NOTIFIER, PATH, SERVICE};
use crate::{SendError, wording};

/// What a session has for toasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desktop {
    /// The server's own name and version, where one runs.
    pub server: Option<String>,
    /// Whether the bus starts a server when somebody has something to show.
    pub can_start: bool,
    /// Whether the notifier of the session runs.
    pub has_notifier: bool,
}

/// Looks at the session on the bus of this address.
pub fn look(address: &str) -> Result<Desktop, SendError> {
    let looked = zbus::block_on(async {
        let limit = Duration::from_secs(ALERT_SEND_SECONDS_MAX);
        let connection = connection::Builder::address(address).method_timeout(limit).build().await?;
        let is_here = has_owner(&connection, SERVICE).await?;
        let server = if is_here { Some(name_of_server(&connection).await?) } else { None };
        let reply = ask_bus(&connection, "ListActivatableNames", &()).await?;
        let names: Vec<String> = reply.body().deserialize()?;
        let can_start = names.iter().any(|name| name == SERVICE);
        Ok(Desktop { server, can_start, has_notifier: has_owner(&connection, NOTIFIER).await? })
    });
    looked.map_err(|error: zbus::Error| {
        SendError::passing(format!("the session bus: {}", wording::word(&error.to_string())))
    })
}

async fn has_owner(connection: &Connection, name: &str) -> Result<bool, zbus::Error> {
    ask_bus(connection, "NameHasOwner", &name).await?.body().deserialize()
}

async fn ask_bus<B: serde::Serialize + zbus::wire::DynamicType>(
    connection: &Connection,
    method: &str,
    body: &B,
) -> Result<zbus::Message, zbus::Error> {
    let bus = Some("org.freedesktop.DBus");
    connection.call_method(bus, "/org/freedesktop/DBus", bus, method, body).await
}

async fn name_of_server(connection: &Connection) -> Result<String, zbus::Error> {
    let reply = connection.call_method(Some(SERVICE), PATH, Some(SERVICE), "GetServerInformation", &()).await?;
    let (name, _vendor, version, _specification): (String, String, String, String) = reply.body().deserialize()?;
    Ok(wording::word(&format!("{name} {version}")))
}
