//! The link to a device that speaks our protocol: lease, resend, expiry, loss.

use super::{
    Account, Channel, LinkEvent, LinkInput, Loss, Outputs, RESEND_MS, Report, SENDS_MAX, SILENCE_MS_MIN,
    STOP_RESEND_MS, STOP_SENDS_MAX,
};
use crate::device::Refusal;
use crate::message::{
    AckMessage, CommandMessage, EventMessage, LeaseMessage, Malformed, ResetMessage, StateMessage, StopMessage, read,
    write,
};
use crate::plain::Plain;
use crate::program::json::RequestMessage;
use crate::program::{Ask, OnHostLoss, Request, Run};
use crate::topic::{DeviceName, Subject, Topic};
use llmos_follower::program::SLOTS_MAX;
use llmos_follower::{Millis, Progress};

/// How often a lease is renewed before it would run out.
const RENEWALS: Millis = 3;

/// Where the link stands with the lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No connection. `ask_at`: a lease that was lost has run out on the device by then.
    Down { ask_at: Millis },
    /// Connected, waiting for a lost lease to run out.
    Cooling { ask_at: Millis },
    /// Asking.
    Asking { refused: bool },
    /// Ours.
    Held(Held),
    /// Given back; the link only listens until it is connected anew.
    Released,
}

/// A lease that is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    boot: u32,
    /// The device's uptime when it granted the lease. What it reported before may speak of another host's command.
    granted: u64,
    /// The device's uptime, and when it was told.
    uptime: (u64, Millis),
    /// When the last sane state came.
    heard: Millis,
}

/// A command or run whose acknowledgement is awaited.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Unacknowledged {
    subject: Subject,
    payload: Vec<u8>,
    sends: u32,
    resend_at: Millis,
}

/// The command or run that was sent last, until the device has ended it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Sent {
    id: u64,
    seq: u32,
    ended: bool,
    unacknowledged: Option<Unacknowledged>,
}

/// A stop that the device has not confirmed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stopping {
    payload: Vec<u8>,
    sends: u32,
    resend_at: Millis,
}

/// A state's place among the states of its boot. A device may report several in a millisecond, and the network may turn them round: then
/// the commands' sequence decides, and never which came first. (One that was begun in the very millisecond in which another failed looks
/// like the older one and is left out, as if it had been lost; the next report says the same.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Moment {
    uptime_ms: u64,
    /// The last command that ended, well or not.
    ended: u32,
    busy: bool,
}

impl Moment {
    /// The first one of a millisecond.
    fn at(uptime_ms: u64) -> Moment {
        Moment {
            uptime_ms,
            ..Moment::default()
        }
    }

    fn of(state: &StateMessage) -> Moment {
        Moment {
            uptime_ms: state.uptime_ms,
            ended: state.failed.as_ref().map_or(0, |failed| failed.seq).max(state.done),
            busy: state.busy,
        }
    }
}

#[derive(Debug)]
pub(super) struct Native {
    device: DeviceName,
    session: u32,
    heartbeat_ms: Millis,
    expiry_ms: Millis,
    phase: Phase,
    heartbeat_at: Millis,
    online: Option<bool>,
    seq: u32,
    sent: Option<Sent>,
    stopping: Option<Stopping>,
    stops: u64,
    /// The newest state's boot and its place in it, so that a late one is not taken for news.
    newest: (u32, Moment),
    pub(super) outputs: Outputs,
}

impl Native {
    pub(super) fn new(device: &DeviceName, session: u32, heartbeat_ms: u32, expiry_ms: u32) -> Native {
        Native {
            device: device.clone(),
            session,
            heartbeat_ms: Millis::from(heartbeat_ms.max(1)),
            expiry_ms: Millis::from(expiry_ms),
            phase: Phase::Down { ask_at: 0 },
            heartbeat_at: 0,
            online: None,
            seq: 0,
            sent: None,
            stopping: None,
            stops: 0,
            newest: (0, Moment::default()),
            outputs: Outputs::default(),
        }
    }

