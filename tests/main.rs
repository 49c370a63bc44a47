//! End to end: the program as a person starts it, a real broker, a simulated device as a process of its own, real files; and the checks
//! that hold the house itself together.

mod arrows;
mod cli;
mod crash;
mod determinism;
mod ending;
mod faults;
mod journal;
/// The program's own links, which are pure: the simulation drives them without a bus.
#[path = "../runtime/src/shell/links.rs"]
mod links;
mod main_job;
mod mosquitto;
mod policy;
mod simulation;
mod support;
mod tidy;
