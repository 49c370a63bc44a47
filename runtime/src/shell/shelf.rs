//! Documents by what they hold: each is kept once under its hash, however many runs have read it. A snapshot names all documents that a run
//! has read; it is kept the same way, in groups, so that a run that changes one document of thousands writes a few kilobytes.
//!
//! ```text
//! journal/documents/<sha256>   a piece of a document, or
//!                              lines ["path", "hash of its first piece", ..]: a group of documents, or
//!                              lines "hash of a group": a snapshot
//! ```
//!
//! What is kept here can be made again from the documents, so it is not waited for; a name that does not fit its content is found when it
//! is read. It must not know what a document says.

use super::disk;
use llmos_follower::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A longer document is kept in pieces of this many bytes, so that a ledger that grows is not kept whole each time.
const PIECE_BYTES: usize = 64 << 10;
/// How many documents are in a group, on average. A power of two.
const GROUP_MEAN: u64 = 64;

/// The documents of a workspace's runs.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    known: HashSet<String>,
}

/// A document in a group: its path and the names of its pieces.
type Entry = (String, Vec<String>);

impl Shelf {
    /// Opens the shelf in a folder, which is made where it is not there.
    pub fn open(folder: &Path) -> io::Result<Shelf> {
        disk::create_folder(folder)?;
        Ok(Shelf {
            folder: folder.to_owned(),
            known: names(folder)?,
        })
    }

    /// Keeps documents, paths and texts in this order, and returns the name of their snapshot. Only what is new is written.
    pub fn keep(&mut self, documents: &[(String, String)]) -> io::Result<String> {
        let (mut snapshot, mut group) = (String::new(), String::new());
        for (index, (path, text)) in documents.iter().enumerate() {
            let pieces: io::Result<Vec<String>> = text
                .as_bytes()
                .chunks(PIECE_BYTES)
                .map(|piece| self.put(piece))
                .collect();
            // Writing to a String can't fail.
            let _ = writeln!(group, "{}", serde_json::json!([path, pieces?]));
            if ends_group(path) || index + 1 == documents.len() {
                let _ = writeln!(snapshot, "{}", self.put(group.as_bytes())?);
                group.clear();
            }
        }
        self.put(snapshot.as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<String> {
        let name = name_of(bytes);
        if !self.known.contains(&name) {
            disk::keep(&self.folder.join(&name), bytes)?;
            self.known.insert(name.clone());
        }
        Ok(name)
    }

    /// Removes what none of these snapshots needs. One that can't be read needs nothing any more: its run can't be verified.
    pub fn sweep<'a>(&mut self, snapshots: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let mut needed: HashSet<String> = HashSet::new();
        for snapshot in snapshots {
            if !needed.insert(snapshot.to_owned()) {
                continue;
            }
            for group in groups(&self.folder, snapshot).unwrap_or_default() {
                if needed.insert(group.clone()) {
                    let entries = entries(&self.folder, &group).unwrap_or_default();
                    needed.extend(entries.into_iter().flat_map(|(_, pieces)| pieces));
                }
            }
        }
        let unneeded: Vec<String> = self
            .known
            .iter()
            .filter(|name| !needed.contains(*name))
            .cloned()
            .collect();
        for name in unneeded {
            disk::discard(&self.folder.join(&name))?;
            self.known.remove(&name);
        }
        Ok(())
    }
}

/// The documents of a snapshot, in their order, or which of them is missing or changed.
pub fn load(folder: &Path, snapshot: &str) -> Result<Vec<(String, String)>, String> {
    let mut documents = Vec::new();
    for group in groups(folder, snapshot)? {
        for (path, pieces) in entries(folder, &group)? {
            let mut bytes = Vec::new();
            for piece in pieces {
                let piece = read(folder, &piece).map_err(|error| format!("{path}: {error}"))?;
                bytes.extend_from_slice(&piece);
            }
            let text = String::from_utf8(bytes).map_err(|_| format!("{path}: it is not UTF-8"))?;
            documents.push((path, text));
        }
    }
    Ok(documents)
}

fn groups(folder: &Path, snapshot: &str) -> Result<Vec<String>, String> {
    Ok(lines(&read(folder, snapshot)?))
}

fn entries(folder: &Path, group: &str) -> Result<Vec<Entry>, String> {
    let lines = lines(&read(folder, group)?).into_iter();
    let entries: Result<Vec<Entry>, _> = lines.map(|line| serde_json::from_str(&line)).collect();
    entries.map_err(|error| format!("{} lists no documents: {error}", folder.join(group).display()))
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(name);
    if !is_name(name) {
        return Err(format!("\"{name}\" is no name of a document"));
    }
    let bytes = fs::read(&path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    if name_of(&bytes) == name {
        return Ok(bytes);
    }
    Err(format!(
        "{} was changed or torn: its content does not fit its name. Remove it; a run that reads such a document writes it anew",
        path.display()
    ))
}

fn names(folder: &Path) -> io::Result<HashSet<String>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string();
        names.extend(name.into_iter().filter(|name| is_name(name)));
    }
    Ok(names)
}

fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn name_of(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String can't fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Groups end where a path says so, and not after a number of documents: one more document changes one group.
fn ends_group(path: &str) -> bool {
    let mut digest = Digest::default();
    digest.write(path.as_bytes());
    // The low bits of this digest are its worst.
    (digest.finish() >> 32).is_multiple_of(GROUP_MEAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize) -> Vec<(String, String)> {
        let document = |n| (format!("traces/{n:05}.md"), format!("trace {n}"));
        (0..count).map(document).collect()
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn what_is_kept_is_loaded_in_its_order() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut shelf = Shelf::open(dir.path()).expect("a shelf");
        let long = "µ".repeat(PIECE_BYTES);
        let mut all = documents(500);
        all.extend([("a b\n\".md".to_owned(), long), ("empty".to_owned(), String::new())]);
        for kept in [all.as_slice(), &all[..1], &[]] {
            let snapshot = shelf.keep(kept).expect("it is kept");
            assert_eq!(load(dir.path(), &snapshot), Ok(kept.to_vec()));
        }
    }

    #[test]
    fn only_what_is_new_is_written() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut all = documents(2_000);
        let line = "a line of a ledger\n";
        all.push(("ledger".to_owned(), line.repeat(20_000)));
        Shelf::open(dir.path()).expect("a shelf").keep(&all).expect("kept");
        let before = files(dir.path());
        let mut shelf = Shelf::open(dir.path()).expect("a shelf");
        super::super::faults::plan("list");
        shelf.keep(&all).expect("kept");
        assert_eq!(
            super::super::faults::count(),
            0,
            "an unchanged workspace costs no operation"
        );
        super::super::faults::plan("");
        all.insert(700, ("traces/00699b.md".to_owned(), "one more".to_owned()));
        if let Some((_, ledger)) = all.last_mut() {
            ledger.push_str(line);
        }
        let snapshot = shelf.keep(&all).expect("kept");
        // The new document, the last piece of the ledger, their two groups (or three, where it ends one), the snapshot.
        let added = files(dir.path()) - before;
        assert!((4..=6).contains(&added), "{added}");
        assert_eq!(load(dir.path(), &snapshot), Ok(all));
    }

    #[test]
    fn what_is_missing_or_changed_is_named() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let snapshot = Shelf::open(dir.path())
            .expect("a shelf")
            .keep(&documents(3))
            .expect("kept");
        let piece = dir.path().join(name_of(b"trace 1"));
        fs::write(&piece, "trace 2").expect("a file");
        let why = load(dir.path(), &snapshot).expect_err("it was changed");
        assert!(
            why.starts_with("traces/00001.md: ") && why.contains("changed or torn"),
            "{why}"
        );
        fs::remove_file(&piece).expect("it is removed");
        let why = load(dir.path(), &snapshot).expect_err("it is missing");
        assert!(
            why.starts_with("traces/00001.md: ") && why.contains("can't be read"),
            "{why}"
        );
        Shelf::open(dir.path())
            .expect("a shelf")
            .keep(&documents(3))
            .expect("kept");
        assert_eq!(load(dir.path(), &snapshot), Ok(documents(3)), "it was written anew");
        assert!(load(dir.path(), "../../etc/passwd").is_err());
    }

    #[test]
    fn what_no_snapshot_needs_is_swept() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut shelf = Shelf::open(dir.path()).expect("a shelf");
        let old = shelf.keep(&documents(300)).expect("kept");
        let new = shelf.keep(&documents(200)).expect("kept");
        let alone = {
            let dir = tempfile::tempdir().expect("a temporary folder");
            Shelf::open(dir.path())
                .expect("a shelf")
                .keep(&documents(200))
                .expect("kept");
            files(dir.path())
        };
        fs::write(dir.path().join("notes.txt"), "a stranger's file").expect("a file");
        shelf.sweep([new.as_str()]).expect("it is swept");
        assert_eq!(files(dir.path()), alone + 1);
        assert_eq!(load(dir.path(), &new), Ok(documents(200)));
        assert!(load(dir.path(), &old).is_err());
    }
}
