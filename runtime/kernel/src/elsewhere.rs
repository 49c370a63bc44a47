//! Which device was meant, where the goal names none. Two devices may have a tool of the same name and parameters ("go to (1, 1, 1.5)"); if the
//! one that the model chose may not do it and exactly one other may, that other one was meant. A device that the goal names is never
//! exchanged, and where several could do it the model's choice stands. The gate judges the result like any other plan.

use crate::compile::compile;
use crate::foresee;
use crate::goal::Goal;
use crate::plan::Plan;
use crate::tool::{Device, Parameter};
use llmos_follower::Readings;

/// The plan, or the same plan for the one device that may carry it out.
#[must_use]
pub fn placed(plan: Plan, goal: &Goal, devices: &[Device], readings: &Readings) -> Plan {
    let allowed = |plan: &Plan| {
        compile(plan, devices, readings).is_ok_and(|program| foresee::forbidden(&program, devices, readings).is_ok())
    };
    let Some(chosen) = plan.calls.first().map(|call| call.device.clone()) else {
        return plan;
    };
    let named = goal.words.iter().any(|word| word.normal == chosen);
    if named || plan.calls.iter().any(|call| call.device != chosen) || allowed(&plan) {
        return plan;
    }
    let others = devices.iter().filter(|device| device.name != chosen);
    let mut possible: Vec<Plan> = others
        .filter_map(|device| moved(&plan, devices, device))
        .filter(|plan| allowed(plan))
        .collect();
    match (possible.pop(), possible.is_empty()) {
        (Some(only), true) => only,
        _ => plan,
    }
}

/// The plan with every call on another device, where that has the same tools.
fn moved(plan: &Plan, devices: &[Device], to: &Device) -> Option<Plan> {
    let mut moved = plan.clone();
    for call in &mut moved.calls {
        let from = devices
            .iter()
            .find(|device| device.name == call.device)?
            .tool(&call.tool)?;
        let tool = to.tool(&call.tool).filter(|tool| tool.offered)?;
        let alike = |a: &Parameter, b: &Parameter| a.name == b.name && a.kind == b.kind;
        let same = from.parameters.len() == tool.parameters.len()
            && from.parameters.iter().zip(&tool.parameters).all(|(a, b)| alike(a, b));
        if !same {
            return None;
        }
        call.device.clone_from(&to.name);
    }
    Some(moved)
}
