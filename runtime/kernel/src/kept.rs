//! What a run leaves behind: a trace of its own, another ending or one more phrasing of a known one, a line in the ledger, and the report,
//! which nobody sees before all of that is on disk. It must not know how a program is followed.

use crate::kernel::{Kernel, Phase, Run};
use crate::lesson;
use crate::matching::{self, Generalised};
use crate::message::{Event, Output, Report, Status};
use crate::mode::Mode;
use crate::plan::{Plan, Source};
use crate::text::trace::{self, Cost, Trace, TraceStep, Use};
use llmos_follower::{Digest, Millis};
use std::fmt::Write;

impl Kernel {
    /// Ends the run, once what it leaves is on disk.
    pub(crate) fn end(
        &mut self,
        now: Millis,
        status: Status,
        reason: &str,
        question: Option<String>,
        digest: Option<u64>,
        calls: Option<String>,
    ) {
        let Some(run) = &self.run else { return };
        let mut report = run.report(now, status, reason);
        report.question = question;
        report.calls = calls;
        report.digest = digest.map(|digest| format!("{digest:016x}"));
        let mut left = Vec::new();
        match Kept::of(run, status, digest) {
            Kept::Nothing => {}
            Kept::Use => {
                report.trace.clone_from(&run.followed);
                let mut beside = Vec::new();
                if run.replanned && status == Status::Done {
                    beside.push(self.variant_of(run, digest, report.ms));
                }
                if matches!(status, Status::Failed | Status::Stopped) && run.sent() {
                    beside.push(self.trace_of(run, &run.plan, status, reason, None, report.ms));
                }
                for (trace, text) in beside {
                    self.keep(trace, text, &mut left);
                }
            }
            Kept::Trace => {
                let (trace, text) = self.trace_of(run, &run.plan, status, reason, digest, report.ms);
                report.trace = Some(self.keep(trace, text, &mut left));
            }
        }
        if let Some(line) = self.ledger_line(&report) {
            let append = self.next();
            left.push(append);
            self.outputs.push_back(Output::Append {
                request: append,
                path: "traces/ledger.jsonl".to_owned(),
                line,
            });
        }
        left.extend(self.close_intents());
        let nothing = left.is_empty();
        if let Some(run) = self.run.as_mut() {
            run.report = Some(Box::new(report));
            run.phase = Phase::Storing { left };
        }
        if nothing {
            self.close();
        }
    }

    /// Keeps a run as a trace of its own or, where one does the same deed already, as one more phrasing of that. Returns the trace's id.
    fn keep(&mut self, trace: Trace, text: String, left: &mut Vec<u64>) -> String {
        let known = if trace.status == Status::Done && trace.variant_of.is_none() {
            self.world
                .traces
                .same_deed(&trace)
                .map(|(known, pattern)| (known.clone(), pattern))
        } else {
            None
        };
        let Some((mut known, pattern)) = known else {
            let (id, request) = (trace.id.clone(), self.next());
            left.push(request);
            self.outputs.push_back(Output::Store {
                request,
                path: format!("traces/{id}.md"),
                text,
            });
            self.world.traces.insert(trace);
            if let Some(run) = self.run.as_mut() {
                run.storing = Some((request, id.clone()));
            }
            return id;
        };
        let id = known.id.clone();
        if !known.patterns.iter().any(|other| matching::is_same(other, &pattern)) {
            let request = self.next();
            left.push(request);
            self.outputs.push_back(Output::Amend {
                request,
                path: format!("traces/{id}.md"),
                pattern: pattern.clone(),
                note: format!("learned from {:?}, {}", trace.goal, trace.created),
            });
            self.tell(Event::Learned {
                trace: id.clone(),
                pattern: pattern.clone(),
            });
            if let Some(run) = self.run.as_mut() {
                run.amending = Some((request, Box::new(known.clone())));
            }
            known.patterns.push(pattern);
            self.world.traces.insert(known);
        }
        id
    }

    fn ledger_line(&mut self, report: &Report) -> Option<String> {
        let date = self.run.as_ref()?.request.date.clone();
        let (trace, mode) = (report.trace.clone()?, report.mode?);
        let entry = Use {
            trace,
            goal: report.goal.clone(),
            status: report.status,
            mode,
            date,
            ms: report.ms,
            run: self.run.as_ref()?.told.as_ref().map(|told| told.key.clone()),
        };
        let line = serde_json::to_string(&entry).ok()?;
        self.world.uses.push(entry);
        Some(line)
    }

