//! Plans to programs. Macros become primitives, formulas become postfix code, names become symbols; types are checked on the way, so
//! that code which the follower runs can't meet a value of the wrong type. A trace whose slots are still open is compiled the same way
//! (`trace`), and the same checks run over a manifest when it is read (`manifest`).

mod emit;
mod manifest;
mod trace;

pub use manifest::check_device;
pub use trace::{check_trace, compile_trace, spelled};

use crate::goal::Dimension;
use crate::options::{OnFailure, Options, WAIT, Wait};
use crate::plan::{Given, Plan, PlannedCall, print_ms};
use crate::text::expression::{self, Expression, Operator};
use crate::tool::{Body, Device, MacroStep, Parameter, Tool, Type};
use emit::{Code, Emitter, Names, emit_as, same_kind};
use llmos_follower::code::STACK_MAX;
use llmos_follower::program::{ARGUMENTS_MAX, CALLS_MAX, COMPENSATION_MAX, RESULTS_MAX, STARTS_MAX, STEPS_MAX};
use llmos_follower::state::POSITION;
use llmos_follower::{Call, Kind, MICRO, OnError, Op, Program, Range, Readings, Split, Step, Symbol, Value};

/// Compiles a plan. `readings` answers where an entity was when the run began.
///
/// # Errors
/// What does not fit or is not known, in words.
pub fn compile(plan: &Plan, devices: &[Device], readings: &Readings) -> Result<Program, String> {
    let mut compiler = Compiler::default();
    for (name, condition) in &plan.start {
        compiler.start(find_device(devices, name)?, condition)?;
    }
    for call in &plan.calls {
        let device = find_device(devices, &call.device)?;
        let undoing = call.compensate.iter();
        let undoing = undoing.map(|call| compiler.deed(call, devices, readings));
        let undoing = undoing.collect::<Result<Vec<_>, String>>()?;
        let done = if let Some(wait) = &call.options.wait {
            compiler.wait(device, wait, &call.options, undoing)
        } else {
            let deed = compiler.deed(call, devices, readings)?;
            compiler.call(&deed, &call.options, undoing)
        };
        done.map_err(Mistake::words)?;
    }
    compiler.finish().map_err(Mistake::words)
}

/// The planned call that a step answers for at the gate: the one it is a part of, or the one that compensates for that.
#[must_use]
pub fn planned<'p>(
    plan: &'p Plan,
    program: &Program,
    devices: &[Device],
    step: u8,
    call: usize,
) -> Option<&'p PlannedCall> {
    let Some(mut left) = usize::from(step).checked_sub(program.main().len()) else {
        return plan.calls.get(call);
    };
    // In the order in which `finish` lays them down.
    for undoing in plan.calls.iter().flat_map(|call| &call.compensate) {
        let device = devices.iter().find(|device| device.name == undoing.device)?;
        let steps = steps_of(device.tool(&undoing.tool)?);
        match left.checked_sub(steps) {
            None => return Some(undoing),
            Some(rest) => left = rest,
        }
    }
    None
}

/// How many primitives carry a tool out.
fn steps_of(tool: &Tool) -> usize {
    match &tool.body {
        Body::Primitive => 1,
        Body::Macro(steps) => steps.len(),
    }
}

fn find_device<'d>(devices: &'d [Device], name: &str) -> Result<&'d Device, String> {
    let device = devices.iter().find(|device| device.name == name);
    device.ok_or_else(|| format!("there is no device \"{name}\""))
}

/// What is wrong with a call, and with which of its options; none where it is the call itself.
struct Mistake {
    part: &'static str,
    message: String,
}

impl Mistake {
    fn of(part: &'static str) -> impl Fn(String) -> Mistake {
        move |message| Mistake { part, message }
    }

    fn words(self) -> String {
        if self.part.is_empty() {
            self.message
        } else {
            format!("in \"{}\": {}", self.part, self.message)
        }
    }
}

