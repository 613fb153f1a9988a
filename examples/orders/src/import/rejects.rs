//! The file of refused rows: each with its line and the reason, under the columns of its own file.
//!
//! Mended, it can be imported as it is: columns are known by name, and the two in front are ignored.

use std::path::{Path, PathBuf};

use csv_async::{AsyncWriter, AsyncWriterBuilder, ByteRecord};
use tokio::fs::File;

use crate::failure::Failure;
use crate::import::cells::Refusal;

/// Written anew by each import that refuses something; not touched by others.
pub(crate) struct Rejects {
    path: PathBuf,
    header: Vec<String>,
    writer: Option<AsyncWriter<File>>,
}

impl Rejects {
    pub(crate) fn new(path: PathBuf, columns: &[String]) -> Self {
        let header = ["line", "reason"]
            .map(str::to_owned)
            .into_iter()
            .chain(columns.iter().cloned());
        Self {
            path,
            header: header.collect(),
            writer: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a refused row.
    pub(crate) async fn keep(
        &mut self,
        line: u64,
        why: &Refusal,
        row: &ByteRecord,
    ) -> Result<(), Failure> {
        let mut kept = ByteRecord::from(vec![line.to_string().as_str(), &why.0]);
        row.iter().for_each(|cell| kept.push_field(cell));
        if self.writer.is_none() {
            let file = File::create(&self.path)
                .await
                .map_err(Failure::file("write", self.path.display()))?;
            let mut writer = AsyncWriterBuilder::new().flexible(true).create_writer(file);
            writer
                .write_record(&self.header)
                .await
                .map_err(|error| self.failed(error))?;
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => writer
                .write_byte_record(&kept)
                .await
                .map_err(|error| self.failed(error)),
            None => Ok(()),
        }
    }

    /// Brings everything to the file.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        match &mut self.writer {
            Some(writer) => writer
                .flush()
                .await
                .map_err(Failure::file("write", self.path.display())),
            None => Ok(()),
        }
    }

    fn failed(&self, error: csv_async::Error) -> Failure {
        Failure::file("write", self.path.display())(error.into())
    }
}
