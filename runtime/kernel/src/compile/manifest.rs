//! The same checks over a manifest when it is read, so that a formula which can't be compiled is found there and not in a run.

use super::emit::{Code, Emitter, Names, emit_as};
use crate::goal::Dimension;
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
        if parameter.kind == Type::Quantity(Dimension::Speed) && device.envelope.speed_max.is_none() {
            let message = format!("{} takes a speed, and \"limits:\" has no max_speed", tool.name);
            found.push(Diagnostic::error(place, message));
        }
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
