//! The link to a device that speaks its own topics: a binding writes and reads, and nothing is promised that the device does not promise.
//! What it can't do for itself is done here as far as a host can: commands that act only while they are repeated are repeated and
//! **ended**, a device that falls silent is noticed, one that reports nothing is asked again. It must not know what a tool means.

use super::{Channel, LinkEvent, LinkInput, Loss, Outputs, Report, SILENCE_MS_MIN, STOP_RESEND_MS};
use crate::binding::{Binding, Fixed};
use crate::device::Refusal;
use crate::plain::{Named, Plain};
use crate::program::{Answer, Objection, Reply};
use llmos_follower::{Millis, Progress};
use std::collections::BTreeMap;

/// How often a stop, and the end of a repeated command, is published: such a device does not say that it has stopped.
pub const STOP_SENDS: u32 = 5;
/// How long after a command a device that reports nothing is asked, and asked again, in milliseconds.
pub const ASK_AGAIN_MS: Millis = 1_000;
/// How often it is asked after one command.
pub const ASKS_MAX: u32 = 5;
/// How long a device may take, after connecting, to say that it is there, and then to report something, in milliseconds.
pub const PRESENCE_MS: Millis = 4_000;

#[derive(Debug)]
pub(super) struct Foreign {
    binding: Binding,
    presence: Presence,
    /// Whether it has reported anything.
    spoken: bool,
    /// Readings with the topic that they came from.
    readings: Vec<(String, Named)>,
    /// When each topic that must report again and again last did.
    heard: BTreeMap<String, Millis>,
    asking: Option<Again>,
    stream: Option<Streaming>,
    /// What ends motion and goes out again: the messages and how often yet.
    ending: Option<(Vec<Fixed>, Again)>,
    pub(super) outputs: Outputs,
}

/// Whether the device takes commands, as far as anyone can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Presence {
    /// No connection.
    Down,
    /// Connected; it has until then to say that it is there.
    Expected { until: Millis },
    /// Commands go out. One that has not reported yet has until then.
    There { until: Millis },
    /// It has not said that it is there, or has said that it is gone.
    Gone,
    /// It reports nothing any more.
    Silent,
}

/// Something that is done again.
#[derive(Clone, Copy, Debug)]
struct Again {
    at: Millis,
    left: u32,
}

/// A command that is repeated.
#[derive(Debug)]
struct Streaming {
    topic: String,
    payload: Vec<u8>,
    end: Fixed,
    every_ms: Millis,
    next: Millis,
    until: Millis,
}

impl Foreign {
    pub(super) fn new(binding: Binding) -> Foreign {
        Foreign {
            binding,
            presence: Presence::Down,
            spoken: false,
            readings: Vec::new(),
            heard: BTreeMap::new(),
            asking: None,
            stream: None,
            ending: None,
            outputs: Outputs::default(),
        }
    }

    pub(super) fn handle(&mut self, now: Millis, input: LinkInput<'_>) {
        // What is over is over before it is reported on; what stops goes before everything.
        if matches!(input, LinkInput::Message { .. } | LinkInput::Command { .. }) {
            self.pass_time(now);
        }
        match input {
            LinkInput::Connected => self.handle_connected(now),
            LinkInput::Disconnected => self.handle_disconnected(now),
            LinkInput::Message {
                topic,
                payload,
                retained,
            } => self.handle_message(now, topic, payload, retained),
            LinkInput::Command { id, tool, arguments } => {
                let event = match self.command(now, tool, &arguments) {
                    Ok(()) => LinkEvent::Acknowledged { id },
                    Err(reason) => LinkEvent::Rejected { id, reason },
                };
                self.outputs.event(event);
            }
            // Only our own protocol has programs.
            LinkInput::Ask { id, .. } => self.outputs.event(LinkEvent::Program(Reply {
                session: 0,
                id,
                answer: Answer::Refused(Objection::NoStore),
            })),
            LinkInput::Run { id, .. } => {
                let reason = Refusal::UnknownTool;
                self.outputs.event(LinkEvent::Rejected { id, reason });
            }
            LinkInput::Stop { .. } => self.handle_stop(now),
            LinkInput::Release => self.end_stream(now),
            LinkInput::Reset | LinkInput::Tick => {}
        }
        self.pass_time(now);
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        let presence = match self.presence {
            Presence::Expected { until } => Some(until),
            Presence::There { until } if !self.spoken => Some(until),
            _ => None,
        };
        let stream = self.stream.as_ref().map(|stream| stream.next.min(stream.until));
        let ending = self
            .ending
            .as_ref()
            .map(|(_, again)| again.at)
            .filter(|at| *at != Millis::MAX);
        let asking = self.asking.map(|again| again.at);
        let silence = match self.presence {
            Presence::There { .. } => self
                .heard
                .iter()
                .map(|(topic, at)| at + self.silence_ms(topic) + 1)
                .min(),
            _ => None,
        };
        [presence, stream, ending, asking, silence].into_iter().flatten().min()
    }

