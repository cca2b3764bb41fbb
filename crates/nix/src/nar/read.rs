//! The reader: one event at a time, in bounded memory, and nothing let through that Nix would not write.

use std::io::{self, BufReader, Read};

use aux_core::limits::{NAR_DEPTH_MAX, NAR_ENTRIES_MAX, NAR_NAME_BYTES_MAX, NAR_TARGET_BYTES_MAX};

use super::{MAGIC, NameProblem, NarError, NarProblem, name};

/// What is read at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The longest fixed word is `nix-archive-1`; longer ones are not read to be shown.
const WORD_BYTES_MAX: usize = 16;
/// Everything is padded to multiples of it.
const ALIGNMENT: u64 = 8;

/// What a NAR says next. A tree is `Directory`, then `Entry` and a tree for each, then `Leave`; or `File`; or `Symlink`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A folder begins.
    Directory,
    /// What comes next has this name, of any bytes but `/` and NUL.
    Entry { name: &'a [u8] },
    /// A file, whose bytes begin `offset` bytes into the NAR.
    File { is_executable: bool, size: u64, offset: u64 },
    /// A link.
    Symlink { target: &'a [u8] },
    /// The folder ends.
    Leave,
}

/// Reads a NAR from anything.
pub struct Reader<R> {
    source: Source<R>,
    state: State,
    /// For each folder that is open, the name read last.
    folders: Vec<Option<Vec<u8>>>,
    entries: u64,
    target: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Node,
    Content { size: u64 },
    Folder,
    End,
    Finished,
}

/// What an event is, before what it borrows is looked up.
enum Step {
    Directory,
    Entry,
    File { is_executable: bool, size: u64, offset: u64 },
    Symlink,
    Leave,
}

impl<R: Read> Reader<R> {
    pub fn new(source: R) -> Self {
        Self::with_capacity(BUFFER_BYTES, source)
    }

    /// With a buffer of so many bytes.
    pub fn with_capacity(bytes: usize, source: R) -> Self {
        let source = Source { inner: BufReader::with_capacity(bytes, source), offset: 0, remaining: 0 };
        Self { source, state: State::Start, folders: Vec::new(), entries: 0, target: Vec::new() }
    }

    /// The next event; `None` once the NAR has ended and nothing follows it. Content that was not read is passed over.
    #[expect(
        clippy::should_implement_trait,
        reason = "an event borrows from the reader, which an iterator cannot give"
    )]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, NarError> {
        Ok(self.next_with_content()?.map(|(event, _content)| event))
    }

    /// The next event and the file's content, which is empty for everything else.
    pub fn next_with_content(&mut self) -> Result<Option<(Event<'_>, Content<'_, R>)>, NarError> {
        let Some(step) = self.step()? else { return Ok(None) };
        let event = match step {
            Step::Directory => Event::Directory,
            Step::Entry => Event::Entry { name: self.folders.last().and_then(Option::as_deref).unwrap_or_default() },
            Step::File { is_executable, size, offset } => Event::File { is_executable, size, offset },
            Step::Symlink => Event::Symlink { target: &self.target },
            Step::Leave => Event::Leave,
        };
        Ok(Some((event, Content { source: &mut self.source })))
    }

    /// What is left of the content of the file that was met last.
    pub fn content(&mut self) -> Content<'_, R> {
        Content { source: &mut self.source }
    }

    /// Bytes of the NAR that were taken.
    pub fn offset(&self) -> u64 {
        self.source.offset
    }

    fn step(&mut self) -> Result<Option<Step>, NarError> {
        loop {
            match self.state {
                State::Start => {
                    self.source.magic()?;
                    self.state = State::Node;
                }
                State::Node => return self.node().map(Some),
                State::Content { size } => {
                    self.source.pass_over()?;
                    self.source.padding(size)?;
                    self.close()?;
                }
                State::Folder => return self.entry_or_end().map(Some),
                State::End => {
                    self.source.end()?;
                    self.state = State::Finished;
                }
                State::Finished => return Ok(None),
            }
        }
    }

    fn node(&mut self) -> Result<Step, NarError> {
        self.source.expect(b"(", "`(`")?;
        self.source.expect(b"type", "`type`")?;
        let offset = self.source.offset;
        let word = self.source.word("`directory`, `regular` or `symlink`")?;
        match word.as_bytes() {
            b"directory" => {
                if self.folders.len() == NAR_DEPTH_MAX {
                    return Err(NarError { offset, problem: NarProblem::TooDeep });
                }
                self.folders.push(None);
                self.state = State::Folder;
                Ok(Step::Directory)
            }
            b"regular" => self.file(),
            b"symlink" => {
                self.source.expect(b"target", "`target`")?;
                let start = self.source.offset;
                let too_long = || NarProblem::TargetTooLong;
                self.source.bytes(NAR_TARGET_BYTES_MAX, &mut self.target, &too_long)?;
                if self.target.is_empty() || self.target.contains(&0) {
                    return Err(NarError { offset: start, problem: NarProblem::Target });
                }
                self.close()?;
                Ok(Step::Symlink)
            }
            _ => Err(word.unexpected("`directory`, `regular` or `symlink`")),
        }
    }

    fn file(&mut self) -> Result<Step, NarError> {
        let mut word = self.source.word("`executable` or `contents`")?;
        let is_executable = word.as_bytes() == b"executable";
        if is_executable {
            self.source.expect(b"", "nothing")?;
            word = self.source.word("`contents`")?;
        }
        if word.as_bytes() != b"contents" {
            return Err(word.unexpected("`contents`"));
        }
        let size = self.source.number()?;
        self.source.remaining = size;
        self.state = State::Content { size };
        Ok(Step::File { is_executable, size, offset: self.source.offset })
    }

    fn entry_or_end(&mut self) -> Result<Step, NarError> {
        let word = self.source.word("`entry` or `)`")?;
        match word.as_bytes() {
            b")" => {
                self.folders.pop();
                self.closed()?;
                return Ok(Step::Leave);
            }
            b"entry" => {}
            _ => return Err(word.unexpected("`entry` or `)`")),
        }
        self.entries += 1;
        if self.entries > NAR_ENTRIES_MAX {
            return Err(NarError { offset: word.offset, problem: NarProblem::TooManyEntries });
        }
        self.source.expect(b"(", "`(`")?;
        self.source.expect(b"name", "`name`")?;
        let offset = self.source.offset;
        let mut name = Vec::new();
        let too_long = || NarProblem::Name { name: "…".to_owned(), problem: NameProblem::TooLong };
        self.source.bytes(NAR_NAME_BYTES_MAX, &mut name, &too_long)?;
        let previous = self.folders.last().and_then(Option::as_deref);
        name::check(&name, previous)
            .map_err(|problem| NarError { offset, problem: NarProblem::Name { name: shown(&name), problem } })?;
        if let Some(last) = self.folders.last_mut() {
            *last = Some(name);
        }
        self.source.expect(b"node", "`node`")?;
        self.state = State::Node;
        Ok(Step::Entry)
    }

    /// The `)` of a node, and what follows.
    fn close(&mut self) -> Result<(), NarError> {
        self.source.expect(b")", "`)`")?;
        self.closed()
    }

    /// A node has ended: the entry it is in ends as well, or the NAR.
    fn closed(&mut self) -> Result<(), NarError> {
        if self.folders.is_empty() {
            self.state = State::End;
            return Ok(());
        }
        self.source.expect(b")", "`)`")?;
        self.state = State::Folder;
        Ok(())
    }
}

