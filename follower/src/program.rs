//! A compiled plan, trace or skill: one type for all three, and the only thing that the follower executes.
//!
//! A [`Program`] is a list of primitive [`Step`]s, grouped into the logical [`Call`]s that a person would name. What a step needs to
//! compute (arguments, preconditions, postconditions, the point where a motion ends) is postfix code in one shared pool, so that a
//! condition which many steps share is stored once. Code has no jumps: its work is bounded by its length. Every limit is a
//! constant. This file must not know how a program is written down, sent or executed.

use crate::error::Reject;
use crate::value::{MICRO, Point, Symbol, Value};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Steps in a program.
pub const STEPS_MAX: usize = 64;
/// Logical calls in a program.
pub const CALLS_MAX: usize = 24;
/// Arguments of a step or call.
pub const ARGUMENTS_MAX: usize = 6;
/// Operations in a program's pool.
pub const CODE_MAX: usize = 512;
/// Cases of all mappings of a program.
pub const CASES_MAX: usize = 128;
/// Slots of a program.
pub const SLOTS_MAX: usize = 8;
/// Values that an expression may hold at once.
pub const STACK_MAX: usize = 8;

/// A stretch of the code pool; empty where there is nothing to compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Range {
    /// Index of the first operation.
    pub start: u16,
    /// How many operations.
    pub len: u16,
}

impl Range {
    /// Nothing to compute.
    pub const EMPTY: Range = Range { start: 0, len: 0 };

    /// Whether there is nothing to compute.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One operation of postfix code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Op {
    /// Pushes a constant.
    Const(Value),
    /// Pushes an argument of this step.
    Argument(u8),
    /// Pushes a slot of the program.
    Slot(u8),
    /// Pushes what the device reports now.
    Reading { owner: Symbol, field: Symbol },
    /// Pushes what the device reported when the step began.
    Before { owner: Symbol, field: Symbol },
    /// Pops an entity, pushes what the device reports of it now.
    ReadingOf { field: Symbol },
    /// Pops an entity, pushes what the device reported of it when the step began.
    BeforeOf { field: Symbol },
    /// Pops a symbol, pushes its value among `len` cases of the program's pool.
    Map { start: u16, len: u16 },
    /// Pops b, a; pushes a + b.
    Add,
    /// Pops b, a; pushes a - b.
    Sub,
    /// Pops b, a; pushes a * b, for two numbers or a number and a point.
    Mul,
    /// Pops b, a; pushes whether they are equal.
    Eq,
    /// Pops b, a; pushes whether they differ by at most this many micro-units (points: as a distance).
    Near(i64),
    /// Pops b, a; pushes whether two angles differ by at most this many microdegrees, full turns aside.
    NearTurn(i64),
    /// Pops b, a; pushes a <= b.
    AtMost,
    /// Pops b, a; pushes a >= b.
    AtLeast,
    /// Pops b, a; pushes both.
    And,
    /// Pops b, a; pushes either.
    Or,
    /// Pops a; pushes its contrary.
    Not,
}

/// How a motion longer than the envelope's step is cut into legs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Split {
    /// It is not; a longer one is refused.
    #[default]
    Never,
    /// The argument is the point to go to: legs are points on the way.
    Toward(u8),
    /// The argument is the length to go: legs are parts of it.
    Along(u8),
}

/// What to do when a step does not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum OnError {
    /// Hand off from this step.
    #[default]
    Handoff,
    /// Do the step again, at most this many times, then hand off.
    Retry(u8),
    /// Go on without it.
    Skip,
    /// End the run.
    Stop,
}

/// One command to one device, with what must hold before and after it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// The device that acts.
    pub device: Symbol,
    /// Its primitive tool.
    pub tool: Symbol,
    /// The logical call that this step is a part of.
    pub call: u8,
    /// Arguments: parameter and expression.
    pub arguments: Vec<(Symbol, Range), ARGUMENTS_MAX>,
    /// Must hold before the step.
    pub require: Range,
    /// Must hold after the step; empty where nothing can be observed.
    pub ensure: Range,
    /// The point where the device will be after the step; empty where the step moves nothing.
    pub target: Range,
    /// How a long motion is cut.
    pub split: Split,
    /// The longest leg, in micrometres; 0 where there is no limit.
    pub leg_max: i64,
    /// Time from acknowledgement to the observed end, in milliseconds.
    pub timeout_ms: u32,
    /// What to do when it does not succeed.
    pub on_error: OnError,
    /// Whether it changes anything; a step that only reads needs no postcondition.
    pub acts: bool,
}

