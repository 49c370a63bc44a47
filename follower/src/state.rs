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

/// The table. A full table refuses further readings rather than dropping old ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Readings {
    list: Vec<Reading, READINGS_MAX>,
}

impl Readings {
    /// Replaces everything that `device` reported.
    ///
    /// # Errors
    /// The reading that found no room; those before it are kept.
    pub fn replace(&mut self, device: Symbol, readings: impl IntoIterator<Item = Reading>) -> Result<(), Reading> {
        self.list.retain(|reading| reading.device != device);
        for reading in readings {
            self.list.push(reading)?;
        }
        Ok(())
    }

    /// Takes over another table. Copies what is there, where a clone would move the whole capacity.
    pub fn copy_from(&mut self, other: &Readings) {
        self.list.clear();
        // Both have the same capacity.
        let _ = self.list.extend_from_slice(&other.list);
    }

    /// What `device` reports, or `None`.
    #[must_use]
    pub fn get(&self, device: Symbol, owner: Symbol, field: Symbol) -> Option<Value> {
        let same = |reading: &&Reading| reading.device == device && reading.owner == owner && reading.field == field;
        self.list.iter().find(same).map(|reading| reading.value)
    }

    /// Where `device` is, if it reports that.
    #[must_use]
    pub fn position(&self, device: Symbol) -> Option<Point> {
        match self.get(device, Symbol::NONE, POSITION) {
            Some(Value::Point(point)) => Some(point),
            _ => None,
        }
    }

    /// All readings, in the order of the reports.
    pub fn iter(&self) -> impl Iterator<Item = &Reading> {
        self.list.iter()
    }
}
