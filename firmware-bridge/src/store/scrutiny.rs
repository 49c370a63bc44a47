//! Looks a program through before it is installed, as far as that can be done without running it. What is refused here would be refused by
//! every run; what passes may still be refused by one. This file must not know flash, slots or uploads.

use crate::device::{Arguments, Plant, Refusal};
use crate::program::{Description, Objection};
use heapless::Vec;
use llmos_follower::program::ARGUMENTS_MAX;
use llmos_follower::value::distance_up;
use llmos_follower::{Index, Kind, Listing, Motion, Range, Reject, Scope, Step, Symbol, Value, evaluate};

/// Checks the bytes of a program against what was said about it and against the device that is to follow it.
///
/// # Errors
/// [`Objection::Incomplete`], [`Objection::Checksum`], [`Objection::Version`], [`Objection::Malformed`], [`Objection::TooLarge`],
/// [`Objection::Program`], [`Objection::Device`], [`Objection::Tool`] or [`Objection::Envelope`], in this order.
pub fn scrutinise<P: Plant>(description: &Description, bytes: &[u8], plant: &P) -> Result<(), Objection> {
    if bytes.len() != description.size as usize {
        return Err(Objection::Incomplete);
    }
    // The program's own checksum; that it is right is seen when the program is read.
    let sum = bytes.last_chunk::<4>().copied().map(u32::from_le_bytes);
    if sum != Some(description.crc) {
        return Err(Objection::Checksum);
    }
    let index = Index::of_for(description.device, bytes).map_err(objection)?;
    let program = index.program(bytes).ok_or(Objection::Malformed)?;
    for at in 0..usize::from(program.counts().steps) {
        let step = program.step(at).ok_or(Objection::Malformed)?;
        check_step(&program, &step, plant)?;
    }
    Ok(())
}

const fn objection(reject: Reject) -> Objection {
    match reject {
        Reject::Checksum => Objection::Checksum,
        Reject::Version => Objection::Version,
        Reject::TooLarge => Objection::TooLarge,
        Reject::Device => Objection::Device,
        Reject::OutOfRange | Reject::Order => Objection::Program,
        Reject::Truncated
        | Reject::Malformed
        | Reject::Stack
        | Reject::Type
        | Reject::Overflow
        | Reject::UnboundSlot
        | Reject::UnsetResult
        | Reject::NoReading
        | Reject::NoCase => Objection::Malformed,
    }
}

fn check_step<P: Plant>(program: &impl Listing, step: &Step, plant: &P) -> Result<(), Objection> {
    if step.kind != Kind::Command {
        return Ok(());
    }
    let mut arguments: Vec<(Symbol, Value), ARGUMENTS_MAX> = Vec::new();
    let mut values: Vec<Value, ARGUMENTS_MAX> = Vec::new();
    for (parameter, range) in &step.arguments {
        if let Some(value) = constant(program, *range, &Scope::of(step.device, &[]))? {
            // As many as the step has, and both have its capacity.
            let _ = (arguments.push((*parameter, value)), values.push(value));
        }
    }
    if arguments.len() == step.arguments.len() {
        check_command(step.tool, Arguments(&arguments), plant)?;
    } else {
        values.clear();
    }
    let scope = Scope {
        arguments: &values,
        ..Scope::of(step.device, &[])
    };
    match constant(program, step.target, &scope)? {
        Some(Value::Point(target)) => {
            let there = plant.envelope().check_path(target, target);
            there.map_err(|_| Objection::Envelope)
        }
        Some(_) => Err(Objection::Program),
        None => Ok(()),
    }
}

/// Checks a command whose arguments are all constants. Where it leads is not asked: the device will stand elsewhere when it is due.
fn check_command<P: Plant>(tool: Symbol, arguments: Arguments<'_>, plant: &P) -> Result<(), Objection> {
    let intent = match plant.intent(tool, arguments) {
        Ok(intent) => intent,
        Err(Refusal::UnknownTool | Refusal::BadArgument) => return Err(Objection::Tool),
        // It can't be done now, and may well be when it is due.
        Err(_) => return Ok(()),
    };
    let running = intent
        .velocity
        .map(|velocity| distance_up(velocity, [0; 3]).unwrap_or(i64::MAX));
    let motion = Motion {
        speed: intent.speed.max(running),
        acceleration: intent.acceleration,
        turn: intent.turn,
        turn_speed: intent.turn_speed,
        duration: intent.duration,
        ..Motion::default()
    };
    plant.envelope().check(&motion).map_err(|_| Objection::Envelope)
}

/// What code is worth that looks at nothing but constants; `None` for other code, and for none.
fn constant(program: &impl Listing, range: Range, scope: &Scope<'_>) -> Result<Option<Value>, Objection> {
    if range.is_empty() {
        return Ok(None);
    }
    match evaluate(program, range, scope) {
        Ok(value) => Ok(Some(value)),
        // Whatever it would have looked at, this goes wrong.
        Err(Reject::Stack | Reject::Type | Reject::Overflow) => Err(Objection::Program),
        Err(_) => Ok(None),
    }
}