/// What a person would name: one call of a tool or macro, carried out by one or more steps.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Call {
    /// The device.
    pub device: Symbol,
    /// The tool or macro.
    pub tool: Symbol,
    /// Arguments: parameter and expression (constants and slots only).
    pub arguments: Vec<(Symbol, Range), ARGUMENTS_MAX>,
    /// Must hold after the last step of the call.
    pub ensure: Range,
}

/// A compiled plan, trace or skill.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Program {
    /// How many slots must be bound.
    pub slots: u8,
    /// The logical calls, in order.
    pub calls: Vec<Call, CALLS_MAX>,
    /// The steps, in order.
    pub steps: Vec<Step, STEPS_MAX>,
    /// The pool of operations.
    pub code: Vec<Op, CODE_MAX>,
    /// The pool of mapping cases.
    pub cases: Vec<(Symbol, Value), CASES_MAX>,
}

impl Program {
    /// Checks that every index lies in its pool, so that execution cannot leave it.
    ///
    /// # Errors
    /// [`Reject::OutOfRange`] for the first index that does not.
    pub fn check(&self) -> Result<(), Reject> {
        let inside = |range: &Range| usize::from(range.start) + usize::from(range.len) <= self.code.len();
        let arguments = |list: &[(Symbol, Range)]| list.iter().all(|(_, range)| inside(range));
        let calls = self
            .calls
            .iter()
            .all(|call| arguments(&call.arguments) && inside(&call.ensure));
        let steps = self
            .steps
            .iter()
            .all(|step| self.step_is_inside(step, &inside, &arguments));
        let code = self.code.iter().all(|op| match op {
            Op::Map { start, len } => usize::from(*start) + usize::from(*len) <= self.cases.len(),
            Op::Slot(slot) => *slot < self.slots,
            Op::Argument(index) => usize::from(*index) < ARGUMENTS_MAX,
            _ => true,
        });
        let slots = usize::from(self.slots) <= SLOTS_MAX;
        // Calls run in order: a step never belongs to an earlier call than the step before it.
        let ordered = self.steps.windows(2).all(|pair| pair[0].call <= pair[1].call);
        if calls && steps && code && slots && ordered {
            Ok(())
        } else {
            Err(Reject::OutOfRange)
        }
    }

    fn step_is_inside(
        &self,
        step: &Step,
        inside: &impl Fn(&Range) -> bool,
        arguments: &impl Fn(&[(Symbol, Range)]) -> bool,
    ) -> bool {
        let split = match step.split {
            Split::Never => true,
            Split::Toward(index) | Split::Along(index) => usize::from(index) < step.arguments.len(),
        };
        usize::from(step.call) < self.calls.len()
            && arguments(&step.arguments)
            && inside(&step.require)
            && inside(&step.ensure)
            && inside(&step.target)
            && split
    }
}

/// What an expression may look at. `owner` is [`Symbol::NONE`] for the device itself.
pub trait Facts {
    /// What the device reports now.
    fn reading(&self, owner: Symbol, field: Symbol) -> Option<Value>;
    /// What it reported when the step began.
    fn before(&self, owner: Symbol, field: Symbol) -> Option<Value>;
}

/// Computes an expression. Work and stack are bounded by the code's length and [`STACK_MAX`].
///
/// # Errors
/// [`Reject::NoReading`] where the device does not report what is needed, and the others for code that is wrong.
pub fn evaluate(
    program: &Program,
    range: Range,
    arguments: &[Value],
    slots: &[Value],
    facts: &impl Facts,
) -> Result<Value, Reject> {
    let start = usize::from(range.start);
    let code = program
        .code
        .get(start..start + usize::from(range.len))
        .ok_or(Reject::OutOfRange)?;
    let mut stack = Stack(Vec::new());
    for op in code {
        let value = match *op {
            Op::Const(value) => value,
            Op::Argument(index) => *arguments.get(usize::from(index)).ok_or(Reject::OutOfRange)?,
            Op::Slot(index) => *slots.get(usize::from(index)).ok_or(Reject::UnboundSlot)?,
            Op::Reading { owner, field } => facts.reading(owner, field).ok_or(Reject::NoReading)?,
            Op::Before { owner, field } => facts.before(owner, field).ok_or(Reject::NoReading)?,
            Op::ReadingOf { field } => facts.reading(stack.symbol()?, field).ok_or(Reject::NoReading)?,
            Op::BeforeOf { field } => facts.before(stack.symbol()?, field).ok_or(Reject::NoReading)?,
            Op::Map { start, len } => {
                let key = stack.symbol()?;
                let start = usize::from(start);
                let cases = program
                    .cases
                    .get(start..start + usize::from(len))
                    .ok_or(Reject::OutOfRange)?;
                cases.iter().find(|(case, _)| *case == key).ok_or(Reject::NoCase)?.1
            }
            Op::Not => Value::Bool(!stack.truth()?),
            Op::And | Op::Or => {
                let (b, a) = (stack.truth()?, stack.truth()?);
                Value::Bool(if matches!(op, Op::And) { a && b } else { a || b })
            }
            _ => {
                let (b, a) = (stack.pop()?, stack.pop()?);
                binary(*op, a, b)?
            }
        };
        stack.0.push(value).map_err(|_| Reject::Stack)?;
    }
    stack.pop()
}

