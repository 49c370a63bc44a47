//! A run is written down before its first command, each command before it leaves, and the end of a run after it: so the next run can say what
//! became of one that was broken off, and go on with it. What an intent is and what an account proves is `intent`'s; here is when they are
//! written, and in `resume` what is made of them.

use crate::intent::{self, At, Closing, Intent, Mark};
use crate::kernel::{Kernel, Phase};
use crate::message::{Output, Status};
use crate::resume;
use crate::world::View;
use llmos_follower::{Digest, Millis, Offer};

impl Kernel {
    /// Writes down what is about to be sent.
    pub(crate) fn intend(&mut self, offer: &Offer, call: usize) {
        let command = self.next();
        let (device, tool, arguments) = self.named(offer);
        let mark = self.mark(&device).map(|mark| Mark {
            seq: mark.seq.saturating_add(1),
            ..mark
        });
        let at = self.at(offer, &device, call);
        let Some(run) = &self.run else { return };
        let record = (!run.recorded).then(|| resume::record_of(run));
        let Some(run) = self.run.as_mut() else { return };
        let mut digest = Digest::default();
        digest.write(format!("{device}.{tool}{arguments:?}").as_bytes());
        let intent = Intent {
            run: run.name.clone(),
            goal: run.request.goal.clone(),
            step: call + 1,
            steps: run.plan.calls.len(),
            command,
            device: device.clone(),
            tool,
            digest: format!("{:016x}", digest.finish()),
            mark,
            at,
            answer: None,
        };
        run.recorded = true;
        run.phase = Phase::Intending {
            request: command,
            offer: Box::new(offer.clone()),
        };
        if !run.intended.contains(&device) {
            run.intended.push(device);
        }
        // One write for both: without the run its intent means as much as before, and without the intent the run has not begun.
        let record = record.map(|record| self.world.intents.run_line(record) + "\n");
        let line = record.unwrap_or_default() + &self.world.intents.open_line(intent);
        self.outputs.push_back(Output::Append {
            request: command,
            path: intent::PATH.to_owned(),
            line,
        });
    }

    /// Where the run is; nowhere that it can be taken up within what it does about a failure.
    fn at(&self, offer: &Offer, device: &str, call: usize) -> Option<Box<At>> {
        let run = self.run.as_ref()?;
        let follower = run.follower.as_ref()?;
        let is_main = usize::from(offer.step) < run.program.main().len();
        is_main.then(|| {
            Box::new(At {
                checkpoint: follower.checkpoint().clone(),
                leg: offer.leg,
                before: self.reported_before(follower, device, call),
            })
        })
    }

    /// The intent is on disk, or the command does not leave.
    pub(crate) fn after_intent(&mut self, now: Millis, command: u64, offer: &Offer, error: Option<String>) {
        if let Some(run) = self.run.as_mut() {
            run.phase = Phase::Following;
        }
        if let Some(error) = error {
            let why = format!("what was about to be done could not be written down, so it was not sent: {error}");
            return self.finish(now, Status::Environment, &why);
        }
        let Some(call) = self.call_of(offer) else { return };
        // The disk took time: the gate looks again at the state as it is now.
        match self.verdict(now, offer, call) {
            Err(why) => self.refuse(now, call, why),
            Ok(()) => self.send(now, command, offer, call),
        }
        self.drive(now);
    }

    /// Counts a command that leaves.
    pub(crate) fn count_command(&mut self, device: &str) {
        let view = self.world.views.get_mut(device);
        if let Some(mark) = view.and_then(|view| view.mark.as_mut()) {
            mark.seq = mark.seq.saturating_add(1);
        }
    }

    /// The lease of a device that accounts for its commands.
    fn mark(&self, device: &str) -> Option<Mark> {
        self.world.views.get(device)?.mark.filter(|_| self.is_native(device))
    }

    /// Whether a device speaks our protocol, with a lease and an account.
    pub(crate) fn is_native(&self, device: &str) -> bool {
        let known = self.world.device(device);
        known.is_some_and(|device| device.connect.is_ours())
    }

    /// Writes down that this run has ended.
    pub(crate) fn close_intents(&mut self) -> Option<u64> {
        let devices = std::mem::take(&mut self.run.as_mut()?.intended);
        let closing = self.close_devices(&devices)?;
        self.run.as_mut()?.closing = Some(closing);
        Some(closing)
    }

    pub(crate) fn close_devices(&mut self, devices: &[String]) -> Option<u64> {
        if devices.is_empty() {
            return None;
        }
        let (request, path) = (self.next(), intent::PATH.to_owned());
        self.outputs.push_back(match self.world.intents.close(devices) {
            Closing::Append(line) => Output::Append { request, path, line },
            Closing::Rewrite(text) => Output::Store { request, path, text },
        });
        Some(request)
    }

    /// Whether every device that owes an account and is there has given it. One that serves another program may still hold the lease
    /// of the host that was killed; that runs out soon.
    pub(crate) fn all_have_accounted(&self) -> bool {
        self.world.intents.open().iter().all(|intent| {
            let view = self.world.views.get(&intent.device);
            let owes = |view: &View| view.taken || (view.online && view.mark.is_some());
            intent.mark.is_none() || view.is_none_or(|view| !owes(view) || view.state.account.is_some())
        })
    }
}
