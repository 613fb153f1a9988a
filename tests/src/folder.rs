//! Temporary folders. It must not know what is kept in them.

use tempfile::TempDir;

/// Makes a folder, which goes with the answer.
pub(crate) fn folder(prefix: &str) -> TempDir {
    match tempfile::Builder::new().prefix(prefix).tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("no temporary folder can be made: {error}"),
    }
}
