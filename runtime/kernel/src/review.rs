//! What hooks say after the fact. They can't undo anything: what they deny ends the run where it stands, with their reason. Where no hook
//! wants to know, nothing waits. It must not know hooks.

use crate::kernel::{Kernel, Phase};
use crate::message::{Aftermath, Output, Status, Verdict};
use llmos_follower::{Compensation, Handoff, Millis, Observed};

/// A call that failed, while the hooks look at it.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub call: usize,
    pub why: Handoff,
    pub compensation: Compensation,
    pub reason: String,
}

impl Kernel {
    /// Asks the hooks about a call that was observed; nothing goes on until they have answered.
    pub(crate) fn review_done(&mut self, call: usize, observed: Observed) {
        self.review(call, Some(observed), None);
    }

    /// The same about a call that failed. Returns whether anybody wants to know.
    pub(crate) fn review_failed(&mut self, failed: Failed) -> bool {
        self.review(failed.call, None, Some(failed))
    }

    fn review(&mut self, call: usize, observed: Option<Observed>, failed: Option<Failed>) -> bool {
        let planned = self.run.as_ref().and_then(|run| run.plan.calls.get(call));
        let Some(planned) = planned.filter(|planned| self.settings.reviewed && planned.options.wait.is_none()) else {
            return false;
        };
        let arguments = planned.arguments.iter();
        let what = Aftermath {
            device: planned.device.clone(),
            tool: planned.tool.clone(),
            arguments: arguments.map(|a| (a.parameter.clone(), a.value.to_string())).collect(),
            observed,
            why: failed.as_ref().map(|failed| failed.reason.clone()).unwrap_or_default(),
        };
        let request = self.next();
        if let Some(run) = self.run.as_mut() {
            run.phase = Phase::Reviewing {
                request,
                failed: failed.map(Box::new),
            };
        }
        self.outputs.push_back(Output::Review { request, what });
        true
    }

    /// Whether the hooks look at a call that failed: the follower has ended then, and hears nothing more.
    pub(crate) fn reviews_failure(&self) -> bool {
        let phase = self.run.as_ref().map(|run| &run.phase);
        matches!(phase, Some(Phase::Reviewing { failed: Some(_), .. }))
    }

    pub(crate) fn after_review(&mut self, now: Millis, failed: Option<Box<Failed>>, verdict: Verdict) {
        if let Some(run) = self.run.as_mut() {
            run.phase = Phase::Following;
        }
        match (failed, verdict) {
            (None, Verdict::Pass) => self.drive(now),
            (None, Verdict::Deny { why }) => {
                self.finish(
                    now,
                    Status::Refused,
                    &format!("a hook objected to what was done: {why}"),
                );
            }
            (Some(failed), Verdict::Pass) => self.fail_on(now, *failed, true),
            (Some(mut failed), Verdict::Deny { why }) => {
                failed.reason = format!("{}; a hook wants no other way: {why}", failed.reason);
                self.fail_on(now, *failed, false);
            }
        }
    }
}
