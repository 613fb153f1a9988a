//! The folder that mails are written to, one `.eml` file each, for a program that sends or shows them.
//!
//! A file appears under its name whole or not at all, and is on the disk before the call returns.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform_core::Key;

/// A folder of mails.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: Arc<Path>,
}

impl Folder {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into().into(),
        }
    }

    /// Makes the folder, and sees whether a file can be written there.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        let tried = self.path.join(format!(".{}", Key::unique()));
        File::create_new(&tried)?;
        fs::remove_file(tried)
    }

    pub(crate) fn display(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Writes `message` to `<id>.eml`, replacing what is there.
    ///
    /// # Cancel safety
    /// Dropped, the writing goes on; at worst a hidden file is left behind.
    pub(crate) async fn put(&self, id: Key, message: String) -> io::Result<()> {
        let path = Arc::clone(&self.path);
        let written =
            tokio::task::spawn_blocking(move || write(&path, id, message.as_bytes())).await;
        written.map_err(io::Error::other)?
    }
}

fn write(folder: &Path, id: Key, message: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A name of its own, since two processes may write one mail when a lane changes hands.
    let hidden = folder.join(format!(".{id}.{}", Key::unique()));
    let mut file = File::create_new(&hidden)?;
    let written = file.write_all(message).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| fs::rename(&hidden, folder.join(format!("{id}.eml"))));
    if renamed.is_err() {
        // The first error is the one to tell.
        drop(fs::remove_file(&hidden));
    }
    renamed?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_written_twice_is_one_file() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("new/mails"));
        let id = Key::of("notification", &[b"a"]);
        for _ in 0..2 {
            folder.put(id, "Hello\r\n".to_owned()).await.unwrap();
        }
        let files: Vec<_> = fs::read_dir(temporary.path().join("new/mails"))
            .unwrap()
            .collect();
        assert_eq!(files.len(), 1);
        let path = files[0].as_ref().unwrap().path();
        assert!(path.ends_with(format!("{id}.eml")), "{path:?}");
        assert_eq!(fs::read_to_string(path).unwrap(), "Hello\r\n");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let folder = Folder::at(file.path().join("mails"));
        folder
            .put(Key::of("notification", &[b"a"]), String::new())
            .await
            .unwrap_err();
    }
}
