//! Where rows come from: a file, standard input, or the sample that the program carries with it.
//!
//! It must not know what the rows mean. Whatever is read, memory stays bounded.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::failure::Failure;

/// The longest row, in bytes. A longer one is a quotation mark that nothing closes.
const RECORD_MAX: usize = 1024 * 1024;

/// Something to import.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    File(PathBuf),
    Standard,
    Sample {
        name: &'static str,
        bytes: &'static [u8],
    },
}

/// The bytes of an input.
pub(crate) struct Stream {
    bytes: Pin<Box<dyn AsyncRead + Send>>,
    /// Its size, if it is known before the end.
    pub(crate) size: Option<u64>,
    since_mark: usize,
    total: u64,
    last: u8,
    /// How lines end, told by the first of them.
    is_crlf: Option<bool>,
}

impl Input {
    /// Takes a path; `-` is standard input.
    pub(crate) fn named(path: &Path) -> Self {
        match path.as_os_str() == "-" {
            true => Self::Standard,
            false => Self::File(path.to_owned()),
        }
    }

    /// The customers and orders that come with the program.
    pub(crate) fn samples() -> [Self; 2] {
        [
            Self::Sample {
                name: "customers.csv",
                bytes: include_bytes!("../../sample/customers.csv"),
            },
            Self::Sample {
                name: "orders.csv",
                bytes: include_bytes!("../../sample/orders.csv"),
            },
        ]
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Standard => "standard input".to_owned(),
            Self::Sample { name, .. } => (*name).to_owned(),
        }
    }

    /// Where refused rows go: next to a file, otherwise into the current folder.
    pub(crate) fn rejects(&self) -> PathBuf {
        let mut path = match self {
            Self::File(path) => path.clone().into_os_string(),
            Self::Standard => "stdin".into(),
            Self::Sample { name, .. } => (*name).into(),
        };
        path.push(".rejected.csv");
        path.into()
    }

    pub(crate) async fn open(&self) -> Result<Stream, Failure> {
        let (bytes, size): (Pin<Box<dyn AsyncRead + Send>>, _) = match self {
            Self::File(path) => {
                let place = path.display();
                let file = tokio::fs::File::open(path)
                    .await
                    .map_err(Failure::file("open", &place))?;
                let facts = file
                    .metadata()
                    .await
                    .map_err(Failure::file("read", &place))?;
                (
                    Box::pin(file),
                    Some(facts.len()).filter(|_| facts.is_file()),
                )
            }
            Self::Standard => (Box::pin(tokio::io::stdin()), None),
            Self::Sample { bytes, .. } => (Box::pin(*bytes), u64::try_from(bytes.len()).ok()),
        };
        Ok(Stream {
            bytes,
            size,
            since_mark: 0,
            total: 0,
            last: 0,
            is_crlf: None,
        })
    }
}

impl Stream {
    /// Says that a row is complete.
    pub(crate) fn mark(&mut self) {
        self.since_mark = 0;
    }

    /// Answers whether a reader that has come to `position` has counted the end of its line: it has not seen the
    /// second half of a Windows line end, and the last line may have no end at all.
    pub(crate) fn has_ended_line(&self, position: u64) -> bool {
        let is_unfinished = position == self.total && self.last != b'\n';
        self.is_crlf == Some(false) && !is_unfinished
    }

    fn note(&mut self, read: &[u8]) {
        self.since_mark += read.len();
        self.total += u64::try_from(read.len()).unwrap_or(0);
        if self.is_crlf.is_none() {
            let end = read.iter().position(|byte| *byte == b'\n');
            self.is_crlf =
                end.map(|end| end.checked_sub(1).map_or(self.last, |before| read[before]) == b'\r');
        }
        self.last = read.last().copied().unwrap_or(self.last);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.since_mark > RECORD_MAX {
            let reason =
                format!("a row has more than {RECORD_MAX} bytes; is a quotation mark left open?");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
        let before = buffer.filled().len();
        let polled = self.bytes.as_mut().poll_read(cx, buffer);
        self.note(&buffer.filled()[before..]);
        polled
    }
}
