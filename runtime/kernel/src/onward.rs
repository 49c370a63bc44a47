//! When the world differs in the middle of a run: what is done stays done, and the run goes on from the call that could not be carried
//! out, never from the first. Three ways are tried in this order: the manifest's own (what the call needs first is done once more), an
//! ending that was observed to succeed at this place before, and, where a trace was followed, the model. What cannot be repeated without harm
//! is not: a call that was begun is only called again where the manifest says that its need can be met anew.

use crate::compile::compile;
use crate::foresee;
use crate::kernel::Kernel;
use crate::matching;
use crate::message::{Event, Status};
use crate::mode::Mode;
use crate::plan::{Plan, PlannedCall};
use crate::resume::{Resume, starts, with_starts};
use llmos_follower::{Checkpoint, Handoff, Millis, Program};

/// How often one run may go on in another way.
const WAYS_MAX: u8 = 2;

/// A run that was handed off, while another ending is looked for.
#[derive(Debug, Clone)]
pub(crate) struct HandedOff {
    /// The call that could not be carried out.
    pub call: usize,
    /// Why, in words.
    pub why: String,
}

impl Kernel {
    /// Goes on from a call whose pre- or postcondition does not hold, if there is a way. Returns whether there is.
    pub(crate) fn go_on(&mut self, now: Millis, call: usize, why: Handoff, reason: &str) -> bool {
        let Some(run) = self.run.as_mut() else { return false };
        let differs = matches!(why, Handoff::Precondition | Handoff::Postcondition);
        if !differs || run.ways == WAYS_MAX {
            return false;
        }
        run.ways += 1;
        run.handed_off = Some(HandedOff {
            call,
            why: reason.to_owned(),
        });
        let left = Plan::of(run.plan.calls.get(call..).unwrap_or_default().to_vec());
        let again = self.prepared(left.clone());
        let helps = again.calls.len() > left.calls.len()
            || left.calls.first().is_some_and(|call| self.may_be_called_freely(call));
        if helps && self.end_with(now, &again, "what it needs first is done once more") {
            return true;
        }
        if let Some((id, ending)) = self.known_ending(call) {
            let how = format!("with the ending that {id} was observed to have");
            if self.end_with(now, &ending, &how) {
                return true;
            }
        }
        let Some(run) = self.run.as_ref() else { return false };
        // Without a trace it was the model that planned this, from the same words.
        if run.followed.is_none() || run.request.mode == Some(Mode::Follower) {
            return false;
        }
        let reason = format!("{reason}; handed off to the model from call {}", call + 1);
        self.learn(now, &reason);
        true
    }

    /// A tool that `prepares` is put in front of others by itself, so it may be called again by itself, too.
    fn may_be_called_freely(&self, call: &PlannedCall) -> bool {
        let tool = self
            .world
            .device(&call.device)
            .and_then(|device| device.tool(&call.tool));
        tool.is_some_and(|tool| tool.prepares)
    }

    /// What the model plans instead; what is done already is left out.
    pub(crate) fn take_ending(&mut self, now: Millis, plan: &Plan) {
        let Some(run) = &self.run else { return };
        let Some(HandedOff { call, .. }) = run.handed_off else {
            return;
        };
        let done = run.plan.calls.get(..call).unwrap_or_default();
        let failed = run.plan.calls.get(call);
        let begins = plan.calls.iter().zip(done).all(|(new, old)| is_same(new, old)) && plan.calls.len() > call;
        let ending = plan.calls.get(call..).unwrap_or_default();
        if !begins || ending.first().zip(failed).is_some_and(|(new, old)| is_same(new, old)) {
            return self.give_up(now, "the model knows no other way");
        }
        let ending = self.prepared(Plan::of(ending.to_vec()));
        if let Some(run) = self.run.as_mut() {
            run.replanned = true;
        }
        if !self.end_with(now, &ending, "with what the model plans from here") {
            self.give_up(now, "what the model plans instead can't be done");
        }
    }

