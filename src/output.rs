//! Files that appear under their names only when they are whole.

use crate::refusal::Refusal;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file written under a temporary name beside its final one; dropped unless [`Pending::keep`] is called.
#[derive(Debug)]
pub struct Pending {
    file: NamedTempFile,
    path: PathBuf,
}

impl Pending {
    /// A new empty file that will be `path`; its folder must exist.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, Refusal> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() {
            return Err(unwritable(path, "a folder has that name"));
        }
        let suffix = path.extension().map(|extension| format!(".{}", extension.display())).unwrap_or_default();
        // Not tempfile's own permissions, which are for the owner alone: those of an ordinary new file.
        let create = |path: &Path| std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        let file = tempfile::Builder::new().prefix(".gbmi-").suffix(&suffix).make_in(folder, create);
        Ok(Self { file: file.map_err(|error| unwritable(path, error))?, path: path.to_path_buf() })
    }

    /// A file with these contents that will be `path`.
    ///
    /// # Errors
    /// As [`Pending::create`].
    pub fn with_contents(path: &Path, contents: &[u8]) -> Result<Self, Refusal> {
        let mut pending = Self::create(path)?;
        let written = pending.file.write_all(contents).and_then(|()| pending.file.as_file().sync_all());
        written.map_err(|error| unwritable(path, error))?;
        Ok(pending)
    }

    /// The temporary name, with the final name's extension.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// Gives the file its name, replacing what had it.
    ///
    /// # Errors
    /// As [`Pending::create`].
    pub fn keep(self) -> Result<PathBuf, Refusal> {
        self.file.persist(&self.path).map_err(|error| unwritable(&self.path, error.error))?;
        Ok(self.path)
    }
}

/// The refusal for a path that cannot be written.
pub fn unwritable(path: &Path, reason: impl std::fmt::Display) -> Refusal {
    Refusal::Unreadable(format!("cannot write {}: {reason}", path.display()))
}
