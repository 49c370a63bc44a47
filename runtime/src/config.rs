//! One plain configuration: command line over `llmos.toml` over defaults. Secrets come from files or the environment, never from arguments.

mod broker;
pub mod secret;

pub use broker::Broker;

use crate::cli::Common;
use crate::trouble::Trouble;
use llmos_firmware_bridge::sim::Faults;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The model in the box, by name.
pub const IN_THE_BOX: &str = "llmos-tiny";

/// Where a broker's password is read from.
const PASSWORD: &str = "LLMOS_MQTT_PASSWORD";

/// How long a model may take, where `llmos.toml` says nothing: a large one on a small board, loading included.
const MODEL_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything a verb needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The workspace.
    pub workspace: PathBuf,
    /// The broker.
    pub broker: Broker,
    /// A model file; the one in the box if `None`.
    pub model: Option<PathBuf>,
    /// How long the model may take for an answer.
    pub model_timeout: Duration,
    /// The scene of simulated devices.
    pub seed: u64,
    /// Their faults.
    pub faults: Faults,
    /// How many times faster than life they move.
    pub haste: u32,
}

/// `llmos.toml`: it marks a workspace and may set a few defaults.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    broker: Option<toml::Value>,
    model: Option<PathBuf>,
    model_timeout: Option<String>,
}

