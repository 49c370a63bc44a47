//! A program as text that a person can check: a line for each call, and below it a line for each step, with code as formulas. Numbers
//! are in units (0.3 is 300000 micro-units), an argument is `$name` where a reading is `name`, slots and results are numbered; names come
//! from the caller. Nothing is allocated. This file must not know what a program is for; nothing reads this text back.

use crate::code::{Op, Range};
use crate::program::{CODE_MAX, Call, Kind, OnError, Program, Step};
use crate::value::{MICRO, Symbol, Value};
use core::fmt::{Display, Formatter, Result, Write};
use heapless::Vec;

/// Writes `program` into `out`. A symbol that `names` does not know is written in hexadecimal.
///
/// # Errors
/// Those of `out`.
pub fn disassemble<'a>(program: &Program, names: &dyn Fn(Symbol) -> Option<&'a str>, out: &mut dyn Write) -> Result {
    let mut page = Page { program, names, out };
    if program.slots > 0 {
        writeln!(page.out, "slots {}", program.slots)?;
    }
    for (device, range) in &program.start {
        write!(page.out, "start  {}: ", page.name(*device))?;
        page.code(*range, &[])?;
        writeln!(page.out)?;
    }
    let mut call = None;
    for (at, step) in program.steps.iter().enumerate() {
        if at == program.main().len() {
            writeln!(page.out, "compensating")?;
        } else if at < program.main().len() && call != Some(step.call) {
            call = Some(step.call);
            page.call(step.call)?;
        }
        page.step(at, step)?;
    }
    Ok(())
}

struct Page<'p, 'a> {
    program: &'p Program,
    names: &'p dyn Fn(Symbol) -> Option<&'a str>,
    out: &'p mut dyn Write,
}