/// The bytes of a file. Reading gives an error where the NAR ends before the file does.
pub struct Content<'a, R> {
    source: &'a mut Source<R>,
}

impl<R> Content<'_, R> {
    /// Bytes of the NAR that were taken.
    pub fn offset(&self) -> u64 {
        self.source.offset
    }

    /// Bytes of the file that are left.
    pub fn remaining(&self) -> u64 {
        self.source.remaining
    }
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.source.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..limit).filter(|part| !part.is_empty()) else { return Ok(0) };
        let length = self.source.inner.read(part)?;
        if length == 0 {
            return Err(self.source.error(NarProblem::Truncated).into());
        }
        self.source.advance(length);
        Ok(length)
    }
}

/// The bytes, counted.
struct Source<R> {
    inner: BufReader<R>,
    offset: u64,
    /// Of the content of the file that is open.
    remaining: u64,
}

impl<R> Source<R> {
    fn error(&self, problem: NarProblem) -> NarError {
        NarError { offset: self.offset, problem }
    }

    fn advance(&mut self, length: usize) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(length);
        self.remaining = self.remaining.saturating_sub(length);
    }
}

impl<R: Read> Source<R> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), NarError> {
        self.inner.read_exact(buffer).map_err(|error| self.error(NarProblem::of_read(error)))?;
        self.advance(buffer.len());
        Ok(())
    }

    fn number(&mut self) -> Result<u64, NarError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn magic(&mut self) -> Result<(), NarError> {
        self.expect(MAGIC, "the magic").map_err(|error| match error.problem {
            NarProblem::Read(_) => error,
            _ => NarError { offset: 0, problem: NarProblem::Magic },
        })
    }

    /// A word of the format itself.
    fn word(&mut self, expected: &'static str) -> Result<Word, NarError> {
        let offset = self.offset;
        let length = self.number()?;
        let mut bytes = [0; WORD_BYTES_MAX];
        let fitting = usize::try_from(length).ok().and_then(|length| bytes.get_mut(..length));
        let Some(part) = fitting else {
            let problem = NarProblem::Unexpected { expected, found: format!("{length} bytes") };
            return Err(NarError { offset, problem });
        };
        let length = part.len();
        self.fill(part)?;
        self.padding(u64::try_from(length).unwrap_or_default())?;
        Ok(Word { bytes, length, offset })
    }

    fn expect(&mut self, word: &[u8], expected: &'static str) -> Result<(), NarError> {
        let found = self.word(expected)?;
        if found.as_bytes() == word { Ok(()) } else { Err(found.unexpected(expected)) }
    }

    /// A string of at most so many bytes.
    fn bytes(&mut self, limit: usize, into: &mut Vec<u8>, too_long: &dyn Fn() -> NarProblem) -> Result<(), NarError> {
        let start = self.offset;
        let size = self.number()?;
        let length = usize::try_from(size).ok().filter(|length| *length <= limit);
        let length = length.ok_or_else(|| NarError { offset: start, problem: too_long() })?;
        into.clear();
        into.resize(length, 0);
        self.fill(into)?;
        self.padding(size)
    }

    /// The zeros after so many bytes.
    fn padding(&mut self, size: u64) -> Result<(), NarError> {
        let mut zeros = [0; 8];
        let length = (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT;
        let offset = self.offset;
        let part = usize::try_from(length).ok().and_then(|length| zeros.get_mut(..length)).unwrap_or_default();
        self.fill(part)?;
        if part.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(NarError { offset, problem: NarProblem::Padding }) }
    }

    /// Reads what is left of a file and forgets it.
    fn pass_over(&mut self) -> Result<(), NarError> {
        let wanted = self.remaining;
        if wanted == 0 {
            return Ok(());
        }
        let copied = io::copy(&mut self.inner.by_ref().take(wanted), &mut io::sink());
        let copied = copied.map_err(|error| self.error(NarProblem::of_read(error)))?;
        self.offset = self.offset.saturating_add(copied);
        self.remaining = 0;
        if copied == wanted { Ok(()) } else { Err(self.error(NarProblem::Truncated)) }
    }

    fn end(&mut self) -> Result<(), NarError> {
        loop {
            match self.inner.read(&mut [0]) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(self.error(NarProblem::Trailing)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(NarProblem::of_read(error))),
            }
        }
    }
}

/// A short string and where it began.
struct Word {
    bytes: [u8; WORD_BYTES_MAX],
    length: usize,
    offset: u64,
}

impl Word {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn unexpected(&self, expected: &'static str) -> NarError {
        let problem = NarProblem::Unexpected { expected, found: shown(self.as_bytes()) };
        NarError { offset: self.offset, problem }
    }
}

/// Foreign bytes for a message.
pub(super) fn shown(bytes: &[u8]) -> String {
    aux_core::visible::visible(&String::from_utf8_lossy(bytes)).into_owned()
}
