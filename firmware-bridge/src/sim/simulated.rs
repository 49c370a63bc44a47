//! A whole simulated device without a socket: messages in, messages out. It is the JSON codec around [`crate::device::Device`], plus the
//! faults that a link shows. Tests drive it over a bad channel in memory; [`super::run`] connects it to a broker.

use super::faults::{Faults, Occasion};
use super::{Hastened, SimFlash, SimKind};
use crate::desk;
use crate::device::{Command, Device, Input, Output, Plant, Told};
use crate::message::{AckMessage, CommandMessage, EventMessage, LeaseMessage, ResetMessage, StateMessage, read, write};
use crate::packet::Head;
use crate::program::json::{RanMessage, ReplyMessage, RequestMessage};
use crate::store::{Store, StoreConfig};
use crate::topic::Subject;
use llmos_follower::{Millis, Point, Symbol};
use std::collections::VecDeque;

/// How often a plant that acts is looked at, in milliseconds.
const STEP_MS: Millis = 20;
/// How long after a command a restart strikes, in milliseconds.
const RESTART_MS: Millis = 100;

/// What a simulated device publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// The topic's last level.
    pub subject: Subject,
    /// The bytes.
    pub payload: Vec<u8>,
    /// Whether the broker should keep it.
    pub retain: bool,
}

/// One simulated device.
#[derive(Debug)]
pub struct Simulated {
    /// Only ever absent while a restart swaps it.
    device: Option<Device<Hastened, Store<SimFlash>>>,
    config: StoreConfig,
    boot: u32,
    booted: Millis,
    faults: Faults,
    seq: u32,
    commands: u32,
    restart_at: Option<Millis>,
    reports: u32,
    outputs: VecDeque<Published>,
}

impl Simulated {
    /// A device that boots at time 0.
    #[must_use]
    pub fn new(kind: SimKind, seed: u64, haste: u32, faults: Faults, boot: u32) -> Simulated {
        Simulated::with_plant(kind.plant(seed, haste, faults.clone()), faults, boot)
    }

    /// The same with a plant of its own. Nobody has named it, so no program is for it.
    #[must_use]
    pub fn with_plant(plant: Hastened, faults: Faults, boot: u32) -> Simulated {
        let nameless = StoreConfig::open(Symbol::NONE);
        Simulated::with_programs(plant, faults, boot, SimFlash::new(), nameless)
    }

