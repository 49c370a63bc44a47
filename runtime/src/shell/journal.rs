//! The journal on disk: one file for each process, the newest kept, and beside them the documents that they name, once. A disk that fails
//! ends the journal, with a warning, and not the run.

use super::disk::{self, Log};
use super::shelf::{self, Shelf};
use llmos_follower::Millis;
use llmos_kernel::journal::{self, Mismatch, Recorder, Verified, snapshot_of};
use llmos_kernel::kernel::Settings;
use llmos_kernel::message::{Input, Output};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Journals that are kept at least.
const KEPT: usize = 50;
/// Journals more than those before the oldest go, so that not every run has to look which documents are still named.
const SLACK: usize = 10;
/// Bytes after which a journal is not written any further; a longer run is not verified as a whole.
const BYTES_MAX: u64 = 64 << 20;
/// Where a journal's documents are, beside it.
const DOCUMENTS: &str = "documents";

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    recorder: Recorder,
    open: Option<(Log, Shelf)>,
    written: u64,
    path: PathBuf,
    complaint: Option<String>,
}

impl Journal {
    /// Begins a journal in the workspace's `journal` folder.
    pub fn begin(root: &Path, date: &str, settings: &Settings) -> Journal {
        let folder = root.join("journal");
        let name: String = date.chars().map(|c| if c == ':' { '-' } else { c }).collect();
        let path = folder.join(format!("{name}-{}.jsonl", std::process::id()));
        let open = || -> io::Result<(Log, Shelf)> {
            let mut shelf = Shelf::open(&folder.join(DOCUMENTS))?;
            prune(&folder, &mut shelf)?;
            Ok((Log::create(&path)?, shelf))
        };
        let mut journal = Journal {
            recorder: Recorder::default(),
            open: None,
            written: 0,
            complaint: None,
            path: path.clone(),
        };
        match open() {
            Ok(open) => journal.open = Some(open),
            Err(error) => journal.end(&error),
        }
        journal.write(&Recorder::begin(settings));
        journal
    }

    /// Records documents, paths and texts, in the order in which they are read.
    pub fn documents(&mut self, now: Millis, documents: &[(String, String)]) {
        let Some(open) = &mut self.open else { return };
        match open.1.keep(documents) {
            Ok(snapshot) => self.write(&Recorder::documents(now, &snapshot)),
            Err(error) => self.end(&error),
        }
    }

    /// Records an input.
    pub fn input(&mut self, now: Millis, input: &Input) {
        if let Input::Document { path, text } = input {
            return self.documents(now, &[(path.clone(), text.clone())]);
        }
        let line = self.recorder.input(now, input);
        self.write(&line);
    }

    /// Records an output.
    pub fn output(&mut self, output: &Output) {
        self.write(&Recorder::output(output));
    }

    /// Brings everything to the file.
    pub fn flush(&mut self) {
        let Some((log, _)) = &mut self.open else { return };
        if let Err(error) = log.flush() {
            self.end(&error);
        }
    }

    /// What a person should know about the journal, once.
    pub fn complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    fn write(&mut self, line: &str) {
        let Some((log, _)) = &mut self.open else { return };
        self.written += line.len() as u64;
        if self.written > BYTES_MAX {
            self.open = None;
            return;
        }
        log.line(line);
    }

    fn end(&mut self, error: &io::Error) {
        self.open = None;
        let path = self.path.display();
        self.complaint = Some(format!(
            "this run can't be verified later, its journal {path} ends here: {error}"
        ));
    }
}

/// Executes a journal again.
///
/// # Errors
/// The file can't be read, or the first mismatch.
pub fn verify(file: &Path, workspace: &Path) -> io::Result<Result<Verified, Mismatch>> {
    let lines: io::Result<Vec<String>> = BufReader::new(File::open(file)?).lines().collect();
    // A journal that was taken away from its documents may still have come from this workspace.
    let beside = file.with_file_name(DOCUMENTS);
    let folder = if beside.is_dir() {
        beside
    } else {
        workspace.join("journal").join(DOCUMENTS)
    };
    Ok(journal::verify(lines?, |snapshot| shelf::load(&folder, snapshot)))
}

