//! Where requests about programs are answered on a device: who may ask, what goes to the [`Store`], what to the [`Device`]. It is the same for
//! every transport; a transport reads the request and sends the reply. No allocation. This file must not know how messages travel, or what
//! a program does.

use crate::device::{Device, Input, Plant, RunCommand};
use crate::packet::PROGRAM_LEN_MAX;
use crate::port::ProgramChannel;
use crate::program::{self, Answer, Ask, Objection, Reply, Request};
use crate::store::{Flash, Store};
use llmos_follower::Millis;

/// Takes a request; `retained` says whether the broker had kept it. A run is answered by the device itself, as a command is, so `None` comes
/// back; what the device has to say is drained with [`Device::poll`] in either case.
pub fn handle<P: Plant, F: Flash>(
    device: &mut Device<P, Store<F>>,
    now: Millis,
    request: &Request<'_>,
    retained: bool,
) -> Option<Reply> {
    let Request { session, id, ask } = request;
    let (session, id) = (*session, *id);
    if let Ask::Run(run) = ask {
        device.handle(
            now,
            Input::Run(RunCommand {
                session,
                seq: run.seq,
                id,
                expires_ms: run.expires_ms,
                retained,
                crc: run.crc,
                on_host_loss: run.on_host_loss,
                slots: Some(&run.slots),
            }),
        );
        return None;
    }
    // A lease may have run out by now.
    device.handle(now, Input::Tick);
    let looks = matches!(ask, Ask::Status | Ask::Report);
    let answer = if retained {
        Answer::Refused(Objection::Retained)
    } else if !looks && !device.is_held_by(session) {
        Answer::Refused(Objection::NoLease)
    } else {
        match ask {
            Ask::Report => Answer::Report(device.run_report().copied()),
            Ask::Forget { run } => {
                let (run, retained) = (*run, false);
                device.handle(now, Input::Forget { session, run, retained });
                Answer::Report(device.run_report().copied())
            }
            _ => {
                let (store, plant, acting) = device.programs();
                store.handle(plant, acting, ask)
            }
        }
    };
    Some(Reply { session, id, answer })
}

/// The program channel of a device on a serial line. A reply that was not sent gives way to the next one; the host asks again.
#[derive(Debug, Default)]
pub struct Desk {
    reply: Option<Reply>,
}

impl<P: Plant, F: Flash> ProgramChannel<P, Store<F>> for Desk {
    fn take(&mut self, now: Millis, device: &mut Device<P, Store<F>>, payload: &[u8]) {
        let reply = program::read(payload).and_then(|request| handle(device, now, &request, false));
        self.reply = reply.or(self.reply.take());
    }

    fn answer(&mut self, _: Millis, _: &mut Device<P, Store<F>>, payload: &mut [u8; PROGRAM_LEN_MAX]) -> Option<usize> {
        let reply = self.reply.take()?;
        program::write(&reply, payload).map(<[u8]>::len)
    }
}
