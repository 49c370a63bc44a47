//! Simulated devices: the real device side ([`crate::device`]) in front of a plant that never sees a manifest, and in [`foreign`] devices
//! with topics of their own. They take time, have a scene of their own, and can be told what goes wrong; to the network they are devices
//! like any other.

pub mod arm;
pub mod base;
mod client;
pub mod faults;
mod flash;
pub mod foreign;
pub mod greenhouse;
mod motion;
#[cfg(unix)]
mod serial;
pub mod simulated;
pub mod weather;

pub use client::{SimError, SimHandle, run, run_plant};
pub use faults::{Faults, UnknownFault};
pub use flash::SimFlash;
pub use foreign::{ForeignKind, ForeignSim};
pub use motion::Xorshift;
#[cfg(unix)]
pub use serial::{SerialOptions, run_serial};
pub use weather::{Air, Weather};

use crate::device::{Arguments, Intent, Plant, PlantStatus, Refusal, Sink};
use crate::io::BrokerUrl;
use crate::store::StoreConfig;
use crate::topic::DeviceName;
use llmos_follower::{Envelope, MICRO, Millis, Point, Symbol};
use std::io;
use std::path::PathBuf;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// One of [`simulators`].
    pub simulator: Simulator,
    /// The device's name in topics.
    pub device: DeviceName,
    /// The broker it connects to.
    pub broker: BrokerUrl,
    /// The scene; 0 is the documented one.
    pub seed: u64,
    /// How many times faster than life the plant moves; 1 is life. Leases and expiry always run at life's pace.
    pub haste: u32,
    /// What goes wrong.
    pub faults: Faults,
    /// Where its program is kept, and who may change that. Only devices with our protocol keep one.
    pub memory: Memory,
}

/// A simulated device's memory for programs, and its own configuration about them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// The file that its flash is in; `None` forgets it with the process.
    pub flash: Option<PathBuf>,
    /// The key whose signature a program needs; `None` takes all.
    pub key: Option<[u8; 32]>,
    /// Whether a run may go on to its end without a host.
    pub alone: bool,
}

impl Memory {
    /// The flash.
    ///
    /// # Errors
    /// The file can't be used.
    pub fn open(&self) -> io::Result<SimFlash> {
        self.flash
            .as_deref()
            .map_or_else(|| Ok(SimFlash::new()), SimFlash::open)
    }

    /// The configuration of a device with this name.
    #[must_use]
    pub fn config(&self, device: &DeviceName) -> StoreConfig {
        StoreConfig {
            key: self.key,
            finishes_alone: self.alone,
            ..StoreConfig::open(Symbol::of(device.as_str()))
        }
    }
}

/// A simulated device, by how it speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Simulator {
    /// With our protocol.
    Native(SimKind),
    /// With topics of its own.
    Foreign(ForeignKind),
}

impl Simulator {
    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Simulator> {
        let (simulator, ..) = simulators().find(|(_, known, _)| *known == name)?;
        Some(simulator)
    }
}

/// Every simulator with its name and a line about it.
pub fn simulators() -> impl Iterator<Item = (Simulator, &'static str, &'static str)> {
    let native = kinds()
        .iter()
        .map(|(kind, name, text)| (Simulator::Native(*kind), *name, *text));
    let foreign = [
        (ForeignKind::ZigbeeLamp, "zigbee-lamp", "a lamp behind Zigbee2MQTT"),
        (ForeignKind::TasmotaPlug, "tasmota-plug", "a plug with Tasmota"),
        (
            ForeignKind::Climate,
            "climate",
            "a heat pump with the topics of Home Assistant's MQTT climate",
        ),
        (
            ForeignKind::RosBase,
            "ros-base",
            "a mobile base behind a bridge between ROS and MQTT",
        ),
    ];
    native.chain(foreign.map(|(kind, name, text)| (Simulator::Foreign(kind), name, text)))
}

/// The simulated devices with our protocol.
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
        kinds()
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(kind, ..)| *kind)
    }

    /// A plant of this kind.
    #[must_use]
    pub fn plant(self, seed: u64, haste: u32, faults: Faults) -> Hastened {
        let inner: Box<dyn Plant + Send> = match self {
            SimKind::Arm => Box::new(arm::Arm::new(seed, faults)),
            SimKind::Base => Box::new(base::Base::new(seed, faults)),
            SimKind::Greenhouse => Box::new(greenhouse::Greenhouse::new(seed, faults)),
        };
        Hastened::new(inner, haste)
    }
}

/// Every kind with its name and a line about it.
#[must_use]
pub fn kinds() -> &'static [(SimKind, &'static str, &'static str)] {
    &[
        (
            SimKind::Arm,
            "arm",
            "a desk arm with a gripper, objects, bins and a shelf",
        ),
        (SimKind::Base, "base", "a mobile robot in a flat with a charger"),
        (
            SimKind::Greenhouse,
            "greenhouse",
            "a greenhouse with light, vent, heater and water",
        ),
    ]
}

/// A plant whose time runs faster than its device's, and goes on where the device's uptime starts anew.
pub struct Hastened {
    inner: Box<dyn Plant + Send>,
    haste: Millis,
    /// Added to a boot's uptime, so that the plant's time never goes back.
    epoch: Millis,
}

impl std::fmt::Debug for Hastened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hastened")
            .field("haste", &self.haste)
            .field("position", &self.inner.position())
            .finish_non_exhaustive()
    }
}

impl Hastened {
    /// A plant that runs `haste` times faster than life.
    #[must_use]
    pub fn new(inner: Box<dyn Plant + Send>, haste: u32) -> Hastened {
        Hastened {
            inner,
            haste: Millis::from(haste.max(1)),
            epoch: 0,
        }
    }

    fn time(&self, now: Millis) -> Millis {
        self.epoch.saturating_add(now).saturating_mul(self.haste)
    }

    /// The same plant under a device that booted `uptime` after the boot before.
    fn rebooted(mut self, uptime: Millis) -> Hastened {
        self.halt(uptime);
        self.epoch += uptime;
        self
    }
}

impl Plant for Hastened {
    fn envelope(&self) -> &Envelope {
        self.inner.envelope()
    }

    fn position(&self) -> Option<Point> {
        self.inner.position()
    }

    fn velocity(&self) -> Option<Point> {
        self.inner.velocity()
    }

    fn time(&self, uptime: Millis) -> Millis {
        Hastened::time(self, uptime)
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        self.inner.intent(tool, arguments)
    }

    fn start(&mut self, now: Millis, tool: Symbol, arguments: Arguments<'_>) {
        let time = self.time(now);
        self.inner.start(time, tool, arguments);
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        let time = self.time(now);
        self.inner.step(time)
    }

    fn halt(&mut self, now: Millis) {
        let time = self.time(now);
        self.inner.halt(time);
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        self.inner.readings(sink);
    }
}

/// A simulated quantity as whole micro-units.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rooms and temperatures; a cast saturates anyway"
)]
#[expect(clippy::cast_precision_loss, reason = "a million is exact")]
fn micro(value: f64) -> i64 {
    (value * MICRO as f64).round() as i64
}
