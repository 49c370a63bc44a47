//! What devices report about themselves: a bounded table of readings, replaced whole with every report, so that an object which is no
//! longer reported is no longer there. It must not know where a report came from.

use crate::value::{Point, Symbol, Value};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Readings of all devices of a run.
pub const READINGS_MAX: usize = 256;

/// The reading that says where a device is. Geometry is only checked for devices that report it.
pub const POSITION: Symbol = Symbol::of("position");

/// One reading: of a device, or of an entity that the device reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// The device that reports.
    pub device: Symbol,
    /// The entity that the reading belongs to; [`Symbol::NONE`] for the device itself.
    pub owner: Symbol,
    /// The field's name.
    pub field: Symbol,
    /// Its value.
    pub value: Value,
}

/// A table of a run on the host.
pub type Readings = Table<READINGS_MAX>;

/// The table, with room for so many readings. A full table refuses further readings rather than dropping old ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table<const N: usize> {
    list: Vec<Reading, N>,
}

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        Table::new()
    }
}

impl<const N: usize> Table<N> {
    /// A table without readings.
    #[must_use]
    pub const fn new() -> Table<N> {
        Table { list: Vec::new() }
    }

    /// Replaces everything that `device` reported.
    ///
    /// # Errors
    /// The reading that found no room; those before it are kept.
    pub fn replace(&mut self, device: Symbol, readings: impl IntoIterator<Item = Reading>) -> Result<(), Reading> {
        self.list.retain(|reading| reading.device != device);
        readings.into_iter().try_for_each(|reading| self.push(reading))
    }

    /// Adds a reading behind the others.
    ///
    /// # Errors
    /// The reading, where there is no room for it.
    pub fn push(&mut self, reading: Reading) -> Result<(), Reading> {
        self.list.push(reading)
    }

    /// Takes over other readings: all of them, or none where there is no room. Copies what is there, where a clone would move the whole
    /// capacity.
    ///
    /// # Errors
    /// The first reading that found no room.
    pub fn copy_from(&mut self, others: &[Reading]) -> Result<(), Reading> {
        self.list.clear();
        match (self.list.extend_from_slice(others), others.get(N)) {
            (Err(_), Some(over)) => Err(*over),
            _ => Ok(()),
        }
    }

    /// What `device` reports, or `None`.
    #[must_use]
    pub fn get(&self, device: Symbol, owner: Symbol, field: Symbol) -> Option<Value> {
        find(&self.list, device, owner, field)
    }

    /// Where `device` is, if it reports that.
    #[must_use]
    pub fn position(&self, device: Symbol) -> Option<Point> {
        position_of(&self.list, device)
    }
}

/// All readings, in the order of the reports: what a follower looks at, whatever room they have.
impl<const N: usize> core::ops::Deref for Table<N> {
    type Target = [Reading];

    fn deref(&self) -> &[Reading] {
        &self.list
    }
}

/// What `device` reports in `readings`, or `None`.
#[must_use]
pub fn find(readings: &[Reading], device: Symbol, owner: Symbol, field: Symbol) -> Option<Value> {
    let same = |reading: &&Reading| reading.device == device && reading.owner == owner && reading.field == field;
    readings.iter().find(same).map(|reading| reading.value)
}

/// Where `device` is, if it reports that.
#[must_use]
pub fn position_of(readings: &[Reading], device: Symbol) -> Option<Point> {
    match find(readings, device, Symbol::NONE, POSITION) {
        Some(Value::Point(point)) => Some(point),
        _ => None,
    }
}
