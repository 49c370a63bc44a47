//! `llmos replay`: follows a trace by name, once or often, and says how punctually its commands left.

use crate::cli::ReplayArgs;
use crate::config::{Broker, Config};
use crate::output::{Printer, report_json, report_line};
use crate::shell::host::{Host, Part};
use crate::shell::timing::Timing;
use crate::shell::workspace::Workspace;
use crate::trouble::Trouble;
use crate::verbs::{earlier, request};
use llmos_kernel::follow::show;
use llmos_kernel::message::{Fact, Named, Report, Request, Status};
use llmos_kernel::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// By how much a reading may differ and still be the same, in micro-units: 5 mm, half a percent.
const SAME: u64 = 5_000;

/// What each device reported.
type States = BTreeMap<String, Vec<Named>>;

/// Follows a trace as often as was asked, as long as each replay is done with the digest of the first.
pub async fn replay(config: &Config, mut args: ReplayArgs, printer: Printer) -> Result<u8, Trouble> {
    let mut replays = Replays::default();
    // What was broken off is taken up by the first replay, or by none.
    let earlier = earlier(std::mem::take(&mut args.earlier));
    let args = &args;
    let fresh = matches!(config.broker, Broker::Embedded(None));
    // Of many replays the person sees the ends only.
    let quiet = Printer {
        json: printer.json || args.repeat > 1,
    };
    let mut host = online(config, quiet).await?;
    host.tell(&earlier);
    for number in 1..=args.repeat {
        if fresh && number > 1 {
            host.close().await;
            host = online(config, quiet).await?;
        }
        let before = if fresh { None } else { Some(seen(&mut host).await) };
        let report = once(&mut host, args, &mut replays.timing).await?;
        if args.repeat > 1 {
            printer.line(&format!("replay {number} of {}: {}", args.repeat, report_line(&report)));
        }
        let end = replays.add(report, number < args.repeat)?;
        if let (Some(before), Continue::Yes) = (before, end)
            && let Some(why) = replays.changed(&before, &seen(&mut host).await)
        {
            replays.why = Some(why);
            break;
        }
        if end == Continue::No {
            break;
        }
    }
    host.close().await;
    replays.print(args, printer)
}

async fn online(config: &Config, printer: Printer) -> Result<Host, Trouble> {
    let workspace = Workspace::open(&config.workspace, true)?;
    Host::online(config, workspace, printer, Part::Follows).await
}

async fn once(host: &mut Host, args: &ReplayArgs, timing: &mut Timing) -> Result<Report, Trouble> {
    if args.timing {
        host.measure();
    }
    let request = Request {
        trace: Some(args.trace.clone()),
        dry_run: args.dry_run,
        confirm: args.confirm,
        ..request("")
    };
    let report = host.goal(request).await?;
    timing.add(host.measured().unwrap_or_default());
    Ok(report)
}

/// What the devices report now.
async fn seen(host: &mut Host) -> States {
    host.look_round().await;
    states(host.kernel().world())
}

fn states(world: &World) -> States {
    let views = world.views.iter();
    views
        .map(|(name, view)| (name.clone(), view.state.readings.clone()))
        .collect()
}

/// Whether there is a next replay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Continue {
    Yes,
    No,
}

/// What the replays so far came to.
#[derive(Default)]
struct Replays {
    count: u16,
    last: Option<Report>,
    timing: Timing,
    /// Why there were fewer than asked for.
    why: Option<String>,
}

impl Replays {
    fn add(&mut self, report: Report, more: bool) -> Result<Continue, Trouble> {
        self.count += 1;
        let (status, digest) = (report.status, report.digest.clone());
        let before = self.last.replace(report).and_then(|last| last.digest);
        if let (Some(before), Some(now)) = (before, digest)
            && before != now
        {
            return Err(Trouble::failed(format!(
                "replay {} has the digest {now}, and the one before had {before}; that is a defect of llmos, please report it with the trace",
                self.count
            )));
        }
        if more && status != Status::Done {
            self.why = Some("it was not done, so it is not replayed again".to_owned());
        }
        let goes_on = more && status == Status::Done;
        Ok(if goes_on { Continue::Yes } else { Continue::No })
    }

