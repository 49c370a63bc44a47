//! The workspace's files: found, made from the template, read, written atomically, locked. Paths that come from documents never leave
//! the workspace. It must not know what a document means.

use crate::trouble::Trouble;
use include_dir::{Dir, include_dir};
use llmos_kernel::text::trace::with_pattern;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
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
    let is_there = || dir.join("llmos.toml").is_file();
    if !is_there() {
        // Another process may have made it at the same moment.
        init(&dir).or_else(|trouble| if is_there() { Ok(()) } else { Err(trouble) })?;
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

/// Makes a workspace from the template, whole or not at all. A folder with something in it is left as it is.
pub fn init(dir: &Path) -> Result<(), Trouble> {
    let trouble = |error: io::Error| {
        let text = format!("{} can't be made into a workspace: {error}", dir.display());
        Trouble::environment(format!("{text}; check its path and rights"))
    };
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let text = format!("{} is not empty; name a folder that does not exist yet", dir.display());
        return Err(Trouble::usage(text));
    }
    let Some(name) = dir.file_name().filter(|_| !dir.exists()) else {
        // Somebody may stand in a folder that exists, so it is not replaced by another.
        return fill(dir).map_err(trouble);
    };
    let made = dir.with_file_name(format!(".{}-{}", name.to_string_lossy(), std::process::id()));
    let result = fill(&made).and_then(|()| fs::rename(&made, dir));
    if result.is_err() {
        // What is half made is ours, and nobody was told of it.
        let _ = fs::remove_dir_all(&made);
    }
    result.map_err(trouble)
}

fn fill(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    TEMPLATE.extract(dir)?;
    // What a run in the template's own folder left behind is no part of it.
    for left in ["journal", "traces"] {
        match fs::remove_dir_all(dir.join(left)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(dir.join(left))?,
        }
    }
    Ok(())
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
        let write = || fs::create_dir_all(folder).and_then(|()| write_whole(&full, text.as_bytes()));
        write().map_err(|error| format!("{} can't be written: {error}", full.display()))
    }

    /// Adds a pattern to a trace's document as it is on the disk now.
    pub fn amend(&self, path: &str, pattern: &str, note: &str) -> Result<(), String> {
        let text = self
            .read(path)
            .ok_or_else(|| format!("{path} is not there any more"))??;
        let amended = with_pattern(&text, pattern, note).map_err(|why| format!("{path}: {why}"))?;
        self.store(path, &amended)
    }

    /// Appends one line to a ledger. A line that a crash tore is ended first, so that it can't swallow this one.
    pub fn append(&self, path: &str, line: &str) -> Result<(), String> {
        let full = self.inside(path)?;
        let write = || -> io::Result<()> {
            if let Some(folder) = full.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = File::options().create(true).read(true).append(true).open(&full)?;
            let text = if is_torn(&mut file)? {
                format!("\n{line}\n")
            } else {
                format!("{line}\n")
            };
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| format!("{} can't be written: {error}", full.display()))
    }

    /// Removes a document; it stays removed after a crash.
    pub fn remove(&self, path: &str) -> Result<(), String> {
        let full = self.inside(path)?;
        let removed = fs::remove_file(&full).and_then(|()| sync_folder(&full));
        removed.map_err(|error| format!("{} can't be removed: {error}", full.display()))
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

/// Whether a crash cut the last line off.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Writes a file so that it is there whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let mut file = File::create(&temporary)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The half-written file is ours, and nobody was told of it.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(path)
}

