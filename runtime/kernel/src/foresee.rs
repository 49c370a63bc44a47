//! Looks a program through before its first command: whether any motion would leave the envelope, and whether the goal already holds.
//! The gate judges every command again when it is due; this only spares a device the first half of a plan whose second half is
//! forbidden. It must not know how the program came about.

use crate::motion::{self, Known};
use crate::policy::{breach_text, check_range};
use crate::tool::Device;
use llmos_follower::state::POSITION;
use llmos_follower::{
    Breach, Kind, Motion, Offer, Op, Point, Program, Range, Reading, Readings, Scope, Split, Step, Symbol, Value,
    evaluate,
};

/// A device of which only is asked what a command itself says.
const NOT_KNOWN: Known<'_> = Known {
    at: None,
    age_ms: 0,
    watch: None,
    now: 0,
};

/// Follows a program in thought: what each command asks for, and where each motion leads.
///
/// # Errors
/// The first motion or value that the gate would refuse, in words.
pub fn forbidden(program: &Program, devices: &[Device], readings: &Readings) -> Result<(), String> {
    let mut readings = readings.clone();
    for step in program.main() {
        let Some(device) = devices.iter().find(|device| Symbol::of(&device.name) == step.device) else {
            continue;
        };
        let values = arguments(program, step, &readings);
        if let Some(tool) = device.tools.iter().find(|tool| Symbol::of(&tool.name) == step.tool) {
            for (parameter, value) in tool.parameters.iter().zip(&values) {
                check_range(&parameter.name, &parameter.kind, parameter.limit, *value)?;
            }
        }
        let asked = motion::of(device, &offer(step, &values), NOT_KNOWN);
        // Where it drives to is not known before it is there.
        let asked = Motion { drives: false, ..asked };
        device
            .envelope
            .check(&asked)
            .map_err(|breach| breach_text(device, breach))?;
        let Some(end) = target(program, step, &values, &readings) else {
            continue;
        };
        let Some(start) = readings.position(step.device) else {
            continue;
        };
        // Only a way to a point can be led around what bars it.
        let around = || matches!(step.split, Split::Toward(_)) && device.envelope.detour(start, end).is_some();
        match device.envelope.check_path(start, end) {
            Err(Breach::KeepOut { .. }) if around() => {}
            checked => checked.map_err(|breach| breach_text(device, breach))?,
        }
        move_to(&mut readings, step.device, end);
    }
    Ok(())
}

/// Where each motion of a program would end: the call, the tool of its step, and the end.
#[must_use]
pub fn ends(program: &Program, readings: &Readings) -> Vec<(usize, Symbol, Point)> {
    let mut readings = readings.clone();
    let mut ends = Vec::new();
    for step in program.main() {
        let values = arguments(program, step, &readings);
        if let Some(end) = target(program, step, &values, &readings) {
            ends.push((usize::from(step.call), step.tool, end));
            move_to(&mut readings, step.device, end);
        }
    }
    ends
}

fn arguments(program: &Program, step: &Step, readings: &Readings) -> Vec<Value> {
    let scope = Scope::of(step.device, readings);
    let values = step
        .arguments
        .iter()
        .map_while(|(_, range)| evaluate(program, *range, &scope).ok());
    values.collect()
}

/// What a step will send, without where that leads.
fn offer(step: &Step, values: &[Value]) -> Offer {
    let names = step.arguments.iter().map(|(name, _)| *name);
    Offer {
        step: 0,
        leg: 0,
        legs: 1,
        device: step.device,
        tool: step.tool,
        arguments: names.zip(values.iter().copied()).collect(),
        start: None,
        target: None,
        end: None,
    }
}

fn target(program: &Program, step: &Step, values: &[Value], readings: &Readings) -> Option<Point> {
    let scope = Scope {
        arguments: values,
        ..Scope::of(step.device, readings)
    };
    match evaluate(program, step.target, &scope) {
        Ok(Value::Point(point)) if !step.target.is_empty() => Some(point),
        _ => None,
    }
}

pub(crate) fn move_to(readings: &mut Readings, device: Symbol, end: Point) {
    let moved: Vec<Reading> = readings
        .iter()
        .filter(|reading| reading.device == device)
        .map(|reading| {
            if reading.owner.is_none() && reading.field == POSITION {
                Reading {
                    value: Value::Point(end),
                    ..*reading
                }
            } else {
                *reading
            }
        })
        .collect();
    // As many readings as before, so there is room.
    let _ = readings.replace(device, moved);
}

/// Whether the precondition of the first step holds.
#[must_use]
pub fn may_begin(program: &Program, readings: &Readings) -> bool {
    let Some(step) = program.main().first() else {
        return false;
    };
    let values = arguments(program, step, readings);
    let scope = Scope {
        arguments: &values,
        ..Scope::of(step.device, readings)
    };
    step.require.is_empty() || evaluate(program, step.require, &scope) == Ok(Value::Bool(true))
}

/// Whether every call of the program that counts already holds. A call whose tool only `prepares` a later one does not count.
#[must_use]
pub fn already_holds(program: &Program, devices: &[Device], readings: &Readings) -> bool {
    let prepares = |index: usize| {
        let Some(call) = program.calls.get(index) else {
            return false;
        };
        let device = devices.iter().find(|device| Symbol::of(&device.name) == call.device);
        device
            .and_then(|d| d.tools.iter().find(|tool| Symbol::of(&tool.name) == call.tool))
            .is_some_and(|tool| tool.prepares)
    };
    let count = program.calls.len();
    let relevant: Vec<usize> = (0..count)
        .filter(|index| !(prepares(*index) && (index + 1..count).any(|later| !prepares(later))))
        .collect();
    !relevant.is_empty() && relevant.into_iter().all(|index| call_holds(program, index, readings))
}

fn call_holds(program: &Program, index: usize, readings: &Readings) -> bool {
    let Some(call) = program.calls.get(index) else {
        return false;
    };
    let mut steps = program.main().iter().filter(|step| usize::from(step.call) == index);
    let (range, values) = match (call.ensure.is_empty(), steps.next(), steps.next()) {
        (false, ..) => (call.ensure, Vec::new()),
        (true, Some(only), None) if only.kind == Kind::Command => (only.ensure, arguments(program, only, readings)),
        _ => return false,
    };
    if range.is_empty() || looks_back(program, range) {
        return false;
    }
    let scope = Scope {
        arguments: &values,
        ..Scope::of(call.device, readings)
    };
    evaluate(program, range, &scope) == Ok(Value::Bool(true))
}

fn looks_back(program: &Program, range: Range) -> bool {
    let code = program.code.get(range.indices()).unwrap_or_default();
    code.iter()
        .any(|op| matches!(op, Op::Before { .. } | Op::BeforeOf { .. }))
}
