//! Plans to programs. Macros become primitives, formulas become postfix code, names become symbols; types are checked on the way, so
//! that code which the follower runs can't meet a value of the wrong type. The same checks run over a manifest when it is read.

use crate::goal::Dimension;
use crate::plan::{Given, Plan, PlannedCall};
use crate::text::Diagnostic;
use crate::text::expression::{Expression, Operator};
use crate::text::manifest::ToolPlaces;
use crate::text::node::Place;
use crate::tool::{Body, Device, MacroStep, Parameter, Tool, Type};
use llmos_follower::program::{ARGUMENTS_MAX, CALLS_MAX, STEPS_MAX};
use llmos_follower::state::POSITION;
use llmos_follower::{Call, Kind, OnError, Op, Program, Range, Readings, Split, Step, Symbol, Value};

/// Compiles a plan. `readings` answers where an entity was when the run began.
///
/// # Errors
/// What does not fit or is not known, in words.
pub fn compile(plan: &Plan, devices: &[Device], readings: &Readings) -> Result<Program, String> {
    let mut compiler = Compiler {
        program: Program::default(),
    };
    for call in &plan.calls {
        let device = devices.iter().find(|device| device.name == call.device);
        let device = device.ok_or_else(|| format!("there is no device \"{}\"", call.device))?;
        let tool = device
            .tool(&call.tool)
            .ok_or_else(|| format!("{} has no tool \"{}\"", call.device, call.tool))?;
        compiler.call(call, device, tool, readings)?;
    }
    compiler
        .program
        .check()
        .map_err(|reject| format!("the compiled program is wrong: {reject:?}"))?;
    Ok(compiler.program)
}

/// What a parameter's name stands for in a formula.
#[derive(Clone, Copy)]
enum Names<'a> {
    /// An argument of the step at hand.
    Step,
    /// The code of a call's arguments, in place of the name.
    Inline(&'a [Code]),
}

#[derive(Clone, PartialEq, Debug)]
struct Code {
    ops: Vec<Op>,
    kind: Type,
}

struct Compiler {
    program: Program,
}

impl Compiler {
    fn call(&mut self, call: &PlannedCall, device: &Device, tool: &Tool, readings: &Readings) -> Result<(), String> {
        let index = u8::try_from(self.program.calls.len()).map_err(|_| "too many calls".to_owned())?;
        let values = argument_codes(call, device, tool, readings)?;
        let mut compiled = Call {
            device: Symbol::of(&device.name),
            tool: Symbol::of(&tool.name),
            ..Call::default()
        };
        for argument in &call.arguments {
            let range = self.pool(&[Op::Const(canonical(&argument.value))])?;
            let pushed = compiled.arguments.push((Symbol::of(&argument.parameter), range));
            pushed.map_err(|_| format!("{} has more than {ARGUMENTS_MAX} arguments", tool.name))?;
        }
        match &tool.body {
            Body::Primitive => self.step(device, tool, index, &values)?,
            Body::Macro(steps) => {
                let first = self.program.steps.len();
                for step in steps {
                    self.macro_step(device, tool, step, index, &values)?;
                }
                if let Some(before) = &tool.conditions.before {
                    let require = self.formula(before, device, &tool.parameters, Names::Inline(&values))?;
                    if let Some(step) = self.program.steps.get_mut(first) {
                        step.require = require;
                    }
                }
                if let Some(after) = &tool.conditions.after {
                    compiled.ensure = self.formula(after, device, &tool.parameters, Names::Inline(&values))?;
                }
            }
        }
        let pushed = self.program.calls.push(compiled);
        pushed.map_err(|_| format!("a plan has at most {CALLS_MAX} calls"))
    }

