//! The conditions and formulas of a manifest: `position == before.position + direction * distance +- 5 mm`.
//!
//! ```text
//! condition  := comparison (("and" | "or") comparison)*          evaluated from the left
//! comparison := "not"? sum (("==" | "!=" | "<=" | ">=") sum ("+-" quantity)?)?
//! sum        := product (("+" | "-") product)*
//! product    := term ("*" term)*
//! term       := quantity | point | "(" condition ")" | name | name "." field | "before." name | "before." name "." field
//!             | "now." name | "nothing" | "true" | "false"
//! ```
//!
//! A name is a parameter, a reported field, or an option or entity name, in that order; `now.x` is the reported field even where a
//! parameter is called x too. The list of operators is closed. This file
//! parses and prints; types and code are `compile`'s.

use crate::goal::{self, Dimension};
use llmos_follower::Point;

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 8;
/// Characters that a formula may have.
const LENGTH_MAX: usize = 512;

/// A formula.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// A quantity.
    Quantity(Dimension, i64),
    /// A number without a unit, in millionths.
    Number(i64),
    /// Coordinates, in micrometres.
    Point(Point),
    /// True or false.
    Boolean(bool),
    /// The absence of an entity.
    Nothing,
    /// A parameter, a reported field, or an option.
    Name(String),
    /// What the device reports now.
    Now(String),
    /// What is reported of an entity: a parameter's or, by name, a known one's.
    Field(String, String),
    /// What the device reported when the step began.
    Before(String),
    /// What was reported of an entity when the step began.
    BeforeField(String, String),
    /// Two operands.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// Equality within a tolerance, in micro-units.
    Near(Box<Expression>, Box<Expression>, i64),
    /// The contrary.
    Not(Box<Expression>),
}

/// The closed list of binary operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `and`
    And,
    /// `or`
    Or,
}

/// A formula that can't be read: byte offset and reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Byte offset in the formula.
    pub at: usize,
    /// What was expected and found.
    pub message: String,
}

/// Reads a formula.
///
/// # Errors
/// The first [`Mistake`].
pub fn parse(text: &str) -> Result<Expression, Mistake> {
    if text.len() > LENGTH_MAX {
        return Err(Mistake {
            at: LENGTH_MAX,
            message: format!("a formula has at most {LENGTH_MAX} characters"),
        });
    }
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        end: text.len(),
    };
    let expression = parser.condition(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(parser.mistake(&format!("expected the end or an operator, found \"{}\"", token.text()))),
    }
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Quantity(Dimension, i64),
    Number(i64),
    Point(Point),
    Word(String),
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> String {
        match self {
            Token::Quantity(dimension, micro) => goal::print_quantity(*dimension, *micro),
            Token::Number(_) => "a number".to_owned(),
            Token::Point(_) => "a point".to_owned(),
            Token::Word(word) => word.clone(),
            Token::Sign(sign) => (*sign).to_owned(),
        }
    }
}

const SIGNS: [&str; 10] = ["+-", "==", "!=", "<=", ">=", "+", "-", "*", "(", ")"];

fn lex(text: &str) -> Result<Vec<(usize, Token)>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if let Some((token, length)) = lex_point(rest, at)? {
            tokens.push((at, token));
            at += length;
        } else if first.is_ascii_digit() {
            let (token, length) = lex_number(rest, at)?;
            tokens.push((at, token));
            at += length;
        } else if first.is_alphabetic() {
            let length = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(rest.len());
            tokens.push((at, Token::Word(rest[..length].to_owned())));
            at += length;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push((at, Token::Sign(sign)));
            at += sign.len();
        } else {
            return Err(Mistake {
                at,
                message: format!("\"{first}\" has no meaning in a formula"),
            });
        }
    }
    Ok(tokens)
}

/// `(0, 0, 0.15 m)`: parentheses with two commas.
fn lex_point(rest: &str, at: usize) -> Result<Option<(Token, usize)>, Mistake> {
    let Some(inner) = rest.strip_prefix('(') else {
        return Ok(None);
    };
    let Some(close) = inner.find([')', '(']) else {
        return Ok(None);
    };
    if inner[..close].matches(',').count() != 2 {
        return Ok(None);
    }
    let point = goal::parse_point(&inner[..close]).map_err(|message| Mistake { at, message })?;
    Ok(Some((Token::Point(point), close + 2)))
}