    fn handle_connected(&mut self, now: Millis) {
        self.forget();
        // Where the device says whether it is there comes first, so that this is known before what it once said.
        if let Some(online) = &self.binding.online {
            self.outputs.subscribe(online.topic.clone());
        }
        let known = self.binding.online.as_ref().map(|online| online.topic.as_str());
        for topic in self.binding.state_topics().filter(|topic| Some(*topic) != known) {
            self.outputs.subscribe(topic.to_owned());
        }
        for state in self.binding.state.iter().filter(|state| state.every_ms.is_some()) {
            self.heard.insert(state.topic.clone(), now + PRESENCE_MS);
        }
        // What was being repeated when the connection went may have gone on since.
        if let Some((_, again)) = self.ending.as_mut() {
            *again = Again {
                at: now,
                left: STOP_SENDS,
            };
        }
        self.ask();
        if self.binding.online.is_some() {
            self.presence = Presence::Expected {
                until: now + PRESENCE_MS,
            };
        } else {
            self.come(now);
        }
    }

    fn handle_disconnected(&mut self, now: Millis) {
        self.end_stream(now);
        let presence = std::mem::replace(&mut self.presence, Presence::Down);
        if matches!(presence, Presence::There { .. }) {
            self.outputs.event(LinkEvent::Lost(Loss::Disconnected));
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.spoken = false;
        self.readings.clear();
        self.heard.clear();
        self.asking = None;
    }

    /// From here on commands go out.
    fn come(&mut self, now: Millis) {
        self.presence = Presence::There {
            until: now + PRESENCE_MS,
        };
        self.outputs.event(LinkEvent::Leased { boot: 0, seq: 0 });
    }

    fn handle_message(&mut self, now: Millis, topic: &str, payload: &[u8], retained: bool) {
        if self.binding.online.as_ref().is_some_and(|online| online.topic == topic) {
            self.handle_presence(now, payload);
        }
        if !self.binding.state_topics().any(|known| known == topic) {
            return;
        }
        // What the broker has kept may be of any age. It counts only for a device that says nothing else of its own accord.
        if retained && (self.heard.contains_key(topic) || !self.binding.ask.is_empty()) {
            return;
        }
        match self.binding.decode(topic, payload) {
            Ok(readings) => self.take(now, topic, readings),
            Err(error) => self.outputs.event(LinkEvent::Nonsense {
                what: error.to_string(),
            }),
        }
    }

    fn handle_presence(&mut self, now: Millis, payload: &[u8]) {
        let says = self.binding.online.as_ref().and_then(|online| online.read(payload));
        match (says, self.presence) {
            (Some(true), Presence::Expected { .. } | Presence::Gone) => {
                self.come(now);
                self.ask();
                for at in self.heard.values_mut() {
                    *at = now + PRESENCE_MS;
                }
            }
            (Some(false), Presence::Expected { .. } | Presence::There { .. } | Presence::Silent) => {
                self.presence = Presence::Gone;
                self.end_stream(now);
                self.readings.clear();
                self.outputs.event(LinkEvent::Offline);
            }
            _ => {}
        }
    }

    /// Foreign devices report in parts, so a new reading replaces only its own field.
    fn take(&mut self, now: Millis, topic: &str, readings: Vec<Named>) {
        if let Some(at) = self.heard.get_mut(topic) {
            *at = now;
        }
        // A message about something else proves nothing.
        let reports = !readings.is_empty();
        if reports {
            self.asking = None;
        }
        if reports && !std::mem::replace(&mut self.spoken, true) {
            self.outputs.event(LinkEvent::Online);
        }
        for reading in readings {
            let same = |(_, known): &&mut (String, Named)| known.field == reading.field;
            match self.readings.iter_mut().find(same) {
                Some(known) => *known = (topic.to_owned(), reading),
                None => self.readings.push((topic.to_owned(), reading)),
            }
        }
        if reports && self.presence == Presence::Silent && self.silent_topic(now).is_none() {
            self.come(now);
        }
        if reports {
            self.report();
        }
    }

    fn report(&mut self) {
        let progress = if self.stream.is_some() {
            Progress::Busy
        } else {
            Progress::Unknown
        };
        let report = Report {
            progress,
            stopped: false,
            account: None,
            readings: self.readings.iter().map(|(_, reading)| reading.clone()).collect(),
        };
        self.outputs.event(LinkEvent::State(report));
    }

    fn command(&mut self, now: Millis, tool: &str, arguments: &[(String, Plain)]) -> Result<(), Refusal> {
        if !matches!(self.presence, Presence::There { .. }) {
            return Err(Refusal::NoLease);
        }
        if self.stream.is_some() {
            return Err(Refusal::Busy);
        }
        let (topic, payload) = self.binding.encode(tool, arguments).map_err(|error| error.refusal())?;
        let Some(command) = self.binding.command.get(tool) else {
            return Err(Refusal::UnknownTool);
        };
        let lasts_ms = command.lasts_ms(arguments).map_err(|_| Refusal::BadArgument)?;
        if let (Some(stream), Some(lasts_ms)) = (&command.stream, lasts_ms) {
            self.stream = Some(Streaming {
                topic: topic.clone(),
                payload: payload.clone(),
                end: Fixed {
                    topic: topic.clone(),
                    payload: stream.end.clone(),
                },
                every_ms: stream.every_ms.into(),
                next: now + Millis::from(stream.every_ms),
                until: now + lasts_ms,
            });
        }
        // A new command is what ends what was ended before.
        self.ending = None;
        self.asking = (!self.binding.ask.is_empty()).then_some(Again {
            at: now + ASK_AGAIN_MS,
            left: ASKS_MAX,
        });
        self.outputs.publish(topic, payload, Channel::Normal);
        Ok(())
    }

    fn handle_stop(&mut self, now: Millis) {
        let streams = self.binding.command.values().filter_map(|command| {
            command.stream.as_ref().map(|stream| Fixed {
                topic: command.topic.clone(),
                payload: stream.end.clone(),
            })
        });
        let mut messages: Vec<Fixed> = Vec::new();
        for message in self.binding.stop.iter().cloned().chain(streams) {
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        self.stream = None;
        self.end(now, messages);
    }

    /// Ends what is being repeated.
    fn end_stream(&mut self, now: Millis) {
        if let Some(stream) = self.stream.take() {
            self.end(now, vec![stream.end]);
        }
    }

    /// Publishes these now and some times more.
    fn end(&mut self, now: Millis, messages: Vec<Fixed>) {
        if messages.is_empty() {
            return;
        }
        self.ending = Some((
            messages,
            Again {
                at: now,
                left: STOP_SENDS,
            },
        ));
    }

    fn ask(&mut self) {
        for ask in &self.binding.ask {
            self.outputs
                .publish(ask.topic.clone(), ask.payload.clone().into_bytes(), Channel::Normal);
        }
    }

    fn pass_time(&mut self, now: Millis) {
        self.repeat(now);
        self.repeat_end(now);
        if let Presence::Expected { until } = self.presence
            && now >= until
        {
            self.presence = Presence::Gone;
            self.outputs.event(LinkEvent::Lost(Loss::Unannounced));
        }
        if let Some(again) = self.asking.filter(|again| again.at <= now) {
            self.asking = (again.left > 1).then_some(Again {
                at: now + ASK_AGAIN_MS,
                left: again.left - 1,
            });
            self.ask();
        }
        if let Presence::There { until } = self.presence {
            let silent = self.silent_topic(now);
            let loss = match &silent {
                _ if !self.spoken && now >= until => Loss::Unheard,
                Some(_) => Loss::Silent,
                None => return,
            };
            self.presence = Presence::Silent;
            self.readings.retain(|(from, _)| Some(from) != silent.as_ref());
            self.end_stream(now);
            self.repeat_end(now);
            self.outputs.event(LinkEvent::Lost(loss));
        }
    }

    fn repeat(&mut self, now: Millis) {
        let Some(stream) = self.stream.as_mut() else { return };
        if now >= stream.until {
            return self.end_stream(now);
        }
        if now >= stream.next {
            // One that is late is not made up for: the device wants the newest, not all of them.
            stream.next = now + stream.every_ms;
            let (topic, payload) = (stream.topic.clone(), stream.payload.clone());
            self.outputs.publish(topic, payload, Channel::Normal);
        }
    }

    /// An end goes out by both connections: by the one that never waits, and behind whatever still waits in the other.
    fn repeat_end(&mut self, now: Millis) {
        let Some((messages, again)) = self.ending.as_mut().filter(|(_, again)| again.at <= now) else {
            return;
        };
        again.left -= 1;
        let channels: &[Channel] = if self.presence == Presence::Down {
            // The rest follows with the next connection.
            again.at = Millis::MAX;
            &[Channel::Stop]
        } else {
            again.at = now + STOP_RESEND_MS;
            &[Channel::Stop, Channel::Normal]
        };
        for message in messages.iter() {
            for channel in channels {
                let payload = message.payload.clone().into_bytes();
                self.outputs.publish(message.topic.clone(), payload, *channel);
            }
        }
        if again.left == 0 {
            self.ending = None;
        }
    }

    /// A topic that has been silent for three of its periods.
    fn silent_topic(&self, now: Millis) -> Option<String> {
        let silent = self
            .heard
            .iter()
            .find(|(topic, at)| now.saturating_sub(**at) > self.silence_ms(topic));
        silent.map(|(topic, _)| topic.clone())
    }

    fn silence_ms(&self, topic: &str) -> Millis {
        let periods = self.binding.state.iter().filter(|state| state.topic == topic);
        let every_ms = periods.filter_map(|state| state.every_ms).min().unwrap_or(0);
        (3 * Millis::from(every_ms)).max(SILENCE_MS_MIN)
    }
}