/// A new, renamed or removed file is only certain once its folder is on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix can open a folder; elsewhere the file system keeps its own journal.
    match path.parent().filter(|_| cfg!(unix)) {
        // A file without a folder is in this one.
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().join("ws");
        init(&root).expect("a workspace");
        let workspace = Workspace::open(&root, true).expect("it opens");
        (dir, workspace)
    }

    #[test]
    fn the_template_is_made_whole_and_only_into_nothing() {
        let (dir, workspace) = workspace();
        let documents = workspace.documents();
        assert!(
            documents
                .iter()
                .any(|(path, text)| path == "devices/arm.md" && text.is_ok()),
            "{documents:?}"
        );
        assert!(workspace.root().join("traces").is_dir());
        assert_eq!(init(workspace.root()).expect_err("it is not empty").code, 2);
        let left: Vec<_> = fs::read_dir(dir.path()).expect("a folder").flatten().collect();
        assert_eq!(left.len(), 1, "nothing half made is left beside it: {left:?}");
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).expect("a folder");
        init(&empty).expect("an empty folder will do");
    }

    #[test]
    fn what_is_stored_is_read_back_and_leaves_nothing_behind() {
        let (_dir, workspace) = workspace();
        workspace.store("traces/a.md", "one").expect("it is stored");
        workspace.store("traces/a.md", "two").expect("it is replaced");
        assert_eq!(workspace.read("traces/a.md"), Some(Ok("two".to_owned())));
        let files: Vec<_> = fs::read_dir(workspace.root().join("traces"))
            .expect("a folder")
            .flatten()
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        workspace.remove("traces/a.md").expect("it is removed");
        assert_eq!(workspace.read("traces/a.md"), None);
    }

    #[test]
    fn a_line_that_a_crash_tore_swallows_no_other() {
        let (_dir, workspace) = workspace();
        let path = "traces/ledger.jsonl";
        workspace.append(path, "one").expect("it is appended");
        let file = File::options().append(true).open(workspace.root().join(path));
        file.expect("the ledger").write_all(b"{\"torn").expect("half a line");
        workspace.append(path, "two").expect("it is appended");
        workspace.append(path, "three").expect("it is appended");
        assert_eq!(workspace.read(path), Some(Ok("one\n{\"torn\ntwo\nthree\n".to_owned())));
    }

    #[test]
    fn no_path_leads_outside() {
        let (dir, workspace) = workspace();
        fs::write(dir.path().join("secret.md"), "secret").expect("a file");
        for path in [
            "../secret.md",
            "/etc/passwd",
            "traces/../../secret.md",
            "",
            "./policy.toml",
        ] {
            assert!(matches!(workspace.read(path), Some(Err(_))), "{path} is read");
            assert!(workspace.store(path, "x").is_err(), "{path} is written");
            assert!(workspace.append(path, "x").is_err(), "{path} is appended to");
            assert!(workspace.remove(path).is_err(), "{path} is removed");
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_symbolic_link_leads_outside() {
        let (dir, workspace) = workspace();
        fs::write(dir.path().join("secret.md"), "secret").expect("a file");
        let link = workspace.root().join("traces/link.md");
        std::os::unix::fs::symlink(dir.path().join("secret.md"), &link).expect("a link");
        assert!(matches!(workspace.read("traces/link.md"), Some(Err(_))));
        assert!(workspace.store("traces/link.md", "x").is_err());
        assert_eq!(
            fs::read_to_string(dir.path().join("secret.md")).expect("the file"),
            "secret"
        );
        let documents = workspace.documents();
        let others = documents
            .iter()
            .filter(|(path, text)| path != "traces/link.md" && text.is_ok())
            .count();
        assert!(others > 0, "the others stay usable: {documents:?}");
    }

    #[test]
    fn a_document_that_is_not_utf8_is_reported_and_the_others_stay() {
        let (_dir, workspace) = workspace();
        fs::write(workspace.root().join("devices/bad.md"), b"ok\xff").expect("a file");
        let documents = workspace.documents();
        let bad = documents
            .iter()
            .find(|(path, _)| path == "devices/bad.md")
            .map(|(_, text)| text.clone());
        assert_eq!(bad, Some(Err("it is not UTF-8 at byte 2".to_owned())));
        assert!(
            documents
                .iter()
                .any(|(path, text)| path == "devices/arm.md" && text.is_ok())
        );
    }

    #[test]
    fn one_process_owns_a_workspace() {
        let (_dir, workspace) = workspace();
        let second = Workspace::open(workspace.root(), true).expect_err("it is owned");
        assert_eq!(second.code, 5);
        assert!(
            Workspace::open(workspace.root(), false).is_ok(),
            "looking needs no ownership"
        );
    }
}
