//! A device that goes away in the middle of a run and comes back, such as one that restarts. The lease is taken anew by the link and the state
//! is read; then the step's own conditions decide: its effect is there, or it is begun once more where that does no harm, or the run ends and
//! the next one asks. All of it is bounded, in time and in number. It must not guess what a device did while nobody listened.

use crate::follow::handoff_text;
use crate::kernel::{Kernel, Phase};
use crate::message::{Event, News};
use crate::resume::Interrupted;
use llmos_follower::{Handoff, Input, Millis, Progress, Symbol};

/// How long a device may take to come back, in milliseconds. A microcontroller restarts in a second or two, and its lease runs out meanwhile.
pub(crate) const RETURN_MS: Millis = 10_000;
/// How often devices may come back in one run.
const RETURNS_MAX: u8 = 2;

impl Kernel {
    /// Waits for a device to come back, where that is worth waiting for. Returns whether it is.
    pub(crate) fn await_return(&mut self, now: Millis, device: &str, why: &str) -> bool {
        let native = self.is_native(device);
        let Some(run) = self.run.as_mut() else { return false };
        if !native || run.returns == RETURNS_MAX {
            return false;
        }
        run.returns += 1;
        run.refusal = Some(why.to_owned());
        run.phase = Phase::Returning {
            device: device.to_owned(),
            until: now + RETURN_MS,
            leased: false,
        };
        self.tell(Event::Warning {
            text: format!(
                "{device}: {why}; the run waits up to {} s until it is back",
                RETURN_MS / 1_000
            ),
        });
        true
    }

    /// News while a device is awaited. Nothing is under way on any other.
    pub(crate) fn return_news(&mut self, now: Millis, from: &str, news: &News) {
        let Some(run) = self.run.as_mut() else { return };
        let concerned = run.plan.calls.iter().any(|call| call.device == from);
        let Phase::Returning { device, leased, .. } = &mut run.phase else {
            return;
        };
        let awaited = device == from;
        match news {
            News::State(state) if concerned && state.stopped => self.follow_stop(now),
            News::Leased { .. } if awaited => *leased = true,
            // An account comes with the first report after the lease.
            News::State(state) if awaited && *leased && state.account.is_some() => self.returned(now, from),
            _ => {}
        }
    }

    /// The device did not come back in time.
    pub(crate) fn check_return(&mut self, now: Millis) {
        let Some(run) = self.run.as_mut() else { return };
        let Phase::Returning { device, until, .. } = &run.phase else {
            return;
        };
        if now < *until {
            return;
        }
        let why = run.refusal.clone().unwrap_or_default();
        run.refusal = Some(format!("{why}, and {device} did not come back in time"));
        run.phase = Phase::Following;
        self.feed(now, Input::Lost);
        self.drive(now);
    }

    fn returned(&mut self, now: Millis, device: &str) {
        let Some(run) = self.run.as_mut() else { return };
        (run.phase, run.refusal) = (Phase::Following, None);
        let Some(follower) = &run.follower else { return };
        let step = run.program.steps.get(follower.step());
        let acting = step.is_some_and(|step| step.device == Symbol::of(device));
        let what = if !follower.has_sent() {
            Interrupted::Again
        } else if acting {
            self.after_return(device)
        } else {
            Interrupted::Observe
        };
        match what {
            Interrupted::Observe => {
                self.say_back(device, "and shows the effect, or may still show it");
                // An effect that is seen says more than an acknowledgement that was lost.
                self.feed(now, Input::Acknowledged);
                let progress = self.world.views.get(device).and_then(|view| view.state.progress);
                self.feed(now, Input::State(progress.unwrap_or(Progress::Unknown)));
            }
            Interrupted::Again => {
                self.say_back(device, "and the step is begun once more");
                self.feed(now, Input::Again);
            }
            Interrupted::Unclear => return self.end_unclear(now, device),
        }
        self.drive(now);
    }

    /// What is to be done about the command that was under way on the device that is back.
    fn after_return(&self, device: &str) -> Interrupted {
        use crate::intent::Outcome;
        let Some(run) = &self.run else {
            return Interrupted::Unclear;
        };
        let outcome = self.world.intents.on(device).map(|intent| self.outcome_of(intent));
        match (outcome, &run.follower) {
            (Some(Outcome::Finished), _) => Interrupted::Observe,
            (Some(Outcome::NeverBegun), _) => Interrupted::Again,
            (_, Some(follower)) => self.interrupted(&run.program, follower),
            (_, None) => Interrupted::Unclear,
        }
    }

    fn say_back(&mut self, device: &str, how: &str) {
        self.tell(Event::Warning {
            text: format!("{device} is back {how}"),
        });
    }

    /// Nobody here can say what became of the command. Its intent stays open, so that the next run asks before it sends anything.
    fn end_unclear(&mut self, now: Millis, device: &str) {
        let Some(run) = self.run.as_mut() else { return };
        run.intended.retain(|intended| intended != device);
        let call = run.begun.and_then(|call| run.plan.calls.get(call));
        let name = call.map(ToString::to_string).unwrap_or_default();
        let why = format!(
            "{name}: {}: {device} is back, and whether it carried this out is not known; look at {device} and at what it handles. The same goal \
             asked again goes on from there, once you have said what became of it",
            handoff_text(Handoff::Lost)
        );
        self.end_failed(now, Handoff::Lost, &why);
    }
}
