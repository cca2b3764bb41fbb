//! The channel to a TPM: one command there, one answer back, bounded in bytes and time. What they say is not known here.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use aux_core::limits::TPM_MESSAGE_BYTES_MAX;

/// Every message begins with a tag, its whole length and a code (TPM 2.0 library, part 1, section 18).
const HEADER_BYTES: usize = 10;

/// Where a TPM is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TpmAddress {
    /// A device of the kernel; `/dev/tpmrm0` has a manager that keeps callers apart.
    Device(PathBuf),
    /// The program `swtpm` on this machine, by its data channel.
    Swtpm(SocketAddr),
}

/// A TPM that cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum TpmChannelError {
    #[error("{text}: not a TPM; write a device such as /dev/tpmrm0, or swtpm:127.0.0.1:2321")]
    Address { text: String },
    #[error("{address}: the TPM is reached over this machine's own network alone")]
    Foreign { address: TpmAddress },
    #[error("{address}: no TPM answers here: {cause}")]
    Open { address: TpmAddress, cause: io::Error },
    #[error("{address}: the TPM stopped answering: {cause}")]
    Exchange { address: TpmAddress, cause: io::Error },
    #[error(
        "{address}: an answer of {bytes} bytes, more than the {TPM_MESSAGE_BYTES_MAX} allowed (TPM_MESSAGE_BYTES_MAX)"
    )]
    TooLong { address: TpmAddress, bytes: usize },
    #[error("{address}: what answers is no TPM")]
    Answer { address: TpmAddress },
}

/// An open channel. A device is this program's alone while it is open, where it has no manager.
#[derive(Debug)]
pub struct TpmChannel {
    address: TpmAddress,
    end: End,
}

#[derive(Debug)]
enum End {
    Device(File),
    Socket(TcpStream),
}

impl TpmAddress {
    /// Reads a device's path from the root, or `swtpm:ADDRESS:PORT`.
    pub fn parse(text: &str) -> Result<Self, TpmChannelError> {
        let wrong = || TpmChannelError::Address { text: text.to_owned() };
        if text.starts_with('/') {
            return Ok(Self::Device(PathBuf::from(text)));
        }
        let address = text.strip_prefix("swtpm:").and_then(|address| address.parse().ok()).ok_or_else(wrong)?;
        Ok(Self::Swtpm(address))
    }
}

impl fmt::Display for TpmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Swtpm(address) => write!(f, "swtpm:{address}"),
        }
    }
}

impl TpmChannel {
    /// Opens a channel. The limit holds for connecting and for each command; of a device the kernel has its own.
    pub fn open(address: &TpmAddress, limit: Duration) -> Result<Self, TpmChannelError> {
        let failed = |cause| TpmChannelError::Open { address: address.clone(), cause };
        let end = match address {
            TpmAddress::Device(path) => {
                End::Device(OpenOptions::new().read(true).write(true).open(path).map_err(failed)?)
            }
            TpmAddress::Swtpm(socket) if !socket.ip().is_loopback() => {
                return Err(TpmChannelError::Foreign { address: address.clone() });
            }
            TpmAddress::Swtpm(socket) => {
                let stream = TcpStream::connect_timeout(socket, limit).map_err(failed)?;
                stream.set_read_timeout(Some(limit)).map_err(failed)?;
                stream.set_write_timeout(Some(limit)).map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                End::Socket(stream)
            }
        };
        Ok(Self { address: address.clone(), end })
    }

    /// Sends a whole command and returns the whole answer.
    pub fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TpmChannelError> {
        let received = match &mut self.end {
            End::Device(device) => by_device(device, command),
            End::Socket(stream) => by_socket(stream, command),
        };
        let answer = received.map_err(|cause| TpmChannelError::Exchange { address: self.address.clone(), cause })?;
        match length(&answer) {
            Some(bytes) if bytes > TPM_MESSAGE_BYTES_MAX => {
                Err(TpmChannelError::TooLong { address: self.address.clone(), bytes })
            }
            Some(bytes) if bytes == answer.len() => Ok(answer),
            _ => Err(TpmChannelError::Answer { address: self.address.clone() }),
        }
    }

    pub fn address(&self) -> &TpmAddress {
        &self.address
    }
}

/// The device takes a command in one write and gives the answer in one read.
fn by_device(device: &mut File, command: &[u8]) -> io::Result<Vec<u8>> {
    let written = device.write(command)?;
    if written != command.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    let mut answer = vec![0; TPM_MESSAGE_BYTES_MAX];
    let length = device.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn by_socket(stream: &mut TcpStream, command: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(command)?;
    let mut answer = vec![0; HEADER_BYTES];
    stream.read_exact(&mut answer)?;
    // A length that is none is left for the caller to refuse.
    if let Some(bytes) = length(&answer).filter(|bytes| (HEADER_BYTES..=TPM_MESSAGE_BYTES_MAX).contains(bytes)) {
        answer.resize(bytes, 0);
        stream.read_exact(answer.get_mut(HEADER_BYTES..).unwrap_or_default())?;
    }
    Ok(answer)
}

/// What the header of an answer says of its length.
fn length(answer: &[u8]) -> Option<usize> {
    let bytes = answer.get(2..6)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn answered(answer: &'static [u8]) -> Result<Vec<u8>, TpmChannelError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = TpmAddress::Swtpm(listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            stream.write_all(answer).unwrap();
        });
        TpmChannel::open(&address, Duration::from_secs(5)).unwrap().exchange(b"ping")
    }

    #[test]
    fn an_answer_is_as_long_as_it_says_or_refused() {
        assert_eq!(answered(b"\x80\x01\0\0\0\x0c\0\0\0\0ab").unwrap(), b"\x80\x01\0\0\0\x0c\0\0\0\0ab");
        assert!(matches!(answered(b"\x80\x01\0\0\0\x0c\0\0\0\0a"), Err(TpmChannelError::Exchange { .. })));
        assert!(matches!(answered(b"\x80\x01\0\0\0\x02\0\0\0\0"), Err(TpmChannelError::Answer { .. })));
        let long = answered(b"\x80\x01\0\x10\0\0\0\0\0\0");
        assert!(matches!(long, Err(TpmChannelError::TooLong { bytes: 0x0010_0000, .. })));
    }

    #[test]
    fn addresses_are_devices_or_swtpm_on_this_machine() {
        assert_eq!(TpmAddress::parse("/dev/tpmrm0").unwrap().to_string(), "/dev/tpmrm0");
        let local = TpmAddress::parse("swtpm:127.0.0.1:2321").unwrap();
        assert_eq!(local.to_string(), "swtpm:127.0.0.1:2321");
        assert!(matches!(TpmAddress::parse("tpm0"), Err(TpmChannelError::Address { .. })));
        let foreign = TpmAddress::parse("swtpm:192.0.2.1:2321").unwrap();
        let opened = TpmChannel::open(&foreign, Duration::from_secs(1));
        assert!(matches!(opened, Err(TpmChannelError::Foreign { .. })));
    }
}