    pub(super) fn handle(&mut self, now: Millis, input: LinkInput<'_>) {
        match input {
            LinkInput::Connected => self.handle_connected(now),
            LinkInput::Disconnected => self.handle_disconnected(now),
            LinkInput::Message {
                topic,
                payload,
                retained,
            } => {
                if let Ok(topic) = Topic::parse(topic)
                    && topic.device == self.device
                    && let Err(error) = self.handle_message(now, topic.subject, payload, retained)
                {
                    self.outputs.event(LinkEvent::Nonsense {
                        what: error.to_string(),
                    });
                }
            }
            LinkInput::Command { id, tool, arguments } => self.handle_command(now, id, tool, arguments),
            LinkInput::Run {
                id,
                crc,
                on_host_loss,
                slots,
            } => self.handle_run(now, id, crc, on_host_loss, &slots),
            LinkInput::Ask { id, ask } => self.handle_ask(id, ask),
            LinkInput::Stop { reason } => self.handle_stop(now, reason),
            LinkInput::Reset => {
                self.stopping = None;
                let payload = write(&ResetMessage::by_person());
                self.outputs.publish(self.topic(Subject::Stop), payload, Channel::Stop);
            }
            LinkInput::Release => self.handle_release(),
            LinkInput::Tick => {}
        }
        self.advance(now);
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        let phase = match self.phase {
            Phase::Down { .. } | Phase::Released => None,
            Phase::Cooling { ask_at } => Some(ask_at),
            Phase::Asking { .. } => Some(self.heartbeat_at),
            Phase::Held(held) => Some(
                self.heartbeat_at
                    .min(held.heard + self.silence_ms())
                    .min(held.uptime.1 + self.ttl_ms()),
            ),
        };
        let resend = self
            .sent
            .as_ref()
            .and_then(|sent| sent.unacknowledged.as_ref())
            .map(|waiting| waiting.resend_at);
        let stop = self.stopping.as_ref().map(|stopping| stopping.resend_at);
        [phase, resend, stop].into_iter().flatten().min()
    }

    fn topic(&self, subject: Subject) -> String {
        Topic::new(&self.device, subject).to_string()
    }

    fn ttl_ms(&self) -> Millis {
        self.heartbeat_ms
    }

    fn silence_ms(&self) -> Millis {
        self.ttl_ms().max(SILENCE_MS_MIN)
    }

    fn handle_connected(&mut self, now: Millis) {
        // A second connection event means that the first connection's end was missed.
        self.handle_disconnected(now);
        for subject in [Subject::Ack, Subject::State, Subject::Event, Subject::Online] {
            self.outputs.subscribe(self.topic(subject));
        }
        let ask_at = match self.phase {
            Phase::Down { ask_at } => ask_at,
            _ => now,
        };
        self.phase = Phase::Cooling { ask_at };
    }

    fn handle_disconnected(&mut self, now: Millis) {
        self.online = None;
        self.lose(now, Loss::Disconnected);
        let ask_at = match self.phase {
            Phase::Cooling { ask_at } | Phase::Down { ask_at } => ask_at,
            _ => now,
        };
        self.phase = Phase::Down { ask_at };
    }

    /// What time alone does.
    fn advance(&mut self, now: Millis) {
        self.advance_stop(now);
        if let Phase::Cooling { ask_at } = self.phase
            && now >= ask_at
        {
            self.phase = Phase::Asking { refused: false };
            self.heartbeat_at = now;
        }
        if let Phase::Held(held) = self.phase {
            if now >= held.heard + self.silence_ms() {
                return self.lose(now, Loss::Silent);
            }
            if now >= held.uptime.1 + self.ttl_ms() {
                return self.lose(now, Loss::LeaseLost);
            }
        }
        if matches!(self.phase, Phase::Asking { .. } | Phase::Held(_)) && now >= self.heartbeat_at {
            self.heartbeat_at = now + (self.heartbeat_ms / RENEWALS).max(1);
            self.publish_lease(self.ttl_ms());
        }
        self.advance_command(now);
    }

