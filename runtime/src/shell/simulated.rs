//! Simulated devices: as the person starts them, and as they stand in on the embedded broker. They are clients like any other.

use crate::config::Config;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::BrokerUrl;
use llmos_firmware_bridge::sim::{self, Faults, Memory, SerialOptions, SimHandle, SimOptions, Simulator};
use llmos_firmware_bridge::topic::DeviceName;
use std::path::PathBuf;

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

/// Starts a simulated device on a serial line and says on which.
pub fn start_serial(
    config: &Config,
    kind: &str,
    device: DeviceName,
    at: Option<PathBuf>,
    memory: Memory,
) -> Result<(SimHandle, String), Trouble> {
    let Simulator::Native(kind) = simulator(kind).map_err(Trouble::usage)? else {
        return Err(Trouble::usage(format!(
            "{kind} has topics of its own, which a serial line has not; arm, base and greenhouse speak our protocol"
        )));
    };
    let known = Faults {
        slip: config.faults.slip,
        stall: config.faults.stall,
        noise: config.faults.noise,
        ..Faults::default()
    };
    if known != config.faults {
        return Err(Trouble::usage(
            "of the faults, only slip, stall and noise are there on a serial line; the others are those of devices on a broker",
        ));
    }
    let name = device.to_string();
    let options = SerialOptions {
        kind,
        device,
        at,
        seed: config.seed,
        haste: config.haste,
        faults: config.faults.clone(),
        memory,
    };
    sim::run_serial(options)
        .map_err(|error| Trouble::environment(format!("the simulated {name} does not start: {error}")))
}
