//! Keys that sign programs for devices: made once, kept in a file that only its owner may read, never printed.

use crate::config::secret;
use crate::output::Printer;
use crate::trouble::Trouble;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llmos_firmware_bridge::signature::SecretKey;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a key is kept if nothing else is said, below the workspace.
const PLACE: &str = "secrets/programs.key";
/// The first line of a key's file.
const HEADER: &str = "llmos ed25519 key 1";

/// `key new`: makes a key and says what devices need to know of it.
pub fn new(workspace: &Path, path: Option<PathBuf>, printer: Printer) -> Result<u8, Trouble> {
    let path = path.unwrap_or_else(|| workspace.join(PLACE));
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Trouble::environment(format!("this machine gives no random numbers: {error}")))?;
    let key = SecretKey::from_seed(seed);
    let text = format!("{HEADER}\n{}\n", STANDARD.encode(seed));
    write(&path, &text).map_err(|error| {
        let path = path.display();
        if error.kind() == io::ErrorKind::AlreadyExists {
            Trouble::environment(format!(
                "{path} is there already, and a key is never overwritten; name another file"
            ))
        } else {
            Trouble::environment(format!("{path} can't be written: {error}"))
        }
    })?;
    let public = STANDARD.encode(key.public());
    let bytes: Vec<String> = key.public().iter().map(|byte| format!("{byte:#04x}")).collect();
    let lines = vec![
        format!(
            "made {}; keep it secret, and keep a copy: devices that trust it take programs by no other key",
            path.display()
        ),
        format!("public key {public}"),
        "A device that is to take signed programs only has it in its own configuration, which no message can change:"
            .to_owned(),
        format!("  firmware    StoreConfig {{ key: Some([{}]), .. }}", bytes.join(", ")),
        format!("  simulated   llmos device sim arm --key {public}"),
        format!("Sign with it: llmos skill push DEVICE NAME --key {}", path.display()),
    ];
    printer.answer(&json!({ "key": path.display().to_string(), "public": public }), &lines);
    Ok(0)
}

/// Writes a file that is not there yet and that only its owner may read.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a key that `key new` made.
pub fn read(path: &Path) -> Result<SecretKey, Trouble> {
    let text = secret::read(path).map_err(Trouble::environment)?;
    let encoded = text.trim_end().strip_prefix(HEADER).map(str::trim);
    let seed = encoded.and_then(|text| STANDARD.decode(text).ok());
    let seed = seed.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    seed.map(SecretKey::from_seed).ok_or_else(|| {
        Trouble::environment(format!(
            "{} is no key of llmos: expected \"{HEADER}\" and 32 bytes in base64; make one with llmos key new",
            path.display()
        ))
    })
}

/// A public key as it is given on the command line.
///
/// # Errors
/// What was expected and found.
pub fn public(text: &str) -> Result<[u8; 32], String> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| format!("expected base64: {error}"))?;
    let count = bytes.len();
    <[u8; 32]>::try_from(bytes).map_err(|_| format!("expected a public key of 32 bytes in base64, found {count} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let quiet = Printer { json: false };
        new(dir.path(), None, quiet).expect("it is made");
        let path = dir.path().join(PLACE);
        let first = read(&path).expect("it is read").public();
        let refused = new(dir.path(), None, quiet).expect_err("it is there");
        assert!(refused.message.contains("never overwritten"), "{}", refused.message);
        assert_eq!(read(&path).expect("it is read").public(), first);
        let other = dir.path().join("other.key");
        new(dir.path(), Some(other.clone()), quiet).expect("it is made");
        assert_ne!(read(&other).expect("it is read").public(), first);
        assert_eq!(public(&STANDARD.encode(first)), Ok(first));
        assert!(public("AQL/").is_err_and(|why| why.contains("found 3 bytes")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions();
            assert_eq!(mode(&path).mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("allowed");
            let open = read(&path).expect_err("everybody may read it");
            assert!(open.message.contains("chmod 600"), "{}", open.message);
        }
        std::fs::write(&other, "something else").expect("a file");
        let wrong = read(&other).expect_err("it is no key");
        assert!(wrong.message.contains("llmos key new"), "{}", wrong.message);
    }
}
