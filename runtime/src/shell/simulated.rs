//! Simulated devices: as the person starts them, and as they stand in on the embedded broker. They are clients like any other.

use crate::config::Config;
use llmos_firmware_bridge::io::BrokerUrl;
use llmos_firmware_bridge::sim::{self, Memory, SimHandle, SimOptions, Simulator};
use llmos_firmware_bridge::topic::DeviceName;

/// What is to be simulated.
pub fn simulator(word: &str) -> Result<Simulator, String> {
    let known: Vec<&str> = sim::simulators().map(|(_, name, _)| name).collect();
    Simulator::parse(word).ok_or_else(|| format!("there is no simulated \"{word}\"; known are {}", known.join(", ")))
}

/// Starts a simulated device.
pub fn start(
    config: &Config,
    simulator: Simulator,
    device: DeviceName,
    url: &BrokerUrl,
    memory: Memory,
) -> Result<SimHandle, String> {
    let name = device.to_string();
    let options = SimOptions {
        simulator,
        device,
        broker: url.clone(),
        seed: config.seed,
        haste: config.haste,
        faults: config.faults.clone(),
        memory,
    };
    sim::run(options).map_err(|error| format!("the simulated {name} does not start: {error}"))
}
