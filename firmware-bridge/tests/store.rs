//! Programs on a device: what is taken, what is refused and why, and that power may go at any moment.

#[path = "store/desks.rs"]
mod desks;
#[path = "store/power.rs"]
mod power;
#[path = "store/pushes.rs"]
mod pushes;
#[path = "store/uploads.rs"]
mod uploads;

use llmos_firmware_bridge::program::{Answer, Ask, CHUNK_BYTES_MAX, Description, Objection, Signature, StoreStatus};
use llmos_firmware_bridge::sim::arm::Arm;
use llmos_firmware_bridge::sim::{Faults, SimFlash};
use llmos_firmware_bridge::store::{Flash, Store, StoreConfig};
use llmos_follower::{Call, Kind, Op, Program, Range, Step, Symbol, Value, wire};

const ARM: Symbol = Symbol::of("arm");
const M: i64 = 1_000_000;
const CHUNK: usize = CHUNK_BYTES_MAX as usize;

/// What a step sends.
#[derive(Clone, Copy)]
enum Deed {
    /// Goes to a point that is written in the program.
    GoTo([i64; 3]),
    /// Goes to where its slot says.
    GoToSlot,
    /// Sets the speed.
    Speed(i64),
    /// Any tool with one option.
    Option(&'static str, &'static str, &'static str),
}

/// A program of one call for each deed.
fn program(device: Symbol, deeds: &[Deed]) -> Program {
    let mut program = Program::default();
    for (call, deed) in deeds.iter().enumerate() {
        let (tool, parameter, op) = match *deed {
            Deed::GoTo(to) => ("move_to", "to", Op::Const(Value::Point(to))),
            Deed::GoToSlot => ("move_to", "to", Op::Slot(0)),
            Deed::Speed(speed) => ("speed", "value", Op::Const(Value::Number(speed))),
            Deed::Option(tool, parameter, option) => (tool, parameter, Op::Const(Value::Symbol(Symbol::of(option)))),
        };
        let mut pool = |op| {
            let start = u16::try_from(program.code.len()).expect("a small program");
            program.code.push(op).expect("room");
            Range { start, len: 1 }
        };
        let argument = pool(op);
        let target = match deed {
            Deed::GoTo(_) | Deed::GoToSlot => pool(Op::Argument(0)),
            _ => Range::EMPTY,
        };
        let mut step = Step {
            device,
            tool: Symbol::of(tool),
            call: u8::try_from(call).expect("a small program"),
            kind: Kind::Command,
            target,
            timeout_ms: 1_000,
            ..Step::default()
        };
        step.arguments.push((Symbol::of(parameter), argument)).expect("room");
        let mut named = Call {
            device,
            tool: Symbol::of(tool),
            ..Call::default()
        };
        named.arguments.push((Symbol::of(parameter), argument)).expect("room");
        program.steps.push(step).expect("room");
        program.calls.push(named).expect("room");
        if let Deed::GoToSlot = deed {
            program.slots = 1;
        }
    }
    program
}

fn bytes(program: &Program) -> Vec<u8> {
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(program, &mut buffer).expect("room").to_vec()
}

/// A program of a few hundred bytes that differs with `variant`.
fn good(variant: i64) -> Vec<u8> {
    let deeds = [
        Deed::Option("gripper", "state", "open"),
        Deed::GoTo([800_000, 300_000, 200_000 + variant]),
        Deed::Speed(300_000),
        Deed::GoToSlot,
    ];
    bytes(&program(ARM, &deeds.repeat(5)))
}

/// What an upload of these bytes announces.
fn described(bytes: &[u8], revision: u32) -> Description {
    let crc = bytes.last_chunk::<4>().map_or(0, |sum| u32::from_le_bytes(*sum));
    Description {
        name: Symbol::of("a-trace"),
        device: ARM,
        revision,
        size: u32::try_from(bytes.len()).expect("a small program"),
        crc,
        signature: None,
    }
}

fn arm() -> Arm {
    Arm::new(0, Faults::default())
}

fn open() -> Store<SimFlash> {
    Store::open(SimFlash::new(), StoreConfig::open(ARM), &arm())
}

fn ask<F: Flash>(store: &mut Store<F>, ask: &Ask<'_>) -> Result<StoreStatus, Objection> {
    match store.handle(&arm(), false, ask) {
        Answer::Store(status) => Ok(status),
        Answer::Refused(objection) => Err(objection),
        Answer::Report(_) => panic!("a store has no reports"),
    }
}

/// Uploads and commits, from where an earlier upload was cut off.
fn upload<F: Flash>(store: &mut Store<F>, description: &Description, bytes: &[u8]) -> Result<StoreStatus, Objection> {
    let status = ask(store, &Ask::Begin(*description))?;
    let received = status.upload.map_or(bytes.len(), |upload| upload.received as usize);
    for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
        let offset = number * CHUNK;
        if offset >= received {
            let (crc, offset) = (description.crc, u32::try_from(offset).expect("a small program"));
            ask(
                store,
                &Ask::Chunk {
                    crc,
                    offset,
                    bytes: chunk,
                },
            )?;
        }
    }
    ask(store, &Ask::Commit { crc: description.crc })
}

fn signed(bytes: &[u8], revision: u32, signature: Signature) -> Description {
    Description {
        signature: Some(signature),
        ..described(bytes, revision)
    }
}