impl<'a> Page<'_, 'a> {
    fn name(&self, symbol: Symbol) -> Name<'a> {
        Name(symbol, (self.names)(symbol))
    }

    fn call(&mut self, index: u8) -> Result {
        write!(self.out, "call {index}  ")?;
        let Some(call) = self.program.calls.get(usize::from(index)) else {
            return writeln!(self.out, "is not there");
        };
        let Call {
            device,
            tool,
            arguments,
            ensure,
            depends_on,
        } = call;
        self.deed(*device, *tool, arguments, &[])?;
        self.formula("after", *ensure, arguments)?;
        let mut word = "  depends on ";
        for earlier in (0..u32::BITS).filter(|bit| depends_on >> bit & 1 == 1) {
            write!(self.out, "{word}{earlier}")?;
            word = ", ";
        }
        writeln!(self.out)
    }

    fn step(&mut self, at: usize, step: &Step) -> Result {
        write!(self.out, "{at:>3}  ")?;
        let names = &step.arguments;
        self.deed(step.device, step.tool, &step.arguments, names)?;
        match step.kind {
            Kind::Command => {}
            Kind::Read => write!(self.out, "  read")?,
            Kind::Until => write!(self.out, "  wait")?,
            Kind::Pause(duration) => self.formula("pause", duration, names)?,
        }
        self.formula("before", step.require, names)?;
        self.formula("after", step.ensure, names)?;
        self.formula("target", step.target, names)?;
        if step.leg_max > 0 && !step.target.is_empty() {
            write!(self.out, "  legs of {}", Micro(step.leg_max))?;
        }
        if let Some((register, range)) = step.keep {
            write!(self.out, "  keep result{register} = ")?;
            self.code(range, names)?;
        }
        if step.timeout_ms > 0 {
            write!(self.out, "  timeout {} s", Micro(i64::from(step.timeout_ms) * 1_000))?;
        }
        match step.on_error {
            OnError::Handoff => {}
            OnError::Retry(times) => write!(self.out, "  on error retry {times}")?,
            OnError::Skip => write!(self.out, "  on error skip")?,
            OnError::Stop => write!(self.out, "  on error stop")?,
            OnError::Compensate(steps) => {
                let steps = steps.indices();
                write!(self.out, "  on error compensate {}..{}", steps.start, steps.end)?;
            }
        }
        writeln!(self.out)
    }

    /// Device, tool and arguments.
    fn deed(
        &mut self,
        device: Symbol,
        tool: Symbol,
        arguments: &[(Symbol, Range)],
        names: &[(Symbol, Range)],
    ) -> Result {
        write!(self.out, "{}", self.name(device))?;
        if !tool.is_none() {
            write!(self.out, ".{}", self.name(tool))?;
        }
        for (parameter, range) in arguments {
            write!(self.out, " {}=", self.name(*parameter))?;
            self.code(*range, names)?;
        }
        Ok(())
    }

    fn formula(&mut self, word: &str, range: Range, names: &[(Symbol, Range)]) -> Result {
        if range.is_empty() {
            return Ok(());
        }
        write!(self.out, "  {word}: ")?;
        self.code(range, names)
    }

    /// Code as a formula. Its operands stand in postfix order in a formula too, so that it is written from left to right: before an
    /// operand what opens there, behind it what closes.
    fn code(&mut self, range: Range, names: &[(Symbol, Range)]) -> Result {
        let code = self.program.code.get(range.indices()).unwrap_or_default();
        let Some(tree) = Tree::of(code) else {
            return write!(self.out, "postfix {code:?}");
        };
        let leaves = code.iter().enumerate().filter(|(_, op)| op.pops() == 0);
        for (at, leaf) in leaves {
            for opened in (at..code.len()).rev().filter(|node| tree.start(*node) == at) {
                if let Some(parent) = tree.parent(opened).filter(|parent| tree.start(*parent) != at) {
                    write!(self.out, "{}", between(code[parent]))?;
                }
                self.open(code[opened], tree.needs_brackets(code, opened))?;
            }
            self.operand(*leaf, names)?;
            for closed in at + 1..code.len() {
                if code[closed].pops() == 0 {
                    break;
                }
                self.close(code[closed], tree.needs_brackets(code, closed))?;
            }
        }
        Ok(())
    }

    fn open(&mut self, op: Op, brackets: bool) -> Result {
        self.out.write_str(if brackets { "(" } else { "" })?;
        self.out.write_str(match op {
            Op::Near(_) => "near(",
            Op::NearTurn(_) => "near_turn(",
            Op::Map(_) => "map(",
            Op::BeforeOf { .. } => "before.",
            Op::Not => "not ",
            _ => "",
        })
    }

    fn close(&mut self, op: Op, brackets: bool) -> Result {
        match op {
            Op::Near(tolerance) | Op::NearTurn(tolerance) => write!(self.out, ", {})", Micro(tolerance))?,
            Op::Map(cases) => {
                for (case, value) in self.program.cases.get(cases.indices()).unwrap_or_default() {
                    write!(self.out, ", {}: ", self.name(*case))?;
                    self.value(*value)?;
                }
                self.out.write_str(")")?;
            }
            Op::ReadingOf { field } | Op::BeforeOf { field } => write!(self.out, ".{}", self.name(field))?,
            _ => {}
        }
        self.out.write_str(if brackets { ")" } else { "" })
    }

    fn operand(&mut self, op: Op, names: &[(Symbol, Range)]) -> Result {
        match op {
            Op::Const(value) => self.value(value),
            Op::Argument(index) => match names.get(usize::from(index)) {
                Some((parameter, _)) => write!(self.out, "${}", self.name(*parameter)),
                None => write!(self.out, "$argument{index}"),
            },
            Op::Slot(index) => write!(self.out, "slot{index}"),
            Op::Result(index) => write!(self.out, "result{index}"),
            Op::Reading { owner, field } => self.reading("", owner, field),
            Op::Before { owner, field } => self.reading("before.", owner, field),
            _ => Ok(()),
        }
    }

    fn reading(&mut self, when: &str, owner: Symbol, field: Symbol) -> Result {
        self.out.write_str(when)?;
        if !owner.is_none() {
            write!(self.out, "{}.", self.name(owner))?;
        }
        write!(self.out, "{}", self.name(field))
    }

    fn value(&mut self, value: Value) -> Result {
        match value {
            Value::Bool(truth) => write!(self.out, "{truth}"),
            Value::Number(micro) => write!(self.out, "{}", Micro(micro)),
            Value::Point([x, y, z]) => write!(self.out, "({}, {}, {})", Micro(x), Micro(y), Micro(z)),
            Value::Symbol(symbol) => write!(self.out, "{}", self.name(symbol)),
        }
    }
}