    fn advance_command(&mut self, now: Millis) {
        let Some(waiting) = self.sent.as_mut().and_then(|sent| sent.unacknowledged.as_mut()) else {
            return;
        };
        if now < waiting.resend_at {
            return;
        }
        let topic = Topic::new(&self.device, waiting.subject).to_string();
        if waiting.sends == SENDS_MAX {
            return self.lose(now, Loss::NoAck);
        }
        waiting.sends += 1;
        waiting.resend_at = now + RESEND_MS;
        self.outputs.publish(topic, waiting.payload.clone(), Channel::Normal);
    }

    fn advance_stop(&mut self, now: Millis) {
        let topic = self.topic(Subject::Stop);
        let Some(stopping) = &mut self.stopping else { return };
        if now < stopping.resend_at {
            return;
        }
        stopping.sends += 1;
        stopping.resend_at = now + STOP_RESEND_MS;
        self.outputs.publish(topic, stopping.payload.clone(), Channel::Stop);
        if stopping.sends == STOP_SENDS_MAX {
            self.stopping = None;
            let text =
                "the stop was sent again and again, and the device does not report that it has stopped".to_owned();
            self.outputs.event(LinkEvent::Notice { text });
        }
    }

    /// Gives the lease up and says so, if it was held.
    fn lose(&mut self, now: Millis, loss: Loss) {
        self.sent = None;
        if let Phase::Held(_) = self.phase {
            self.phase = Phase::Cooling {
                ask_at: now + self.ttl_ms(),
            };
            self.outputs.event(LinkEvent::Lost(loss));
        }
    }

    fn publish_lease(&mut self, ttl_ms: Millis) {
        let ttl_ms = u32::try_from(ttl_ms).unwrap_or(u32::MAX);
        let payload = write(&LeaseMessage {
            session: self.session,
            ttl_ms,
        });
        self.outputs
            .publish(self.topic(Subject::Lease), payload, Channel::Normal);
    }

    fn handle_release(&mut self) {
        if let Phase::Held(_) = self.phase {
            self.publish_lease(0);
        }
        self.sent = None;
        if !matches!(self.phase, Phase::Down { .. }) {
            self.phase = Phase::Released;
        }
    }

    fn handle_stop(&mut self, now: Millis, reason: &str) {
        self.stops += 1;
        let id = (u64::from(self.session) << 16) | (self.stops & 0xffff);
        let payload = write(&StopMessage {
            id,
            reason: reason.to_owned(),
        });
        self.stopping = Some(Stopping {
            payload,
            sends: 0,
            resend_at: now,
        });
    }

    fn handle_command(&mut self, now: Millis, id: u64, tool: &str, arguments: Vec<(String, Plain)>) {
        let session = self.session;
        self.send(now, id, Subject::Cmd, |seq, expires_ms| {
            write(&CommandMessage {
                session,
                seq,
                id,
                expires_ms,
                tool: tool.to_owned(),
                args: arguments
                    .into_iter()
                    .map(|(name, value)| (name, value.to_json()))
                    .collect(),
            })
        });
    }

    fn handle_run(&mut self, now: Millis, id: u64, crc: u32, on_host_loss: OnHostLoss, slots: &[Plain]) {
        let session = self.session;
        self.send(now, id, Subject::Program, |seq, expires_ms| {
            let run = Run {
                seq,
                expires_ms,
                crc,
                on_host_loss,
                // More than there is room for is refused by the device, which sees all of them.
                slots: slots.iter().take(SLOTS_MAX).map(Plain::to_value).collect(),
            };
            let ask = Ask::Run(run);
            write(&RequestMessage::of(&Request { session, id, ask }, slots))
        });
    }

    fn handle_ask(&mut self, id: u64, ask: &Ask<'_>) {
        let (session, ask) = (self.session, ask.clone());
        let payload = write(&RequestMessage::of(&Request { session, id, ask }, &[]));
        self.outputs
            .publish(self.topic(Subject::Program), payload, Channel::Normal);
    }

