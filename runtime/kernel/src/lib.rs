//! The kernel of llmos: a state machine that reads goals, matches, plans and decides. `handle(now, Input)`, then drain `poll()`.
//!
//! The model, the devices, the files, the hooks, the person and the clock are all I/O: a wish leaves as an [`message::Output`], its
//! result comes back as an [`message::Input`]. So a run can be journaled and executed again, byte for byte.
//!
//! **What this room must not know**: tokio, candle, sockets, files, clocks, chance.

pub mod aboard;
mod announce;
pub mod check;
pub mod compile;
mod decide;
pub mod elsewhere;
pub mod example;
pub mod follow;
pub mod foresee;
pub mod goal;
pub mod ground;
pub mod guard;
pub mod intent;
pub mod journal;
mod kept;
pub mod kernel;
mod lesson;
pub mod library;
pub mod matching;
pub mod message;
pub mod mode;
pub mod motion;
pub mod names;
mod onward;
pub mod options;
pub mod plan;
pub mod policy;
pub mod prepare;
pub mod provenance;
mod resume;
mod returning;
mod review;
pub mod search;
pub mod text;
pub mod tool;
pub mod toolset;
pub mod world;
