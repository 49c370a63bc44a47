//! A device's end of a serial line: bytes come in, the [`Device`] is told what they say, and what it answers goes out as bytes.
//!
//! ```text
//! Line::read ── Decoder ── packet ──> Device::handle        Device::poll ──> Outbox ── frame ──> Line::write
//! ```
//!
//! A board implements two traits, [`crate::device::Plant`] and [`Line`], and calls [`Port::serve`] again and again, at least every few
//! milliseconds. Each call takes bounded work, whatever comes in: at most [`BYTES_MAX`] bytes are read, and answers that nobody fetches are
//! dropped and counted (the host asks again, and gets the same answer). A stop is carried out when it is read, also where nothing can be
//! written. A line that can be unplugged and notices it says so with [`crate::device::Input::Disconnected`]; on any other, a host that is
//! gone is a lease that runs out.
//!
//! No allocation, no formatting, no panics. It must not know what a tool does, what is in the program channel, or what time it is.

use crate::device::{Command, Device, Input, Output, Plant, Programs, Told};
use crate::frame::{Decoder, FRAME_LEN_MAX, Heard, PACKET_LEN_MAX, encode};
use crate::packet::{
    Counts, FromHost, Head, PART_LEN_MAX, PROGRAM_LEN_MAX, Pong, Reading, ToDevice, ToHost, VERSION, VERSION_MIN,
    read_from_host, write,
};
use crate::topic::DeviceName;
use heapless::Deque;
use llmos_follower::Millis;

/// Bytes that one call reads at most.
pub const BYTES_MAX: usize = 512;
/// Bytes of the longest report, where a board does not say another number: some forty readings.
pub const REPORT_LEN_MAX: usize = 1_024;
/// Answers that may wait to be sent.
const ANSWERS_MAX: usize = 8;
/// How often a port tells at most how its line was, in milliseconds.
const COUNTS_MS: Millis = 1_000;

/// A serial line, as a board drives it. Neither call waits.
pub trait Line {
    /// The next byte that has come in, if any.
    fn read(&mut self) -> Option<u8>;

    /// Takes bytes to send, from the front, as many as there is room for, and says how many those were.
    fn write(&mut self, bytes: &[u8]) -> usize;
}

/// What is at the device's end of the program channel. A device without one uses `()`, which ignores what comes in.
pub trait ProgramChannel<P, S = ()> {
    /// Takes what a host sent, at most [`PROGRAM_LEN_MAX`] bytes.
    fn take(&mut self, now: Millis, device: &mut Device<P, S>, payload: &[u8]);

    /// A run has ended, or a host has come that may want the report of the last one.
    fn report(&mut self) {}

    /// Writes what is to be sent next and returns its length, or `None` where there is nothing.
    fn answer(&mut self, now: Millis, device: &mut Device<P, S>, payload: &mut [u8; PROGRAM_LEN_MAX]) -> Option<usize>;
}

impl<P, S> ProgramChannel<P, S> for () {
    fn take(&mut self, _: Millis, _: &mut Device<P, S>, _: &[u8]) {}

    fn answer(&mut self, _: Millis, _: &mut Device<P, S>, _: &mut [u8; PROGRAM_LEN_MAX]) -> Option<usize> {
        None
    }
}

/// A device's end of a line. `REPORT` is the room for one report in bytes; a device that reports more is told so by its host.
#[derive(Debug)]
pub struct Port<const REPORT: usize = REPORT_LEN_MAX> {
    decoder: Decoder,
    outbox: Outbox<REPORT>,
}

impl<const REPORT: usize> Port<REPORT> {
    /// The port of a device with this name; a host that was given another one does not command it.
    #[must_use]
    pub fn new(name: DeviceName) -> Port<REPORT> {
        Port {
            decoder: Decoder::default(),
            outbox: Outbox {
                name,
                pong: None,
                answers: Deque::new(),
                counts: Counts::default(),
                counts_told: Counts::default(),
                counts_at: 0,
                report: Snapshot {
                    bytes: [0; REPORT],
                    len: 0,
                    missing: 0,
                    number: 0,
                    sent: None,
                },
                report_due: false,
                run_due: false,
                frame: [0; FRAME_LEN_MAX],
                frame_len: 0,
                frame_sent: 0,
                urgent: true,
            },
        }
    }

    /// Reads, lets time pass, and writes; `now` is the device's uptime. Call it at least every few milliseconds.
    pub fn serve<P: Plant, S: Programs>(
        &mut self,
        now: Millis,
        device: &mut Device<P, S>,
        line: &mut impl Line,
        programs: &mut impl ProgramChannel<P, S>,
    ) {
        let Port { decoder, outbox } = self;
        for _ in 0..BYTES_MAX {
            let Some(byte) = line.read() else { break };
            match decoder.feed(byte) {
                Heard::Nothing => {}
                Heard::Noise => count(&mut outbox.counts.noise),
                Heard::Packet(packet) => outbox.take(now, packet, device, programs),
            }
        }
        outbox.tell(now, device, Input::Tick);
        outbox.send(now, device, line, programs);
    }