fn lex_number(rest: &str, at: usize) -> Result<(Token, usize), Mistake> {
    let digits = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    let after = &rest[digits..];
    let gap = after.len() - after.trim_start_matches(' ').len();
    let unit = after[gap..]
        .find(|c: char| !(c.is_alphabetic() || "%°/²".contains(c)))
        .unwrap_or(after.len() - gap);
    // "m/s2" is the one unit that ends with a digit.
    let squared = after[gap..gap + unit].ends_with("/s") && after[gap + unit..].starts_with('2');
    let unit = unit + usize::from(squared);
    let unit_text = &after[gap..gap + unit];
    let refuse = |message| Mistake { at, message };
    if unit == 0 || unit_text == "and" || unit_text == "or" {
        let micro = goal::parse_number(&rest[..digits]).map_err(refuse)?;
        return Ok((Token::Number(micro), digits));
    }
    let length = digits + gap + unit;
    let (dimension, micro) = goal::parse_quantity(&rest[..length]).map_err(refuse)?;
    Ok((Token::Quantity(dimension, micro), length))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn mistake(&self, message: &str) -> Mistake {
        Mistake {
            at: self.tokens.get(self.at).map_or(self.end, |(at, _)| *at),
            message: message.to_owned(),
        }
    }

    fn sign(&mut self, among: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Sign(sign)) if among.contains(sign) => {
                let sign = *sign;
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn word(&mut self, among: &[&str]) -> Option<String> {
        match self.peek() {
            Some(Token::Word(word)) if among.contains(&word.as_str()) => {
                let word = word.clone();
                self.at += 1;
                Some(word)
            }
            _ => None,
        }
    }

    fn condition(&mut self, depth: usize) -> Result<Expression, Mistake> {
        if depth > DEPTH_MAX {
            return Err(self.mistake("parentheses nest too deep"));
        }
        let mut left = self.comparison(depth)?;
        while let Some(word) = self.word(&["and", "or"]) {
            let operator = if word == "and" { Operator::And } else { Operator::Or };
            left = binary(operator, left, self.comparison(depth)?);
        }
        Ok(left)
    }

    fn comparison(&mut self, depth: usize) -> Result<Expression, Mistake> {
        if self.word(&["not"]).is_some() {
            return Ok(Expression::Not(Box::new(self.comparison(depth + 1)?)));
        }
        let left = self.sum(depth)?;
        let Some(sign) = self.sign(&["==", "!=", "<=", ">="]) else {
            return Ok(left);
        };
        let right = self.sum(depth)?;
        if self.sign(&["+-"]).is_some() {
            let tolerance = match self.peek() {
                Some(Token::Quantity(_, micro) | Token::Number(micro)) => *micro,
                _ => return Err(self.mistake("expected a tolerance after \"+-\", such as 5 mm")),
            };
            self.at += 1;
            let near = Expression::Near(Box::new(left), Box::new(right), tolerance);
            return match sign {
                "==" => Ok(near),
                "!=" => Ok(Expression::Not(Box::new(near))),
                _ => Err(self.mistake("a tolerance goes with == or !=")),
            };
        }
        let operator = match sign {
            "==" => Operator::Equal,
            "!=" => Operator::Unequal,
            "<=" => Operator::AtMost,
            _ => Operator::AtLeast,
        };
        Ok(binary(operator, left, right))
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, Mistake> {
        let mut left = self.product(depth)?;
        while let Some(sign) = self.sign(&["+", "-"]) {
            let operator = if sign == "+" { Operator::Add } else { Operator::Sub };
            left = binary(operator, left, self.product(depth)?);
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Result<Expression, Mistake> {
        let mut left = self.term(depth)?;
        while self.sign(&["*"]).is_some() {
            left = binary(Operator::Mul, left, self.term(depth)?);
        }
        Ok(left)
    }

    fn term(&mut self, depth: usize) -> Result<Expression, Mistake> {
        if self.sign(&["-"]).is_some() {
            return match self.term(depth + 1)? {
                Expression::Quantity(dimension, micro) => Ok(Expression::Quantity(dimension, -micro)),
                Expression::Number(micro) => Ok(Expression::Number(-micro)),
                _ => Err(self.mistake("a minus sign goes before a number")),
            };
        }
        if self.sign(&["("]).is_some() {
            let inner = self.condition(depth + 1)?;
            return match self.sign(&[")"]) {
                Some(_) => Ok(inner),
                None => Err(self.mistake("expected \")\"")),
            };
        }
        let Some(token) = self.peek().cloned() else {
            return Err(self.mistake("expected a value, found the end"));
        };
        let expression = match token {
            Token::Quantity(dimension, micro) => Expression::Quantity(dimension, micro),
            Token::Number(micro) => Expression::Number(micro),
            Token::Point(point) => Expression::Point(point),
            Token::Word(word) => self.name(&word)?,
            Token::Sign(sign) => return Err(self.mistake(&format!("expected a value, found \"{sign}\""))),
        };
        self.at += 1;
        Ok(expression)
    }

    fn name(&self, word: &str) -> Result<Expression, Mistake> {
        let parts: Vec<&str> = word.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(self.mistake(&format!("\"{word}\" has an empty part")));
        }
        match parts.as_slice() {
            ["nothing"] => Ok(Expression::Nothing),
            ["true"] => Ok(Expression::Boolean(true)),
            ["false"] => Ok(Expression::Boolean(false)),
            ["before"] => Err(self.mistake("write before.FIELD: what the device reported when the step began")),
            [name] => Ok(Expression::Name((*name).to_owned())),
            ["now", field] => Ok(Expression::Now((*field).to_owned())),
            ["before", field] => Ok(Expression::Before((*field).to_owned())),
            ["before", name, field] => Ok(Expression::BeforeField((*name).to_owned(), (*field).to_owned())),
            [name, field] => Ok(Expression::Field((*name).to_owned(), (*field).to_owned())),
            _ => Err(self.mistake(&format!("\"{word}\" has too many parts; at most before.NAME.FIELD"))),
        }
    }
}

fn binary(operator: Operator, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

impl Expression {
    /// The comparisons that must all hold: the operands of the outermost `and`s.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<&Expression> {
        match self {
            Expression::Binary(Operator::And, left, right) => {
                let mut list = left.conjuncts();
                list.extend(right.conjuncts());
                list
            }
            other => vec![other],
        }
    }

    /// Whether it looks at what was reported before the step.
    #[must_use]
    pub fn looks_back(&self) -> bool {
        match self {
            Expression::Before(_) | Expression::BeforeField(..) => true,
            Expression::Binary(_, left, right) | Expression::Near(left, right, _) => {
                left.looks_back() || right.looks_back()
            }
            Expression::Not(inner) => inner.looks_back(),
            _ => false,
        }
    }

    /// Where it says that the device will be: the other side of `position == ..`.
    #[must_use]
    pub fn target(&self) -> Option<&Expression> {
        self.conjuncts().into_iter().find_map(|conjunct| match conjunct {
            Expression::Near(left, right, _) | Expression::Binary(Operator::Equal, left, right) => {
                match left.as_ref() {
                    Expression::Name(name) if name == "position" => Some(right.as_ref()),
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let found = match parse(text) {
            Ok(expression) => format!("{expression:?}"),
            Err(mistake) => format!("{}: {}", mistake.at, mistake.message),
        };
        assert!(found.contains(expected), "{text}\n found {found}\n expected {expected}");
    }

    #[test]
    fn formulas_read_as_people_write_them() {
        check("holding == nothing", "Binary(Equal, Name(\"holding\"), Nothing)");
        check("position == to +- 5 mm", "Near(Name(\"position\"), Name(\"to\"), 5000)");
        check(
            "position == before.position + direction * distance +- 5 mm",
            "Binary(Mul, Name(\"direction\"), Name(\"distance\"))",
        );
        check("at + (0, 0, 0.15 m)", "Point([0, 0, 150000])");
        check("level >= 10 % and level <= 90 %", "Binary(And");
        check(
            "object.position != before.object.position",
            "BeforeField(\"object\", \"position\")",
        );
        check("temperature <= -2", "Number(-2000000)");
        check("a ==", "expected a value");
        check("a == b c", "expected the end");
        check("a & b", "has no meaning");
        check("((((((((((a))))))))))", "too deep");
        check("a.b.c.d == 1", "too many parts");
    }

    #[test]
    fn a_target_is_what_position_equals() {
        let expression = parse("gripper == open and position == to +- 5 mm").expect("a formula");
        assert_eq!(expression.target(), Some(&Expression::Name("to".to_owned())));
        assert!(!expression.looks_back());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn formula_like_text_is_parsed_without_a_panic(text in "[a-z0-9 .()+*=<>!,%-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