impl Config {
    /// Joins flags and `llmos.toml`.
    pub fn new(common: &Common, workspace: PathBuf) -> Result<Config, Trouble> {
        let path = workspace.join("llmos.toml");
        let file = File::read(&path)?;
        let broker = match (common.broker.as_deref(), file.broker) {
            (Some(text), _) => Broker::of_flag(text)?,
            (None, Some(value)) => broker::Table::read(value, &workspace)
                .and_then(Broker::of_file)
                .map_err(|error| Trouble::environment(format!("{}: {error}", path.display())))?,
            (None, None) => Broker::Embedded(None),
        };
        let model = common
            .model
            .clone()
            .or_else(|| file.model.map(|model| workspace.join(model)));
        let model_timeout = file.model_timeout.as_deref().map_or(Ok(MODEL_TIMEOUT), |text| {
            humantime::parse_duration(text).map_err(|error| {
                let text = format!(
                    "{}: model_timeout = {text:?}: {error}; expected a time such as \"60 s\"",
                    path.display()
                );
                Trouble::environment(text)
            })
        })?;
        let faults = Faults::parse(&common.fault).map_err(|error| Trouble::usage(error.to_string()))?;
        Ok(Config {
            model: model.filter(|model| !model.ends_with(IN_THE_BOX)),
            model_timeout,
            workspace,
            broker,
            seed: common.seed,
            faults,
            haste: common.haste,
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<File, Trouble> {
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                let text = format!(
                    "{} is not valid, it may set broker, model and model_timeout: {error}",
                    path.display()
                );
                Trouble::environment(text)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
            Err(error) => Err(Trouble::environment(format!(
                "{} can't be read: {error}",
                path.display()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;
    use llmos_firmware_bridge::io::BrokerUrl;

    /// The configuration of these flags in a workspace with this `llmos.toml`.
    fn check(flags: &[&str], file: &str) -> Result<Config, Trouble> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("llmos.toml"), file).expect("a file");
        let arguments = ["llmos", "doctor"].iter().chain(flags);
        let cli = Cli::try_parse_from(arguments).expect("the flags are known");
        Config::new(&cli.common, dir.path().to_owned())
    }

    fn broker(flags: &[&str], file: &str) -> String {
        match check(flags, file).expect("a configuration").broker {
            Broker::Embedded(None) => "embedded".to_owned(),
            Broker::Embedded(Some(listen)) => format!("{listen:?}"),
            Broker::At { text, .. } => text,
        }
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        assert_eq!(broker(&[], ""), "embedded");
        assert_eq!(broker(&[], "broker = \"mqtt://there\""), "mqtt://there");
        assert_eq!(
            broker(&["--broker", "mqtt://here"], "broker = \"mqtt://there\""),
            "mqtt://here"
        );
        assert_eq!(
            broker(&["--broker", "embedded"], "broker = \"mqtt://there\""),
            "embedded"
        );
        let config = check(&[], "model = \"big.gguf\"").expect("a configuration");
        assert_eq!(config.model, Some(config.workspace.join("big.gguf")));
        let config = check(&["--model", IN_THE_BOX], "model = \"big.gguf\"").expect("a configuration");
        assert_eq!(config.model, None, "the model in the box has a name");
        assert_eq!(config.model_timeout, MODEL_TIMEOUT);
        let config = check(&[], "model_timeout = \"2 min\"").expect("a configuration");
        assert_eq!(config.model_timeout, Duration::from_secs(120));
    }

    #[test]
    fn whose_mistake_it_is_decides_the_code() {
        assert_eq!(check(&["--broker", "http://x"], "").expect_err("no broker").code, 2);
        assert_eq!(check(&["--fault", "gremlin"], "").expect_err("no fault").code, 2);
        for file in [
            "broker = \"http://x\"",
            "colour = 7",
            "broker",
            "model_timeout = \"soon\"",
        ] {
            let trouble = check(&[], file).expect_err("a broken file");
            assert_eq!(trouble.code, 5, "{file}");
            assert!(trouble.message.contains("llmos.toml"), "{file}: {trouble}");
        }
    }

    /// A workspace with these files, each with its permissions, and what becomes of its `llmos.toml`.
    #[cfg(unix)]
    fn with_files(file: &str, others: &[(&str, &str, u32)]) -> Result<Config, String> {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("llmos.toml"), file).expect("a file");
        for (name, text, mode) in others {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).expect("its permissions");
        }
        let cli = Cli::try_parse_from(["llmos", "doctor"]).expect("no flags");
        let found = Config::new(&cli.common, dir.path().to_owned());
        found.map_err(|trouble| {
            assert_eq!(trouble.code, 5, "{}", trouble.message);
            trouble.message
        })
    }

    #[test]
    #[cfg(unix)]
    fn secrets_come_from_files_that_only_their_owner_reads() {
        let file = "[broker]\nurl = \"mqtt://bob@there\"\npassword_file = \"word\"";
        let config = with_files(file, &[("word", "hush\n", 0o600)]).expect("a configuration");
        let Broker::At { url, .. } = &config.broker else {
            panic!("{config:?}")
        };
        assert_eq!(
            *url,
            BrokerUrl::parse("mqtt://bob@there")
                .expect("an address")
                .with_password("hush".to_owned())
        );
        assert!(!format!("{config:?}").contains("hush"), "nothing shows it");

        let listen = "[broker]\nlisten = \"0.0.0.0:1883\"\nusers_file = \"users\"";
        let config = with_files(listen, &[("users", "# robots\narm:hush\n", 0o640)]).expect("a configuration");
        assert!(matches!(&config.broker, Broker::Embedded(Some(listen)) if listen.users["arm"] == "hush"));
        assert!(!format!("{config:?}").contains("hush"), "nothing shows it");

        let refused = |file: &str, others: &[(&str, &str, u32)], part: &str| {
            let message = with_files(file, others).expect_err("trouble");
            assert!(message.contains(part) && !message.contains("hush"), "{file}: {message}");
        };
        refused(file, &[("word", "hush", 0o644)], "chmod 600");
        refused(file, &[("word", "", 0o600)], "empty");
        refused(file, &[], "can't be read");
        refused(&file.replace("bob@", ""), &[("word", "hush", 0o600)], "mqtt://USER@");
        refused(
            &file.replace("bob@", "bob:hush@"),
            &[("word", "hush", 0o600)],
            "file or environment",
        );
        refused(listen, &[("users", "arm:hush", 0o604)], "chmod 600");
        refused(listen, &[("users", "arm hush", 0o600)], "users:1");
        refused(listen, &[("users", "arm:hush\narm:hush", 0o600)], "twice");
        refused(listen, &[("users", "# nobody", 0o600)], "no user");
        refused("[broker]\nlisten = \"0.0.0.0:1883\"", &[], "users_file");
        refused(
            "[broker]\nlisten = \"everywhere\"\nusers_file = \"users\"",
            &[],
            "address:port",
        );
        refused("[broker]\nurl = \"mqtt://x\"\nca = \"ca.pem\"", &[], "mqtts://");
        refused(
            "[broker]\nurl = \"mqtts://x\"\nca = \"ca.pem\"",
            &[("ca.pem", "none", 0o644)],
            "CA file",
        );
        refused("[broker]\nurl = \"mqtts://x\"\nkey = \"k\"", &[], "no certificate");
        refused("[broker]\npassword = \"hush\"", &[], "password_file");
    }
}