struct Stack(Vec<Value, STACK_MAX>);

impl Stack {
    fn pop(&mut self) -> Result<Value, Reject> {
        self.0.pop().ok_or(Reject::Stack)
    }

    fn symbol(&mut self) -> Result<Symbol, Reject> {
        match self.pop()? {
            Value::Symbol(symbol) => Ok(symbol),
            _ => Err(Reject::Type),
        }
    }

    fn truth(&mut self) -> Result<bool, Reject> {
        match self.pop()? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Reject::Type),
        }
    }
}

fn binary(op: Op, a: Value, b: Value) -> Result<Value, Reject> {
    use Value::{Bool, Number, Point as At};
    Ok(match (op, a, b) {
        (Op::Add, Number(a), Number(b)) => Number(a.checked_add(b).ok_or(Reject::Overflow)?),
        (Op::Sub, Number(a), Number(b)) => Number(a.checked_sub(b).ok_or(Reject::Overflow)?),
        (Op::Add, At(a), At(b)) => At(each(|axis| a[axis].checked_add(b[axis]))?),
        (Op::Sub, At(a), At(b)) => At(each(|axis| a[axis].checked_sub(b[axis]))?),
        (Op::Mul, Number(a), Number(b)) => Number(product(a, b).ok_or(Reject::Overflow)?),
        (Op::Mul, At(point), Number(by)) | (Op::Mul, Number(by), At(point)) => {
            At(each(|axis| product(point[axis], by))?)
        }
        (Op::Near(tolerance), Number(a), Number(b)) => Bool(a.abs_diff(b) <= tolerance.unsigned_abs()),
        (Op::Near(tolerance), At(a), At(b)) => Bool(within(a, b, tolerance)),
        (Op::NearTurn(tolerance), Number(a), Number(b)) => Bool(turn_between(a, b) <= tolerance.unsigned_abs()),
        (Op::AtMost, Number(a), Number(b)) => Bool(a <= b),
        (Op::AtLeast, Number(a), Number(b)) => Bool(a >= b),
        (Op::Eq, a, b) if core::mem::discriminant(&a) == core::mem::discriminant(&b) => Bool(a == b),
        _ => return Err(Reject::Type),
    })
}

fn each(axis: impl Fn(usize) -> Option<i64>) -> Result<Point, Reject> {
    match (axis(0), axis(1), axis(2)) {
        (Some(x), Some(y), Some(z)) => Ok([x, y, z]),
        _ => Err(Reject::Overflow),
    }
}

/// The product of two micro-quantities, rounded toward zero.
fn product(a: i64, b: i64) -> Option<i64> {
    i64::try_from(i128::from(a) * i128::from(b) / i128::from(MICRO)).ok()
}

/// The smaller of the two turns between two headings, in microdegrees.
fn turn_between(a: i64, b: i64) -> u64 {
    const FULL: u64 = 360 * MICRO as u64;
    let turn = a.abs_diff(b) % FULL;
    turn.min(FULL - turn)
}

/// Whether two points are at most `tolerance` apart, without a square root.
fn within(a: Point, b: Point, tolerance: i64) -> bool {
    let limit = u128::from(tolerance.unsigned_abs()).pow(2);
    let mut sum = 0_u128;
    for axis in 0..3 {
        let step = u128::from(a[axis].abs_diff(b[axis]));
        sum = sum.saturating_add(step.saturating_mul(step));
    }
    sum <= limit
}
