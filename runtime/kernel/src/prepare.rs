//! What a call needs first. "Put the ball in the bin" says nothing about picking it up, but placing needs the ball to be held, and the
//! manifest says which tool `prepares` that. Where a call's precondition is exactly what such a tool promises, and nothing before it in the
//! plan provides it, that tool's call is put in front, with the same arguments and their provenance. It must not guess: conditions that
//! differ in any way are left alone, and the follower will find them unmet.

use crate::plan::{Plan, PlannedCall};
use crate::tool::{Device, Tool};

/// The plan with the calls that its calls need first. `holds` says whether a call's precondition is met before the plan begins.
#[must_use]
pub fn prepared(plan: Plan, devices: &[Device], holds: impl Fn(&PlannedCall) -> bool) -> Plan {
    let mut calls: Vec<PlannedCall> = Vec::new();
    for call in plan.calls {
        if let Some(needed) = needed_first(&call, devices) {
            let met = match before(&calls, &call, &needed) {
                Before::Provided => true,
                Before::UsedUp => false,
                Before::Untouched => holds(&call),
            };
            if !met {
                calls.push(needed);
            }
        }
        calls.push(call);
    }
    Plan::of(calls)
}

/// What earlier calls did to what a call needs.
enum Before {
    Provided,
    /// A call of the same tool has used it up since: what was placed is not held any more.
    UsedUp,
    Untouched,
}

fn before(calls: &[PlannedCall], call: &PlannedCall, needed: &PlannedCall) -> Before {
    for earlier in calls.iter().rev() {
        if same_act(earlier, needed) {
            return Before::Provided;
        }
        if earlier.device == call.device && earlier.tool == call.tool {
            return Before::UsedUp;
        }
    }
    Before::Untouched
}

/// The call that would establish this call's precondition.
fn needed_first(call: &PlannedCall, devices: &[Device]) -> Option<PlannedCall> {
    let device = devices.iter().find(|device| device.name == call.device)?;
    let before = device.tool(&call.tool)?.conditions.before.as_ref()?;
    let fits = |tool: &&Tool| tool.prepares && tool.conditions.after.as_ref() == Some(before);
    let tool = device.tools.iter().find(fits)?;
    let argument = |name: &str| {
        call.arguments
            .iter()
            .find(|argument| argument.parameter == name)
            .cloned()
    };
    let arguments: Option<Vec<_>> = tool
        .parameters
        .iter()
        .map(|parameter| argument(&parameter.name))
        .collect();
    Some(PlannedCall::new(&call.device, &tool.name, arguments?))
}

fn same_act(a: &PlannedCall, b: &PlannedCall) -> bool {
    let values = |call: &PlannedCall| {
        call.arguments
            .iter()
            .map(|argument| argument.value.clone())
            .collect::<Vec<_>>()
    };
    a.device == b.device && a.tool == b.tool && values(a) == values(b)
}
