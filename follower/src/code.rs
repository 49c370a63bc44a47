//! Postfix code: what a step needs to compute. Code has no jumps, so its work is bounded by its length; its stack is bounded by
//! [`STACK_MAX`]. This file must not know steps, calls, or when anything is computed.

use crate::error::Reject;
use crate::listing::Listing;
use crate::state::{Reading, find};
use crate::value::{MICRO, Point, Symbol, Value, proportion};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Values that an expression may hold at once.
pub const STACK_MAX: usize = 8;

/// A stretch of a pool: operations of an expression, or steps of a compensation. Empty where there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Range {
    /// Index of the first one.
    pub start: u16,
    /// How many.
    pub len: u16,
}

impl Range {
    /// Nothing to do.
    pub const EMPTY: Range = Range { start: 0, len: 0 };

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The same as indices.
    #[must_use]
    pub fn indices(self) -> core::ops::Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.len)
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
    /// Pushes what an earlier step kept in this register.
    Result(u8),
    /// Pushes what the device reports now.
    Reading { owner: Symbol, field: Symbol },
    /// Pushes what the device reported when the step began.
    Before { owner: Symbol, field: Symbol },
    /// Pops an entity, pushes what the device reports of it now.
    ReadingOf { field: Symbol },
    /// Pops an entity, pushes what the device reported of it when the step began.
    BeforeOf { field: Symbol },
    /// Pops a symbol, pushes its value among these cases of the program's pool.
    Map(Range),
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

impl Op {
    /// The field of a report that it looks at.
    #[must_use]
    pub const fn field(self) -> Option<Symbol> {
        match self {
            Op::Reading { field, .. } | Op::Before { field, .. } | Op::ReadingOf { field } | Op::BeforeOf { field } => {
                Some(field)
            }
            _ => None,
        }
    }

    /// How many values it pops. Every operation pushes one.
    #[must_use]
    pub const fn pops(self) -> usize {
        match self {
            Op::Const(_) | Op::Argument(_) | Op::Slot(_) | Op::Result(_) | Op::Reading { .. } | Op::Before { .. } => 0,
            Op::ReadingOf { .. } | Op::BeforeOf { .. } | Op::Map(_) | Op::Not => 1,
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Eq
            | Op::Near(_)
            | Op::NearTurn(_)
            | Op::AtMost
            | Op::AtLeast
            | Op::And
            | Op::Or => 2,
        }
    }
}

/// What an expression may look at.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The device whose readings are meant.
    pub device: Symbol,
    /// What is reported now.
    pub now: &'a [Reading],
    /// What was reported when the step began.
    pub before: &'a [Reading],
    /// The arguments of the step or call.
    pub arguments: &'a [Value],
    /// The slots of the program.
    pub slots: &'a [Value],
    /// What earlier steps kept.
    pub results: &'a [Option<Value>],
}

impl<'a> Scope<'a> {
    /// A device's readings and nothing else; nothing has changed since.
    #[must_use]
    pub const fn of(device: Symbol, readings: &'a [Reading]) -> Scope<'a> {
        Scope {
            device,
            now: readings,
            before: readings,
            arguments: &[],
            slots: &[],
            results: &[],
        }
    }

    fn reading(&self, owner: Symbol, field: Symbol) -> Result<Value, Reject> {
        find(self.now, self.device, owner, field).ok_or(Reject::NoReading)
    }

    fn before(&self, owner: Symbol, field: Symbol) -> Result<Value, Reject> {
        find(self.before, self.device, owner, field).ok_or(Reject::NoReading)
    }
}

/// Computes an expression.
///
/// # Errors
/// [`Reject::NoReading`] where the device does not report what is needed, [`Reject::UnsetResult`] where no earlier step kept it, and the
/// others for code that is wrong.
pub fn evaluate<L: Listing>(program: &L, range: Range, scope: &Scope<'_>) -> Result<Value, Reject> {
    let mut stack = Stack(Vec::new());
    let mut left = range.len;
    for op in program.code(range).ok_or(Reject::OutOfRange)? {
        let value = match op {
            Op::Const(value) => value,
            Op::Argument(index) => *scope.arguments.get(usize::from(index)).ok_or(Reject::OutOfRange)?,
            Op::Slot(index) => *scope.slots.get(usize::from(index)).ok_or(Reject::UnboundSlot)?,
            Op::Result(index) => {
                let kept = scope.results.get(usize::from(index)).copied().flatten();
                kept.ok_or(Reject::UnsetResult)?
            }
            Op::Reading { owner, field } => scope.reading(owner, field)?,
            Op::Before { owner, field } => scope.before(owner, field)?,
            Op::ReadingOf { field } => scope.reading(stack.symbol()?, field)?,
            Op::BeforeOf { field } => scope.before(stack.symbol()?, field)?,
            Op::Map(cases) => {
                let key = stack.symbol()?;
                let mut cases = program.cases(cases).ok_or(Reject::OutOfRange)?;
                cases.find(|(case, _)| *case == key).ok_or(Reject::NoCase)?.1
            }
            Op::Not => Value::Bool(!stack.truth()?),
            Op::And | Op::Or => {
                let (b, a) = (stack.truth()?, stack.truth()?);
                Value::Bool(if matches!(op, Op::And) { a && b } else { a || b })
            }
            _ => {
                let (b, a) = (stack.pop()?, stack.pop()?);
                binary(op, a, b)?
            }
        };
        stack.0.push(value).map_err(|_| Reject::Stack)?;
        left = left.saturating_sub(1);
    }
    // Bytes that changed since they were checked may end early; half an expression is none.
    if left == 0 { stack.pop() } else { Err(Reject::Malformed) }
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

/// The product of two micro-quantities, rounded toward zero. The broken twin, which no feature can switch on, rounds down: with it, the
/// determinism corpus must fail on every architecture.
fn product(a: i64, b: i64) -> Option<i64> {
    if cfg!(llmos_broken_twin) {
        return i64::try_from((i128::from(a) * i128::from(b)).div_euclid(i128::from(MICRO))).ok();
    }
    proportion(a, b, MICRO)
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
    for (a, b) in a.iter().zip(&b) {
        let step = u128::from(a.abs_diff(*b));
        sum = sum.saturating_add(step.saturating_mul(step));
    }
    sum <= limit
}
