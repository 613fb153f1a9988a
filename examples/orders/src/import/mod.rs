//! Imports rows of CSV, streamed: whatever the size of a file, memory holds one batch of it.
//!
//! An import is an upsert, so it may be repeated and killed at any moment: what was committed is unchanged
//! when it comes again.

mod batch;
mod cells;
mod header;
mod input;
mod progress;
mod rejects;

use std::ops::AddAssign;
use std::path::PathBuf;

use csv_async::{AsyncReader, AsyncReaderBuilder, ByteRecord};
use platform_core::Store;
use platform_events::Publisher;

use crate::customer::Customer;
use crate::failure::Failure;
use crate::order::Order;
use crate::record::Record;

use batch::Batches;
pub(crate) use cells::{Cells, Refusal};
use header::{Header, Kind};
pub(crate) use input::Input;
use input::Stream;
use progress::Progress;
use rejects::Rejects;

/// Rows of one commit.
const BATCH: usize = 500;

/// What became of the rows of an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) created: u64,
    pub(crate) changed: u64,
    pub(crate) unchanged: u64,
    pub(crate) rejected: u64,
}

/// What an import has to tell.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) counts: Counts,
    /// Columns that nothing was taken from.
    pub(crate) ignored: Vec<String>,
    /// Where the refused rows are.
    pub(crate) rejects: PathBuf,
}

/// How inputs are imported.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) store: Store,
    pub(crate) publisher: Publisher,
    pub(crate) is_backfill: bool,
}

/// An input on its way, row by row.
struct Rows {
    name: String,
    reader: AsyncReader<Stream>,
    header: Header,
    rejects: Rejects,
    progress: Progress,
    counts: Counts,
}

impl Counts {
    pub(crate) fn rows(self) -> u64 {
        self.created + self.changed + self.unchanged + self.rejected
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
    }
}

impl Import {
    /// Imports everything of one input. Rows that are not usable go to the reject file, the rest goes on.
    pub(crate) async fn take(
        &self,
        input: &Input,
        rejects: Option<PathBuf>,
    ) -> Result<Imported, Failure> {
        let name = input.name();
        let stream = input.open().await?;
        let progress = Progress::of(&name, stream.size);
        // Rows of a wrong length are refused one by one, with a reason.
        let mut reader = AsyncReaderBuilder::new()
            .flexible(true)
            .has_headers(false)
            .create_reader(stream);
        let mut first = ByteRecord::new();
        let failed = |error: csv_async::Error| Failure::file("read", &name)(error.into());
        if !reader.read_byte_record(&mut first).await.map_err(failed)? {
            return Err(Failure::Wrong(format!(
                "{name} is empty; its first line names the columns"
            )));
        }
        let header = Header::of(&first)
            .map_err(|reason| Failure::Wrong(format!("{name} cannot be imported: {reason}")))?;
        let rejects = Rejects::new(rejects.unwrap_or_else(|| input.rejects()), header.names());
        let batches = Batches {
            store: &self.store,
            publisher: &self.publisher,
            name: &name,
            is_backfill: self.is_backfill,
        };
        let rows = Rows {
            name: name.clone(),
            reader,
            header,
            rejects,
            progress,
            counts: Counts::default(),
        };
        match rows.header.kind() {
            Kind::Customers => rows.write_as::<Customer>(&batches).await,
            Kind::Orders => rows.write_as::<Order>(&batches).await,
        }
    }
}

impl Rows {
    async fn write_as<R: Record>(mut self, batches: &Batches<'_>) -> Result<Imported, Failure> {
        let mut batch: Vec<R> = Vec::with_capacity(BATCH);
        let read = loop {
            match self.next().await {
                Ok(Some(row)) => batch.push(row),
                Ok(None) => break Ok(()),
                Err(failure) => break Err(failure),
            }
            if batch.len() == BATCH {
                self.commit(&mut batch, batches).await?;
            }
        };
        // What was read before a failure is as good as ever.
        self.commit(&mut batch, batches).await?;
        read?;
        self.finish().await
    }

    /// The next usable row; refused ones are kept on the way.
    async fn next<R: Record>(&mut self) -> Result<Option<R>, Failure> {
        let mut record = ByteRecord::new();
        loop {
            self.reader.get_mut().mark();
            if !self.read(&mut record).await? {
                return Ok(None);
            }
            match Cells::of(&self.header, &record).and_then(|cells| R::of(&cells)) {
                Ok(row) => return Ok(Some(row)),
                Err(why) => {
                    self.rejects
                        .keep(self.line_of(&record), &why, &record)
                        .await?;
                    self.counts.rejected += 1;
                }
            }
        }
    }

    async fn read(&mut self, record: &mut ByteRecord) -> Result<bool, Failure> {
        let line = self.reader.position().line();
        let read = self.reader.read_byte_record(record).await;
        let place = format_args!("{}, the row of line {line}", self.name);
        read.map_err(|error| Failure::file("read", place)(error.into()))
    }

    /// Where the row that was read last begins. The reader's own answer is the line after the row before it, which
    /// may be blank.
    fn line_of(&self, row: &ByteRecord) -> u64 {
        let end = self.reader.position();
        let within = row.iter().flatten().filter(|byte| **byte == b'\n').count();
        let after = u64::from(self.reader.get_ref().has_ended_line(end.byte()));
        end.line()
            .saturating_sub(u64::try_from(within).unwrap_or(0) + after)
    }

    async fn commit<R: Record>(
        &mut self,
        batch: &mut Vec<R>,
        batches: &Batches<'_>,
    ) -> Result<(), Failure> {
        self.counts += batches.write(batch).await?;
        batch.clear();
        self.progress
            .at(self.counts.rows(), self.reader.position().byte());
        Ok(())
    }

    async fn finish(self) -> Result<Imported, Failure> {
        let ignored = self
            .header
            .ignored()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let path = self.rejects.path().to_owned();
        self.rejects.finish().await?;
        Ok(Imported {
            counts: self.counts,
            ignored,
            rejects: path,
        })
    }
}
