//! A store object on its way out: dumped, cut and packed while it is sent, so that it lies nowhere in between.
//!
//! It is not hashed: the receiver takes nothing by its word, and says whether it is what the narinfo promises.
//!
//! Each chunk is a frame of its own, just as a server keeps it, so that it need not be packed anew there. For everybody else it is
//! a zstd stream like any other.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::DumpError;
use super::dump::{BUFFER_BYTES, Dump};
use super::known::Known;
use crate::objects::cut::{Cut, Cutter};
use crate::objects::frame::Packer;
use crate::objects::reference::Reference;

/// What is gathered before it is asked which chunks of it need not be sent.
const BATCH_BYTES: usize = 8 << 20;
/// It is not asked about a smaller object: the answer would take longer than its chunks.
const ASKED_BYTES_MIN: u64 = 64 << 10;
/// Smaller pieces of a NAR are put together before they are cut.
const SMALL_BYTES: usize = 64 << 10;

/// Why an object cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error("it cannot be packed: {0}")]
    Zstd(io::Error),
}

/// What one worker packs with. Its memory is used again for the next object.
pub(super) struct Tools {
    cutter: Cutter,
    packer: Packer,
    buffer: Vec<u8>,
    frame: Vec<u8>,
}

impl Tools {
    pub(super) fn new(store_directory: &str) -> Result<Self, PackError> {
        let packer = Packer::new().map_err(PackError::Zstd)?;
        Ok(Self { cutter: Cutter::new(store_directory), packer, buffer: vec![0; BUFFER_BYTES], frame: Vec::new() })
    }

    /// Packs the object at `path`, whose NAR should have so many bytes, as it is read.
    pub(super) fn pack<'p>(
        &'p mut self,
        (path, nar_size): (&Path, u64),
        known: Option<&'p Known<'p>>,
    ) -> Result<Packing<'p>, DumpError> {
        self.cutter.begin();
        self.frame.clear();
        let cutting = Cutting { cutter: &mut self.cutter };
        // Files come in larger pieces, and are not copied once more.
        let dump = Dump::new(path, BufWriter::with_capacity(SMALL_BYTES, cutting), &mut self.buffer)?;
        Ok(Packing {
            dump,
            packer: &mut self.packer,
            known: known.filter(|_| nar_size >= ASKED_BYTES_MIN),
            is_over: false,
            is_asked: false,
            decided_bytes: 0,
            gathered: Vec::new(),
            settled: VecDeque::new(),
            frame: &mut self.frame,
            position: 0,
            packed_bytes: 0,
            failure: None,
        })
    }
}

/// A packed NAR, made while it is read.
pub(super) struct Packing<'p> {
    dump: Dump<'p, BufWriter<Cutting<'p>>>,
    packer: &'p mut Packer,
    known: Option<&'p Known<'p>>,
    /// All of it was dumped.
    is_over: bool,
    /// What is gathered is to be asked about.
    is_asked: bool,
    /// It was decided for so much that is still to come.
    decided_bytes: usize,
    gathered: Vec<Cut>,
    /// Chunks of which it is known whether the server has them, and then by what digest.
    settled: VecDeque<(Cut, Option<[u8; 32]>)>,
    frame: &'p mut Vec<u8>,
    /// What of the frame was read.
    position: usize,
    packed_bytes: u64,
    failure: Option<PackError>,
}

impl Packing<'_> {
    /// What was read of it.
    pub(super) fn packed_bytes(&self) -> u64 {
        self.packed_bytes
    }

    /// Why it could not be read to its end.
    pub(super) fn into_failure(self) -> Option<PackError> {
        self.failure
    }

    /// Makes the next frame; `false` after the last one.
    fn advance(&mut self) -> Result<bool, PackError> {
        loop {
            if let Some((cut, digest)) = self.settled.pop_front() {
                self.write(cut, digest).map_err(PackError::Zstd)?;
                return Ok(true);
            }
            let is_full = self.gathered_bytes() >= BATCH_BYTES;
            let cut = if is_full { None } else { self.dump.sink().get_mut().cutter.next(self.is_over) };
            match cut {
                Some(cut) => self.gather(cut.settled()),
                None if is_full || (self.is_over && !self.gathered.is_empty()) => self.settle(),
                None if self.is_over => return Ok(false),
                None if self.dump.step()? => {}
                None => {
                    self.dump.sink().flush().map_err(PackError::Zstd)?;
                    self.is_over = true;
                }
            }
        }
    }

    fn gather(&mut self, cut: Cut) {
        if self.decided_bytes == 0 {
            self.is_asked = self.known.is_some_and(Known::asks);
            self.decided_bytes = BATCH_BYTES;
        }
        self.decided_bytes = self.decided_bytes.saturating_sub(cut.content.len());
        if self.is_asked {
            self.gathered.push(cut);
        } else {
            self.settled.push_back((cut, None));
        }
    }

    fn gathered_bytes(&self) -> usize {
        self.gathered.iter().map(|cut| cut.content.len()).sum()
    }

    /// Asks about what was gathered.
    fn settle(&mut self) {
        let chunks: Vec<([u8; 32], usize)> =
            self.gathered.iter().map(|cut| (cut.digest(), cut.content.len())).collect();
        let are_known = self.known.map(|known| known.of(&chunks)).unwrap_or_default();
        let mut digests = are_known.into_iter().zip(chunks).map(|(is_known, (digest, _))| is_known.then_some(digest));
        self.settled.extend(self.gathered.drain(..).map(|cut| (cut, digests.next().flatten())));
    }

    fn write(&mut self, mut cut: Cut, digest: Option<[u8; 32]>) -> io::Result<()> {
        self.position = 0;
        match digest {
            Some(digest) => *self.frame = Reference::to(&cut, digest).write()?,
            None => self.packer.packed(&mut cut, self.frame)?,
        }
        self.dump.sink().get_mut().cutter.take_back(cut);
        Ok(())
    }
}

impl Read for Packing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position >= self.frame.len() {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    let told = io::Error::other(error.to_string());
                    self.failure = Some(error);
                    return Err(told);
                }
            }
        }
        let mut rest = self.frame.get(self.position..).unwrap_or_default();
        let length = rest.read(buffer)?;
        self.position += length;
        self.packed_bytes += u64::try_from(length).unwrap_or(u64::MAX);
        Ok(length)
    }
}

/// Cuts what is dumped.
struct Cutting<'p> {
    cutter: &'p mut Cutter,
}

impl Write for Cutting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cutter.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