    /// The same with flash for its programs, and with what its own configuration says about them.
    #[must_use]
    pub fn with_programs(
        plant: Hastened,
        faults: Faults,
        boot: u32,
        flash: SimFlash,
        config: StoreConfig,
    ) -> Simulated {
        let store = Store::open(flash, config, &plant);
        Simulated {
            device: Some(Device::with_programs(plant, boot, store)),
            config,
            boot,
            booted: 0,
            faults,
            seq: 0,
            commands: 0,
            restart_at: None,
            reports: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes a message of one of the topics that hosts write to; others are ignored.
    pub fn handle_message(&mut self, now: Millis, subject: Subject, payload: &[u8], retained: bool) {
        match subject {
            Subject::Lease => match read::<LeaseMessage>("lease", payload) {
                Ok(LeaseMessage { session, ttl_ms }) => self.pass(
                    now,
                    Input::Lease {
                        session,
                        ttl_ms,
                        retained,
                    },
                ),
                Err(error) => self.complain(now, error.to_string()),
            },
            Subject::Cmd => match read::<CommandMessage>("cmd", payload) {
                Ok(message) => self.handle_command(now, &message, retained),
                Err(error) => self.complain(now, error.to_string()),
            },
            // A kept reset may be of any age; a kept stop still stops.
            Subject::Stop if ResetMessage::is_in(payload) => {
                self.pass(now, if retained { Input::Tick } else { Input::Reset });
            }
            Subject::Stop => self.pass(now, Input::Stop),
            Subject::Program => self.handle_program(now, payload, retained),
            Subject::Ack | Subject::State | Subject::Event | Subject::Online | Subject::Manifest => {}
        }
    }

    /// The device's connection is gone. It goes to its safe state at once, and reports that when it is connected again.
    pub fn handle_disconnected(&mut self, now: Millis) {
        self.pass(now, Input::Disconnected);
    }

    /// Lets time pass.
    pub fn handle_tick(&mut self, now: Millis) {
        if self.restart_at.is_some_and(|at| now >= at) {
            self.restart_at = None;
            self.restart(now);
        }
        self.pass(now, Input::Tick);
    }

    /// The next message to publish, or `None` until the next input.
    pub fn poll(&mut self) -> Option<Published> {
        self.outputs.pop_front()
    }

    /// When [`Simulated::handle_tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self, now: Millis) -> Millis {
        let Some(device) = &self.device else { return now };
        let due = self.booted + device.next_deadline();
        let busy = device.status().busy || self.restart_at.is_some();
        if busy { due.min(now + STEP_MS) } else { due }
    }

    /// What the device says of itself, for a test that looks behind the messages; `None` never outside a restart.
    #[must_use]
    pub fn status(&self) -> Option<crate::device::Status> {
        self.device.as_ref().map(Device::status)
    }

    /// Where the plant really is, whatever the device reports; `None` where it has no place.
    #[must_use]
    pub fn position(&self) -> Option<Point> {
        self.device.as_ref().and_then(|device| device.plant().position())
    }

    fn uptime(&self, now: Millis) -> Millis {
        now.saturating_sub(self.booted)
    }

    fn handle_command(&mut self, now: Millis, message: &CommandMessage, retained: bool) {
        if message.seq > self.seq {
            self.seq = message.seq;
            self.commands += 1;
            if self.strikes(self.faults.restart) {
                self.restart_at = Some(now + RESTART_MS);
            }
        }
        let arguments = message.arguments();
        let command = Command {
            session: message.session,
            seq: message.seq,
            id: message.id,
            expires_ms: message.expires_ms,
            retained,
            tool: Symbol::of(&message.tool),
            arguments: arguments.as_deref(),
        };
        self.pass(now, Input::Command(command));
    }

    fn handle_program(&mut self, now: Millis, payload: &[u8], retained: bool) {
        let uptime = self.uptime(now);
        let Some(mut device) = self.device.take() else { return };
        let reply = RequestMessage::read(payload)
            .and_then(|message| message.with(|request| desk::handle(&mut device, uptime, request, retained)));
        while let Some(output) = device.poll() {
            self.note(&device, output);
        }
        self.device = Some(device);
        match reply {
            Ok(Some(reply)) => self.publish(Subject::Ack, write(&ReplyMessage::of(&reply)), false),
            Ok(None) => {}
            Err(error) => self.complain(now, error.to_string()),
        }
    }

    fn strikes(&self, fault: Option<Occasion>) -> bool {
        fault.is_some_and(|occasion| occasion.strikes(self.commands))
    }

    fn lasts(&self, fault: Option<Occasion>) -> bool {
        fault.is_some_and(|occasion| occasion.has_begun(self.commands))
    }

    fn restart(&mut self, now: Millis) {
        let uptime = self.uptime(now);
        let Some(device) = self.device.take() else { return };
        self.boot = self.boot.wrapping_add(1);
        self.booted = now;
        self.seq = 0;
        let (plant, store) = device.into_parts();
        let plant = plant.rebooted(uptime);
        let store = Store::open(store.into_flash(), self.config, &plant);
        self.device = Some(Device::with_programs(plant, self.boot, store));
    }

    /// Gives the device one input and writes down everything that comes of it.
    fn pass(&mut self, now: Millis, input: Input<'_>) {
        let uptime = self.uptime(now);
        let Some(mut device) = self.device.take() else { return };
        device.handle(uptime, input);
        while let Some(output) = device.poll() {
            self.note(&device, output);
        }
        self.device = Some(device);
    }

    fn note(&mut self, device: &Device<Hastened, Store<SimFlash>>, output: Output) {
        let uptime_ms = device.status().uptime_ms;
        match output {
            Output::Lease { session, granted, seq } => {
                let ack = AckMessage::Lease {
                    lease: session,
                    granted,
                    boot: self.boot,
                    uptime_ms,
                    seq,
                };
                self.publish(Subject::Ack, write(&ack), false);
            }
            Output::Ack {
                session,
                seq,
                id,
                answer,
            } => {
                let reason = answer.err().map(|refusal| refusal.as_str().to_owned());
                let ack = write(&AckMessage::Command {
                    session,
                    seq,
                    id,
                    accepted: answer.is_ok(),
                    reason,
                    uptime_ms,
                });
                if self.strikes(self.faults.double_ack) {
                    self.publish(Subject::Ack, ack.clone(), false);
                }
                self.publish(Subject::Ack, ack, false);
            }
            Output::Fault { seq, failure } => {
                let text = format!("command {seq} failed: {}", failure.as_str());
                self.publish(Subject::Event, write(&EventMessage { uptime_ms, text }), false);
            }
            Output::Run => {
                if let Some(report) = device.run_report() {
                    let ran = RanMessage::from(report);
                    self.publish(Subject::Ack, write(&AckMessage::Ran { ran }), false);
                }
            }
            Output::Report => {
                self.reports += 1;
                let payload = if self.lasts(self.faults.nonsense) {
                    self.nonsense(device)
                } else {
                    write(&state_of(device))
                };
                self.publish(Subject::State, payload, true);
            }
        }
    }

    /// Reports that no sane device makes: what Python's `json` writes for a broken sensor, and a number from nowhere.
    fn nonsense(&self, device: &Device<Hastened, Store<SimFlash>>) -> Vec<u8> {
        let status = device.status();
        let number = if self.reports.is_multiple_of(2) { "NaN" } else { "1e300" };
        let (boot, uptime_ms, done) = (status.boot, status.uptime_ms, status.done);
        format!(
            r#"{{"boot":{boot},"uptime_ms":{uptime_ms},"busy":false,"done":{done},"failed":null,"stopped":false,"position":[{number},0,0]}}"#
        )
        .into_bytes()
    }

    fn complain(&mut self, now: Millis, text: String) {
        let uptime_ms = self.uptime(now);
        self.publish(Subject::Event, write(&EventMessage { uptime_ms, text }), false);
    }

    fn publish(&mut self, subject: Subject, payload: Vec<u8>, retain: bool) {
        if !self.lasts(self.faults.silent) {
            self.outputs.push_back(Published {
                subject,
                payload,
                retain,
            });
        }
    }
}

fn state_of(device: &Device<Hastened, Store<SimFlash>>) -> StateMessage {
    let mut state = StateMessage::of(&Head::of(&device.status()));
    device
        .plant()
        .readings(&mut |owner: &str, field: &str, told: Told<'_>| state.put(owner, field, told));
    state
}
