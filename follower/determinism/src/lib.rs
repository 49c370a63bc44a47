//! The same bits on every architecture: one corpus of programs and scripts, and the one runner that carries it out.
//!
//! A [`Case`] is a program as wire bytes and a script of what the world does: time, reports, answers. [`Rehearsal`] follows the program
//! through that script with the real follower, gate and watch, and takes everything that they say into one digest. `corpus/digests.txt`
//! holds the digest of every case. A test of this crate compares it on the machine that builds; the scripts in `.ci` run the same code on
//! `AArch64` and on a Cortex-M. `examples/generate` has made the corpus and says how.
//!
//! **What this room must not know**: devices, plants, clocks. A script is data; whoever thought it up is not here any more.
#![no_std]

mod case;
mod rehearsal;
mod tell;

pub use case::{Answer, Case, Cases, Event, Weighed, events};
pub use rehearsal::{Outcome, Rehearsal, Witness, carry_out};

/// The corpus, as `examples/generate` has written it.
pub static CORPUS: &[u8] = include_bytes!("../corpus/corpus.bin");
