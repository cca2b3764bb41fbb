//! Secure boot as the firmware reports it: its variables (UEFI specification, section 3.3), as Linux shows them.

use aux_core::Fact;
use aux_core::configuration::{PlatformKey, SecureBoot};
use aux_core::limits::SYSTEM_FILE_BYTES_MAX;

use crate::configuration::system_root::{SystemRoot, Unread};

const FOLDER: &str = "/sys/firmware/efi/efivars";
/// The vendor of the variables that the specification itself defines.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Linux puts a variable's attributes in front of it.
const ATTRIBUTES_BYTES: usize = 4;
/// Where a machine keeps keys of its own; the second is the place of older versions of sbctl.
const OWN_KEYS: [&str; 2] = ["/var/lib/sbctl/keys/PK/PK.pem", "/etc/secureboot/keys/PK/PK.pem"];

fn path(name: &str) -> String {
    format!("{FOLDER}/{name}-{GLOBAL}")
}

fn variable(root: &SystemRoot, name: &str) -> Result<Vec<u8>, Unread> {
    let bytes = root.start(&path(name), SYSTEM_FILE_BYTES_MAX)?;
    Ok(bytes.get(ATTRIBUTES_BYTES..).unwrap_or_default().to_vec())
}

/// What is known where a variable is not there: a machine without UEFI differs from one whose firmware is hidden.
fn without<T>(root: &SystemRoot, off: T, name: &str) -> Fact<T> {
    let has_firmware = root.entries("/sys/firmware").is_ok_and(|entries| !entries.is_empty());
    if root.exists("/sys/firmware/efi") {
        Fact::unseen(format!("the machine booted through UEFI, but {} is not there", path(name)))
    } else if has_firmware {
        Fact::seen(off, "the machine did not boot through UEFI: there is no /sys/firmware/efi")
    } else {
        Fact::unseen("/sys/firmware is not there or empty, as in a container, so the firmware cannot be asked")
    }
}

/// A container sees its host's firmware, or a part of it, and can answer for neither.
fn is_container(root: &SystemRoot) -> bool {
    ["/run/systemd/container", "/run/host/container-manager", "/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|mark| root.exists(mark))
}

pub(super) fn secure_boot(root: &SystemRoot) -> Fact<SecureBoot> {
    if is_container(root) {
        return Fact::NotAsked;
    }
    let name = "SecureBoot";
    match (variable(root, name).as_deref(), variable(root, "SetupMode").as_deref()) {
        // Section 3.3: in setup mode nothing is enforced, whatever the other variable says.
        (Ok([1]), Ok([1])) => Fact::seen(SecureBoot::Off, path("SetupMode")),
        (Ok([1]), _) => Fact::seen(SecureBoot::Enforced, path(name)),
        (Ok([0]), _) => Fact::seen(SecureBoot::Off, path(name)),
        (Ok(_), _) => Fact::unseen(format!("{} holds neither 0 nor 1", path(name))),
        (Err(Unread::Absent), _) => without(root, SecureBoot::Off, name),
        (Err(error), _) => Fact::unseen(error.why(&path(name))),
    }
}

pub(super) fn platform_key(root: &SystemRoot) -> Fact<PlatformKey> {
    if is_container(root) {
        return Fact::NotAsked;
    }
    if matches!(variable(root, "SetupMode").as_deref(), Ok([1])) {
        return Fact::seen(PlatformKey::Absent, path("SetupMode"));
    }
    match variable(root, "PK") {
        Ok(bytes) if bytes.is_empty() => Fact::seen(PlatformKey::Absent, path("PK")),
        Ok(bytes) => match certificate(&bytes) {
            Some(certificate) => Fact::seen(key(root, certificate), path("PK")),
            None => Fact::unseen(format!("{} holds no X.509 certificate", path("PK"))),
        },
        // Without UEFI nobody owns a key; AUX-C001 says what is wrong.
        Err(Unread::Absent) if !root.exists("/sys/firmware/efi") => match without(root, PlatformKey::Absent, "PK") {
            Fact::Seen { .. } => Fact::NotAsked,
            other => other,
        },
        Err(Unread::Absent) => without(root, PlatformKey::Absent, "PK"),
        Err(error) => Fact::unseen(error.why(&path("PK"))),
    }
}

fn key(root: &SystemRoot, certificate: &[u8]) -> PlatformKey {
    let name = common_name(certificate).unwrap_or_else(|| "a certificate without a name".to_owned());
    if ["DO NOT TRUST", "DO NOT SHIP"].iter().any(|words| name.to_ascii_uppercase().contains(words)) {
        return PlatformKey::Test(name);
    }
    let ours = base64(certificate);
    for path in OWN_KEYS {
        let is_same = root.text(path).is_ok_and(|text| pem_body(&text).is_some_and(|body| body == ours));
        if is_same {
            return PlatformKey::Own(path.to_owned());
        }
    }
    PlatformKey::Named(name)
}

/// `EFI_CERT_X509_GUID` as its bytes stand (section 32.4.1).
const X509: [u8; 16] = [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];

/// The first certificate of an `EFI_SIGNATURE_LIST`: type, three lengths, a header, then owner and certificate.
fn certificate(list: &[u8]) -> Option<&[u8]> {
    let length = |at: usize| {
        let bytes = list.get(at..at + 4)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    if list.get(..16)? != X509 {
        return None;
    }
    let (header_bytes, signature_bytes) = (length(20)?, length(24)?);
    let start = 28_usize.checked_add(header_bytes)?;
    list.get(start..start.checked_add(signature_bytes)?)?.get(16..)
}

/// The subject's common name. Issuer and subject both have one, and the subject stands last (RFC 5280, section 4.1).
fn common_name(certificate: &[u8]) -> Option<String> {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    let places = certificate.windows(COMMON_NAME.len()).enumerate().filter(|(_, window)| *window == COMMON_NAME);
    let mut name = None;
    for (place, _) in places {
        let after = certificate.get(place + COMMON_NAME.len()..)?;
        // UTF8String or PrintableString with a length of one byte; longer names do not occur.
        if let [0x0c | 0x13, length @ 0..=0x7f, rest @ ..] = after {
            name = rest.get(..usize::from(*length)).map(|text| String::from_utf8_lossy(text).into_owned()).or(name);
        }
    }
    name
}

fn pem_body(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    Some(body.split_whitespace().collect())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * at) & 0x3f).unwrap_or_default();
            let digit = ALPHABET.get(digit).copied().unwrap_or(b'=');
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let coded: Vec<String> = ["", "f", "fo", "foo", "foob"].iter().map(|text| base64(text.as_bytes())).collect();
        assert_eq!(coded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn a_damaged_list_holds_no_certificate() {
        assert_eq!(certificate(&[]), None);
        let mut list = X509.to_vec();
        assert_eq!(certificate(&list), None);
        list.extend([0xff; 12]);
        assert_eq!(certificate(&list), None);
        assert_eq!(common_name(&[0x06, 0x03, 0x55, 0x04, 0x03, 0x0c]), None);
        assert_eq!(common_name(&[0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x7f, b'a']), None);
    }
}