impl From<String> for Mistake {
    fn from(message: String) -> Mistake {
        Mistake { part: "", message }
    }
}

/// A call with its arguments as code.
struct Deed<'a> {
    device: &'a Device,
    tool: &'a Tool,
    /// What its steps compute with, in the order of the tool's parameters.
    values: Vec<Code>,
    /// What the digest sees: parameter and value.
    named: Vec<(String, Op)>,
}

#[derive(Default)]
struct Compiler<'a> {
    program: Program,
    /// What earlier calls keep, by register.
    results: Vec<(String, Type)>,
    /// Calls, and what compensates for them.
    undoing: Vec<(u8, Vec<Deed<'a>>)>,
}

impl<'a> Compiler<'a> {
    fn start(&mut self, device: &Device, condition: &str) -> Result<(), String> {
        let ops = self.condition(condition, device, &[], Names::Step)?;
        let range = self.pool(&ops)?;
        let pushed = self.program.start.push((Symbol::of(&device.name), range));
        pushed.map_err(|_| format!("the start looks at more than {STARTS_MAX} devices"))
    }

    /// A planned call with its arguments: constants, and readings where a named thing's position is meant.
    fn deed(&self, call: &PlannedCall, devices: &'a [Device], readings: &Readings) -> Result<Deed<'a>, String> {
        let device = find_device(devices, &call.device)?;
        let tool = device.tool(&call.tool);
        let tool = tool.ok_or_else(|| format!("{} has no tool \"{}\"", call.device, call.tool))?;
        let mut values = Vec::new();
        for (parameter, argument) in tool.parameters.iter().zip(&call.arguments) {
            if parameter.name != argument.parameter {
                return Err(format!(
                    "{} expects \"{}\", found \"{}\"",
                    tool.name, parameter.name, argument.parameter
                ));
            }
            check_seen(&argument.value, device, readings)?;
            values.push(self.argument(&argument.value, device, parameter, Some(readings))?);
        }
        let named = call.arguments.iter();
        let named = named.map(|argument| (argument.parameter.clone(), Op::Const(canonical(&argument.value))));
        check_complete(tool, values.len())?;
        Ok(Deed {
            device,
            tool,
            values,
            named: named.collect(),
        })
    }

    fn argument(
        &self,
        value: &Given,
        device: &Device,
        parameter: &Parameter,
        readings: Option<&Readings>,
    ) -> Result<Code, String> {
        let as_place = matches!(parameter.kind, Type::Place | Type::Point);
        let kind = if as_place { Type::Point } else { parameter.kind.clone() };
        let ops = match value {
            Given::Named(name) if as_place => match device.places.iter().find(|(place, _)| place == name) {
                Some((_, point)) => vec![Op::Const(Value::Point(*point))],
                None => position_of(Op::Const(Value::Symbol(Symbol::of(name)))),
            },
            Given::Start(name) => {
                let was = |readings: &Readings| readings.get(Symbol::of(&device.name), Symbol::of(name), POSITION);
                match readings.and_then(was) {
                    Some(point @ Value::Point(_)) => vec![Op::Const(point)],
                    _ => return Err(format!("{} does not report where \"{name}\" is", device.name)),
                }
            }
            Given::Result(name) => {
                let register = self.results.iter().position(|(known, _)| known == name);
                let register = register.ok_or_else(|| format!("no earlier step keeps \"{name}\""))?;
                let kept = &self.results[register].1;
                if !same_kind(kept, &kind) {
                    let (expected, found) = (kind.word(), kept.word());
                    return Err(format!(
                        "expected {expected}, found the result \"{name}\", which is {found}"
                    ));
                }
                vec![Op::Result(narrow(register)?)]
            }
            other => vec![Op::Const(canonical(other))],
        };
        Ok(Code { ops, kind })
    }

    fn call(&mut self, deed: &Deed<'_>, options: &Options, undoing: Vec<Deed<'a>>) -> Result<(), Mistake> {
        let index = narrow(self.program.calls.len())?;
        let mut call = Call {
            device: Symbol::of(&deed.device.name),
            tool: Symbol::of(&deed.tool.name),
            depends_on: depends_on(options, index)?,
            ..Call::default()
        };
        for (parameter, op) in &deed.named {
            let range = self.pool(&[*op])?;
            let pushed = call.arguments.push((Symbol::of(parameter), range));
            pushed.map_err(|_| format!("{} has more than {ARGUMENTS_MAX} arguments", deed.tool.name))?;
        }
        let first = self.program.steps.len();
        self.steps(deed, index)?;
        if let (Body::Macro(_), Some(after)) = (&deed.tool.body, &deed.tool.conditions.after) {
            call.ensure = self.formula(after, deed.device, &deed.tool.parameters, Names::Inline(&deed.values))?;
        }
        self.narrow_down(deed, options, first, &mut call)?;
        self.keep(deed, options)?;
        self.close(call, undoing)
    }

    /// The steps that carry out a call, with what the manifest says about them.
    fn steps(&mut self, deed: &Deed<'_>, call: u8) -> Result<(), String> {
        let Deed {
            device, tool, values, ..
        } = deed;
        let Body::Macro(steps) = &tool.body else {
            return self.step(device, tool, call, values);
        };
        let first = self.program.steps.len();
        for step in steps {
            self.macro_step(device, tool, step, call, values)?;
        }
        if let Some(before) = &tool.conditions.before {
            let names = Names::Inline(values);
            let code = self.emit(before, device, &tool.parameters, names)?;
            self.require(first, &code.ops)?;
        }
        Ok(())
    }

    /// What a trace says on top: conditions are joined to the manifest's, so that they can't loosen it.
    fn narrow_down(
        &mut self,
        deed: &Deed<'_>,
        options: &Options,
        first: usize,
        call: &mut Call,
    ) -> Result<(), Mistake> {
        let (device, tool) = (deed.device, deed.tool);
        let alone = matches!(tool.body, Body::Primitive);
        let inline = Names::Inline(&deed.values);
        if let Some(before) = &options.before {
            let names = if alone { Names::Step } else { inline };
            let ops = self.condition(before, device, &tool.parameters, names);
            let ops = ops.map_err(Mistake::of("before"))?;
            self.require(first, &ops).map_err(Mistake::of("before"))?;
        }
        if let Some(after) = &options.after {
            let of_step = alone && tool.acts;
            let names = if of_step { Names::Step } else { inline };
            let ops = self.condition(after, device, &tool.parameters, names);
            let ops = ops.and_then(|ops| looks_at_device(ops, !of_step));
            let ops = ops.map_err(Mistake::of("after"))?;
            let last = self.program.steps.last().map(|step| step.ensure);
            let known = if of_step { last.unwrap_or_default() } else { call.ensure };
            let joined = self.both(known, &ops).map_err(Mistake::of("after"))?;
            match self.program.steps.last_mut() {
                Some(step) if of_step => step.ensure = joined,
                _ => call.ensure = joined,
            }
        }
        if let Some(timeout_ms) = options.timeout_ms {
            self.hurry(timeout_ms, first, &tool.name)
                .map_err(Mistake::of("timeout"))?;
        }
        self.on_error(options, first, &tool.name)
    }

    /// A trace may wait less long than the manifest says, and never longer.
    fn hurry(&mut self, timeout_ms: u32, first: usize, tool: &str) -> Result<(), String> {
        let steps = self.program.steps.iter().skip(first);
        let longest = steps.map(|step| step.timeout_ms).max();
        if let Some(longest) = longest.filter(|longest| timeout_ms > *longest) {
            return Err(format!(
                "expected at most the {} that the manifest gives {tool}, found {}",
                print_ms(longest),
                print_ms(timeout_ms)
            ));
        }
        for step in self.program.steps.iter_mut().skip(first) {
            step.timeout_ms = step.timeout_ms.min(timeout_ms);
        }
        Ok(())
    }

    /// Compensating steps do not exist yet; `finish` lays them down and says where they are.
    fn on_error(&mut self, options: &Options, first: usize, tool: &str) -> Result<(), Mistake> {
        let Some(on_error) = options.on_error else {
            return Ok(());
        };
        let steps = self.program.steps.iter_mut().skip(first);
        match on_error {
            OnFailure::Retry(times) => {
                // A step that may be done again is tried twice where nothing else is said, and no other step is.
                let mut again = steps
                    .filter(|step| matches!(step.on_error, OnError::Retry(_)))
                    .peekable();
                if again.peek().is_none() {
                    let message = format!(
                        "{tool} can't be retried: the manifest does not say that doing it twice is the same as doing it once (\"idempotent: true\")"
                    );
                    return Err(Mistake::of("on_error")(message));
                }
                again.for_each(|step| step.on_error = OnError::Retry(times));
            }
            OnFailure::Skip => steps.for_each(|step| step.on_error = OnError::Skip),
            OnFailure::Stop => steps.for_each(|step| step.on_error = OnError::Stop),
            OnFailure::Handoff | OnFailure::Compensate => steps.for_each(|step| step.on_error = OnError::Handoff),
        }
        Ok(())
    }

    fn keep(&mut self, deed: &Deed<'_>, options: &Options) -> Result<(), Mistake> {
        let Some((name, reading)) = &options.keep else {
            return Ok(());
        };
        let wrong = Mistake::of("keep");
        let expression = expression::parse(reading).map_err(|mistake| wrong(mistake.message))?;
        let names = match deed.tool.body {
            Body::Primitive => Names::Step,
            Body::Macro(_) => Names::Inline(&deed.values),
        };
        let code = self.emit(&expression, deed.device, &deed.tool.parameters, names);
        let code = code.map_err(&wrong)?;
        let read = matches!(code.ops.last(), Some(Op::Reading { .. } | Op::ReadingOf { .. }));
        if !read {
            return Err(wrong(format!("\"{reading}\" is no reading of {}", deed.device.name)));
        }
        if self.results.len() == RESULTS_MAX || self.results.iter().any(|(known, _)| known == name) {
            return Err(wrong(format!(
                "\"{name}\" is kept twice, or more than {RESULTS_MAX} results are"
            )));
        }
        let register = narrow(self.results.len()).map_err(&wrong)?;
        let range = self.pool(&code.ops).map_err(&wrong)?;
        if let Some(step) = self.program.steps.last_mut() {
            step.keep = Some((register, range));
        }
        self.results.push((name.clone(), code.kind));
        Ok(())
    }

    fn wait(&mut self, device: &Device, wait: &Wait, options: &Options, undoing: Vec<Deed<'a>>) -> Result<(), Mistake> {
        let index = narrow(self.program.calls.len())?;
        let (device_name, tool) = (Symbol::of(&device.name), Symbol::of(WAIT));
        let mut call = Call {
            device: device_name,
            tool,
            depends_on: depends_on(options, index)?,
            ..Call::default()
        };
        let mut step = Step {
            device: device_name,
            tool,
            call: index,
            ..Step::default()
        };
        match wait {
            Wait::For(ms) => {
                let pause = self.pool(&[Op::Const(Value::Number(i64::from(*ms) * MICRO / 1_000))])?;
                // There is room for one.
                let _ = call.arguments.push((Symbol::of("for"), pause));
                (step.kind, step.timeout_ms) = (Kind::Pause(pause), *ms);
            }
            Wait::Until(condition) => {
                let ops = self.condition(condition, device, &[], Names::Step);
                let ops = ops.and_then(|ops| looks_at_device(ops, false));
                step.ensure = ops.and_then(|ops| self.pool(&ops)).map_err(Mistake::of("until"))?;
                let timeout = options.timeout_ms.ok_or_else(|| "a wait needs a timeout".to_owned())?;
                (step.kind, step.timeout_ms) = (Kind::Until, timeout);
            }
        }
        let first = self.program.steps.len();
        self.push(step)?;
        self.on_error(options, first, "a wait")?;
        self.close(call, undoing)
    }

    fn close(&mut self, call: Call, undoing: Vec<Deed<'a>>) -> Result<(), Mistake> {
        let steps: usize = undoing.iter().map(|deed| steps_of(deed.tool)).sum();
        if steps > COMPENSATION_MAX {
            let message = format!("compensating for a call takes at most {COMPENSATION_MAX} steps, found {steps}");
            return Err(Mistake::of("compensate")(message));
        }
        if !undoing.is_empty() {
            self.undoing.push((narrow(self.program.calls.len())?, undoing));
        }
        let pushed = self.program.calls.push(call);
        Ok(pushed.map_err(|_| format!("a plan has at most {CALLS_MAX} calls"))?)
    }

    /// Lays down the steps that compensate, behind all others.
    fn finish(mut self) -> Result<Program, Mistake> {
        for (call, deeds) in std::mem::take(&mut self.undoing) {
            let start = self.program.steps.len();
            for deed in &deeds {
                self.steps(deed, call)?;
            }
            let len = self.program.steps.len() - start;
            let range = Range {
                start: u16::from(narrow(start)?),
                len: u16::from(narrow(len)?),
            };
            let program = &mut self.program;
            let main = start - usize::from(program.compensating);
            let steps = program.steps.iter_mut().take(main).filter(|step| step.call == call);
            steps.for_each(|step| step.on_error = OnError::Compensate(range));
            program.compensating += narrow(len)?;
        }
        let checked = self.program.check();
        checked.map_err(|reject| format!("the compiled program is wrong: {reject:?}"))?;
        Ok(self.program)
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
        self.push(step)
    }

    fn push(&mut self, step: Step) -> Result<(), String> {
        let pushed = self.program.steps.push(step);
        pushed.map_err(|_| format!("the plan needs more than {STEPS_MAX} steps; ask for less at once"))
    }

    /// Adds to what must hold before a step.
    fn require(&mut self, step: usize, ops: &[Op]) -> Result<(), String> {
        let known = self.program.steps.get(step).map(|step| step.require);
        let joined = self.both(known.unwrap_or_default(), ops)?;
        if let Some(step) = self.program.steps.get_mut(step) {
            step.require = joined;
        }
        Ok(())
    }

    /// Both conditions in one.
    fn both(&mut self, known: Range, ops: &[Op]) -> Result<Range, String> {
        let mut joined = self.program.code.get(known.indices()).unwrap_or_default().to_vec();
        let more = !joined.is_empty();
        joined.extend_from_slice(ops);
        joined.extend(more.then_some(Op::And));
        self.pool(&joined)
    }

    /// The code of a condition that a person wrote into a trace.
    fn condition(
        &mut self,
        text: &str,
        device: &Device,
        parameters: &[Parameter],
        names: Names<'_>,
    ) -> Result<Vec<Op>, String> {
        let expression = expression::parse(text).map_err(|mistake| mistake.message)?;
        let code = self.emit(&expression, device, parameters, names)?;
        if code.kind == Type::Boolean {
            Ok(code.ops)
        } else {
            Err(format!("expected a condition, found {}", code.kind.word()))
        }
    }

    fn formula(
        &mut self,
        expression: &Expression,
        device: &Device,
        parameters: &[Parameter],
        names: Names<'_>,
    ) -> Result<Range, String> {
        let code = self.emit(expression, device, parameters, names)?;
        self.pool(&code.ops)
    }

    fn emit(
        &mut self,
        expression: &Expression,
        device: &Device,
        parameters: &[Parameter],
        names: Names<'_>,
    ) -> Result<Code, String> {
        let mut emitter = Emitter {
            device,
            parameters,
            names,
            program: &mut self.program,
        };
        emitter.emit(expression, None)
    }

    /// Puts code into the pool, or finds it there.
    fn pool(&mut self, ops: &[Op]) -> Result<Range, String> {
        check_depth(ops)?;
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

fn narrow(number: usize) -> Result<u8, String> {
    u8::try_from(number).map_err(|_| "the plan is too long".to_owned())
}

/// What the follower's stack can't hold is refused here and not in the middle of a run.
fn check_depth(ops: &[Op]) -> Result<(), String> {
    let mut depth = 0_usize;
    for op in ops {
        depth = depth.saturating_sub(op.pops()) + 1;
        if depth > STACK_MAX {
            return Err(format!(
                "the formula holds more than {STACK_MAX} values at once; write it with less nesting"
            ));
        }
    }
    Ok(())
}

/// A condition that looks at nothing which the device reports would prove anything. One about a whole call is computed when the call is
/// over, and what was before is not there any more.
fn looks_at_device(ops: Vec<Op>, at_the_end: bool) -> Result<Vec<Op>, String> {
    let now = |op: &Op| matches!(op, Op::Reading { .. } | Op::ReadingOf { .. });
    let back = |op: &Op| matches!(op, Op::Before { .. } | Op::BeforeOf { .. });
    if !ops.iter().any(now) {
        Err("this looks at nothing that the device reports, so it proves nothing".to_owned())
    } else if at_the_end && ops.iter().any(back) {
        Err("\"before.\" is about one command; a macro or a tool that only looks has none to look back from".to_owned())
    } else {
        Ok(ops)
    }
}

fn depends_on(options: &Options, index: u8) -> Result<u32, Mistake> {
    let mut bits = 0;
    for number in &options.depends_on {
        let earlier = number.checked_sub(1).filter(|earlier| *earlier < index);
        let earlier = earlier.ok_or_else(|| {
            let message = format!(
                "step {} can't depend on step {number}, which is not before it",
                index + 1
            );
            Mistake::of("depends_on")(message)
        })?;
        bits |= 1_u32.checked_shl(u32::from(earlier)).unwrap_or(0);
    }
    Ok(bits)
}

/// The code of an entity's position.
fn position_of(entity: Op) -> Vec<Op> {
    vec![entity, Op::ReadingOf { field: POSITION }]
}

fn check_seen(value: &Given, device: &Device, readings: &Readings) -> Result<(), String> {
    let seen = |name: &str| {
        readings
            .iter()
            .any(|reading| reading.device == Symbol::of(&device.name) && reading.owner == Symbol::of(name))
    };
    let placed = |name: &str| device.places.iter().any(|(place, _)| place == name);
    match value {
        Given::Entity(name) | Given::Named(name) if !seen(name) && !placed(name) => {
            Err(format!("{} does not see \"{name}\"", device.name))
        }
        _ => Ok(()),
    }
}

fn check_complete(tool: &Tool, given: usize) -> Result<(), String> {
    let missing = tool.parameters.iter().skip(given).find(|parameter| parameter.required);
    match missing {
        Some(parameter) => Err(format!("{} lacks the argument \"{}\"", tool.name, parameter.name)),
        None => Ok(()),
    }
}

/// The value of an argument in digests and, but for places by name, in commands.
fn canonical(value: &Given) -> Value {
    match value {
        Given::Quantity(_, micro) | Given::Number(micro) => Value::Number(*micro),
        Given::Boolean(truth) => Value::Bool(*truth),
        Given::Option(name) | Given::Entity(name) | Given::Named(name) | Given::Text(name) => {
            Value::Symbol(Symbol::of(name))
        }
        Given::Start(_) | Given::Result(_) => Value::Symbol(Symbol::of(&value.to_string())),
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