    fn macro_step(
        &mut self,
        device: &Device,
        tool: &Tool,
        step: &MacroStep,
        call: u8,
        values: &[Code],
    ) -> Result<(), String> {
        let primitive = device
            .tool(&step.tool)
            .ok_or_else(|| format!("{} has no tool \"{}\"", device.name, step.tool))?;
        let mut arguments = Vec::new();
        for parameter in &primitive.parameters {
            let given = step.arguments.iter().find(|(name, _)| *name == parameter.name);
            let (_, expression) =
                given.ok_or_else(|| format!("{} lacks the argument \"{}\"", step.tool, parameter.name))?;
            arguments.push(emit_as(
                expression,
                device,
                &tool.parameters,
                Names::Inline(values),
                &parameter.kind,
                &mut self.program,
            )?);
        }
        self.step(device, primitive, call, &arguments)
    }

    fn step(&mut self, device: &Device, tool: &Tool, call: u8, arguments: &[Code]) -> Result<(), String> {
        let mut step = Step {
            device: Symbol::of(&device.name),
            tool: Symbol::of(&tool.name),
            call,
            timeout_ms: tool.timeout_ms,
            kind: if tool.acts { Kind::Command } else { Kind::Read },
            on_error: if tool.idempotent && tool.acts {
                OnError::Retry(1)
            } else {
                OnError::Handoff
            },
            leg_max: device.envelope.step_max.unwrap_or(0),
            ..Step::default()
        };
        for (parameter, code) in tool.parameters.iter().zip(arguments) {
            let range = self.pool(&code.ops)?;
            let pushed = step.arguments.push((Symbol::of(&parameter.name), range));
            pushed.map_err(|_| format!("{} has more than {ARGUMENTS_MAX} arguments", tool.name))?;
        }
        if let Some(before) = &tool.conditions.before {
            step.require = self.formula(before, device, &tool.parameters, Names::Step)?;
        }
        if let Some(after) = &tool.conditions.after {
            step.ensure = self.formula(after, device, &tool.parameters, Names::Step)?;
            if let Some(target) = after.target() {
                step.target = self.formula(target, device, &tool.parameters, Names::Step)?;
                step.split = split(target, &tool.parameters);
            }
        }
        let pushed = self.program.steps.push(step);
        pushed.map_err(|_| format!("the plan needs more than {STEPS_MAX} steps; ask for less at once"))
    }

    fn formula(
        &mut self,
        expression: &Expression,
        device: &Device,
        parameters: &[Parameter],
        names: Names<'_>,
    ) -> Result<Range, String> {
        let code = Emitter {
            device,
            parameters,
            names,
            program: &mut self.program,
        }
        .emit(expression, None)?;
        self.pool(&code.ops)
    }

    /// Puts code into the pool, or finds it there.
    fn pool(&mut self, ops: &[Op]) -> Result<Range, String> {
        let code = &mut self.program.code;
        let known = code.windows(ops.len().max(1)).position(|window| window == ops);
        let start = if let Some(start) = known {
            start
        } else {
            let start = code.len();
            code.extend_from_slice(ops)
                .map_err(|_| "the plan's formulas are too long together; ask for less at once".to_owned())?;
            start
        };
        match (u16::try_from(start), u16::try_from(ops.len())) {
            (Ok(start), Ok(len)) => Ok(Range { start, len }),
            _ => Err("the plan's formulas are too long together".to_owned()),
        }
    }
}

/// The code of each argument of a call: constants, and readings where a named thing's position is meant.
fn argument_codes(call: &PlannedCall, device: &Device, tool: &Tool, readings: &Readings) -> Result<Vec<Code>, String> {
    let mut codes = Vec::new();
    for (parameter, argument) in tool.parameters.iter().zip(&call.arguments) {
        if parameter.name != argument.parameter {
            return Err(format!(
                "{} expects \"{}\", found \"{}\"",
                tool.name, parameter.name, argument.parameter
            ));
        }
        codes.push(argument_code(&argument.value, device, parameter, readings)?);
    }
    let missing = tool
        .parameters
        .iter()
        .skip(codes.len())
        .find(|parameter| parameter.required);
    match missing {
        Some(parameter) => Err(format!("{} lacks the argument \"{}\"", tool.name, parameter.name)),
        None => Ok(codes),
    }
}

