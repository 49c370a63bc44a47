//! End to end: the program as a person starts it, a real broker, a simulated device as a process of its own, real files; and the checks
//! that hold the house itself together.

mod aboard;
mod arrows;
mod bindings;
#[path = "../runtime/kernel/examples/hostile/chance.rs"]
mod chance;
mod cli;
mod corpus;
mod crash;
mod determinism;
mod ending;
mod faults;
#[path = "../runtime/kernel/examples/hostile/goals.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod goals;
mod hostile;
mod journal;
/// The program's own links, which are pure: the simulation drives them without a bus.
#[path = "../runtime/src/shell/links.rs"]
mod links;
mod main_job;
#[path = "../runtime/kernel/examples/hostile/model.rs"]
mod model;
mod mosquitto;
mod outage;
mod policy;
#[path = "../runtime/kernel/examples/hostile/scene.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod scene;
mod serial;
mod simulation;
#[path = "../runtime/kernel/examples/hostile/subscriber.rs"]
mod subscriber;
mod support;
mod tidy;