    /// The trace that this run leaves, and its text.
    fn trace_of(
        &self,
        run: &Run,
        plan: &Plan,
        status: Status,
        reason: &str,
        digest: Option<u64>,
        ms: u64,
    ) -> (Trace, String) {
        let goal = run
            .goal
            .clone()
            .unwrap_or_else(|| crate::goal::read(&run.request.goal, &self.world.lexicon()));
        let Generalised {
            pattern,
            slots,
            arguments,
        } = matching::generalise(&goal, plan, &self.world.devices);
        let manifests = self.world.relied_on(plan);
        let steps = plan
            .calls
            .iter()
            .zip(arguments)
            .enumerate()
            .map(|(index, (call, arguments))| TraceStep {
                observed: run.steps.get(index).and_then(|step| step.observed),
                ..TraceStep::new(&call.device, &call.tool, arguments)
            })
            .collect();
        let trace = Trace {
            id: self.trace_id(&run.request.goal, &pattern, status),
            goal: run.request.goal.clone(),
            patterns: vec![pattern],
            slots,
            start: Vec::new(),
            steps,
            status,
            mode: run.mode.unwrap_or(Mode::Learner),
            created: run.request.date.clone(),
            manifests,
            digest: digest.map(|digest| format!("{digest:016x}")),
            variant_of: None,
            cost: Some(Cost {
                tokens: u64::from(run.tokens.prompt) + u64::from(run.tokens.generated),
                ms,
            }),
            ended: lesson::ended(run, status, reason),
        };
        let text = trace::print(&trace, &prose(run, status, reason));
        (trace, text)
    }

    /// The followed trace with the ending that the model planned and that was observed to succeed.
    fn variant_of(&self, run: &Run, digest: Option<u64>, ms: u64) -> (Trace, String) {
        let (mut plan, goal) = (run.plan.clone(), run.goal.clone());
        let spans = goal
            .iter()
            .flat_map(|goal| goal.standing().map(|span| (span, goal.words_of(span))));
        let spans: Vec<_> = spans.collect();
        // What a slot took from the goal is generalised as if the planner had pointed at it.
        for argument in plan.calls.iter_mut().flat_map(|call| &mut call.arguments) {
            if let Source::Slot { words, .. } = &argument.source
                && let Some((span, words)) = spans.iter().find(|(_, said)| said == words)
            {
                argument.source = Source::Goal {
                    start: span.start,
                    end: span.end,
                    words: (*words).to_owned(),
                };
            }
        }
        let (mut trace, _) = self.trace_of(run, &plan, Status::Done, "", digest, ms);
        trace.id = format!("{}-variant", trace.id);
        trace.variant_of.clone_from(&run.followed);
        let text = trace::print(&trace, &prose(run, Status::Done, ""));
        (trace, text)
    }

    fn trace_id(&self, goal: &str, pattern: &str, status: Status) -> String {
        let lower = goal.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(6)
            .collect();
        let mut digest = Digest::default();
        digest.write(pattern.as_bytes());
        let base = format!("{}-{:04x}", words.join("-"), digest.finish() & 0xffff);
        let base = if status == Status::Done {
            base
        } else {
            format!(
                "{base}-{}",
                serde_json::to_value(status)
                    .ok()
                    .and_then(|v| v.as_str().map(str::to_owned))
                    .unwrap_or_default()
            )
        };
        let taken = |id: &str| status == Status::Done && self.world.traces.get(id).is_some();
        if !taken(&base) {
            return base;
        }
        let numbered = (2..u32::MAX).map(|n| format!("{base}-{n}")).find(|id| !taken(id));
        numbered.unwrap_or(base)
    }
}

/// What of a run is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// A new trace.
    Trace,
    /// A line in the ledger of the trace that was followed.
    Use,
}

impl Run {
    /// Whether any command of it has left.
    fn sent(&self) -> bool {
        self.steps.iter().any(|step| step.commands > 0)
    }
}

impl Kept {
    fn of(run: &Run, status: Status, digest: Option<u64>) -> Kept {
        if run.told.is_some() {
            return Kept::Use;
        }
        let began = run.follower.is_some() && (digest.is_some() || !run.steps.is_empty());
        let sent = run.sent();
        match (began, run.followed.is_some()) {
            (false, _) => Kept::Nothing,
            // A disk that keeps nothing says nothing about the trace.
            _ if status == Status::Environment && !sent => Kept::Nothing,
            (true, true) => Kept::Use,
            // A command that the gate refused changed nothing and teaches nothing to repeat.
            (true, false) if status == Status::Refused && !sent => Kept::Nothing,
            (true, false) => Kept::Trace,
        }
    }
}

/// What a person finds below the frontmatter.
fn prose(run: &Run, status: Status, reason: &str) -> String {
    let mut text = format!("\n# {}\n\n", run.request.goal.lines().next().unwrap_or_default());
    for step in &run.steps {
        let observed = step.observed.map_or("not observed".to_owned(), |observed| {
            format!("{observed:?}").to_lowercase()
        });
        // Writing to a String can't fail.
        let _ = writeln!(text, "- {}: {observed}", step.tool);
        for argument in &step.arguments {
            let _ = writeln!(
                text,
                "  - {} = {} from {}",
                argument.parameter, argument.value, argument.source
            );
        }
    }
    if status != Status::Done {
        let _ = write!(text, "\nEnded {status:?}: {reason}\n");
    }
    text
}
