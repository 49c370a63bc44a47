//! A trace to a program whose slots are still open, so that it can be stored, shown and pushed to a device. Everything that is not
//! understood is an error with its place. It must not know readings: what needs them can't be compiled here, and is said so.

use super::{Compiler, Deed, Mistake, canonical, find_device, position_of};
use crate::names::Names;
use crate::plan::Given;
use crate::text::trace::{Places, StepPlaces, Trace, TraceStep, slot_of};
use crate::text::{Diagnostic, Place};
use crate::tool::{Device, Parameter, Tool, Type};
use llmos_follower::program::SLOTS_MAX;
use llmos_follower::{Call, Op, Program, Symbol, Value, disassemble};

/// Compiles a trace. Slot n of the program is the trace's n-th slot; one of an entity or place takes the symbol of a name that the
/// device reports.
///
/// # Errors
/// Everything that does not fit the devices or a program, with its place.
pub fn compile_trace(devices: &[Device], trace: &Trace, places: &Places) -> Result<Program, Vec<Diagnostic>> {
    let (program, found) = compile(devices, trace, places);
    match program {
        Some(program) if found.is_empty() => Ok(program),
        _ => Err(found.into_iter().map(|(finding, _)| finding).collect()),
    }
}

/// What keeps a trace from being followed, as far as its devices' manifests say. What only keeps it from being a program of its own is a
/// warning.
#[must_use]
pub fn check_trace(devices: &[Device], trace: &Trace, places: &Places) -> Vec<Diagnostic> {
    let (_, found) = compile(devices, trace, places);
    let graded = found.into_iter().map(|(finding, needs)| match needs {
        Needs::Nothing => finding,
        Needs::Readings => Diagnostic::warning(finding.place, finding.message),
    });
    graded.collect()
}

/// A program as text, with the names that the workspace and the trace know.
#[must_use]
pub fn spelled(names: &Names, trace: &Trace, program: &Program) -> String {
    let mut names = names.clone();
    let words = trace.steps.iter().flat_map(TraceStep::all_arguments);
    let options = trace.steps.iter().map(|step| &step.options);
    let formulas = options.flat_map(|options| [&options.before, &options.after].into_iter().flatten());
    let formulas = formulas.chain(trace.start.iter().map(|(_, condition)| condition));
    let formulas = formulas.flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    for word in words.map(|(_, value)| value.as_str()).chain(formulas) {
        // Of two names with one symbol the first is written.
        let _ = names.add(word);
    }
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = disassemble::disassemble(program, &|symbol: Symbol| names.spelling(symbol), &mut text);
    text
}

/// What a finding would need to be none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Readings,
}

fn compile(devices: &[Device], trace: &Trace, places: &Places) -> (Option<Program>, Vec<(Diagnostic, Needs)>) {
    let mut reader = Reader {
        devices,
        trace,
        compiler: Compiler::default(),
        found: Vec::new(),
    };
    reader.slots(places.slots);
    for (index, (name, condition)) in trace.start.iter().enumerate() {
        let place = places.start.get(index).copied().unwrap_or_default();
        let device = find_device(devices, name);
        if let Err(message) = device.and_then(|device| reader.compiler.start(device, condition)) {
            reader.error(place, format!("in \"start\": {message}"));
        }
    }
    let nowhere = StepPlaces::default();
    for (index, step) in trace.steps.iter().enumerate() {
        reader.step(step, places.steps.get(index).unwrap_or(&nowhere));
        // A step that was not understood keeps its number, so that nothing is said about those which count on it.
        if reader.compiler.program.calls.len() == index {
            let _ = reader.compiler.program.calls.push(Call::default());
        }
    }
    let Reader {
        compiler, mut found, ..
    } = reader;
    let mut program = None;
    if found.iter().all(|(_, needs)| *needs == Needs::Readings) {
        let last = places.steps.last().unwrap_or(&nowhere);
        let mistaken = |mistake: Mistake| Diagnostic::error(last.of(mistake.part), mistake.words());
        match compiler.finish() {
            Ok(finished) => program = Some(finished),
            Err(mistake) => found.push((mistaken(mistake), Needs::Nothing)),
        }
    }
    found.sort_by_key(|(finding, _)| finding.place);
    (program, found)
}

struct Reader<'a> {
    devices: &'a [Device],
    trace: &'a Trace,
    compiler: Compiler<'a>,
    found: Vec<(Diagnostic, Needs)>,
}

impl<'a> Reader<'a> {
    fn error(&mut self, place: Place, message: impl Into<String>) {
        let finding = Diagnostic::error(place, message);
        // What is full stays full: once is enough.
        if self
            .found
            .last()
            .is_none_or(|(last, _)| last.message != finding.message)
        {
            self.found.push((finding, Needs::Nothing));
        }
    }

    fn slots(&mut self, place: Place) {
        match u8::try_from(self.trace.slots.len()) {
            Ok(count) if usize::from(count) <= SLOTS_MAX => self.compiler.program.slots = count,
            _ => {
                let count = self.trace.slots.len();
                let message = format!("a program has at most {SLOTS_MAX} slots, found {count}");
                self.error(place, message);
            }
        }
    }

