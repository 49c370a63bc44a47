//! Simulated devices: as the person starts them, and as they stand in on the embedded broker. They are clients like any other.

use crate::config::Config;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::BrokerUrl;
use llmos_firmware_bridge::sim::{self, Faults, SimHandle, SimKind, SimOptions};
use llmos_firmware_bridge::topic::DeviceName;

/// Starts a simulated device.
pub fn start(config: &Config, kind: &str, name: &str, url: &BrokerUrl) -> Result<SimHandle, Trouble> {
    let known: Vec<&str> = sim::kinds().iter().map(|(_, name, _)| *name).collect();
    let unknown = || format!("there is no simulated \"{kind}\"; known are {}", known.join(", "));
    let options = SimOptions {
        kind: SimKind::parse(kind).ok_or_else(|| Trouble::usage(unknown()))?,
        device: DeviceName::parse(name).map_err(|error| Trouble::usage(error.to_string()))?,
        broker: url.clone(),
        seed: config.seed,
        haste: config.haste,
        faults: Faults::parse(&config.fault).map_err(|error| Trouble::usage(error.to_string()))?,
    };
    sim::run(options).map_err(|error| Trouble::environment(format!("the simulated {name} does not start: {error}")))
}
