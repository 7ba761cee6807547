//! Files that appear under their names only when they are whole.

use crate::refusal::Refusal;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf, is_separator};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// How the temporary names of files begin that are not whole yet.
const PREFIX: &str = ".gbmi-";
/// A file is whole within seconds; one that has been temporary for longer than this is so for ever.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The temporary files that there are. Who makes one, or names some, holds the lock.
static PENDING: Mutex<Vec<Weak<Path>>> = Mutex::new(vec![]);

fn pending() -> MutexGuard<'static, Vec<Weak<Path>>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file, for a program that is about to end: from now on none is made or named, and who tries
/// waits for ever.
pub fn abandon() {
    let pending = pending();
    for path in pending.iter().filter_map(Weak::upgrade) {
        // There is nobody left to tell.
        let _ = std::fs::remove_file(path);
    }
    std::mem::forget(pending);
}

/// A file that is written under a temporary name and dropped unless [`Pending::keep`] is called.
///
/// It takes the place of a file that is there, with its permissions, or of the one that a symbolic link leads to. What is
/// there and no file, such as a device or a pipe, is never replaced: the contents are written into it.
#[derive(Debug)]
pub struct Pending {
    file: NamedTempFile,
    /// Its temporary name, as long as it has one.
    listed: Arc<Path>,
    path: PathBuf,
    place: Place,
}

/// What is to become of a pending file.
#[derive(Debug)]
enum Place {
    /// It is renamed to this, and given the permissions of what was there.
    Name(PathBuf, Option<Permissions>),
    /// Its contents are written into what is there.
    Through,
}

impl Pending {
    /// A new empty file that will be `path`; its folder must exist.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, Refusal> {
        let place = Place::of(path)?;
        let suffix = path
            .extension()
            .map(|extension| format!(".{}", extension.display()))
            .unwrap_or_default();
        // Not tempfile's own permissions, which are for the owner alone: those of an ordinary new file.
        let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(PREFIX).suffix(&suffix);
        let mut pending = pending();
        pending.retain(|path| path.strong_count() > 0);
        let file = match &place {
            Place::Name(name, _) => builder.make_in(folder(name), create),
            Place::Through => builder.tempfile(),
        };
        let file = file.map_err(|error| unwritable(path, error))?;
        let listed = Arc::from(file.path());
        pending.push(Arc::downgrade(&listed));
        Ok(Self {
            file,
            listed,
            path: path.to_path_buf(),
            place,
        })
    }

    /// A file with these contents that will be `path`.
    ///
    /// # Errors
    /// As [`Pending::create`].
    pub fn with_contents(path: &Path, contents: &[u8]) -> Result<Self, Refusal> {
        let mut pending = Self::create(path)?;
        let written = pending
            .file
            .write_all(contents)
            .and_then(|()| pending.file.as_file().sync_all());
        written.map_err(|error| unwritable(path, error))?;
        Ok(pending)
    }

    /// The temporary name, with the final name's extension.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// Gives the file its name, replacing the file that had it.
    ///
    /// # Errors
    /// As [`Pending::create`].
    pub fn keep(self) -> Result<PathBuf, Refusal> {
        let path = self.path.clone();
        Self::keep_all(vec![self]).map(|()| path)
    }

    /// Gives files their names: all of them, or if the program is ended before, none.
    ///
    /// # Errors
    /// As [`Pending::create`], for the first that cannot have its name.
    pub fn keep_all(files: Vec<Self>) -> Result<(), Refusal> {
        let is_through = |file: &Self| matches!(file.place, Place::Through);
        let (through, names): (Vec<_>, Vec<_>) = files.into_iter().partition(is_through);
        // This may take as long as another program likes.
        through.into_iter().try_for_each(Self::place)?;
        let _held = pending();
        names.into_iter().try_for_each(Self::place)
    }

    fn place(self) -> Result<(), Refusal> {
        let Self {
            file,
            listed: _listed,
            path,
            place,
        } = self;
        let placed = match place {
            Place::Name(name, permissions) => permissions
                .map_or(Ok(()), |permissions| {
                    file.as_file().set_permissions(permissions)
                })
                .and_then(|()| file.persist(name).map_err(|error| error.error))
                .map(drop),
            Place::Through => File::open(file.path()).and_then(|mut whole| {
                let mut through = OpenOptions::new().write(true).open(&path)?;
                std::io::copy(&mut whole, &mut through).map(drop)
            }),
        };
        placed.map_err(|error| unwritable(&path, error))
    }
}

impl Place {
    fn of(path: &Path) -> Result<Self, Refusal> {
        let named = path.file_name().is_some() && !path.to_string_lossy().ends_with(is_separator);
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(unwritable(path, "a folder has that name")),
            Ok(found) if !found.is_file() => Ok(Self::Through),
            Ok(found) => match path.canonicalize() {
                Ok(name) => Ok(Self::Name(name, Some(found.permissions()))),
                Err(error) => Err(unwritable(path, error)),
            },
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unwritable(path, error)),
            Err(_) if !named => Err(unwritable(path, "expected the name of a file")),
            Err(_) => {
                // Links that lead nowhere yet: not in a circle, which is another error.
                let mut name = path.to_path_buf();
                while let Ok(target) = name.read_link() {
                    name = folder(&name).join(target);
                }
                Ok(Self::Name(name, None))
            }
        }
    }
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Removes the temporary files of programs that were killed from a folder: those untouched for an hour. Younger ones may be
/// those of another program, here or on another machine, that is about to name them.
pub fn remove_abandoned(folder: &Path) {
    let now = SystemTime::now();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let age = changed
            .ok()
            .and_then(|changed| now.duration_since(changed).ok());
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && age.is_some_and(|age| age > ABANDONED)
        {
            // What stays is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A name for a file or folder that none of those taken has, which it joins: `name`, or else `name_2` and so on. Small
/// and capital letters are the same to some file systems.
pub fn distinct(name: &str, taken: &mut BTreeSet<String>) -> String {
    let suffixes = (2..).map(|count| format!("_{count}"));
    let mut names = std::iter::once(String::new())
        .chain(suffixes)
        .map(|suffix| format!("{name}{suffix}"));
    names
        .find(|name| taken.insert(name.to_lowercase()))
        .unwrap_or_default()
}

/// The refusal for a path that cannot be written.
pub fn unwritable(path: &Path, reason: impl std::fmt::Display) -> Refusal {
    Refusal::Unreadable(format!("cannot write {}: {reason}", path.display()))
}
