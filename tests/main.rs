//! End to end: the program as a person starts it, a real broker, a simulated device as a process of its own, real files; and the checks
//! that hold the house itself together.

mod arrows;
mod cli;
mod crash;
mod ending;
mod faults;
mod journal;
mod main_job;
mod mosquitto;
mod support;
mod tidy;