    /// Whether there is more to send than the line has taken yet.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        let outbox = &self.outbox;
        let waiting = outbox.run_due || outbox.pong.is_some() || outbox.report_due || outbox.report.sent.is_some();
        waiting || !outbox.answers.is_empty() || outbox.frame_sent < outbox.frame_len
    }

    /// How the line was since the device booted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.outbox.counts
    }
}

fn count(number: &mut u32) {
    *number = number.saturating_add(1);
}

/// What waits to be said. Answers are few and small and go first, in turn with everything else, so that neither starves the other.
#[derive(Debug)]
struct Outbox<const REPORT: usize> {
    name: DeviceName,
    /// The token of the last ping or stop that is not answered.
    pong: Option<u32>,
    answers: Deque<Output, ANSWERS_MAX>,
    counts: Counts,
    counts_told: Counts,
    counts_at: Millis,
    report: Snapshot<REPORT>,
    /// Something has changed since the snapshot was taken.
    report_due: bool,
    /// What came of a run should be told.
    run_due: bool,
    /// The frame that is being sent.
    frame: [u8; FRAME_LEN_MAX],
    frame_len: usize,
    frame_sent: usize,
    /// Whether answers go first this time.
    urgent: bool,
}

impl<const REPORT: usize> Outbox<REPORT> {
    fn take<P: Plant, S: Programs>(
        &mut self,
        now: Millis,
        packet: &[u8],
        device: &mut Device<P, S>,
        programs: &mut impl ProgramChannel<P, S>,
    ) {
        match read_from_host(packet) {
            Ok(FromHost::Ping(token)) => self.pong = Some(token),
            Ok(FromHost::Stop(token)) => {
                self.tell(now, device, Input::Stop);
                self.pong = Some(token);
            }
            Ok(FromHost::Message(message)) => self.take_message(now, message, device, programs),
            Err(_) => {
                count(&mut self.counts.unreadable);
                // Whoever speaks another version hears which ones there are.
                self.pong = self.pong.or(Some(0));
            }
        }
    }

    fn take_message<P: Plant, S: Programs>(
        &mut self,
        now: Millis,
        message: ToDevice<'_>,
        device: &mut Device<P, S>,
        programs: &mut impl ProgramChannel<P, S>,
    ) {
        match message {
            ToDevice::Lease { session, ttl_ms } => {
                let lease = Input::Lease {
                    session,
                    ttl_ms,
                    retained: false,
                };
                self.tell(now, device, lease);
            }
            ToDevice::Command(command) => {
                let command = Command {
                    session: command.session,
                    seq: command.seq,
                    id: command.id,
                    expires_ms: command.expires_ms,
                    retained: false,
                    tool: command.tool,
                    arguments: command.arguments.as_deref(),
                };
                self.tell(now, device, Input::Command(command));
            }
            ToDevice::Reset => self.tell(now, device, Input::Reset),
            ToDevice::Program(payload) => {
                programs.take(now, device, payload);
                // What the device has to say to that is drained before the next packet.
                self.tell(now, device, Input::Tick);
            }
        }
    }

    /// Tells the device something and keeps what it answers. Where there is no room, the oldest answer goes: its command or lease has been
    /// asked for anew by then, or will be.
    fn tell<P: Plant, S: Programs>(&mut self, now: Millis, device: &mut Device<P, S>, input: Input<'_>) {
        device.handle(now, input);
        while let Some(output) = device.poll() {
            match output {
                Output::Report => {
                    self.report_due = true;
                    continue;
                }
                Output::Run => {
                    self.run_due = true;
                    continue;
                }
                _ => {}
            }
            if self.answers.is_full() {
                let _ = self.answers.pop_front();
                count(&mut self.counts.dropped);
            }
            // There is room now.
            let _ = self.answers.push_back(output);
        }
    }

    /// Writes until the line takes no more, or there is no more to say.
    fn send<P: Plant, S: Programs>(
        &mut self,
        now: Millis,
        device: &mut Device<P, S>,
        line: &mut impl Line,
        programs: &mut impl ProgramChannel<P, S>,
    ) {
        // Each round sends a frame; the bound holds also for a line that takes everything.
        for _ in 0..2 * ANSWERS_MAX {
            let rest = self.frame.get(self.frame_sent..self.frame_len).unwrap_or_default();
            if !rest.is_empty() {
                self.frame_sent += line.write(rest).min(rest.len());
                if self.frame_sent < self.frame_len {
                    return;
                }
            }
            if !self.next_frame(now, device, programs) {
                return;
            }
        }
    }

