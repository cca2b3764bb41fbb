//! The writer: the one NAR of a tree, given in the order in which it stands there.

use std::io::Write;

use aux_core::limits::{NAR_DEPTH_MAX, NAR_TARGET_BYTES_MAX};

use super::read::shown;
use super::{MAGIC, NarWriteError, name};

/// Writes a NAR to anything, which should be buffered.
pub struct Writer<W> {
    sink: W,
    state: State,
    /// For each folder that is open, the name written last.
    folders: Vec<Option<Vec<u8>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Node,
    Folder,
    /// Of a file, of which so many bytes are still to come.
    Content {
        size: u64,
        remaining: u64,
    },
    End,
}

impl<W: Write> Writer<W> {
    pub fn new(sink: W) -> Self {
        Self { sink, state: State::Start, folders: Vec::new() }
    }

    /// Begins a folder. Its entries follow in the order of their bytes, then [`Self::leave`].
    pub fn directory(&mut self) -> Result<(), NarWriteError> {
        if self.folders.len() == NAR_DEPTH_MAX {
            return Err(NarWriteError::TooDeep);
        }
        self.node("a folder", b"directory")?;
        self.folders.push(None);
        self.state = State::Folder;
        Ok(())
    }

    /// Names what comes next.
    pub fn entry(&mut self, name: &[u8]) -> Result<(), NarWriteError> {
        let Some(last) = self.folders.last_mut().filter(|_| self.state == State::Folder) else {
            return Err(NarWriteError::Misplaced { what: "an entry" });
        };
        name::check(name, last.as_deref()).map_err(|problem| NarWriteError::Name { name: shown(name), problem })?;
        *last = Some(name.to_vec());
        for word in [b"entry", &b"("[..], b"name", name, b"node"] {
            put(&mut self.sink, word)?;
        }
        self.state = State::Node;
        Ok(())
    }

    /// Begins a file of exactly so many bytes. They follow in [`Self::content`], then [`Self::end_file`].
    pub fn file(&mut self, is_executable: bool, size: u64) -> Result<(), NarWriteError> {
        self.node("a file", b"regular")?;
        if is_executable {
            put(&mut self.sink, b"executable")?;
            put(&mut self.sink, b"")?;
        }
        put(&mut self.sink, b"contents")?;
        self.sink.write_all(&size.to_le_bytes())?;
        self.state = State::Content { size, remaining: size };
        Ok(())
    }

    /// The next bytes of the file; more than were announced are refused.
    pub fn content(&mut self, bytes: &[u8]) -> Result<(), NarWriteError> {
        let State::Content { size, remaining } = &mut self.state else {
            return Err(NarWriteError::Misplaced { what: "content" });
        };
        let left = u64::try_from(bytes.len()).ok().and_then(|length| remaining.checked_sub(length));
        *remaining = left.ok_or(NarWriteError::Size { size: *size, difference: "more" })?;
        Ok(self.sink.write_all(bytes)?)
    }

    /// Ends the file, of which every byte must be there.
    pub fn end_file(&mut self) -> Result<(), NarWriteError> {
        match self.state {
            State::Content { size, remaining: 0 } => {
                pad(&mut self.sink, size)?;
                self.close()
            }
            State::Content { size, .. } => Err(NarWriteError::Size { size, difference: "fewer" }),
            _ => Err(NarWriteError::Misplaced { what: "the end of a file" }),
        }
    }

    /// A link.
    pub fn symlink(&mut self, target: &[u8]) -> Result<(), NarWriteError> {
        if target.is_empty() || target.contains(&0) || target.len() > NAR_TARGET_BYTES_MAX {
            return Err(NarWriteError::Target);
        }
        self.node("a link", b"symlink")?;
        put(&mut self.sink, b"target")?;
        put(&mut self.sink, target)?;
        self.close()
    }

    /// Ends the folder.
    pub fn leave(&mut self) -> Result<(), NarWriteError> {
        if self.state != State::Folder || self.folders.pop().is_none() {
            return Err(NarWriteError::Misplaced { what: "the end of a folder" });
        }
        self.close()
    }

    /// What is written to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Gives back what was written to, once the NAR is whole.
    pub fn finish(mut self) -> Result<W, NarWriteError> {
        if self.state != State::End {
            return Err(NarWriteError::Misplaced { what: "the end of the NAR" });
        }
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn node(&mut self, what: &'static str, kind: &[u8]) -> Result<(), NarWriteError> {
        match self.state {
            State::Start => put(&mut self.sink, MAGIC)?,
            State::Node => {}
            State::Folder | State::Content { .. } | State::End => return Err(NarWriteError::Misplaced { what }),
        }
        for word in [b"(", &b"type"[..], kind] {
            put(&mut self.sink, word)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), NarWriteError> {
        put(&mut self.sink, b")")?;
        self.state = if self.folders.is_empty() {
            State::End
        } else {
            put(&mut self.sink, b")")?;
            State::Folder
        };
        Ok(())
    }
}

/// A string: its length, its bytes, zeros to a multiple of eight.
fn put(sink: &mut impl Write, bytes: &[u8]) -> Result<(), NarWriteError> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    sink.write_all(&length.to_le_bytes())?;
    sink.write_all(bytes)?;
    pad(sink, length)
}

fn pad(sink: &mut impl Write, length: u64) -> Result<(), NarWriteError> {
    let zeros = usize::try_from((8 - length % 8) % 8).unwrap_or_default();
    Ok(sink.write_all([0; 8].get(..zeros).unwrap_or_default())?)
}
