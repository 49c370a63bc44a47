//! Where requests about programs are answered on a device: who may ask, what goes to the [`Store`], what to the [`Device`]. It is the same for
//! every transport; a transport reads the request and sends the reply. No allocation. This file must not know how messages travel, or what
//! a program does.

use crate::device::{Device, Input, Plant, Programs, RunCommand};
use crate::program::{Answer, Ask, Objection, Reply, Request, UNASKED};
use crate::store::{Flash, Store};
use llmos_follower::Millis;

/// What stands behind the desk of a device: a [`Store`], or nothing, with `()`.
pub trait Clerk: Programs + Sized {
    /// Takes a request that came over a line, where nothing is ever retained: as [`handle`].
    fn handle<P: Plant>(device: &mut Device<P, Self>, now: Millis, request: &Request<'_>) -> Option<Reply>;
}

impl<F: Flash> Clerk for Store<F> {
    fn handle<P: Plant>(device: &mut Device<P, Self>, now: Millis, request: &Request<'_>) -> Option<Reply> {
        handle(device, now, request, false)
    }
}

impl Clerk for () {
    fn handle<P: Plant>(_: &mut Device<P, Self>, _: Millis, request: &Request<'_>) -> Option<Reply> {
        Some(Reply {
            session: request.session,
            id: request.id,
            answer: Answer::Refused(Objection::NoStore),
        })
    }
}

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

/// What a device tells without being asked, upon [`Output::Run`](crate::device::Output::Run).
pub fn tell<P: Plant, S: Programs>(device: &Device<P, S>) -> Option<Reply> {
    let report = *device.run_report()?;
    Some(Reply {
        session: report.session,
        id: UNASKED,
        answer: Answer::Report(Some(report)),
    })
}
