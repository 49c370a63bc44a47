//! The workspace's files: found, made from the template, read, written atomically, locked. Paths that come from documents never leave
//! the workspace. It must not know what a document means.

use crate::trouble::Trouble;
use include_dir::{Dir, include_dir};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../workspace");

/// Bytes that a document may have to be read at all.
const BYTES_MAX: u64 = 4 << 20;

/// A workspace on disk.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    _lock: Option<File>,
}

/// A document of the workspace and its text, or why there is none.
pub type Document = (String, Result<String, String>);

/// Finds the workspace: the flag, then `llmos.toml` upwards from here, then the user's data folder, made from the template at first use.
pub fn find(flag: Option<&Path>) -> Result<PathBuf, Trouble> {
    if let Some(dir) = flag {
        return if dir.is_dir() {
            Ok(dir.to_owned())
        } else {
            Err(Trouble::environment(format!(
                "there is no workspace at {}; make one with: llmos init {}",
                dir.display(),
                dir.display()
            )))
        };
    }
    let here = std::env::current_dir()
        .map_err(|error| Trouble::environment(format!("the current folder can't be read: {error}")))?;
    if let Some(found) = here.ancestors().find(|dir| dir.join("llmos.toml").is_file()) {
        return Ok(found.to_owned());
    }
    let dir = data_dir()?.join("workspace");
    if !dir.join("llmos.toml").is_file() {
        init(&dir)?;
    }
    Ok(dir)
}

fn data_dir() -> Result<PathBuf, Trouble> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .or_else(|| absolute("LOCALAPPDATA"))
        .map(|dir| dir.join("llmos"))
        .ok_or_else(|| {
            Trouble::environment("no folder for data: set HOME or XDG_DATA_HOME, or name one with --workspace DIR")
        })
}

/// Makes a workspace from the template. An existing one is left as it is.
pub fn init(dir: &Path) -> Result<(), Trouble> {
    let trouble =
        |error: io::Error| Trouble::environment(format!("{} can't be made into a workspace: {error}", dir.display()));
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Trouble::usage(format!(
            "{} is not empty; name a folder that does not exist yet",
            dir.display()
        )));
    }
    fs::create_dir_all(dir).map_err(trouble)?;
    TEMPLATE.extract(dir).map_err(trouble)?;
    fs::create_dir_all(dir.join("traces")).map_err(trouble)?;
    fs::create_dir_all(dir.join("journal")).map_err(trouble)
}

impl Workspace {
    /// Opens a workspace. With `own`, no other process may.
    pub fn open(root: &Path, own: bool) -> Result<Workspace, Trouble> {
        let trouble = |what: &str, error: io::Error| {
            Trouble::environment(format!(
                "the workspace {} {what}: {error}; check its path and rights",
                root.display()
            ))
        };
        fs::read_dir(root).map_err(|error| trouble("can't be read", error))?;
        if !own {
            return Ok(Workspace {
                root: root.to_owned(),
                _lock: None,
            });
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join(".lock"));
        let lock = lock.map_err(|error| trouble("can't be written", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Workspace {
                root: root.to_owned(),
                _lock: Some(lock),
            }),
            Err(fs::TryLockError::WouldBlock) => Err(Trouble::environment(format!(
                "another llmos owns the workspace {}; wait for it or stop it, or use another --workspace",
                root.display()
            ))),
            Err(fs::TryLockError::Error(error)) => Err(trouble("can't be locked", error)),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every document that the kernel wants to see, in a fixed order.
    pub fn documents(&self) -> Vec<Document> {
        let mut paths = vec!["policy.toml".to_owned(), "traces/ledger.jsonl".to_owned()];
        for folder in ["devices", "traces"] {
            let entries = fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            paths.extend(
                names
                    .filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "md"))
                    .map(|name| format!("{folder}/{name}")),
            );
        }
        paths.sort();
        paths
            .into_iter()
            .filter_map(|path| self.read(&path).map(|text| (path, text)))
            .collect()
    }

    /// The text of a document; `None` where there is none.
    pub fn read(&self, path: &str) -> Option<Result<String, String>> {
        let full = match self.inside(path) {
            Ok(full) => full,
            Err(message) => return Some(Err(message)),
        };
        match fs::metadata(&full) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(error.to_string())),
            Ok(metadata) if !metadata.is_file() => return Some(Err("it is no file".to_owned())),
            Ok(metadata) if metadata.len() > BYTES_MAX && path != "traces/ledger.jsonl" => {
                return Some(Err(format!(
                    "it has {} bytes; at most {BYTES_MAX} are read",
                    metadata.len()
                )));
            }
            Ok(_) => {}
        }
        Some(match fs::read(&full) {
            Err(error) => Err(error.to_string()),
            Ok(bytes) => String::from_utf8(bytes)
                .map_err(|error| format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to())),
        })
    }

    /// Writes a document so that it is there whole or not at all.
    pub fn store(&self, path: &str, text: &str) -> Result<(), String> {
        let full = self.inside(path)?;
        let folder = full.parent().ok_or("it has no folder")?;
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            let temporary = full.with_extension(format!("tmp{}", std::process::id()));
            let mut file = File::create(&temporary)?;
            let written = file
                .write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::rename(&temporary, &full));
            if written.is_err() {
                // The half-written file is ours, and nobody was told of it.
                let _ = fs::remove_file(&temporary);
            }
            written?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| format!("{} can't be written: {error}", full.display()))
    }

    /// Appends one line to a ledger. A line that a crash tore is ended first, so that it can't swallow this one.
    pub fn append(&self, path: &str, line: &str) -> Result<(), String> {
        let full = self.inside(path)?;
        let write = || -> io::Result<()> {
            if let Some(folder) = full.parent() {
                fs::create_dir_all(folder)?;
            }
            let torn = fs::read(&full).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
            let mut file = File::options().create(true).append(true).open(&full)?;
            let text = if torn {
                format!("\n{line}\n")
            } else {
                format!("{line}\n")
            };
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| format!("{} can't be written: {error}", full.display()))
    }

    /// Removes a document.
    pub fn remove(&self, path: &str) -> Result<(), String> {
        let full = self.inside(path)?;
        fs::remove_file(&full).map_err(|error| format!("{} can't be removed: {error}", full.display()))
    }

    /// The full path of a document, if neither its name nor a symbolic link leads outside.
    fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let relative = Path::new(path);
        if path.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("\"{path}\" is no path inside the workspace"));
        }
        let full = self.root.join(relative);
        let mut at = self.root.clone();
        for part in relative.components() {
            at.push(part);
            if fs::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(format!(
                    "{} is a symbolic link; documents are real files inside the workspace",
                    at.display()
                ));
            }
        }
        Ok(full)
    }
}