    /// Makes the next frame; false where there is nothing to say.
    fn next_frame<P: Plant, S: Programs>(
        &mut self,
        now: Millis,
        device: &mut Device<P, S>,
        programs: &mut impl ProgramChannel<P, S>,
    ) -> bool {
        let mut packet = [0; PACKET_LEN_MAX];
        let mut len = None;
        if self.urgent {
            len = self.answer(device, &mut packet);
        }
        // After an answer it is the others' turn.
        self.urgent = len.is_none();
        if len.is_none() {
            len = self.news(now, device, programs, &mut packet);
        }
        if len.is_none() {
            len = self.answer(device, &mut packet);
        }
        let packet = len.and_then(|len| packet.get(..len));
        self.frame_sent = 0;
        self.frame_len = packet
            .and_then(|packet| encode(packet, &mut self.frame))
            .unwrap_or_default();
        self.frame_len > 0
    }

    /// The next answer to somebody who waits for it.
    fn answer<P: Plant, S: Programs>(
        &mut self,
        device: &Device<P, S>,
        packet: &mut [u8; PACKET_LEN_MAX],
    ) -> Option<usize> {
        let status = device.status();
        if let Some(token) = self.pong.take() {
            let pong = Pong {
                token,
                oldest: VERSION_MIN,
                newest: VERSION,
                boot: status.boot,
                stopped: status.stopped,
                name: self.name.as_str(),
            };
            return pong.write(packet);
        }
        let uptime_ms = status.uptime_ms;
        let message = match self.answers.pop_front()? {
            Output::Lease { session, granted, seq } => ToHost::Lease {
                session,
                granted,
                boot: status.boot,
                uptime_ms,
                seq,
            },
            Output::Ack {
                session,
                seq,
                id,
                answer,
            } => ToHost::Ack {
                session,
                seq,
                id,
                uptime_ms,
                refusal: answer.err(),
            },
            Output::Fault { seq, failure } => ToHost::Fault {
                uptime_ms,
                seq,
                failure,
            },
            // They are never queued.
            Output::Report | Output::Run => return None,
        };
        write(&message, packet)
    }

    /// The next thing that nobody waits for: the program channel, the line's numbers, a part of a report.
    fn news<P: Plant, S: Programs>(
        &mut self,
        now: Millis,
        device: &mut Device<P, S>,
        programs: &mut impl ProgramChannel<P, S>,
        packet: &mut [u8; PACKET_LEN_MAX],
    ) -> Option<usize> {
        let uptime_ms = device.status().uptime_ms;
        if self.counts != self.counts_told && now >= self.counts_at {
            self.counts_at = now.saturating_add(COUNTS_MS);
            self.counts_told = self.counts;
            let counts = self.counts;
            return write(&ToHost::Line { uptime_ms, counts }, packet);
        }
        // A report that was begun is finished first: a host can't use half of one.
        if let Some(len) = self.report.write_part(packet) {
            return Some(len);
        }
        if core::mem::take(&mut self.run_due) {
            programs.report();
        }
        let mut payload = [0; PROGRAM_LEN_MAX];
        if let Some(len) = programs.answer(now, device, &mut payload) {
            return write(&ToHost::Program(payload.get(..len)?), packet);
        }
        if core::mem::take(&mut self.report_due) {
            self.report.take(device);
            return self.report.write_part(packet);
        }
        None
    }
}

/// One report as it was at one moment, and how much of it is sent.
#[derive(Debug)]
struct Snapshot<const N: usize> {
    bytes: [u8; N],
    len: usize,
    /// Readings that found no room.
    missing: u16,
    number: u8,
    /// Parts that are sent; `None` once all are.
    sent: Option<u8>,
}

impl<const N: usize> Snapshot<N> {
    fn take<P: Plant, S: Programs>(&mut self, device: &Device<P, S>) {
        self.number = self.number.wrapping_add(1);
        self.sent = Some(0);
        self.missing = 0;
        self.len = postcard::to_slice(&Head::of(&device.status()), &mut self.bytes).map_or(0, |used| used.len());
        device
            .plant()
            .readings(&mut |owner: &str, field: &str, value: Told<'_>| {
                let room = self.bytes.get_mut(self.len..).unwrap_or_default();
                match postcard::to_slice(&Reading { owner, field, value }, room) {
                    Ok(used) => self.len += used.len(),
                    Err(_) => self.missing = self.missing.saturating_add(1),
                }
            });
    }

    /// Writes the next part and returns its length, or `None` where there is none left.
    fn write_part(&mut self, packet: &mut [u8; PACKET_LEN_MAX]) -> Option<usize> {
        let part = self.sent?;
        let from = usize::from(part) * PART_LEN_MAX;
        let rest = self.bytes.get(from..self.len).unwrap_or_default();
        let (bytes, more) = match rest.split_at_checked(PART_LEN_MAX) {
            Some((bytes, more)) => (bytes, !more.is_empty()),
            None => (rest, false),
        };
        // Part 255 is the last that has a number; what is behind it has found no room either.
        self.sent = part.checked_add(1).filter(|_| more);
        let missing = if more { self.missing.max(1) } else { self.missing };
        let message = ToHost::Report {
            report: self.number,
            part,
            end: self.sent.is_none().then_some(missing),
            bytes,
        };
        write(&message, packet)
    }
}
