//! Asks PolicyKit whether a caller of the bus may change something (org.freedesktop.PolicyKit1.Authority).

use std::collections::BTreeMap;

use zbus::{Connection, Variant, fdo};

/// What the action file calls a refresh.
pub(crate) const REFRESH: &str = "org.auxolotl.aux.refresh";

/// `AllowUserInteraction`: the desktop may ask for a password.
const ALLOW_USER_INTERACTION: u32 = 1;

type Subject<'a> = (&'a str, BTreeMap<&'a str, Variant<'a>>);
type Answer = (bool, bool, BTreeMap<String, String>);

/// Whether the authority allows the action; where it cannot be asked, the answer is no.
pub(crate) async fn check(connection: &Connection, sender: &str, action: &str) -> fdo::Result<()> {
    let subject: Subject<'_> = ("system-bus-name", BTreeMap::from([("name", Variant::from(sender))]));
    let details: BTreeMap<&str, &str> = BTreeMap::new();
    let reply = connection
        .call_method(
            Some("org.freedesktop.PolicyKit1"),
            "/org/freedesktop/PolicyKit1/Authority",
            Some("org.freedesktop.PolicyKit1.Authority"),
            "CheckAuthorization",
            &(subject, action, details, ALLOW_USER_INTERACTION, ""),
        )
        .await;
    let denied = |reason: String| Err(fdo::Error::AccessDenied(reason));
    match reply.map(|reply| reply.body().deserialize::<Answer>()) {
        Ok(Ok((true, ..))) => Ok(()),
        Ok(Ok((false, ..))) => denied(format!("PolicyKit does not allow {action}")),
        Ok(Err(error)) => denied(format!("PolicyKit's answer cannot be read: {error}")),
        Err(error) => denied(format!("PolicyKit cannot be asked: {error}")),
    }
}
