//! Which broker, and who we are there: an address, and the names of files that hold what must not stand in an address, an argument or
//! `llmos.toml` itself.

use super::secret;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::broker::Users;
use llmos_firmware_bridge::io::{BrokerUrl, Identity, Tls};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Which broker.
#[derive(Clone, Debug)]
pub enum Broker {
    /// Our own, on loopback with simulated devices, or open to devices on the network.
    Embedded(Option<Listen>),
    /// One that runs already.
    At { url: BrokerUrl, text: String },
}

/// Where the embedded broker listens for devices on the network, and whom it lets in.
#[derive(Clone)]
pub struct Listen {
    /// Where.
    pub at: SocketAddr,
    /// Whom, with their passwords.
    pub users: Users,
}

impl std::fmt::Debug for Listen {
    /// Nothing of the passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listen({}, {} users)", self.at, self.users.len())
    }
}

/// `broker` in `llmos.toml`: an address, or a table.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Table {
    url: Option<String>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    listen: Option<String>,
    users_file: Option<PathBuf>,
}

const KEYS: &str = "url, password_file, ca, certificate, key; or listen and users_file for the embedded broker";

impl Table {
    /// Reads the value of `broker`; files are named from `folder` on.
    pub fn read(value: toml::Value, folder: &Path) -> Result<Table, String> {
        let mut table = match value {
            toml::Value::String(url) => Table {
                url: Some(url),
                ..Table::default()
            },
            toml::Value::Table(table) => toml::Value::Table(table)
                .try_into::<Table>()
                .map_err(|error| format!("broker: it may have {KEYS}: {error}"))?,
            other => {
                return Err(format!(
                    "broker: expected an address or a table, found {}",
                    other.type_str()
                ));
            }
        };
        let files = [
            &mut table.password_file,
            &mut table.ca,
            &mut table.certificate,
            &mut table.key,
            &mut table.users_file,
        ];
        for file in files.into_iter().flatten() {
            *file = folder.join(&*file);
        }
        Ok(table)
    }

    /// What stands in the environment comes first.
    fn under_environment(self) -> Table {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Table {
            password_file: variable("LLMOS_MQTT_PASSWORD_FILE").or(self.password_file),
            ca: variable("LLMOS_MQTT_CA").or(self.ca),
            certificate: variable("LLMOS_MQTT_CERTIFICATE").or(self.certificate),
            key: variable("LLMOS_MQTT_KEY").or(self.key),
            ..self
        }
    }
}

impl Broker {
    /// The broker of `--broker`; what else it needs stands in the environment. The files of `llmos.toml` are for the broker there.
    pub fn of_flag(text: &str) -> Result<Broker, Trouble> {
        if text == "embedded" {
            return Ok(Broker::Embedded(None));
        }
        let url = BrokerUrl::parse(text).map_err(|error| Trouble::usage(error.to_string()))?;
        at(url, text, Table::default()).map_err(Trouble::environment)
    }

    /// The broker of `llmos.toml`.
    pub fn of_file(table: Table) -> Result<Broker, String> {
        let text = table.url.clone().unwrap_or_else(|| "embedded".to_owned());
        if text == "embedded" {
            return embedded(table).map(Broker::Embedded);
        }
        if table.listen.is_some() || table.users_file.is_some() {
            return Err(format!(
                "broker: listen and users_file are for the embedded broker, and the url is {text}"
            ));
        }
        let url = BrokerUrl::parse(&text).map_err(|error| format!("broker: {error}"))?;
        at(url, &text, table).map_err(|error| format!("broker: {error}"))
    }
}

fn embedded(table: Table) -> Result<Option<Listen>, String> {
    let Table {
        url: _,
        password_file: None,
        ca: None,
        certificate: None,
        key: None,
        listen,
        users_file,
    } = table
    else {
        return Err("broker: password_file, ca, certificate and key are for a broker with an address".to_owned());
    };
    let Some(listen) = listen else {
        return match users_file {
            Some(_) => Err("broker: users_file is for the embedded broker that has listen".to_owned()),
            None => Ok(None),
        };
    };
    let at = listen
        .parse()
        .map_err(|_| format!("broker: listen: expected address:port, for example 0.0.0.0:1883, found {listen:?}"))?;
    let users = match users_file {
        Some(path) => users(&path)?,
        None => {
            return Err(
                "broker: with listen the embedded broker needs users_file, one user:password a line".to_owned(),
            );
        }
    };
    Ok(Some(Listen { at, users }))
}

fn users(path: &Path) -> Result<Users, String> {
    let text = secret::read(path)?;
    let mut users = Users::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || format!("{}:{}: expected user:password", path.display(), number + 1);
        let (user, password) = line.split_once(':').ok_or_else(wrong)?;
        if user.is_empty() || password.is_empty() {
            return Err(wrong());
        }
        if users.insert(user.to_owned(), password.to_owned()).is_some() {
            return Err(format!("{}:{}: {user} stands there twice", path.display(), number + 1));
        }
    }
    if users.is_empty() {
        return Err(format!(
            "{}: no user stands there; write one user:password a line",
            path.display()
        ));
    }
    Ok(users)
}

fn at(url: BrokerUrl, text: &str, table: Table) -> Result<Broker, String> {
    let table = table.under_environment();
    let mut url = url;
    let password = match (std::env::var(super::PASSWORD), &table.password_file) {
        (Ok(password), _) => Some(password),
        (Err(_), Some(path)) => Some(secret::read(path)?.trim_end_matches(['\r', '\n']).to_owned()),
        (Err(_), None) => None,
    };
    if let Some(password) = password {
        if url.user().is_none() && table.password_file.is_some() {
            return Err(format!(
                "there is a password and no user; write the user into the address: mqtt://USER@.., not {text}"
            ));
        }
        url = url.with_password(password);
    }
    if url.is_secure() {
        url = url.with_tls(tls(&table)?);
    } else if table.ca.is_some() || table.certificate.is_some() || table.key.is_some() {
        return Err(format!(
            "there are certificates, but {text} is without TLS; write mqtts://"
        ));
    }
    let text = text.to_owned();
    Ok(Broker::At { url, text })
}

fn tls(table: &Table) -> Result<Tls, String> {
    let read =
        |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{} can't be read: {error}", path.display()));
    let ca = table.ca.as_ref().map(read).transpose()?;
    let papers = match (&table.certificate, &table.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((read(certificate)?, secret::read(key)?)),
        (Some(_), None) => return Err("there is a client certificate and no key".to_owned()),
        (None, Some(_)) => return Err("there is a client key and no certificate".to_owned()),
    };
    let identity = papers.as_ref().map(|(certificate, key)| Identity {
        certificate,
        key: key.as_bytes(),
    });
    Tls::new(ca.as_deref(), identity).map_err(|error| {
        let files = [&table.ca, &table.certificate, &table.key];
        let files: Vec<String> = files
            .into_iter()
            .flatten()
            .map(|file| file.display().to_string())
            .collect();
        format!("{error} ({})", files.join(", "))
    })
}
