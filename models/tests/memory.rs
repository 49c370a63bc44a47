//! Thousands of plans in one process leave no memory behind. A bounded sample; `llmos model bench` prints the figure for longer runs.

use llmos_models::{LocalModel, ParameterKind, ParameterSpec, PlanRequest, Planner, Span, SpanKind, ToolSpec};

/// Memory of this process in kilobytes, where the system says so.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn tools(round: usize) -> Vec<ToolSpec> {
    let distance = ParameterSpec {
        name: "distance".into(),
        kind: ParameterKind::Quantity("length".into()),
        required: true,
    };
    let tool = |index: usize| ToolSpec {
        name: format!("move {index}"),
        does: format!("Move axis {index} of machine {round} by a distance"),
        parameters: vec![distance.clone()],
    };
    (0..6).map(tool).collect()
}

#[test]
fn memory_does_not_grow_with_the_number_of_plans() {
    let mut model = LocalModel::embedded().expect("the model in the box");
    let mut plans = |count: usize| {
        for number in 0..count {
            // More tool lists in turn than are kept, and goals of all lengths.
            let tools = tools(number / 3 % 9);
            let goal = format!("move axis {} by 30 cm {}", number % 6, "or so ".repeat(number % 7));
            let start = goal.find("30 cm").expect("a distance");
            let spans = [Span {
                start,
                end: start + 5,
                kind: SpanKind::Quantity("length".into()),
            }];
            model
                .plan(&PlanRequest {
                    tools: &tools,
                    goal: &goal,
                    spans: &spans,
                    example: None,
                    calls_max: 4,
                })
                .expect("a plan");
        }
    };
    plans(300);
    let Some(before) = resident() else { return };
    plans(1_200);
    let after = resident().expect("the same system");
    assert!(after < before + 4_096, "{before} kB grew to {after} kB");
}