    /// Sends what takes a sequence number and is sent again until it is acknowledged.
    fn send(&mut self, now: Millis, id: u64, subject: Subject, message: impl FnOnce(u32, u64) -> Vec<u8>) {
        // Whoever counts commands from the lease on counts this one too.
        self.seq += 1;
        let Phase::Held(held) = self.phase else {
            return self.outputs.event(LinkEvent::Rejected {
                id,
                reason: Refusal::NoLease,
            });
        };
        if self.sent.as_ref().is_some_and(|sent| sent.unacknowledged.is_some()) {
            return self.outputs.event(LinkEvent::Rejected {
                id,
                reason: Refusal::Busy,
            });
        }
        let expires_ms = held.uptime.0 + now.saturating_sub(held.uptime.1) + self.expiry_ms;
        let payload = message(self.seq, expires_ms);
        self.outputs
            .publish(self.topic(subject), payload.clone(), Channel::Normal);
        let unacknowledged = Some(Unacknowledged {
            subject,
            payload,
            sends: 1,
            resend_at: now + RESEND_MS,
        });
        self.sent = Some(Sent {
            id,
            seq: self.seq,
            ended: false,
            unacknowledged,
        });
    }

    fn handle_message(
        &mut self,
        now: Millis,
        subject: Subject,
        payload: &[u8],
        retained: bool,
    ) -> Result<(), Malformed> {
        match subject {
            Subject::Ack if !retained => self.handle_ack(now, &read("ack", payload)?)?,
            Subject::State => self.handle_state(now, &read("state", payload)?, retained)?,
            Subject::Online => self.handle_online(now, payload)?,
            Subject::Event if !retained => {
                let event: EventMessage = read("event", payload)?;
                self.outputs.event(LinkEvent::Notice {
                    text: Malformed::new(event.text).to_string(),
                });
            }
            // What was kept is old, and the other topics are for others.
            Subject::Ack
            | Subject::Event
            | Subject::Lease
            | Subject::Cmd
            | Subject::Program
            | Subject::Stop
            | Subject::Manifest => {}
        }
        Ok(())
    }

    fn handle_online(&mut self, now: Millis, payload: &[u8]) -> Result<(), Malformed> {
        let online = match payload {
            b"1" => true,
            b"0" => false,
            other => {
                let found = String::from_utf8_lossy(other);
                return Err(Malformed::new(format!("online: expected 1 or 0, found {found:?}")));
            }
        };
        if self.online == Some(online) {
            return Ok(());
        }
        self.online = Some(online);
        self.outputs
            .event(if online { LinkEvent::Online } else { LinkEvent::Offline });
        if !online {
            self.lose(now, Loss::Offline);
        }
        Ok(())
    }

    fn handle_ack(&mut self, now: Millis, ack: &AckMessage) -> Result<(), Malformed> {
        match *ack {
            AckMessage::Program(ref reply) if reply.session == self.session => {
                let reply = reply.reply()?;
                self.outputs.event(LinkEvent::Program(reply));
                Ok(())
            }
            AckMessage::Ran { ref ran } => {
                let report = ran.report()?;
                if let Phase::Held(_) = self.phase {
                    self.outputs.event(LinkEvent::Ran(report));
                }
                Ok(())
            }
            AckMessage::Lease {
                lease,
                granted,
                boot,
                uptime_ms,
                seq,
            } if lease == self.session => {
                self.handle_lease_ack(now, granted, boot, (uptime_ms, now), seq);
                Ok(())
            }
            AckMessage::Command {
                session,
                seq,
                id,
                accepted,
                ref reason,
                ..
            } if session == self.session => self.handle_command_ack(seq, id, accepted, reason.as_deref()),
            AckMessage::Lease { .. } | AckMessage::Command { .. } | AckMessage::Program(_) => Ok(()),
        }
    }