fn argument_code(value: &Given, device: &Device, parameter: &Parameter, readings: &Readings) -> Result<Code, String> {
    let as_place = matches!(parameter.kind, Type::Place | Type::Point);
    let seen = |name: &str| {
        readings
            .iter()
            .any(|reading| reading.device == Symbol::of(&device.name) && reading.owner == Symbol::of(name))
    };
    let placed = |name: &str| device.places.iter().any(|(place, _)| place == name);
    if let Given::Entity(name) | Given::Named(name) = value
        && !seen(name)
        && !placed(name)
    {
        return Err(format!("{} does not see \"{name}\"", device.name));
    }
    let ops = match value {
        Given::Named(name) if as_place => match device.places.iter().find(|(place, _)| place == name) {
            Some((_, point)) => vec![Op::Const(Value::Point(*point))],
            None => vec![
                Op::Const(Value::Symbol(Symbol::of(name))),
                Op::ReadingOf { field: POSITION },
            ],
        },
        Given::Start(name) => match readings.get(Symbol::of(&device.name), Symbol::of(name), POSITION) {
            Some(point @ Value::Point(_)) => vec![Op::Const(point)],
            _ => return Err(format!("{} does not report where \"{name}\" is", device.name)),
        },
        other => vec![Op::Const(canonical(other))],
    };
    let kind = if as_place { Type::Point } else { parameter.kind.clone() };
    Ok(Code { ops, kind })
}

/// The value of an argument in digests and, but for places by name, in commands.
fn canonical(value: &Given) -> Value {
    match value {
        Given::Quantity(_, micro) | Given::Number(micro) => Value::Number(*micro),
        Given::Boolean(truth) => Value::Bool(*truth),
        Given::Option(name) | Given::Entity(name) | Given::Named(name) | Given::Text(name) => {
            Value::Symbol(Symbol::of(name))
        }
        Given::Start(name) => Value::Symbol(Symbol::of(&format!("start of {name}"))),
        Given::Point(point) => Value::Point(*point),
    }
}

/// A point parameter as the whole target is cut toward; one length in a displacement is cut along.
fn split(target: &Expression, parameters: &[Parameter]) -> Split {
    let index = |name: &str| {
        parameters
            .iter()
            .position(|parameter| parameter.name == name)
            .and_then(|at| u8::try_from(at).ok())
    };
    match target {
        Expression::Name(name) => index(name).map_or(Split::Never, Split::Toward),
        Expression::Binary(Operator::Add, left, right) if matches!(left.as_ref(), Expression::Before(field) if field == "position") =>
        {
            let mut lengths = factors(right).into_iter().filter_map(|factor| match factor {
                Expression::Name(name) => {
                    let at = index(name)?;
                    (parameters[usize::from(at)].kind == Type::Quantity(Dimension::Length)).then_some(at)
                }
                _ => None,
            });
            match (lengths.next(), lengths.next()) {
                (Some(at), None) => Split::Along(at),
                _ => Split::Never,
            }
        }
        _ => Split::Never,
    }
}

fn factors(expression: &Expression) -> Vec<&Expression> {
    match expression {
        Expression::Binary(Operator::Mul, left, right) => {
            let mut list = factors(left);
            list.extend(factors(right));
            list
        }
        other => vec![other],
    }
}

fn emit_as(
    expression: &Expression,
    device: &Device,
    parameters: &[Parameter],
    names: Names<'_>,
    expected: &Type,
    program: &mut Program,
) -> Result<Code, String> {
    let expected = if *expected == Type::Place {
        Type::Point
    } else {
        expected.clone()
    };
    let code = Emitter {
        device,
        parameters,
        names,
        program,
    }
    .emit(expression, Some(&expected))?;
    if same_kind(&code.kind, &expected) {
        Ok(code)
    } else {
        Err(format!("expected {}, found {}", expected.word(), code.kind.word()))
    }
}

