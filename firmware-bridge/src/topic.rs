//! The topics of our own protocol, `llmos/v1/<device>/<channel>`: built and parsed in one place, so that no other file spells them.
//!
//! Parsing is strict: a device name is 1 to 32 characters of `a-z 0-9 _ -`, so wildcards, levels and look-alikes never get in. This file
//! must not know what a message says.

use core::fmt;
use heapless::String;

/// Longest device name, in bytes.
pub const NAME_LEN_MAX: usize = 32;
const PREFIX: &str = "llmos/v1/";

/// Why a name or topic is not one of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicError {
    /// A device name is empty or longer than [`NAME_LEN_MAX`].
    NameLength,
    /// A device name holds something other than `a-z 0-9 _ -`.
    NameCharacter,
    /// The topic does not begin with `llmos/v1/`.
    Prefix,
    /// The last level is none of the protocol's channels, or there are more or fewer levels.
    Channel,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TopicError::NameLength => "a device name has 1 to 32 characters: choose a shorter name",
            TopicError::NameCharacter => "a device name consists of a-z, 0-9, _ and -: replace the other characters",
            TopicError::Prefix => "expected a topic that begins with llmos/v1/",
            TopicError::Channel => {
                "expected llmos/v1/<device>/ and one of lease, cmd, ack, state, event, program, stop, online, manifest"
            }
        })
    }
}

impl core::error::Error for TopicError {}

/// A device's name, as it stands in topics.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeviceName(String<NAME_LEN_MAX>);

impl DeviceName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`TopicError::NameLength`] or [`TopicError::NameCharacter`].
    pub fn parse(name: &str) -> Result<DeviceName, TopicError> {
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            return Err(TopicError::NameLength);
        }
        if !name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        {
            return Err(TopicError::NameCharacter);
        }
        String::try_from(name)
            .map(DeviceName)
            .map_err(|_| TopicError::NameLength)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The last level of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// Host to device: asks for the lease and keeps it.
    Lease,
    /// Host to device: a command.
    Cmd,
    /// Device to host: answers to leases and commands.
    Ack,
    /// Device to host, retained: what the device reports about itself.
    State,
    /// Device to host: faults worth telling.
    Event,
    /// Host to device: a compiled program.
    Program,
    /// Host to device, on a connection of its own: stop, and reset.
    Stop,
    /// Device to host, retained, last will: `1` or `0`.
    Online,
    /// Device to host, retained: a proposal of what the device can do.
    Manifest,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Subject; 9] = [
        Subject::Lease,
        Subject::Cmd,
        Subject::Ack,
        Subject::State,
        Subject::Event,
        Subject::Program,
        Subject::Stop,
        Subject::Online,
        Subject::Manifest,
    ];

    /// The level's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Subject::Lease => "lease",
            Subject::Cmd => "cmd",
            Subject::Ack => "ack",
            Subject::State => "state",
            Subject::Event => "event",
            Subject::Program => "program",
            Subject::Stop => "stop",
            Subject::Online => "online",
            Subject::Manifest => "manifest",
        }
    }
}

/// One topic of our protocol; its [`fmt::Display`] is the topic's text.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Topic {
    /// The device.
    pub device: DeviceName,
    /// The last level.
    pub subject: Subject,
}

impl Topic {
    /// The topic of one subject of a device.
    #[must_use]
    pub fn new(device: &DeviceName, subject: Subject) -> Topic {
        Topic {
            device: device.clone(),
            subject,
        }
    }

    /// Reads a topic.
    ///
    /// # Errors
    /// [`TopicError`], for everything that [`Topic::new`] cannot make.
    pub fn parse(topic: &str) -> Result<Topic, TopicError> {
        let rest = topic.strip_prefix(PREFIX).ok_or(TopicError::Prefix)?;
        let (name, last) = rest.split_once('/').ok_or(TopicError::Channel)?;
        let device = DeviceName::parse(name)?;
        let subject = Subject::ALL
            .into_iter()
            .find(|subject| subject.as_str() == last)
            .ok_or(TopicError::Channel)?;
        Ok(Topic { device, subject })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.device, self.subject.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topic: &str, expected: Result<(&str, Subject), TopicError>) {
        let found = Topic::parse(topic);
        let shown = found
            .as_ref()
            .map(|topic| (topic.device.as_str(), topic.subject))
            .map_err(|error| *error);
        assert_eq!(shown, expected, "{topic:?}");
        if let Ok(found) = &found {
            assert_eq!(std::format!("{found}"), topic);
        }
    }

    #[test]
    fn only_our_own_topics_are_read() {
        check("llmos/v1/arm/cmd", Ok(("arm", Subject::Cmd)));
        check("llmos/v1/desk_arm-2/online", Ok(("desk_arm-2", Subject::Online)));
        check("llmos/v1/+/cmd", Err(TopicError::NameCharacter));
        check("llmos/v1/#", Err(TopicError::Channel));
        check("llmos/v1/Arm/cmd", Err(TopicError::NameCharacter));
        check("llmos/v1/ärm/cmd", Err(TopicError::NameCharacter));
        check("llmos/v1//cmd", Err(TopicError::NameLength));
        check("llmos/v1/arm/cmd/x", Err(TopicError::Channel));
        check("llmos/v1/arm/CMD", Err(TopicError::Channel));
        check("llmos/v2/arm/cmd", Err(TopicError::Prefix));
        check("/llmos/v1/arm/cmd", Err(TopicError::Prefix));
        check(
            "llmos/v1/abcdefghijklmnopqrstuvwxyz0123456/cmd",
            Err(TopicError::NameLength),
        );
        check("", Err(TopicError::Prefix));
    }
}
