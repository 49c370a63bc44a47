//! One plain configuration: command line over `llmos.toml` over defaults. Secrets come from the environment, never from arguments.

use crate::cli::Common;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::BrokerUrl;
use serde::Deserialize;
use std::path::PathBuf;

/// Where a broker's password is read from.
const PASSWORD: &str = "LLMOS_MQTT_PASSWORD";

/// Everything a verb needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The workspace.
    pub workspace: PathBuf,
    /// The broker.
    pub broker: Broker,
    /// A model file; the one in the box if `None`.
    pub model: Option<PathBuf>,
    /// The scene of simulated devices.
    pub seed: u64,
    /// Their faults.
    pub fault: String,
    /// How many times faster than life they move.
    pub haste: u32,
}

/// Which broker.
#[derive(Clone, Debug)]
pub enum Broker {
    /// Our own, on loopback, with simulated devices.
    Embedded,
    /// One that runs already.
    At { url: BrokerUrl, text: String },
}

/// `llmos.toml`: it marks a workspace and may set two defaults.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    broker: Option<String>,
    model: Option<PathBuf>,
}

impl Config {
    /// Joins flags and `llmos.toml`.
    pub fn new(common: &Common, workspace: PathBuf) -> Result<Config, Trouble> {
        let path = workspace.join("llmos.toml");
        let file: File = match std::fs::read_to_string(&path) {
            Ok(text) => {
                toml::from_str(&text).map_err(|error| Trouble::environment(format!("{}: {error}", path.display())))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => {
                return Err(Trouble::environment(format!(
                    "{} can't be read: {error}",
                    path.display()
                )));
            }
        };
        let broker = match common.broker.clone().or(file.broker).as_deref() {
            None | Some("embedded") => Broker::Embedded,
            Some(text) => {
                let url = BrokerUrl::parse(text).map_err(|error| Trouble::usage(error.to_string()))?;
                let url = std::env::var(PASSWORD).map_or(url.clone(), |password| url.with_password(password));
                Broker::At {
                    url,
                    text: text.to_owned(),
                }
            }
        };
        let model = common
            .model
            .clone()
            .or_else(|| file.model.map(|model| workspace.join(model)));
        Ok(Config {
            workspace,
            broker,
            model,
            seed: common.seed,
            fault: common.fault.clone(),
            haste: common.haste,
        })
    }
}
