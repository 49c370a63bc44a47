//! Writes the corpus and its digests anew: `cargo run -p llmos-determinism --example generate`.
//!
//! Once they are there, they are frozen: where a digest changes, the code has changed what it computes. They are only written anew when the
//! wire version rises, or when a case is added; `git diff corpus/digests.txt` must then show that no other line has changed.

mod author;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let corpus = author::corpus();
    std::fs::write(folder.join("digests.txt"), author::digests(&corpus))?;
    std::fs::write(folder.join("corpus.bin"), corpus)
}
