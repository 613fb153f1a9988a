//! The folder that mails are written to, one `.eml` file each, for a program that sends or shows them.
//!
//! A file appears under its name whole or not at all, and is on the disk before the call returns.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform_core::Key;

/// The most files that are open at the same time.
const FILES_MAX: usize = 100;

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

    /// Writes each message to `<id>.eml`, replacing what is there.
    ///
    /// # Cancel safety
    /// Dropped, the writing goes on; at worst hidden files are left behind.
    pub(crate) async fn put(&self, messages: Vec<(Key, String)>) -> io::Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let path = Arc::clone(&self.path);
        let write = move || {
            messages
                .chunks(FILES_MAX)
                .try_for_each(|some| write(&path, some))
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(io::Error::other)?
    }
}

/// Writes all, flushes all, then names all: the first flush takes most of the others along.
fn write(folder: &Path, messages: &[(Key, String)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A name of its own, since two processes may write one mail when a lane changes hands.
    let mine = Key::unique();
    let hidden = |id: &Key| folder.join(format!(".{id}.{mine}"));
    let written = || {
        let mut files = Vec::with_capacity(messages.len());
        for (id, message) in messages {
            let mut file = File::create_new(hidden(id))?;
            file.write_all(message.as_bytes())?;
            files.push(file);
        }
        files.iter().try_for_each(File::sync_all)?;
        let named =
            |(id, _): &(Key, String)| fs::rename(hidden(id), folder.join(format!("{id}.eml")));
        messages.iter().try_for_each(named)
    };
    if let Err(error) = written() {
        // The first error is the one to tell; what has its name already is removed by none of these.
        for (id, _) in messages {
            drop(fs::remove_file(hidden(id)));
        }
        return Err(error);
    }
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
            let mail = vec![(id, "Hello\r\n".to_owned())];
            folder.put(mail).await.unwrap();
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
    async fn many_mails_are_all_there_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let mail = |n: u32| (Key::of("notification", &[&n.to_be_bytes()]), n.to_string());
        let mails = (0..250).map(mail).collect();
        Folder::at(folder.path()).put(mails).await.unwrap();
        let names = fs::read_dir(folder.path()).unwrap();
        let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
        let (mails, others): (Vec<_>, Vec<_>) = names.partition(|name| name.ends_with(".eml"));
        assert_eq!((mails.len(), others.len()), (250, 0));
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let folder = Folder::at(file.path().join("mails"));
        let mail = vec![(Key::of("notification", &[b"a"]), String::new())];
        folder.put(mail).await.unwrap_err();
    }
}