    /// Ends a run that was handed off in vain.
    pub(crate) fn give_up(&mut self, now: Millis, how: &str) {
        let why = self.run.as_mut().and_then(|run| run.handed_off.take());
        let why = why.map_or_else(String::new, |handed| handed.why);
        self.finish(now, Status::Failed, &format!("{why}; {how}"));
    }

    /// Goes on with this ending in place of what is left, through the same checks as any plan.
    fn end_with(&mut self, now: Millis, ending: &Plan, how: &str) -> bool {
        let Some(run) = &self.run else { return false };
        let Some(HandedOff { call, why }) = run.handed_off.clone() else {
            return false;
        };
        let (devices, readings) = (&self.world.devices, &self.world.readings);
        let sound = compile(ending, devices, readings).is_ok_and(|program| {
            foresee::may_begin(&program, readings) && foresee::forbidden(&program, devices, readings).is_ok()
        });
        // Calls that name others by number mean those of the plan as it was.
        let numbered = ending.calls.iter().any(|call| !call.options.depends_on.is_empty());
        if !sound || numbered || self.denied(now, ending).is_some() {
            return false;
        }
        let done = run.plan.calls.get(..call).unwrap_or_default();
        let whole = Plan {
            calls: done.iter().chain(&ending.calls).cloned().collect(),
            start: run.plan.start.clone(),
        };
        // What is to be put back was elsewhere when the run began.
        let began = with_starts(readings, &starts(&whole, &run.start));
        let Ok(program) = compile(&whole, devices, &began) else {
            return false;
        };
        let kept = run
            .follower
            .as_ref()
            .map(|follower| follower.checkpoint().clone())
            .unwrap_or_default();
        let Some(checkpoint) = at_call(kept, &program, call) else {
            return false;
        };
        self.tell(Event::Warning {
            text: format!("{why}; going on from call {}, {how}", call + 1),
        });
        self.tell(Event::Planned { plan: whole.clone() });
        let Some(run) = self.run.as_mut() else { return false };
        run.plan = whole;
        *run.program = program;
        run.resume = Some(Resume { checkpoint, sent: None });
        run.recorded = false;
        run.handed_off = None;
        run.steps.truncate(call);
        (run.begun, run.command, run.refusal) = (None, None, None);
        self.begin_or_ask(now, ending);
        true
    }

    /// An ending of the followed trace that was observed to succeed from this call on, and that may begin now.
    fn known_ending(&self, call: usize) -> Option<(String, Plan)> {
        let run = self.run.as_ref()?;
        let done = run.plan.calls.get(..call)?;
        let variants = self.world.traces.variants_of(run.followed.as_deref()?);
        variants.into_iter().find_map(|variant| {
            let plan = matching::bind_again(variant, &run.plan, &self.world.devices)?;
            let begins = plan.calls.len() > call && plan.calls.iter().zip(done).all(|(new, old)| is_same(new, old));
            let ending = Plan::of(plan.calls.get(call..)?.to_vec());
            let program = compile(&ending, &self.world.devices, &self.world.readings).ok()?;
            let may_begin = foresee::may_begin(&program, &self.world.readings);
            (begins && may_begin).then(|| (variant.id.clone(), ending))
        })
    }
}

/// Whether two calls do the same.
pub(crate) fn is_same(a: &PlannedCall, b: &PlannedCall) -> bool {
    let values =
        |call: &PlannedCall| -> Vec<_> { call.arguments.iter().map(|argument| argument.value.clone()).collect() };
    (&a.device, &a.tool) == (&b.device, &b.tool) && values(a) == values(b)
}

/// The checkpoint at the beginning of a call of another program that begins with the same calls.
fn at_call(kept: Checkpoint, program: &Program, call: usize) -> Option<Checkpoint> {
    let step = program.main().iter().position(|step| usize::from(step.call) == call)?;
    let mut checkpoint = Checkpoint {
        step: u8::try_from(step).ok()?,
        ..kept
    };
    // What the call that failed has shown so far counts for nothing.
    for observed in checkpoint.observed.iter_mut().skip(call) {
        *observed = None;
    }
    Some(checkpoint)
}
