//! What runs teach that did not succeed. They are kept as such and never followed. A plan that calls the same tools as one of them is carried
//! out with a warning, and the reason; the very same plan, where the devices stand as they stood when their state said that it does not work,
//! is only carried out once a person has agreed. A success since then ends that. It must not change a plan.

use crate::kernel::{Kernel, Run};
use crate::matching;
use crate::message::{Event, Status};
use crate::onward::is_same;
use crate::plan::Plan;
use crate::text::trace::{Ended, Trace, Use};
use llmos_follower::{Digest, Handoff, Readings, Symbol, Value};

/// Runs that did not succeed, the newest, that are looked at for one plan.
const LOOKED_AT_MAX: usize = 8;
/// Uses, the newest, among which a failure is looked for; an older one is history.
const USES_MAX: usize = 1_000;
/// Readings that differ by less than about this much are the same situation, in micro-units.
const COARSE: i64 = 10_000;

impl Kernel {
    /// Warns of runs like this one that did not succeed; the last of them is asked about where it was the same in every respect.
    pub(crate) fn learn_from_failure(&mut self, plan: &Plan) {
        let Some((trace, same)) = self.failure_of(plan) else {
            return;
        };
        let Some(run) = &self.run else { return };
        let Ended { because, situation } = trace.ended.clone().unwrap_or_default();
        let word = if trace.status == Status::Stopped {
            "stopped"
        } else {
            "failed"
        };
        let text = format!("\"{}\" {word} on {}: {because}", trace.goal, trace.created);
        let asks = same && !run.tries.anew && situation.is_some() && situation == Some(situation_of(plan, &run.start));
        let text = if same {
            format!("the same plan for {text}")
        } else {
            format!("a plan with the same tools for {text}")
        };
        if asks {
            if let Some(run) = self.run.as_mut() {
                run.tries.lesson = Some(format!("{text}; the devices stand as they stood then"));
            }
        } else {
            self.tell(Event::Warning { text });
        }
    }

    /// The newest run with these tools that did not succeed, if none has succeeded since; and whether its plan was the same.
    fn failure_of(&self, plan: &Plan) -> Option<(Trace, bool)> {
        let tools: Vec<(&str, &str)> = plan.calls.iter().map(|call| (&*call.device, &*call.tool)).collect();
        let mut failures = self.world.traces.failures(&tools).take(LOOKED_AT_MAX).peekable();
        failures.peek()?;
        let lexicon = self.world.lexicon();
        let known = failures.filter_map(|trace| {
            let planned = matching::rebind(trace, &lexicon, &self.world.devices).ok();
            let same = planned.is_some_and(|planned| planned.calls.iter().zip(&plan.calls).all(|(a, b)| is_same(a, b)));
            (!self.is_made_good(trace, &tools, same)).then_some((trace, same))
        });
        let newest = known.max_by(|(a, same_a), (b, same_b)| (same_a, &a.created).cmp(&(same_b, &b.created)));
        newest.map(|(trace, same)| (trace.clone(), same))
    }

    /// Whether a run has succeeded since: of the same goal, or with the same tools where that is all there is in common.
    fn is_made_good(&self, failed: &Trace, tools: &[(&str, &str)], same: bool) -> bool {
        let uses = || self.world.uses.iter().rev().take(USES_MAX);
        let failure = |used: &&Use| used.goal == failed.goal && used.status == failed.status;
        let since = uses().take_while(|used| !failure(used));
        let like = |id: &str| {
            let trace = self.world.traces.get(id);
            trace.is_some_and(|trace| trace.tools().eq(tools.iter().copied()))
        };
        let good =
            |used: &Use| used.status == Status::Done && (used.goal == failed.goal || (!same && like(&used.trace)));
        since.clone().any(good) || (self.world.uses.len() > USES_MAX && !uses().any(|used| failure(&used)))
    }
}

/// What is kept of how a run ended that did not succeed.
pub(crate) fn ended(run: &Run, status: Status, reason: &str) -> Option<Ended> {
    (status != Status::Done).then(|| Ended {
        because: reason.to_owned(),
        situation: run.tries.contradicted.then(|| situation_of(&run.plan, &run.start)),
    })
}

/// Whether a failure is the world's word on the plan, and not the weather's.
pub(crate) fn contradicts(why: Handoff) -> bool {
    match why {
        Handoff::StartState
        | Handoff::Precondition
        | Handoff::Postcondition
        | Handoff::DeviceFailed
        | Handoff::Missing
        | Handoff::Program => true,
        Handoff::NoAck | Handoff::Timeout | Handoff::Refused | Handoff::Lost => false,
    }
}

/// How the devices of a plan stand, coarsely, as 16 hexadecimal digits.
fn situation_of(plan: &Plan, readings: &Readings) -> String {
    let devices: Vec<Symbol> = plan.calls.iter().map(|call| Symbol::of(&call.device)).collect();
    let coarse = |micro: i64| micro.div_euclid(COARSE) + i64::from(micro.rem_euclid(COARSE) >= COARSE / 2);
    let mut lines: Vec<String> = Vec::new();
    for reading in readings.iter().filter(|reading| devices.contains(&reading.device)) {
        let value = match reading.value {
            Value::Number(micro) => coarse(micro).to_string(),
            Value::Point(point) => format!("{:?}", point.map(coarse)),
            other => format!("{other:?}"),
        };
        lines.push(format!(
            "{}.{}.{} {value}",
            reading.device.0, reading.owner.0, reading.field.0
        ));
    }
    // In whatever order they were reported.
    lines.sort_unstable();
    let mut digest = Digest::default();
    digest.write(lines.join("\n").as_bytes());
    format!("{:016x}", digest.finish())
}
