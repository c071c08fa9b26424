//! A file that is written as a whole or not at all: one that is there already stays, and what was begun and not kept goes.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::output::Refused;

/// A file that is being written.
pub struct FreshFile {
    path: PathBuf,
    out: BufWriter<File>,
    kept: bool,
}

impl FreshFile {
    /// Begins it.
    ///
    /// # Errors
    /// `FILE_EXISTS` where there is a file; `FILE` where the place cannot be written to.
    pub fn create(path: &Path) -> Result<Self, Refused> {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        match made {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                out: BufWriter::new(file),
                kept: false,
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Refused::new(
                "FILE_EXISTS",
                format!("There is a file {} already; name another one.", path.display()),
            )),
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Makes it durable and keeps it; its size in bytes.
    ///
    /// # Errors
    /// `FILE`; nothing is left behind then.
    pub fn keep(mut self) -> Result<u64, Refused> {
        let kept = self.out.flush().and_then(|()| {
            let file = self.out.get_ref();
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let bytes = kept.map_err(|error| failed(&self.path, &error))?;
        self.kept = true;
        Ok(bytes)
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Refused {
    Refused::new("FILE", format!("Cannot write {}: {error}.", path.display()))
}

impl Write for FreshFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Drop for FreshFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("half a file is left at {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let mut begun = FreshFile::create(&path).expect("begun");
        begun.write_all(b"half").expect("written");
        drop(begun);
        assert!(!path.exists());
        let mut whole = FreshFile::create(&path).expect("begun again");
        whole.write_all(b"whole").expect("written");
        assert_eq!(whole.keep().expect("kept"), 5);
        assert_eq!(std::fs::read(&path).expect("there"), b"whole");
        let code = FreshFile::create(&path).err().expect("refused").code;
        assert_eq!(code, "FILE_EXISTS");
        assert_eq!(std::fs::read(&path).expect("as it was"), b"whole");
        let nowhere = folder.path().join("no/such/file");
        assert_eq!(FreshFile::create(&nowhere).err().expect("refused").code, "FILE");
    }
}