/// Which operation works on which: of each, where its first operand stands and which one pops it.
struct Tree(Vec<(usize, Option<usize>), CODE_MAX>);

impl Tree {
    /// The tree of an expression; `None` where the code is not one.
    fn of(code: &[Op]) -> Option<Tree> {
        let mut tree: Vec<(usize, Option<usize>), CODE_MAX> = Vec::new();
        let mut stack: Vec<usize, { crate::code::STACK_MAX }> = Vec::new();
        for (at, op) in code.iter().enumerate() {
            let mut start = at;
            for _ in 0..op.pops() {
                let popped = tree.get_mut(stack.pop()?)?;
                popped.1 = Some(at);
                start = popped.0;
            }
            tree.push((start, None)).ok()?;
            stack.push(at).ok()?;
        }
        (stack.len() == 1).then_some(Tree(tree))
    }

    fn start(&self, node: usize) -> usize {
        self.0.get(node).map_or(node, |(start, _)| *start)
    }

    fn parent(&self, node: usize) -> Option<usize> {
        self.0.get(node)?.1
    }

    fn needs_brackets(&self, code: &[Op], node: usize) -> bool {
        let Some(parent) = self.parent(node) else { return false };
        let second = self.start(node) != self.start(parent);
        let (inner, outer) = (strength(code[node]), strength(code[parent]));
        let encloses = matches!(code[parent], Op::Near(_) | Op::NearTurn(_) | Op::Map(_));
        !encloses && (inner < outer || inner == outer && (second || inner == strength(Op::Eq)))
    }
}

/// How strongly an operation binds its operands; what encloses or has none binds most.
fn strength(op: Op) -> u8 {
    match op {
        Op::Or => 1,
        Op::And => 2,
        Op::Not => 3,
        Op::Eq | Op::AtMost | Op::AtLeast => 4,
        Op::Add | Op::Sub => 5,
        Op::Mul => 6,
        Op::ReadingOf { .. } | Op::BeforeOf { .. } => 7,
        _ => 8,
    }
}

fn between(op: Op) -> &'static str {
    match op {
        Op::Add => " + ",
        Op::Sub => " - ",
        Op::Mul => " * ",
        Op::Eq => " == ",
        Op::AtMost => " <= ",
        Op::AtLeast => " >= ",
        Op::And => " and ",
        Op::Or => " or ",
        _ => ", ",
    }
}

struct Name<'a>(Symbol, Option<&'a str>);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.1 {
            _ if self.0.is_none() => f.write_str("nothing"),
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0.0),
        }
    }
}

/// Micro-units as a decimal number of units.
struct Micro(i64);

impl Display for Micro {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let one = MICRO.unsigned_abs();
        let (whole, mut part) = (self.0.unsigned_abs() / one, self.0.unsigned_abs() % one);
        write!(f, "{}{whole}", if self.0 < 0 { "-" } else { "" })?;
        let mut place = one / 10;
        f.write_str(if part > 0 { "." } else { "" })?;
        while part > 0 {
            write!(f, "{}", part / place)?;
            (part, place) = (part % place, place / 10);
        }
        Ok(())
    }
}
