//! Where requests about programs are answered on a device: who may ask, what goes to the [`Store`], what to the [`Device`]. It is the same for
//! every transport; a transport reads the request and sends the reply. No allocation. This file must not know how messages travel, or what
//! a program does.

use crate::device::{Device, Input, Plant, RunCommand};
use crate::packet::PROGRAM_LEN_MAX;
use crate::port::ProgramChannel;
use crate::program::{Answer, Ask, Objection, Reply, Request, UNASKED, read, write};
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

/// The same in postcard, for a transport of packets: takes a request's bytes and writes the reply into `buffer`, of which it returns the part
/// that was used. What can't be read is not answered.
pub fn serve<'b, P: Plant, F: Flash>(
    device: &mut Device<P, Store<F>>,
    now: Millis,
    packet: &[u8],
    buffer: &'b mut [u8],
) -> Option<&'b [u8]> {
    let reply = handle(device, now, &read(packet)?, false)?;
    write(&reply, buffer)
}

/// What a device tells without being asked, upon [`Output::Run`](crate::device::Output::Run), in postcard.
pub fn tell<'b, P: Plant, F: Flash>(device: &Device<P, Store<F>>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let report = *device.run_report()?;
    let reply = Reply {
        session: report.session,
        id: UNASKED,
        answer: Answer::Report(Some(report)),
    };
    write(&reply, buffer)
}

/// The program channel of a device on a serial line. A reply that was not sent gives way to the next one; the host asks again.
#[derive(Debug, Default)]
pub struct Desk {
    reply: Option<Reply>,
    /// What came of a run has not been told.
    ran: bool,
}

impl<P: Plant, F: Flash> ProgramChannel<P, Store<F>> for Desk {
    fn take(&mut self, now: Millis, device: &mut Device<P, Store<F>>, payload: &[u8]) {
        let reply = read(payload).and_then(|request| handle(device, now, &request, false));
        self.reply = reply.or(self.reply.take());
    }

    fn report(&mut self) {
        self.ran = true;
    }

    fn answer(
        &mut self,
        _: Millis,
        device: &mut Device<P, Store<F>>,
        payload: &mut [u8; PROGRAM_LEN_MAX],
    ) -> Option<usize> {
        if let Some(reply) = self.reply.take() {
            return write(&reply, payload).map(<[u8]>::len);
        }
        let told = core::mem::take(&mut self.ran).then(|| tell(device, payload))?;
        told.map(<[u8]>::len)
    }
}