    fn handle_lease_ack(&mut self, now: Millis, granted: bool, boot: u32, uptime: (u64, Millis), seq: u32) {
        match &mut self.phase {
            Phase::Asking { .. } if granted => {
                self.phase = Phase::Held(Held {
                    boot,
                    granted: uptime.0,
                    uptime,
                    heard: now,
                });
                self.seq = self.seq.max(seq);
                // What came before, whoever sent it, does not decide any more which report is the newest.
                self.newest = (boot, Moment::at(uptime.0));
                self.outputs.event(LinkEvent::Leased { boot, seq: self.seq });
            }
            Phase::Asking { refused } => {
                if !std::mem::replace(refused, true) {
                    self.outputs.event(LinkEvent::LeaseRefused);
                }
            }
            Phase::Held(held) if held.boot != boot => self.lose(now, Loss::Restarted),
            Phase::Held(_) if !granted => self.lose(now, Loss::LeaseLost),
            // An older answer that was overtaken says nothing new.
            Phase::Held(held) if uptime.0 >= held.uptime.0 => held.uptime = uptime,
            Phase::Held(_) | Phase::Down { .. } | Phase::Cooling { .. } | Phase::Released => {}
        }
    }

    fn handle_command_ack(&mut self, seq: u32, id: u64, accepted: bool, reason: Option<&str>) -> Result<(), Malformed> {
        let Some(sent) = &mut self.sent else { return Ok(()) };
        if (sent.seq, sent.id) != (seq, id) || sent.unacknowledged.take().is_none() {
            return Ok(());
        }
        if accepted {
            self.outputs.event(LinkEvent::Acknowledged { id });
            return Ok(());
        }
        sent.ended = true;
        let known = reason.and_then(Refusal::parse);
        self.outputs.event(LinkEvent::Rejected {
            id,
            reason: known.unwrap_or(Refusal::Plant),
        });
        match known {
            Some(_) => Ok(()),
            None => Err(Malformed::new(format!(
                "ack: reason: expected one of the protocol's words, found {reason:?}"
            ))),
        }
    }

    fn handle_state(&mut self, now: Millis, state: &StateMessage, retained: bool) -> Result<(), Malformed> {
        let readings = state.readings()?;
        let moment = Moment::of(state);
        if state.boot == self.newest.0 && moment < self.newest.1 {
            return Ok(());
        }
        self.newest = (state.boot, moment);
        let mut account = None;
        if let Phase::Held(held) = &mut self.phase
            && !retained
        {
            if held.boot != state.boot {
                self.lose(now, Loss::Restarted);
                return Ok(());
            }
            held.heard = now;
            account = (state.uptime_ms >= held.granted).then(|| account_of(state));
            self.note_end(state);
        }
        if state.stopped && !retained {
            self.stopping = None;
        }
        let busy = state.busy || self.sent.as_ref().is_some_and(|sent| !sent.ended);
        let progress = if busy { Progress::Busy } else { Progress::Finished };
        self.outputs.event(LinkEvent::State(Report {
            progress,
            stopped: state.stopped,
            account,
            readings,
        }));
        Ok(())
    }

    /// Whether this state says how the last command ended. That also acknowledges it: only a command that was begun ends.
    fn note_end(&mut self, state: &StateMessage) {
        let Some(sent) = self.sent.as_mut().filter(|sent| !sent.ended) else {
            return;
        };
        let id = sent.id;
        if let Some(failed) = state.failed.as_ref().filter(|failed| failed.seq == sent.seq) {
            sent.ended = true;
            sent.unacknowledged = None;
            let reason = Malformed::new(failed.reason.clone()).to_string();
            self.outputs.event(LinkEvent::Failed { id, reason });
        } else if state.done >= sent.seq {
            sent.ended = true;
            if sent.unacknowledged.take().is_some() {
                self.outputs.event(LinkEvent::Acknowledged { id });
            }
        }
    }
}

fn account_of(state: &StateMessage) -> Account {
    let failed = state.failed.as_ref();
    Account {
        boot: state.boot,
        done: state.done,
        failed: failed.map(|failed| (failed.seq, Malformed::new(failed.reason.clone()).to_string())),
    }
}
