//! The only code with side effects: files, sockets, processes, the model's thread, the clock. It carries what the kernel asks for and
//! brings back what came of it. It decides nothing and matches on no domain type.

pub mod devices;
pub mod disk;
pub mod faults;
pub mod hooks;
pub mod host;
pub mod journal;
pub mod links;
pub mod model;
pub mod nonsense;
pub mod person;
pub mod shelf;
pub mod signals;
pub mod simulated;
pub mod timing;
pub mod workspace;
