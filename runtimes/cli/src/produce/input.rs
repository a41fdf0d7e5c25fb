//! Where the lines come from: files and standard input, read by a thread of their own.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::lines::{Chunk, LineReader};
use crate::Failure;

/// Sources that were there when they were looked at.
pub(crate) struct Input {
    sources: Vec<Source>,
    /// Bytes in all of them, if that is known.
    pub(crate) size: Option<u64>,
    /// Somebody types the lines.
    pub(crate) is_typed: bool,
}

/// Lines on their way from the thread that reads them. A thread, since nothing else leaves Ctrl-C and the end of the process
/// alone while it waits for standard input.
pub(crate) struct Reading {
    pub(crate) chunks: Receiver<Result<Arc<Chunk>, Failure>>,
    enough: Arc<AtomicBool>,
}

enum Source {
    Stdin,
    /// Opened when its turn comes, since there may be more files than can be open at once.
    File(PathBuf),
    /// A pipe, for example, which can be opened only once.
    Open(PathBuf, File),
}

/// Chunks that are read ahead.
const AHEAD: usize = 4;

impl Input {
    /// Looks at all files before anything is produced.
    pub(crate) fn open(files: &[PathBuf]) -> Result<Self, Failure> {
        let stdin = [PathBuf::from("-")];
        let files = if files.is_empty() { &stdin } else { files };
        let mut sources = Vec::with_capacity(files.len());
        let mut size = Some(0);
        for path in files {
            let (source, bytes) = Source::look_at(path)
                .map_err(|e| Failure::usage(format!("can't read {}: {e}", path.display())))?;
            size = size.zip(bytes).map(|(size, bytes)| size + bytes);
            sources.push(source);
        }
        let stdin = sources.iter().any(|source| matches!(source, Source::Stdin));
        let is_typed = stdin && io::stdin().is_terminal();
        Ok(Self {
            sources,
            size,
            is_typed,
        })
    }

    /// Starts to read lines of at most `longest` bytes.
    pub(crate) fn read(self, longest: usize) -> Result<Reading, Failure> {
        let (chunks, reading) = mpsc::channel(AHEAD);
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || {
                if let Err(failure) = read_all(self.sources, longest, &chunks, &told) {
                    let _ = chunks.blocking_send(Err(failure));
                }
            })
            .map_err(|e| Failure::failed(format!("can't start a thread: {e}")))?;
        Ok(Reading {
            chunks: reading,
            enough,
        })
    }
}

impl Reading {
    /// Ends the reading as soon as the thread can see it; what it has read still comes.
    pub(crate) fn stop(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

impl Source {
    fn look_at(path: &Path) -> io::Result<(Self, Option<u64>)> {
        if path == Path::new("-") {
            return Ok((Self::Stdin, None));
        }
        let file = File::open(path)?;
        let data = file.metadata()?;
        if data.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(match data.is_file() {
            true => (Self::File(path.to_owned()), Some(data.len())),
            false => (Self::Open(path.to_owned(), file), None),
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) | Self::Open(path, _) => path.display().to_string(),
        }
    }

    fn open(self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Stdin => Box::new(io::stdin().lock()),
            Self::File(path) => Box::new(File::open(path)?),
            Self::Open(_, file) => Box::new(file),
        })
    }
}

/// Reads one source after the other, until nobody wants more.
fn read_all(
    sources: Vec<Source>,
    longest: usize,
    chunks: &Sender<Result<Arc<Chunk>, Failure>>,
    enough: &AtomicBool,
) -> Result<(), Failure> {
    for source in sources {
        let name = source.name();
        let failed = |e| Failure::failed(format!("can't read {name}: {e}"));
        let mut lines = LineReader::new(source.open().map_err(failed)?, &name, longest);
        while !enough.load(Ordering::Relaxed) {
            let Some(chunk) = lines.next_chunk().map_err(failed)? else {
                break;
            };
            if chunks.blocking_send(Ok(Arc::new(chunk))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