struct Emitter<'a> {
    device: &'a Device,
    parameters: &'a [Parameter],
    names: Names<'a>,
    program: &'a mut Program,
}

impl Emitter<'_> {
    /// Emits code; `hint` is the type that a bare option or entity name would have.
    fn emit(&mut self, expression: &Expression, hint: Option<&Type>) -> Result<Code, String> {
        let constant = |value, kind| {
            Ok(Code {
                ops: vec![Op::Const(value)],
                kind,
            })
        };
        match expression {
            Expression::Quantity(dimension, micro) => constant(Value::Number(*micro), Type::Quantity(*dimension)),
            Expression::Number(micro) => constant(Value::Number(*micro), Type::Number),
            Expression::Point(point) => constant(Value::Point(*point), Type::Point),
            Expression::Boolean(truth) => constant(Value::Bool(*truth), Type::Boolean),
            Expression::Nothing => constant(Value::Symbol(Symbol::NONE), Type::Entity),
            Expression::Name(name) => self.name(name, hint),
            Expression::Now(field) => {
                let kind = self.report(field)?;
                Ok(Code {
                    ops: vec![Op::Reading {
                        owner: Symbol::NONE,
                        field: Symbol::of(field),
                    }],
                    kind,
                })
            }
            Expression::Before(field) => {
                let kind = self.report(field)?;
                Ok(Code {
                    ops: vec![Op::Before {
                        owner: Symbol::NONE,
                        field: Symbol::of(field),
                    }],
                    kind,
                })
            }
            Expression::Field(name, field) => self.field(name, field, false),
            Expression::BeforeField(name, field) => self.field(name, field, true),
            Expression::Not(inner) => {
                let mut code = self.emit(inner, None)?;
                expect(&code, &Type::Boolean)?;
                code.ops.push(Op::Not);
                Ok(code)
            }
            Expression::Near(left, right, tolerance) => self.near(left, right, *tolerance),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
        }
    }

    fn name(&mut self, name: &str, hint: Option<&Type>) -> Result<Code, String> {
        if let Some(code) = self.parameter(name) {
            return Ok(code);
        }
        if let Some((_, kind)) = self.device.reports.iter().find(|(field, _)| field == name) {
            let op = Op::Reading {
                owner: Symbol::NONE,
                field: Symbol::of(name),
            };
            return Ok(Code {
                ops: vec![op],
                kind: kind.clone(),
            });
        }
        if let Some((_, point)) = self.device.places.iter().find(|(place, _)| place == name) {
            return Ok(Code {
                ops: vec![Op::Const(Value::Point(*point))],
                kind: Type::Point,
            });
        }
        let kind = match hint {
            Some(Type::Enumeration(options)) if !options.iter().any(|option| option == name) => {
                return Err(format!("\"{name}\" is none of {}", options.join(", ")));
            }
            Some(kind @ (Type::Enumeration(_) | Type::Entity | Type::Text)) => kind.clone(),
            _ => {
                return Err(format!(
                    "\"{name}\" is neither a parameter nor something that the device reports (see \"reports:\")"
                ));
            }
        };
        Ok(Code {
            ops: vec![Op::Const(Value::Symbol(Symbol::of(name)))],
            kind,
        })
    }

    fn parameter(&self, name: &str) -> Option<Code> {
        let at = self.parameters.iter().position(|parameter| parameter.name == name)?;
        let kind = &self.parameters[at].kind;
        let kind = if *kind == Type::Place {
            Type::Point
        } else {
            kind.clone()
        };
        match self.names {
            Names::Step => Some(Code {
                ops: vec![Op::Argument(u8::try_from(at).ok()?)],
                kind,
            }),
            Names::Inline(codes) => codes.get(at).cloned(),
        }
    }

    fn report(&self, field: &str) -> Result<Type, String> {
        let known = self.device.reports.iter().find(|(name, _)| name == field);
        known
            .map(|(_, kind)| kind.clone())
            .ok_or_else(|| format!("\"{field}\" is not among what the device reports (see \"reports:\")"))
    }

    fn field(&mut self, name: &str, field: &str, before: bool) -> Result<Code, String> {
        let kind = self
            .device
            .entity_reports
            .iter()
            .find(|(known, _)| known == field)
            .map(|(_, kind)| kind.clone());
        let kind =
            kind.ok_or_else(|| format!("\"{field}\" is not among what is reported of entities (see \"entities:\")"))?;
        let Some(mut code) = self.parameter(name) else {
            // No parameter: an entity of that name, which the device reports or does not; the follower says which.
            let (owner, field) = (Symbol::of(name), Symbol::of(field));
            return Ok(Code {
                ops: vec![if before {
                    Op::Before { owner, field }
                } else {
                    Op::Reading { owner, field }
                }],
                kind,
            });
        };
        if code.kind != Type::Entity {
            return Err(format!(
                "\"{name}.{field}\" needs an entity, and {name} is {}",
                code.kind.word()
            ));
        }
        let field = Symbol::of(field);
        code.ops.push(if before {
            Op::BeforeOf { field }
        } else {
            Op::ReadingOf { field }
        });
        Ok(Code { ops: code.ops, kind })
    }

    /// Both sides of a comparison; a bare name takes the other side's type.
    fn sides(&mut self, left: &Expression, right: &Expression) -> Result<(Code, Code), String> {
        match self.emit(left, None) {
            Ok(a) => {
                let b = self.emit(right, Some(&a.kind))?;
                Ok((a, b))
            }
            Err(mistake) => {
                let b = self.emit(right, None).map_err(|_| mistake)?;
                let a = self.emit(left, Some(&b.kind))?;
                Ok((a, b))
            }
        }
    }

    fn near(&mut self, left: &Expression, right: &Expression, tolerance: i64) -> Result<Code, String> {
        let (a, b) = self.sides(left, right)?;
        let op = match (&a.kind, &b.kind) {
            (Type::Quantity(Dimension::Angle), Type::Quantity(Dimension::Angle)) => Op::NearTurn(tolerance),
            (Type::Point, Type::Point) => Op::Near(tolerance),
            (x, y) if numeric(x) && same_kind(x, y) => Op::Near(tolerance),
            (x, y) => {
                return Err(format!(
                    "a tolerance needs two quantities or points of one kind, found {} and {}",
                    x.word(),
                    y.word()
                ));
            }
        };
        Ok(joined(a, b, op, Type::Boolean))
    }

    fn binary(&mut self, operator: Operator, left: &Expression, right: &Expression) -> Result<Code, String> {
        match operator {
            Operator::And | Operator::Or => {
                let (a, b) = (self.emit(left, None)?, self.emit(right, None)?);
                expect(&a, &Type::Boolean)?;
                expect(&b, &Type::Boolean)?;
                Ok(joined(
                    a,
                    b,
                    if operator == Operator::And { Op::And } else { Op::Or },
                    Type::Boolean,
                ))
            }
            Operator::Equal | Operator::Unequal => {
                let (a, b) = self.sides(left, right)?;
                if !same_kind(&a.kind, &b.kind) {
                    return Err(format!("{} and {} can't be equal", a.kind.word(), b.kind.word()));
                }
                let mut code = joined(a, b, Op::Eq, Type::Boolean);
                if operator == Operator::Unequal {
                    code.ops.push(Op::Not);
                }
                Ok(code)
            }
            Operator::AtMost | Operator::AtLeast => {
                let (a, b) = self.sides(left, right)?;
                if !(numeric(&a.kind) && same_kind(&a.kind, &b.kind)) {
                    return Err(format!("{} and {} have no order", a.kind.word(), b.kind.word()));
                }
                Ok(joined(
                    a,
                    b,
                    if operator == Operator::AtMost {
                        Op::AtMost
                    } else {
                        Op::AtLeast
                    },
                    Type::Boolean,
                ))
            }
            Operator::Add | Operator::Sub => {
                let (a, b) = (self.emit(left, None)?, self.emit(right, None)?);
                let fits = same_kind(&a.kind, &b.kind) && (numeric(&a.kind) || a.kind == Type::Point);
                if !fits {
                    return Err(format!("{} and {} can't be added", a.kind.word(), b.kind.word()));
                }
                let kind = a.kind.clone();
                Ok(joined(
                    a,
                    b,
                    if operator == Operator::Add { Op::Add } else { Op::Sub },
                    kind,
                ))
            }
            Operator::Mul => {
                let (a, b) = (self.factor(left)?, self.factor(right)?);
                let kind = product_kind(&a.kind, &b.kind)
                    .ok_or_else(|| format!("{} and {} can't be multiplied", a.kind.word(), b.kind.word()))?;
                Ok(joined(a, b, Op::Mul, kind))
            }
        }
    }

    /// An operand of a product: an enumeration there stands for its directions.
    fn factor(&mut self, expression: &Expression) -> Result<Code, String> {
        let mut code = self.emit(expression, None)?;
        let Type::Enumeration(options) = &code.kind else {
            return Ok(code);
        };
        let mut cases = Vec::new();
        for option in options {
            let known = self.device.directions.iter().find(|(name, _)| name == option);
            let (_, value) =
                known.ok_or_else(|| format!("the option \"{option}\" has no direction (see \"directions:\")"))?;
            cases.push((Symbol::of(option), *value));
        }
        let points = cases
            .iter()
            .filter(|(_, value)| matches!(value, Value::Point(_)))
            .count();
        if points != 0 && points != cases.len() {
            return Err(format!(
                "the directions of {} are partly points and partly signs",
                options.join(", ")
            ));
        }
        let kind = if points == 0 { Type::Number } else { Type::Point };
        let pool = &mut self.program.cases;
        let known = pool
            .windows(cases.len().max(1))
            .position(|window| window == cases.as_slice());
        let start = if let Some(start) = known {
            start
        } else {
            let start = pool.len();
            pool.extend_from_slice(&cases)
                .map_err(|_| "too many directions in one plan".to_owned())?;
            start
        };
        let narrow = |n: usize| u16::try_from(n).map_err(|_| "too many directions in one plan".to_owned());
        code.ops.push(Op::Map(Range {
            start: narrow(start)?,
            len: narrow(cases.len())?,
        }));
        Ok(Code { ops: code.ops, kind })
    }
}

