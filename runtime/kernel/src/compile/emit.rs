//! Formulas to postfix code, with their types. It must not know plans or traces.

use crate::goal::Dimension;
use crate::text::expression::{Expression, Operator};
use crate::tool::{Device, Parameter, Type};
use llmos_follower::{Op, Program, Range, Symbol, Value};

/// What a parameter's name stands for in a formula.
#[derive(Clone, Copy)]
pub(super) enum Names<'a> {
    /// An argument of the step at hand.
    Step,
    /// The code of a call's arguments, in place of the name.
    Inline(&'a [Code]),
}

/// Code and the type of what it computes.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Code {
    pub ops: Vec<Op>,
    pub kind: Type,
}

/// Emits an expression that is to be of a type.
pub(super) fn emit_as(
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

/// Emits formulas about one device.
pub(super) struct Emitter<'a> {
    pub device: &'a Device,
    pub parameters: &'a [Parameter],
    pub names: Names<'a>,
    pub program: &'a mut Program,
}

impl Emitter<'_> {
    /// Emits code; `hint` is the type that a bare option or entity name would have.
    pub fn emit(&mut self, expression: &Expression, hint: Option<&Type>) -> Result<Code, String> {
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

pub(super) fn same_kind(a: &Type, b: &Type) -> bool {
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
