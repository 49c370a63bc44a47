//! What the host does about programs that lie in devices: it brings them there, asks about them, and has them run. It must not know what a
//! program is.

use super::{Host, IDLE_MS};
use crate::shell::devices::Devices;
use crate::trouble::Trouble;
use llmos_firmware_bridge::link::push::{Push, PushError, Pushed};
use llmos_firmware_bridge::program::{Answer, Ask, StoreStatus};
use llmos_follower::Millis;
use llmos_kernel::message::{News, Output};
use std::time::Duration;

/// How often a device is asked about its programs, and for how long each time, in milliseconds.
const ASKS: u32 = 4;
const ANSWER_MS: u64 = 700;

impl Host {
    /// Does what the kernel wants of a device that runs its program alone.
    pub(super) fn carry_aboard(&mut self, now: Millis, output: Output) -> Vec<(String, News)> {
        match output {
            Output::RunAboard {
                device,
                command,
                crc,
                finish,
                slots,
            } => {
                self.books.sent();
                let devices = self.devices.as_mut();
                devices.map_or_else(Vec::new, |devices| {
                    devices.run_aboard(now, &device, command, crc, finish, slots)
                })
            }
            Output::AskReport { device } => self.ask_device(&device, &Ask::Report),
            Output::Forget { device, run } => self.ask_device(&device, &Ask::Forget { run }),
            _ => Vec::new(),
        }
    }

    /// Asks a device something about programs, under a number of its own.
    fn ask_device(&mut self, device: &str, ask: &Ask<'_>) -> Vec<(String, News)> {
        let (now, id) = (self.now(), self.program_ids);
        self.program_ids += 1;
        let devices = self.devices.as_mut();
        devices.map_or_else(Vec::new, |devices| devices.ask(now, device, id, ask))
    }

    /// Brings a program to its device.
    ///
    /// # Errors
    /// The person ended it.
    pub async fn push(&mut self, device: &str, push: &mut Push<'_>) -> Result<Result<Pushed, PushError>, Trouble> {
        loop {
            if let Some(ended) = push.ended() {
                return Ok(ended.clone());
            }
            if self.interrupts > 0 {
                return Err(Trouble::failed(format!(
                    "interrupted; {device} keeps the program that it had"
                )));
            }
            let now = self.now();
            if let Some((id, ask)) = push.poll(now) {
                let devices = self.devices.as_mut();
                let news = devices.map_or_else(Vec::new, |devices| devices.ask(now, device, id, &ask));
                self.news(news);
            }
            let due = push.next_deadline();
            self.wake = Some(self.wake.map_or(due, |at| at.min(due)));
            self.step().await;
            let (now, replies) = (self.now(), self.devices.as_mut().map(Devices::replies));
            for (_, reply) in replies.into_iter().flatten().filter(|(from, _)| from == device) {
                push.handle(now, &reply);
            }
        }
    }

    /// What a device says about its program; `None` where it does not answer, or keeps none.
    pub async fn store_status(&mut self, device: &str) -> Option<StoreStatus> {
        let about = |answer| match answer {
            Answer::Store(status) => Some(Some(status)),
            Answer::Refused(_) => Some(None),
            Answer::Report(_) => None,
        };
        self.answer(device, &Ask::Status, about).await.flatten()
    }

    /// Takes over what a device has to tell of its last run, so that it may begin another: that is in the ledger then, and the device has
    /// forgotten it. Returns whether nothing is left to tell; what there is to tell goes to the kernel, which has the device forget it, and
    /// that is answered as this is.
    pub async fn take_over(&mut self, device: &str) -> bool {
        let nothing = |answer| (answer == Answer::Report(None)).then_some(());
        self.answer(device, &Ask::Report, nothing).await.is_some()
    }

    /// Asks until an answer of the kind that is looked for has come. Others are passed over: a device that was heard of again has more to tell
    /// than what it was asked for.
    async fn answer<T>(&mut self, device: &str, ask: &Ask<'_>, found: impl Fn(Answer) -> Option<T>) -> Option<T> {
        let first = self.program_ids;
        for _ in 0..ASKS {
            let news = self.ask_device(device, ask);
            self.news(news);
            for _ in 0..ANSWER_MS / IDLE_MS {
                self.carry(None, Duration::from_millis(IDLE_MS)).await;
                let replies = self.devices.as_mut().map(Devices::replies).unwrap_or_default();
                let mut mine = replies
                    .into_iter()
                    .filter(|(from, reply)| from == device && reply.id >= first);
                if let Some(answer) = mine.find_map(|(_, reply)| found(reply.answer)) {
                    return Some(answer);
                }
            }
        }
        None
    }
}