fn joined(a: Code, b: Code, op: Op, kind: Type) -> Code {
    let mut ops = a.ops;
    ops.extend(b.ops);
    ops.push(op);
    Code { ops, kind }
}

fn expect(code: &Code, kind: &Type) -> Result<(), String> {
    if code.kind == *kind {
        Ok(())
    } else {
        Err(format!("expected {}, found {}", kind.word(), code.kind.word()))
    }
}

fn numeric(kind: &Type) -> bool {
    matches!(kind, Type::Quantity(_) | Type::Number | Type::Integer)
}

fn same_kind(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Number | Type::Integer, Type::Number | Type::Integer) => true,
        // Two enumerations compare where they share an option; a report may list more than a parameter.
        (Type::Enumeration(x), Type::Enumeration(y)) => x.iter().any(|option| y.contains(option)),
        _ => a == b,
    }
}

/// Ratios and numbers scale anything; a direction (a point without a unit) times a length is a displacement.
fn product_kind(a: &Type, b: &Type) -> Option<Type> {
    let plain = |kind: &Type| matches!(kind, Type::Number | Type::Integer | Type::Quantity(Dimension::Ratio));
    match (a, b) {
        (x, y) if plain(x) && (numeric(y) || *y == Type::Point) => Some(y.clone()),
        (x, y) if plain(y) && (numeric(x) || *x == Type::Point) => Some(x.clone()),
        (Type::Point, Type::Quantity(Dimension::Length)) | (Type::Quantity(Dimension::Length), Type::Point) => {
            Some(Type::Point)
        }
        _ => None,
    }
}

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
