//! The device's end of the program channel on a serial line: requests are read from their packets, replies wait here until there is room for
//! them. Who may ask for what is decided in `llmos_firmware_bridge::desk`, which this must not know better.

use heapless::Deque;
use llmos_firmware_bridge::device::{Device, Plant};
use llmos_firmware_bridge::packet::PROGRAM_LEN_MAX;
use llmos_firmware_bridge::port::ProgramChannel;
use llmos_firmware_bridge::program::{self, Answer, Reply};
use llmos_firmware_bridge::store::{Flash, Store};
use llmos_follower::Millis;

/// Replies that may wait.
const REPLIES_MAX: usize = 2;

/// What waits to be said.
#[derive(Default)]
pub struct Desk {
    replies: Deque<Reply, REPLIES_MAX>,
    /// What came of a run is to be told without anybody asking.
    report: bool,
}

impl<P: Plant, F: Flash> ProgramChannel<P, Store<F>> for Desk {
    fn take(&mut self, now: Millis, device: &mut Device<P, Store<F>>, payload: &[u8]) {
        let Some(request) = program::read(payload) else {
            return;
        };
        if let Some(reply) = llmos_firmware_bridge::desk::handle(device, now, &request, false) {
            // Whoever waits for the oldest asks again.
            if self.replies.is_full() {
                let _ = self.replies.pop_front();
            }
            let _ = self.replies.push_back(reply);
        }
    }

    fn report(&mut self) {
        self.report = true;
    }

    fn answer(
        &mut self,
        _: Millis,
        device: &mut Device<P, Store<F>>,
        payload: &mut [u8; PROGRAM_LEN_MAX],
    ) -> Option<usize> {
        if let Some(reply) = self.replies.pop_front() {
            return program::write(&reply, payload).map(<[u8]>::len);
        }
        if !core::mem::take(&mut self.report) {
            return None;
        }
        let report = device.run_report().copied()?;
        let reply = Reply {
            session: report.session,
            id: report.run,
            answer: Answer::Report(Some(report)),
        };
        program::write(&reply, payload).map(<[u8]>::len)
    }
}
