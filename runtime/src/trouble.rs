//! Why a verb could not do its work, with the exit code that says whose turn it is.

use thiserror::Error;

/// A message for the person and an exit code.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Trouble {
    /// What was expected, what was found, what to do.
    pub message: String,
    /// The exit code.
    pub code: u8,
}

impl Trouble {
    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Trouble {
        Trouble {
            message: message.into(),
            code: 2,
        }
    }

    /// Broker, model, device or workspace are not as they must be.
    pub fn environment(message: impl Into<String>) -> Trouble {
        Trouble {
            message: message.into(),
            code: 5,
        }
    }

    /// What was asked to be checked has errors.
    pub fn failed(message: impl Into<String>) -> Trouble {
        Trouble {
            message: message.into(),
            code: 1,
        }
    }
}
