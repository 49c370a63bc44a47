//! Symbols and their spellings. The follower computes with 32-bit symbols; people and devices speak names. Two names with one symbol
//! would make one thing of two, so that is an error and not a guess.

use crate::message::{Fact, Named};
use llmos_follower::{Reading, Symbol, Value};
use std::collections::BTreeMap;

/// The spelling of every symbol that was met.
#[derive(Clone, Debug, Default)]
pub struct Names {
    known: BTreeMap<Symbol, String>,
}

impl Names {
    /// The symbol of a name, remembered.
    ///
    /// # Errors
    /// Both names, where another one has the same symbol.
    pub fn add(&mut self, name: &str) -> Result<Symbol, String> {
        let symbol = Symbol::of(name);
        match self.known.get(&symbol) {
            Some(known) if known != name => Err(format!(
                "the names \"{known}\" and \"{name}\" have the same 32-bit symbol; rename one of them"
            )),
            Some(_) => Ok(symbol),
            None => {
                self.known.insert(symbol, name.to_owned());
                Ok(symbol)
            }
        }
    }

    /// The spelling of a symbol; empty for none, `?` for one that was never met.
    #[must_use]
    pub fn spell(&self, symbol: Symbol) -> &str {
        if symbol.is_none() {
            ""
        } else {
            self.known.get(&symbol).map_or("?", String::as_str)
        }
    }

    /// The spelling of a symbol, if it was ever met.
    #[must_use]
    pub fn spelling(&self, symbol: Symbol) -> Option<&str> {
        self.known.get(&symbol).map(String::as_str)
    }

    /// A named reading as the follower sees it.
    ///
    /// # Errors
    /// As [`Names::add`].
    pub fn reading(&mut self, device: Symbol, named: &Named) -> Result<Reading, String> {
        let value = match &named.value {
            Fact::Bool(truth) => Value::Bool(*truth),
            Fact::Number(micro) => Value::Number(*micro),
            Fact::Point(point) => Value::Point(*point),
            Fact::Text(text) => Value::Symbol(self.add(text)?),
            Fact::Nothing => Value::Symbol(Symbol::NONE),
        };
        Ok(Reading {
            device,
            owner: self.add(&named.owner)?,
            field: self.add(&named.field)?,
            value,
        })
    }

    /// A value with its names.
    #[must_use]
    pub fn fact(&self, value: Value) -> Fact {
        match value {
            Value::Bool(truth) => Fact::Bool(truth),
            Value::Number(micro) => Fact::Number(micro),
            Value::Point(point) => Fact::Point(point),
            Value::Symbol(symbol) if symbol.is_none() => Fact::Nothing,
            Value::Symbol(symbol) => Fact::Text(self.spell(symbol).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_with_one_symbol_are_refused() {
        let mut names = Names::default();
        // A known pair of FNV-1a collisions over 32 bits.
        assert_eq!(Symbol::of("costarring"), Symbol::of("liquid"));
        names.add("costarring").expect("the first name");
        assert!(names.add("liquid").is_err());
        assert_eq!(names.spell(Symbol::of("costarring")), "costarring");
    }
}
