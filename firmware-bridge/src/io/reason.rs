//! Why a connection to the broker ended or did not come about, in words that say what to do.

use rumqttc::mqttbytes::Error as Malformed;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};
use rustls::{AlertDescription, CertificateError, Error as RustlsError};
use std::error::Error;
use std::io::ErrorKind;

/// Why a connection did not come about.
pub(super) fn explain_first(error: &ConnectionError) -> String {
    let hung_up = match innermost(error).downcast_ref::<std::io::Error>() {
        Some(io) => matches!(
            io.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof
        ),
        None => matches!(error, ConnectionError::MqttState(StateError::ConnectionAborted)),
    };
    if hung_up && !matches!(error, ConnectionError::Tls(_)) {
        return format!(
            "it hung up instead of answering; does it want TLS (mqtts://), a certificate, or a user that it knows? ({error})"
        );
    }
    explain(error)
}

/// What ended a connection.
pub(super) fn explain(error: &ConnectionError) -> String {
    if let Some(error) = tls(error) {
        return explain_tls(error);
    }
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code).to_owned(),
        ConnectionError::NetworkTimeout => "it does not answer in time".to_owned(),
        ConnectionError::FlushTimeout => "it takes nothing any more".to_owned(),
        ConnectionError::MqttState(StateError::Deserialization(Malformed::PayloadSizeLimitExceeded(len))) => {
            format!("it brought a message of {len} bytes, which is too long to take; is one retained?")
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => "it has not answered a ping for a second".to_owned(),
        ConnectionError::MqttState(StateError::CollisionTimeout) => {
            "it acknowledges messages out of order and leaves one out".to_owned()
        }
        ConnectionError::Tls(error) => format!("it does not speak TLS on this port ({error})"),
        other => other.to_string(),
    }
}

fn refused(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            "it refuses us: it wants a user and a password that it knows"
        }
        ConnectReturnCode::ServiceUnavailable => "it says that it is not available",
        ConnectReturnCode::BadClientId => "it refuses our client id",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::Success => "it ended the connection",
    }
}

fn explain_tls(error: &RustlsError) -> String {
    use CertificateError as Bad;
    let what = match error {
        RustlsError::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer | Bad::BadSignature => {
                "none of the authorities that we were given vouches for its certificate; is it the right CA file?"
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "its certificate is for another host name than the one in its address"
            }
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "its certificate has expired; or this machine's clock is wrong"
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "its certificate is not valid yet; is this machine's clock right?"
            }
            _ => "its certificate is not acceptable",
        },
        RustlsError::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            "it wants a client certificate; name certificate and key"
        }
        RustlsError::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError,
        ) => "it does not accept our client certificate",
        RustlsError::InvalidMessage(_) => "it does not speak TLS on this port",
        _ => "TLS fails",
    };
    format!("{what} ({error})")
}

/// What lies behind everything else.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

/// What TLS has against it, however deep it is wrapped.
fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a RustlsError> {
    if let Some(found) = error.downcast_ref::<RustlsError>() {
        return Some(found);
    }
    let inner = match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| -> &(dyn Error + 'static) { inner }),
        None => error.source(),
    };
    inner.and_then(tls)
}
