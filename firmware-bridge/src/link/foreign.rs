//! The link to a device that speaks its own topics: a binding writes and reads, and nothing is promised that the device does not promise.

use super::{Channel, LinkEvent, LinkInput, Outputs, Report};
use crate::binding::Binding;
use crate::device::Refusal;
use crate::plain::Named;
use llmos_follower::Progress;

#[derive(Debug)]
pub(super) struct Foreign {
    binding: Binding,
    connected: bool,
    online: bool,
    readings: Vec<Named>,
    pub(super) outputs: Outputs,
}

impl Foreign {
    pub(super) fn new(binding: Binding) -> Foreign {
        Foreign {
            binding,
            connected: false,
            online: false,
            readings: Vec::new(),
            outputs: Outputs::default(),
        }
    }

    pub(super) fn handle(&mut self, input: LinkInput<'_>) {
        match input {
            LinkInput::Connected => self.handle_connected(),
            LinkInput::Disconnected => self.handle_disconnected(),
            LinkInput::Message { topic, payload, .. } => self.handle_message(topic, payload),
            LinkInput::Command { id, tool, arguments } => {
                let encoded = self.binding.encode(tool, &arguments);
                let event = match encoded {
                    _ if !self.connected => LinkEvent::Rejected {
                        id,
                        reason: Refusal::NoLease,
                    },
                    Ok((topic, payload)) => {
                        self.outputs.publish(topic, payload, Channel::Normal);
                        LinkEvent::Acknowledged { id }
                    }
                    Err(error) => LinkEvent::Rejected {
                        id,
                        reason: error.refusal(),
                    },
                };
                self.outputs.event(event);
            }
            LinkInput::Stop { .. } => {
                if let Some(stop) = &self.binding.stop {
                    self.outputs
                        .publish(stop.topic.clone(), stop.payload.clone().into_bytes(), Channel::Stop);
                }
            }
            LinkInput::Reset | LinkInput::Release | LinkInput::Tick => {}
        }
    }

    fn handle_connected(&mut self) {
        self.connected = true;
        for topic in self.binding.state_topics() {
            self.outputs.subscribe(topic.to_owned());
        }
        for ask in &self.binding.ask {
            self.outputs
                .publish(ask.topic.clone(), ask.payload.clone().into_bytes(), Channel::Normal);
        }
        self.outputs.event(LinkEvent::Leased { boot: 0, seq: 0 });
    }

    fn handle_disconnected(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.outputs.event(LinkEvent::Lost(super::Loss::Disconnected));
        }
        self.online = false;
        self.readings.clear();
    }

    fn handle_message(&mut self, topic: &str, payload: &[u8]) {
        if !self.binding.state_topics().any(|known| known == topic) {
            return;
        }
        match self.binding.decode(topic, payload) {
            Ok(readings) => {
                if !std::mem::replace(&mut self.online, true) {
                    self.outputs.event(LinkEvent::Online);
                }
                for reading in readings {
                    self.merge(reading);
                }
                let report = Report {
                    progress: Progress::Unknown,
                    stopped: false,
                    account: None,
                    readings: self.readings.clone(),
                };
                self.outputs.event(LinkEvent::State(report));
            }
            Err(error) => self.outputs.event(LinkEvent::Nonsense {
                what: error.to_string(),
            }),
        }
    }

    /// Foreign devices report in parts, so a new reading replaces only its own field.
    fn merge(&mut self, reading: Named) {
        let same = |known: &&mut Named| known.owner == reading.owner && known.field == reading.field;
        match self.readings.iter_mut().find(same) {
            Some(known) => *known = reading,
            None => self.readings.push(reading),
        }
    }
}
