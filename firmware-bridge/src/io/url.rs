//! Where a broker is, and who we are there. A password never stands in an address: addresses end up in process lists and logs.

use super::tls::Tls;

/// The port of MQTT without TLS, and with it.
const PORT: u16 = 1883;
const SECURE_PORT: u16 = 8883;

/// A broker's address and, where it wants them, credentials and certificates.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    secure: bool,
    tls: Option<Tls>,
    keeps_session: bool,
}

/// Why an address is not one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "broker address {found:?}: {problem}; expected mqtt://[user@]host[:port], or mqtts:// with TLS, for example mqtt://localhost:1883"
)]
pub struct UrlError {
    found: String,
    problem: String,
}

impl BrokerUrl {
    /// Reads `mqtt://[user@]host[:port]` or `mqtts://..`, which is TLS; the port is 1883 or 8883 where it is missing.
    ///
    /// # Errors
    /// Another scheme, a password in the address, an empty host, a port that is none.
    pub fn parse(text: &str) -> Result<BrokerUrl, UrlError> {
        let error = |problem: &str| UrlError {
            found: text.to_owned(),
            problem: problem.to_owned(),
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(error("no scheme"));
        };
        let (secure, port) = match scheme {
            "mqtt" => (false, PORT),
            "mqtts" => (true, SECURE_PORT),
            _ => return Err(error("unknown scheme")),
        };
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => {
                // The address itself is not repeated: it holds a secret.
                let problem = "a password stands in it; give it by file or environment instead".to_owned();
                return Err(UrlError {
                    found: format!("{scheme}://..."),
                    problem,
                });
            }
            Some(("", _)) => return Err(error("empty user")),
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, rest),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '?', '#']) || place.contains(char::is_whitespace) {
            return Err(error("something follows host and port"));
        }
        let (host, port) = split_port(place, port).ok_or_else(|| error("the port is no number from 1 to 65535"))?;
        if host.is_empty() {
            return Err(error("no host"));
        }
        Ok(BrokerUrl {
            host: host.to_owned(),
            user,
            secure,
            ..BrokerUrl::local(port)
        })
    }

    /// A broker on this machine.
    #[must_use]
    pub fn local(port: u16) -> BrokerUrl {
        BrokerUrl {
            host: "127.0.0.1".to_owned(),
            port,
            user: None,
            password: None,
            secure: false,
            tls: None,
            keeps_session: false,
        }
    }

    /// The same broker, as this user.
    #[must_use]
    pub fn with_user(self, user: &str) -> BrokerUrl {
        BrokerUrl {
            user: Some(user.to_owned()),
            ..self
        }
    }

    /// Adds a password, which comes from a file or the environment.
    #[must_use]
    pub fn with_password(self, password: String) -> BrokerUrl {
        BrokerUrl {
            password: Some(password),
            ..self
        }
    }

    /// Whom to believe to be the broker, and who we are. Without it an `mqtts` address believes what the machine believes.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> BrokerUrl {
        BrokerUrl { tls: Some(tls), ..self }
    }

    /// Asks the broker to keep subscriptions and messages while we are away. Our own devices and hosts do not want that, and it must do them
    /// no harm: it is here for tests and for brokers that insist.
    #[must_use]
    pub fn with_kept_session(self) -> BrokerUrl {
        BrokerUrl {
            keeps_session: true,
            ..self
        }
    }

    /// Whether the address wants TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Who we are there, if anybody.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether we prove who we are by a certificate.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::has_identity)
    }

    /// Whether the broker is on this machine, by its name.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let ip: Option<std::net::IpAddr> = self.host.parse().ok();
        self.host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
    }

    /// The same broker, as nobody: without user and password.
    #[must_use]
    pub fn anonymous(self) -> BrokerUrl {
        BrokerUrl {
            user: None,
            password: None,
            ..self
        }
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) fn keeps_session(&self) -> bool {
        self.keeps_session
    }

    /// Host name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// User and password, where there is a user.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        let user = self.user.as_deref()?;
        Some((user, self.password.as_deref().unwrap_or_default()))
    }
}

/// Host and port; `usual` where none is named.
fn split_port(place: &str, usual: u16) -> Option<(&str, u16)> {
    if let Some(inner) = place.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, port.parse().ok().filter(|port| *port > 0)?)),
            None => after.is_empty().then_some((host, usual)),
        };
    }
    match place.rsplit_once(':') {
        Some((host, port)) => Some((host, port.parse().ok().filter(|port| *port > 0)?)),
        None => Some((place, usual)),
    }
}

impl std::fmt::Display for BrokerUrl {
    /// The address, without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let scheme = if self.secure { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{user}{host}:{}", self.port)
    }
}

impl std::fmt::Debug for BrokerUrl {
    /// The address, without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = BrokerUrl::parse(text);
        match (&found, expected) {
            (Ok(url), Ok(shown)) => assert_eq!(url.to_string(), shown, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            _ => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn addresses_are_read_or_explained() {
        check("mqtt://localhost", Ok("mqtt://localhost:1883"));
        check("mqtt://bob@10.0.0.2:1884/", Ok("mqtt://bob@10.0.0.2:1884"));
        check("mqtt://[::1]:1884", Ok("mqtt://[::1]:1884"));
        check("mqtt://[::1]", Ok("mqtt://[::1]:1883"));
        check("localhost:1883", Err("no scheme"));
        check("http://localhost", Err("unknown scheme"));
        check("mqtts://localhost", Ok("mqtts://localhost:8883"));
        check("mqtts://[::1]:1884", Ok("mqtts://[::1]:1884"));
        check("mqtts://bob:secret@host", Err("file or environment"));
        check("mqtt://", Err("no host"));
        check("mqtt://:1883", Err("no host"));
        check("mqtt://host:port", Err("no number"));
        check("mqtt://host:0", Err("no number"));
        check("mqtt://host:70000", Err("no number"));
        check("mqtt://@host", Err("empty user"));
        check("mqtt://host/path", Err("follows"));
        check("mqtt://bob:secret@host", Err("file or environment"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let refused = BrokerUrl::parse("mqtt://bob:secret@host").expect_err("a password in the address");
        assert!(!format!("{refused} {refused:?}").contains("secret"));
        let url = BrokerUrl::parse("mqtt://bob@host")
            .expect("an address")
            .with_password("secret".to_owned());
        assert!(!format!("{url} {url:?}").contains("secret"));
    }
}