    fn step(&mut self, step: &TraceStep, places: &StepPlaces) {
        let undoing = step.compensate.iter().enumerate().map(|(index, undoing)| {
            let nowhere = StepPlaces::default();
            let places = places.compensate.get(index).unwrap_or(&nowhere);
            self.deed(undoing, places)
        });
        let undoing: Vec<_> = undoing.collect();
        let undoing: Option<Vec<_>> = undoing.into_iter().collect();
        let options = &step.options;
        let compiled = if let Some(wait) = &options.wait {
            match (self.device(step, places), undoing) {
                (Some(device), Some(undoing)) => self.compiler.wait(device, wait, options, undoing),
                _ => return,
            }
        } else {
            match (self.deed(step, places), undoing) {
                (Some(deed), Some(undoing)) => self.compiler.call(&deed, options, undoing),
                _ => return,
            }
        };
        if let Err(mistake) = compiled {
            let place = places.of(mistake.part);
            self.error(place, Mistake::words(mistake));
        }
    }

    fn device(&mut self, step: &TraceStep, places: &StepPlaces) -> Option<&'a Device> {
        let device = self.devices.iter().find(|device| device.name == step.device);
        if device.is_none() {
            let known: Vec<&str> = self.devices.iter().map(|device| device.name.as_str()).collect();
            let message = format!("there is no device \"{}\"; there are {}", step.device, list(&known));
            self.error(places.call, message);
        }
        device
    }

    /// A step's arguments as code; `None` where something was found.
    fn deed(&mut self, step: &TraceStep, places: &StepPlaces) -> Option<Deed<'a>> {
        let device = self.device(step, places)?;
        let Some(tool) = device.tool(&step.tool) else {
            let known: Vec<&str> = device.tools.iter().map(|tool| tool.name.as_str()).collect();
            let message = format!("{} has no tool \"{}\"; it has {}", device.name, step.tool, list(&known));
            self.error(places.call, message);
            return None;
        };
        let complete = self.check_names(step, tool, places);
        let (mut values, mut named, mut last) = (Vec::new(), Vec::new(), None);
        for parameter in &tool.parameters {
            let Some((_, text)) = step.arguments.iter().find(|(name, _)| *name == parameter.name) else {
                last = last.or(Some(&parameter.name));
                continue;
            };
            let place = places.of(&parameter.name);
            if let Some(before) = last {
                let message = format!("{} takes \"{}\" only with \"{before}\"", tool.name, parameter.name);
                self.error(place, message);
            }
            let (code, op) = self.argument(text, device, parameter, place)?;
            values.push(code);
            named.push((parameter.name.clone(), op));
        }
        let deed = Deed {
            device,
            tool,
            values,
            named,
        };
        (complete && deed.values.len() == step.arguments.len()).then_some(deed)
    }

    fn check_names(&mut self, step: &TraceStep, tool: &Tool, places: &StepPlaces) -> bool {
        let before = self.found.len();
        for (name, _) in &step.arguments {
            if !tool.parameters.iter().any(|parameter| parameter.name == *name) {
                let known: Vec<&str> = tool.parameters.iter().map(|known| known.name.as_str()).collect();
                let message = format!("{} has no parameter \"{name}\"; it has {}", tool.name, list(&known));
                self.error(places.of(name), message);
            }
        }
        let given = |name: &str| step.arguments.iter().any(|(known, _)| known == name);
        for parameter in &tool.parameters {
            if parameter.required && !given(&parameter.name) {
                let (name, kind) = (&parameter.name, parameter.kind.word());
                self.error(places.call, format!("{} needs \"{name}\" ({kind})", tool.name));
            }
        }
        self.found.len() == before
    }

    /// What the steps compute with, and what the digest sees.
    fn argument(
        &mut self,
        text: &str,
        device: &Device,
        parameter: &Parameter,
        place: Place,
    ) -> Option<(super::Code, Op)> {
        let wrong = |message: String| format!("{}: {message}", parameter.name);
        let start = text.starts_with("start of ");
        if start && matches!(parameter.kind, Type::Place | Type::Point) {
            let message = format!(
                "\"{text}\" is known when a run begins, so this can be followed here and is no program of its own"
            );
            self.found
                .push((Diagnostic::error(place, wrong(message)), Needs::Readings));
            let anywhere = Op::Const(Value::Point([0; 3]));
            let (ops, kind) = (vec![anywhere], Type::Point);
            return Some((super::Code { ops, kind }, anywhere));
        }
        let Some(slot) = slot_of(text) else {
            let given = Given::parse(text, &parameter.kind);
            let code = given.and_then(|given| {
                let code = self.compiler.argument(&given, device, parameter, None)?;
                Ok((code, Op::Const(canonical(&given))))
            });
            return code.map_err(|message| self.error(place, wrong(message))).ok();
        };
        let known = self.trace.slots.iter().position(|(name, _)| name == slot);
        let Some((index, (_, kind))) = known.and_then(|index| Some((index, self.trace.slots.get(index)?))) else {
            self.error(place, wrong(format!("the slot {{{slot}}} is not among \"slots:\"")));
            return None;
        };
        if *kind != parameter.kind {
            let (here, there) = (kind.word(), parameter.kind.word());
            self.error(
                place,
                format!("the slot {{{slot}}} is {here} here, and {there} in the manifest"),
            );
            return None;
        }
        let op = Op::Slot(u8::try_from(index).unwrap_or(u8::MAX));
        let (ops, kind) = match kind {
            Type::Place => (position_of(op), Type::Point),
            _ => (vec![op], kind.clone()),
        };
        Some((super::Code { ops, kind }, op))
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