    /// Why the trace can't be replayed from here, if the devices that it uses do not stand as they stood.
    fn changed(&self, before: &States, now: &States) -> Option<String> {
        let calls = self.last.iter().flat_map(|report| &report.plan.calls);
        calls.map(|call| call.device.as_str()).find_map(|device| {
            let (before, now) = (before.get(device)?, now.get(device)?);
            let (was, is) = before.iter().zip(now).find(|(was, is)| !is_same(was, is))?;
            let name = [device, &was.owner, &was.field]
                .into_iter()
                .filter(|part| !part.is_empty());
            Some(format!(
                "{} is {} and was {} at the start, so the trace would do something else now",
                name.collect::<Vec<_>>().join("."),
                show(&is.value),
                show(&was.value)
            ))
        })
    }

    fn print(self, args: &ReplayArgs, printer: Printer) -> Result<u8, Trouble> {
        let Some(report) = self.last else {
            return Err(Trouble::failed("nothing was replayed"));
        };
        let timing = args.timing.then(|| timing_json(&self.timing));
        if printer.json {
            let mut document = report_json(&report);
            let more = [
                ("replays", (args.repeat > 1).then(|| json!(self.count))),
                ("ended", self.why.map(Value::String)),
                ("timing", timing),
            ];
            for (name, value) in more {
                if let (Some(value), Some(fields)) = (value, document.as_object_mut()) {
                    fields.insert(name.to_owned(), value);
                }
            }
            printer.answer(&document, &[]);
            return Ok(report.status.exit_code());
        }
        if args.repeat == 1 {
            printer.report(&report);
        }
        if let Some(why) = self.why {
            printer.line(&format!("{} of {} replays: {why}", self.count, args.repeat));
        }
        if args.timing {
            for line in timing_lines(&self.timing) {
                printer.line(&line);
            }
        }
        Ok(report.status.exit_code())
    }
}

fn is_same(was: &Named, is: &Named) -> bool {
    let near = |a: i64, b: i64| a.abs_diff(b) <= SAME;
    let same = match (&was.value, &is.value) {
        (Fact::Number(a), Fact::Number(b)) => near(*a, *b),
        (Fact::Point(a), Fact::Point(b)) => a.iter().zip(b).all(|(a, b)| near(*a, *b)),
        (a, b) => a == b,
    };
    same && (&was.owner, &was.field) == (&is.owner, &is.field)
}

fn timing_json(timing: &Timing) -> Value {
    json!({ "offered_to_published": timing.delays(), "between_legs": timing.intervals(), "between_legs_jitter": timing.interval_jitter() })
}

fn timing_lines(timing: &Timing) -> Vec<String> {
    let (delays, legs) = (timing.delays(), timing.intervals());
    let mut lines = vec![format!(
        "timing  {} commands, from the follower's offer to the bus: {delays}",
        delays.count
    )];
    if legs.count > 0 {
        lines.push(format!("        {} intervals between legs: {legs}", legs.count));
        let jitter = timing.interval_jitter();
        lines.push(format!("        they differ from the follower's own by: {jitter}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(field: &str, value: Fact) -> Named {
        Named {
            owner: String::new(),
            field: field.to_owned(),
            value,
        }
    }

    #[test]
    fn a_start_state_is_the_same_within_measure() {
        let at = |x: i64| named("position", Fact::Point([x, 0, 0]));
        assert!(is_same(&at(0), &at(5_000)));
        assert!(!is_same(&at(0), &at(5_001)));
        assert!(!is_same(&at(0), &named("target", Fact::Point([0; 3]))));
        assert!(!is_same(
            &named("a", Fact::Nothing),
            &named("a", Fact::Text("cube".to_owned()))
        ));
    }
}
