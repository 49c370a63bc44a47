//! Keeps the state of a tool list on disk, so that the first goal of a process pays for its own tokens only.
//!
//! A file for each model and tool list, named by the digest of both; it ends in a checksum and is replaced as a whole, so a
//! reader sees all of it or nothing. A snapshot is never more than a shortcut: one that cannot be read, written or believed
//! is left out with a warning, and the state is computed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::arch::{Network, Pointers};
use crate::local::hexadecimal;
use crate::session::Sequence;

const MAGIC: &[u8; 8] = b"LLMOSKV1";
/// All snapshots of a folder together; the ones unused for longest go first.
const FOLDER_BYTES_MAX: u64 = 128 << 20;
/// Shorter prefixes cost less than their file.
const TOKENS_MIN: usize = 32;
const ENDING: &str = "kv";

/// The snapshots of one model.
#[derive(Debug)]
pub(crate) struct Snapshots {
    folder: PathBuf,
    model: String,
}

impl Snapshots {
    /// `model` is the digest of the model file.
    pub fn new(folder: PathBuf, model: String) -> Self {
        Self { folder, model }
    }

    fn path(&self, tokens: &[u32]) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(MAGIC);
        hash.update(self.model.as_bytes());
        for token in tokens {
            hash.update(token.to_le_bytes());
        }
        self.folder
            .join(hexadecimal(&hash.finalize()[..16]))
            .with_extension(ENDING)
    }

    /// The state behind exactly these tokens, if it was saved.
    pub fn load(&self, network: &Network, pointers: Option<&Pointers>, tokens: &[u32]) -> Option<Sequence> {
        if tokens.len() < TOKENS_MIN {
            return None;
        }
        let path = self.path(tokens);
        let mut sequence = Sequence::new(network, pointers);
        let expected = MAGIC.len() + sequence.bytes(tokens.len()) + 4;
        match fs::metadata(&path) {
            Ok(data) if data.is_file() && data.len() == expected as u64 => {}
            Ok(_) => {
                discard(&path, "it has the wrong size");
                return None;
            }
            Err(_) => return None,
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a snapshot could not be read; its state is computed");
                return None;
            }
        };
        let held = bytes
            .split_last_chunk::<4>()
            .filter(|(content, sum)| crc32fast::hash(content) == u32::from_le_bytes(**sum))
            .and_then(|(content, _)| content.strip_prefix(MAGIC));
        if !held.is_some_and(|content| sequence.restore(tokens, content)) {
            discard(&path, "its checksum is wrong");
            return None;
        }
        // The time of the last use decides which one goes first.
        let used = fs::File::options().append(true).open(&path);
        let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
        Some(sequence)
    }

    /// Saves the state behind the first `length` tokens of a sequence.
    pub fn save(&self, sequence: &Sequence, length: usize) {
        if length < TOKENS_MIN {
            return;
        }
        let path = self.path(&sequence.tokens()[..length]);
        if let Err(error) = self.write(&path, sequence, length) {
            tracing::warn!(path = %path.display(), %error, "a snapshot could not be saved; the next process computes it again");
        }
    }

    fn write(&self, path: &Path, sequence: &Sequence, length: usize) -> std::io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        sequence.dump(length, &mut bytes);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        fs::create_dir_all(&self.folder)?;
        self.make_room(bytes.len() as u64)?;
        // Dropped before it is persisted, the file is removed.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&bytes)?;
        file.persist(path)?;
        Ok(())
    }

    fn make_room(&self, needed: u64) -> std::io::Result<()> {
        let mut held = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                let data = fs::metadata(&path)?;
                held.push((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), data.len(), path));
            }
        }
        held.sort();
        let mut total: u64 = needed + held.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for (_, bytes, path) in held {
            if total <= FOLDER_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }
}

fn discard(path: &Path, why: &str) {
    tracing::warn!(path = %path.display(), why, "a snapshot is damaged and was removed; its state is computed");
    let _ = fs::remove_file(path);
}