/// The journals of a folder, oldest first.
fn journals(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_journal = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Names begin with the date; other files have other names.
        path.extension().is_some_and(|ext| ext == "jsonl") && name.starts_with(|c: char| c.is_ascii_digit())
    };
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(is_journal).collect();
    paths.sort();
    Ok(paths)
}

/// Removes the oldest journals once there are too many, and the documents that only they named.
fn prune(folder: &Path, shelf: &mut Shelf) -> io::Result<()> {
    let paths = journals(folder)?;
    if paths.len() < KEPT + SLACK {
        return Ok(());
    }
    let (old, kept) = paths.split_at(paths.len() - KEPT);
    for path in old {
        disk::discard(path)?;
    }
    let mut snapshots = Vec::new();
    for path in kept {
        let lines = BufReader::new(File::open(path)?).lines();
        snapshots.extend(lines.map_while(Result::ok).filter_map(|line| snapshot_of(&line)));
    }
    shelf.sweep(snapshots.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::super::faults;
    use super::*;

    fn begin(root: &Path) -> Journal {
        Journal::begin(root, "2026-01-01T00:00:00Z", &Settings::default())
    }

    #[test]
    fn a_journal_is_on_disk_after_each_input_and_verifies() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut journal = begin(dir.path());
        journal.documents(0, &[("policy.toml".to_owned(), String::new())]);
        journal.input(1, &Input::Ready);
        journal.flush();
        let text = fs::read_to_string(&journal.path).expect("the journal");
        assert_eq!(text.lines().count(), 3, "{text}");
        let verified = verify(&journal.path, dir.path())
            .expect("it is read")
            .expect("it verifies");
        assert_eq!(verified.inputs, 2);
        let elsewhere = dir.path().join("copy.jsonl");
        fs::copy(&journal.path, &elsewhere).expect("a copy");
        verify(&elsewhere, dir.path())
            .expect("it is read")
            .expect("it verifies with the workspace's documents");
    }

    #[test]
    fn only_the_newest_are_kept_and_the_documents_that_they_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = dir.path().join("journal");
        let mut shelf = Shelf::open(&folder.join(DOCUMENTS)).expect("a shelf");
        for number in 0..KEPT + SLACK {
            let documents = [("policy.toml".to_owned(), format!("# {number}"))];
            let line = Recorder::documents(0, &shelf.keep(&documents).expect("kept"));
            let begin = Recorder::begin(&Settings::default());
            fs::write(folder.join(format!("{number:03}.jsonl")), format!("{begin}\n{line}\n")).expect("a file");
        }
        for name in ["notes.txt", "intents.jsonl"] {
            fs::write(folder.join(name), "").expect("a file");
        }
        let count = |folder: &Path| fs::read_dir(folder).expect("a folder").count();
        let before = count(&folder.join(DOCUMENTS));
        let mut journal = begin(dir.path());
        assert_eq!(journal.complaint(), None);
        assert_eq!(
            count(&folder),
            KEPT + 4,
            "strangers' files, the documents and the new journal stay"
        );
        assert_eq!(count(&folder.join(DOCUMENTS)), before - 3 * SLACK);
        for path in journals(&folder).expect("journals").iter().take(KEPT) {
            verify(path, dir.path()).expect("it is read").expect("it verifies");
        }
    }

    #[test]
    fn a_failing_disk_ends_the_journal_and_says_so_once() {
        for (fault, last) in [("full:", 14), ("short:", 14), ("broken:", 14), ("short:log:", 1)] {
            for number in 1.. {
                let dir = tempfile::tempdir().expect("a temporary folder");
                faults::plan(&format!("{fault}{number}"));
                let mut journal = begin(dir.path());
                journal.documents(0, &[("policy.toml".to_owned(), "# x".to_owned())]);
                journal.input(1, &Input::Ready);
                journal.flush();
                let is_over = number > last;
                faults::plan("");
                let complaint = journal.complaint();
                assert_eq!(complaint.is_none(), is_over, "{fault}{number}: {complaint:?}");
                assert_eq!(journal.complaint(), None);
                if is_over {
                    break;
                }
            }
        }
    }
}
