//! The only executor of llmos, and the safety envelope that it shares with every device.
//!
//! **Contract.** A learned plan, a trace and a skill are all compiled to one [`program::Program`]; a [`replay::Follower`] walks it. The
//! follower is a state machine: `handle(world, now, input)`, then drain `poll(world)`. It computes with integers only, allocates
//! nothing, and does bounded work per call, so the same bits come out on a server and on a microcontroller. It never decides *whether*
//! a command may leave: it offers the command and waits for the gate's answer. It never believes an acknowledgement: a step succeeds
//! when the device's reported state meets the postcondition.
//!
//! A host holds the whole [`Program`]; a microcontroller leaves its bytes in flash and follows them in place ([`Index`], [`InPlace`]) with
//! tables of the size it has ([`Walker`], [`Table`]). It is the same code, and nothing of it can panic once it is optimised: `footprint/`
//! links it for a Cortex-M, where it is measured.
//!
//! **What this room must not know**: models, text, MQTT, files, clocks.
#![no_std]

pub mod checkpoint;
pub mod code;
pub mod disassemble;
pub mod envelope;
pub mod error;
pub mod exchange;
pub mod leg;
pub mod listing;
pub mod place;
pub mod program;
pub mod replay;
pub mod state;
pub mod value;
pub mod wire;

pub use checkpoint::{Checkpoint, Observed};
pub use code::{Op, Range, Scope, evaluate};
pub use disassemble::disassemble;
pub use envelope::{Breach, Envelope, Motion, Rate, Route, Shape, Watch};
pub use error::{Handoff, Reject};
pub use leg::Arguments;
pub use listing::{Counts, Listing};
pub use place::{InPlace, Index};
pub use program::{Call, Kind, OnError, Program, Split, Step};
pub use replay::{Compensation, Follower, Input, Millis, Offer, Output, Progress, Walker, World};
pub use state::{Reading, Readings, Table};
pub use value::{Digest, MICRO, Point, Symbol, Value};
