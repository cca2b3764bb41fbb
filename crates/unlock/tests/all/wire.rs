//! Somebody on the wires to the TPM: what is unsealed does not cross them in the clear, and nothing changed on them is believed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aux_io::tpm::TpmAddress;
use aux_unlock::tpm::{self, Policy, Statement, TpmError};

use crate::surroundings::random;
use crate::swtpm::{Swtpm, swtpm_is_here};

const SECRET: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
const UNSEAL: [u8; 4] = 0x15E_u32.to_be_bytes();

/// Stands between, notes everything, and changes one byte of the answer to `TPM2_Unseal` where it is told to.
struct Between {
    address: TpmAddress,
    seen: Arc<Mutex<Vec<u8>>>,
    /// Which byte to change, and how long the last answer to `TPM2_Unseal` was.
    change: Arc<Mutex<(Option<usize>, usize)>>,
}

impl Between {
    fn start(swtpm: &Swtpm) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = TpmAddress::Swtpm(listener.local_addr().unwrap());
        let TpmAddress::Swtpm(real) = TpmAddress::parse(&swtpm.address()).unwrap() else { panic!() };
        let (seen, change) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new((None, 0))));
        let (seen_there, change_there) = (Arc::clone(&seen), Arc::clone(&change));
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut server = TcpStream::connect(real).unwrap();
                while let Some(command) = message(&mut client) {
                    server.write_all(&command).unwrap();
                    let mut answer = message(&mut server).unwrap();
                    seen_there.lock().unwrap().extend([command.as_slice(), &answer].concat());
                    if command[6..10] == UNSEAL {
                        let mut change = change_there.lock().unwrap();
                        change.1 = answer.len();
                        if let Some(place) = change.0 {
                            answer[place] ^= 1;
                        }
                    }
                    client.write_all(&answer).unwrap();
                }
            }
        });
        Self { address, seen, change }
    }

    fn has_seen(&self, bytes: &[u8]) -> bool {
        self.seen.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
    }
}

/// One command or answer, as long as it says.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = vec![0; 10];
    stream.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message[2..6].try_into().unwrap());
    message.resize(length as usize, 0);
    stream.read_exact(&mut message[10..]).ok()?;
    Some(message)
}

#[test]
fn a_secret_crosses_the_wires_encrypted_both_ways_and_no_changed_answer_is_believed() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let between = Between::start(&swtpm);
    let registers = tpm::registers(&between.address, &[7], &random()).unwrap();
    let policy = Policy::Measured(Statement { registers, counter: None });
    let object = tpm::seal(&between.address, &policy, SECRET, &random()).unwrap();
    let unsealed = || tpm::unseal(&between.address, &object, &[], &random());
    assert_eq!(unsealed().unwrap().as_slice(), SECRET);
    assert!(between.has_seen(&UNSEAL));
    assert!(!between.has_seen(SECRET), "the secret was seen on the wires");

    let length = between.change.lock().unwrap().1;
    // Behind the header, whose bytes say how much there is to read.
    for place in 10..length {
        between.change.lock().unwrap().0 = Some(place);
        assert!(unsealed().is_err(), "byte {place} of {length} was changed and believed");
    }
    between.change.lock().unwrap().0 = Some(length - 1);
    let error = unsealed().unwrap_err();
    assert!(matches!(error, tpm::SealError::Tpm(TpmError::Forged { command: "Unseal" })), "{error}");
    assert_eq!(swtpm.left_behind(), "");
}
