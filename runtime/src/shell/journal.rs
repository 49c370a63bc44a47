//! The journal on disk: one file for each process, the newest kept. Documents are journaled whole: they are the kernel's inputs.

use llmos_follower::Millis;
use llmos_kernel::journal::Recorder;
use llmos_kernel::kernel::Settings;
use llmos_kernel::message::{Input, Output};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Journals that are kept.
const KEPT: usize = 50;
/// Bytes after which a journal is not written any further; a longer run is not verified as a whole.
const BYTES_MAX: u64 = 64 << 20;

/// A journal that is being written. A disk that fails ends the journal, with a warning, and not the run.
#[derive(Debug)]
pub struct Journal {
    recorder: Recorder,
    file: Option<BufWriter<File>>,
    written: u64,
    path: PathBuf,
}

impl Journal {
    /// Begins a journal in the workspace's `journal` folder.
    pub fn begin(root: &Path, date: &str, settings: &Settings) -> Journal {
        let folder = root.join("journal");
        let name: String = date.chars().map(|c| if c == ':' { '-' } else { c }).collect();
        let path = folder.join(format!("{name}-{}.jsonl", std::process::id()));
        let file = fs::create_dir_all(&folder)
            .and_then(|()| File::create(&path))
            .map(BufWriter::new);
        if let Err(error) = &file {
            tracing::warn!(path = %path.display(), %error, "no journal is written");
        }
        prune(&folder);
        let mut journal = Journal {
            recorder: Recorder::default(),
            file: file.ok(),
            written: 0,
            path,
        };
        journal.write(&Recorder::begin(settings));
        journal
    }

    /// Records an input.
    pub fn input(&mut self, now: Millis, input: &Input) {
        let line = self.recorder.input(now, input);
        self.write(&line);
    }

    /// Records an output.
    pub fn output(&mut self, output: &Output) {
        self.write(&Recorder::output(output));
    }

    /// Brings everything to the file.
    pub fn flush(&mut self) {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.check(flushed);
    }

    fn write(&mut self, line: &str) {
        self.written += line.len() as u64;
        if self.written > BYTES_MAX {
            self.file = None;
            return;
        }
        let written = self.file.as_mut().map_or(Ok(()), |file| writeln!(file, "{line}"));
        self.check(written);
    }

    fn check(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result {
            tracing::warn!(path = %self.path.display(), %error, "the journal ends here");
            self.file = None;
        }
    }
}

fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"))
        .collect();
    paths.sort();
    for path in paths.iter().rev().skip(KEPT) {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "an old journal stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_on_disk_after_each_input_and_verifies() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut journal = Journal::begin(dir.path(), "2026-01-01T00:00:00Z", &Settings::default());
        journal.input(1, &Input::Ready);
        journal.flush();
        let text = fs::read_to_string(&journal.path).expect("the journal");
        assert_eq!(text.lines().count(), 2, "{text}");
        llmos_kernel::journal::verify(text.lines().map(str::to_owned)).expect("it verifies");
    }

    #[test]
    fn only_the_newest_are_kept() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for number in 0..KEPT + 5 {
            fs::write(dir.path().join(format!("{number:03}.jsonl")), "").expect("a file");
        }
        fs::write(dir.path().join("notes.txt"), "").expect("a file");
        prune(dir.path());
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .expect("a folder")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        names.sort();
        assert_eq!(names.len(), KEPT + 1);
        assert_eq!(
            names.first().and_then(|name| name.to_str()),
            Some("005.jsonl"),
            "a stranger's file stays"
        );
    }
}
