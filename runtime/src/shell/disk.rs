//! Every change on disk: whole or not at all, and on the disk before anyone is told, where that matters. It must not know what a file means.

use super::faults;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, true)?;
    sync_folder(path)
}

/// The same for what can be made again: it is not waited for.
pub fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, false)
}

fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let write = || {
        let mut file = faults::act("create", &temporary, || File::create(&temporary))?;
        faults::write(&temporary, &mut file, bytes)?;
        if sync {
            faults::act("sync", &temporary, || file.sync_all())?;
        }
        faults::act("rename", path, || fs::rename(&temporary, path))
    };
    let written = write();
    if written.is_err() {
        // The half-written file is ours, and nobody was told of it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Appends one line and waits until it is on the disk. A line that a crash tore is ended first, so that it can't swallow this one; a line
/// that could not be written is taken back.
pub fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).read(true).append(true);
    let is_new = !path.exists();
    let mut file = faults::act("open", path, || options.open(path))?;
    let before = file.metadata()?.len();
    let text = if is_torn(&mut file, before)? {
        format!("\n{line}\n")
    } else {
        format!("{line}\n")
    };
    let written = faults::write(path, &mut file, text.as_bytes());
    let synced = written.and_then(|()| faults::act("sync", path, || file.sync_data()));
    if synced.is_err() {
        // What nobody is told of should not be there; where even that fails, the next line ends it.
        let _ = file.set_len(before);
    }
    synced?;
    if is_new { sync_folder(path) } else { Ok(()) }
}

/// Removes a file; it stays removed after a crash.
pub fn remove(path: &Path) -> io::Result<()> {
    discard(path)?;
    sync_folder(path)
}

/// Removes a file that nobody needs.
pub fn discard(path: &Path) -> io::Result<()> {
    faults::act("remove", path, || fs::remove_file(path))
}

/// Gives a file or folder another name, also after a power cut.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::act("rename", to, || fs::rename(from, to))?;
    sync_folder(to)
}

/// Makes a folder and all above it, as certain as what is put there later.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_folder(above)?;
    }
    match faults::act("create folder", path, || fs::create_dir(path)) {
        // Another process may have made it at the same moment.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync_folder(path),
    }
}

/// Removes what crashes left half written in a folder. Only for whoever owns it.
pub fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_temporary(&entry.path()) {
            // Where it can't be removed it does no harm.
            let _ = discard(&entry.path());
        }
    }
}

fn is_temporary(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    let process = extension.and_then(|extension| extension.strip_prefix("tmp"));
    process.is_some_and(|process| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A file of lines that is written as they come, and not waited for.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    waiting: Vec<u8>,
}

impl Log {
    /// A new file.
    pub fn create(path: &Path) -> io::Result<Log> {
        Ok(Log {
            path: path.to_owned(),
            file: faults::act("create", path, || File::create(path))?,
            waiting: Vec::new(),
        })
    }

    /// Adds a line; it is in the file after [`Log::flush`].
    pub fn line(&mut self, line: &str) {
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting.push(b'\n');
    }

    /// Brings everything to the file.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        faults::log(&self.path, &mut self.file, &waiting)
    }
}

/// Whether a crash cut the last line off.
fn is_torn(file: &mut File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// A new, renamed or removed file is only certain once its folder is on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix can open a folder; elsewhere the file system keeps its own journal.
    match path.parent().filter(|_| cfg!(unix)) {
        Some(folder) if folder.as_os_str().is_empty() => sync(Path::new(".")),
        Some(folder) => sync(folder),
        None => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    faults::act("sync", folder, || File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::super::faults;
    use super::*;

    const FAULTS: [&str; 3] = ["full", "short", "broken"];

    /// What is in a folder, by name.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Lets each operation of `change` fail in turn, alone and with all after it, and looks what is there afterwards.
    fn check(prepare: impl Fn(&Path), change: impl Fn(&Path) -> io::Result<()>, look: impl Fn(&Path, bool)) {
        let mut struck = 0;
        for fault in FAULTS {
            for lasts in ["", "+"] {
                for number in 1.. {
                    let dir = tempfile::tempdir().expect("a temporary folder");
                    prepare(dir.path());
                    faults::plan(&format!("{fault}:{number}{lasts}"));
                    let changed = change(dir.path());
                    let is_over = faults::count() < number;
                    faults::plan("");
                    assert_eq!(changed.is_ok(), is_over, "{fault}:{number}: {changed:?}");
                    look(dir.path(), changed.is_ok());
                    if is_over {
                        break;
                    }
                    struck += 1;
                }
            }
        }
        assert!(struck >= 18, "{struck} operations failed on purpose");
    }

    #[test]
    fn a_failing_disk_leaves_the_old_file_or_the_new_one() {
        let look = |folder: &Path, is_ok: bool| {
            let text = fs::read_to_string(folder.join("a.md")).expect("a file");
            // Only the folder's sync comes after the rename: then the new one is there, and nobody is told so.
            assert!(text == "new" || (!is_ok && text == "old"), "{text}");
            assert_eq!(names(folder), ["a.md"], "nothing is left behind");
        };
        let prepare = |folder: &Path| fs::write(folder.join("a.md"), "old").expect("a file");
        check(prepare, |folder| store(&folder.join("a.md"), b"new"), look);
    }

    #[test]
    fn a_line_that_could_not_be_written_is_not_there() {
        let look = |folder: &Path, is_ok: bool| {
            let text = fs::read_to_string(folder.join("a")).expect("a file");
            let expected = if is_ok { "one\ntwo\n" } else { "one\n" };
            assert_eq!(text, expected);
        };
        let prepare = |folder: &Path| fs::write(folder.join("a"), "one\n").expect("a file");
        check(prepare, |folder| append(&folder.join("a"), "two"), look);
    }

    #[test]
    fn a_folder_that_could_not_be_made_is_made_the_next_time() {
        let look = |folder: &Path, _| create_folder(&folder.join("a/b")).expect("it is made");
        check(|_| {}, |folder| create_folder(&folder.join("a/b")), look);
    }

    #[test]
    fn what_a_crash_left_is_cleared_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["a.md", "a.tmp17", "b.tmp", "c.tmpx", "tmp3"] {
            fs::write(dir.path().join(name), "x").expect("a file");
        }
        clear(dir.path());
        assert_eq!(names(dir.path()), ["a.md", "b.tmp", "c.tmpx", "tmp3"]);
    }
}
