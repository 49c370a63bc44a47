//! Files that hold a secret. One that everybody on the machine may read is none, so it is refused.

use std::path::Path;

/// Bytes that a secret may have.
const LEN_MAX: u64 = 64 * 1024;

/// The text of a file that only its owner (and perhaps a group) may read.
pub fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("{} can't be read: {error}", path.display());
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if is_open(&about) {
        return Err(format!(
            "{0} holds a secret, and everybody on this machine may read it; run: chmod 600 {0}",
            path.display()
        ));
    }
    if about.len() > LEN_MAX {
        return Err(format!(
            "{}: expected a secret of at most 64 KiB, found {} bytes",
            path.display(),
            about.len()
        ));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if text.trim().is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_open(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o007 != 0
}

#[cfg(not(unix))]
fn is_open(_about: &std::fs::Metadata) -> bool {
    false
}
