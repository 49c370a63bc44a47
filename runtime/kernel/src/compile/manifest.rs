//! The same checks over a manifest when it is read, so that a formula which can't be compiled is found there and not in a run.

use super::emit::{Code, Emitter, Names, emit_as};
use crate::goal::{Dimension, print_quantity};
use crate::text::Diagnostic;
use crate::text::manifest::ToolPlaces;
use crate::text::node::Place;
use crate::tool::{Body, Device, MacroStep, Parameter, Tool, Type};
use llmos_follower::{Op, Program, Symbol, Value};

/// Checks every formula of a device as if it were compiled, and that nothing acts without a limit.
pub fn check_device(device: &Device, places: &ToolPlaces, found: &mut Vec<Diagnostic>) {
    for (name, place) in places {
        let Some(tool) = device.tool(name) else { continue };
        check_tool(device, tool, *place, found);
    }
}

fn check_tool(device: &Device, tool: &Tool, place: Place, found: &mut Vec<Diagnostic>) {
    let error = |message: String| Diagnostic::error(place, format!("{}: {message}", tool.name));
    let placeholders: Vec<Code> = tool.parameters.iter().map(placeholder).collect();
    let names = match tool.body {
        Body::Primitive => Names::Step,
        Body::Macro(_) => Names::Inline(&placeholders),
    };
    let mut program = Program::default();
    for (key, formula) in [("before", &tool.conditions.before), ("after", &tool.conditions.after)] {
        let Some(formula) = formula else { continue };
        let emitted = Emitter {
            device,
            parameters: &tool.parameters,
            names,
            program: &mut program,
        }
        .emit(formula, None);
        match emitted {
            Err(message) => found.push(error(format!("in \"{key}\": {message}"))),
            Ok(code) if code.kind != Type::Boolean => {
                found.push(error(format!(
                    "\"{key}\" should be a condition, found {}",
                    code.kind.word()
                )));
            }
            Ok(_) => {}
        }
    }
    if let Body::Macro(steps) = &tool.body {
        for step in steps {
            if let Err(message) = check_step(device, tool, step, &placeholders, &mut program) {
                found.push(error(format!("in the step {}: {message}", step.tool)));
            }
        }
    }
    check_guarantees(device, tool, place, found);
}

fn check_step(
    device: &Device,
    tool: &Tool,
    step: &MacroStep,
    codes: &[Code],
    program: &mut Program,
) -> Result<(), String> {
    let primitive = device
        .tool(&step.tool)
        .ok_or_else(|| "there is no such tool".to_owned())?;
    if primitive.body != Body::Primitive {
        return Err("a macro is made of tools, not of macros".to_owned());
    }
    if let Some((name, _)) = step
        .arguments
        .iter()
        .find(|(name, _)| !primitive.parameters.iter().any(|p| p.name == *name))
    {
        return Err(format!("it has no parameter \"{name}\""));
    }
    for parameter in &primitive.parameters {
        let given = step.arguments.iter().find(|(name, _)| *name == parameter.name);
        let (_, expression) = given.ok_or_else(|| format!("the argument \"{}\" is missing", parameter.name))?;
        emit_as(
            expression,
            device,
            &tool.parameters,
            Names::Inline(codes),
            &parameter.kind,
            program,
        )?;
    }
    Ok(())
}

fn check_guarantees(device: &Device, tool: &Tool, place: Place, found: &mut Vec<Diagnostic>) {
    let moves = tool
        .conditions
        .after
        .as_ref()
        .is_some_and(|after| after.target().is_some());
    if moves && device.envelope.bounds.is_none() {
        let message = format!(
            "{} moves the device, and \"limits:\" has no bounds; say how far it may go",
            tool.name
        );
        found.push(Diagnostic::error(place, message));
    }
    for parameter in &tool.parameters {
        if let Some(message) = check_limit(device, tool, parameter) {
            found.push(Diagnostic::error(place, message));
        }
    }
    if tool.drives {
        check_drive(device, tool, place, found);
    }
    let proved = tool.conditions.after.is_some() || matches!(tool.body, Body::Macro(_));
    if tool.acts && !proved {
        let message = format!(
            "{} has no \"after:\"; its success can't be seen, and its runs end unverified",
            tool.name
        );
        found.push(Diagnostic::warning(place, message));
    }
}

/// A parameter that the envelope limits needs that limit, and a value that the limit allows.
fn check_limit(device: &Device, tool: &Tool, parameter: &Parameter) -> Option<String> {
    let Type::Quantity(dimension) = parameter.kind else {
        return None;
    };
    let envelope = &device.envelope;
    let (key, limit, needed) = match dimension {
        Dimension::Speed => ("max_speed", envelope.speed_max, true),
        Dimension::Acceleration => ("max_acceleration", envelope.acceleration_max, true),
        Dimension::AngularSpeed => ("max_turn_speed", envelope.turn_speed_max, true),
        Dimension::Angle => ("max_turn", envelope.turn_max, false),
        Dimension::Duration => ("max_duration", envelope.duration_max, false),
        _ => return None,
    };
    let name = dimension.name().replace('_', " ");
    let Some(limit) = limit else {
        let article = if name.starts_with('a') { "an" } else { "a" };
        return needed.then(|| format!("{} takes {article} {name}, and \"limits:\" has no {key}", tool.name));
    };
    let (low, high) = parameter.limit?;
    let least = if low <= 0 && high >= 0 {
        0
    } else {
        low.unsigned_abs().min(high.unsigned_abs())
    };
    (least > limit.unsigned_abs()).then(|| {
        let (low, limit) = (print_quantity(dimension, low), print_quantity(dimension, limit));
        format!(
            "{} of {} starts at {low}, and {key} is {limit}; no call of it could pass",
            parameter.name, tool.name
        )
    })
}

/// A device that goes on by itself must be able to stop in time, and to say where it is.
fn check_drive(device: &Device, tool: &Tool, place: Place, found: &mut Vec<Diagnostic>) {
    let envelope = &device.envelope;
    for (key, missing) in [
        ("max_speed", envelope.speed_max.is_none()),
        ("max_acceleration", envelope.acceleration_max.is_none()),
        ("bounds", envelope.bounds.is_none()),
    ] {
        if missing {
            let message = format!("{} drives on by itself, and \"limits:\" has no {key}", tool.name);
            found.push(Diagnostic::error(place, message));
        }
    }
    if !device
        .reports
        .iter()
        .any(|(field, kind)| field == "position" && *kind == Type::Point)
    {
        let message = format!(
            "{} drives on by itself, and \"reports:\" has no position: point; nobody would know where to",
            tool.name
        );
        found.push(Diagnostic::error(place, message));
    }
    if !device.connect.is_ours() {
        let message = format!(
            "{} drives on by itself, and a device with topics of its own does not watch where it goes: only the command is checked",
            tool.name
        );
        found.push(Diagnostic::warning(place, message));
    }
}

/// A value of the right type, so that formulas can be emitted without a call.
fn placeholder(parameter: &Parameter) -> Code {
    let value = match &parameter.kind {
        Type::Quantity(_) | Type::Number | Type::Integer => Value::Number(0),
        Type::Boolean => Value::Bool(false),
        Type::Place | Type::Point => Value::Point([0; 3]),
        Type::Enumeration(_) | Type::Entity | Type::Text => Value::Symbol(Symbol::NONE),
    };
    let kind = if parameter.kind == Type::Place {
        Type::Point
    } else {
        parameter.kind.clone()
    };
    Code {
        ops: vec![Op::Const(value)],
        kind,
    }
}
