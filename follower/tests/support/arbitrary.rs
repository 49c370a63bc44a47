//! Programs that nobody would write, and that every check lets through.

use llmos_follower::program::{
    ARGUMENTS_MAX, CALLS_MAX, CASES_MAX, CODE_MAX, COMPENSATION_MAX, RESULTS_MAX, SLOTS_MAX, STARTS_MAX, STEPS_MAX,
};
use llmos_follower::{Call, Kind, OnError, Op, Program, Range, Split, Step, Symbol, Value};
use proptest::prelude::*;

fn symbol() -> impl Strategy<Value = Symbol> {
    any::<u32>().prop_map(Symbol)
}

/// Any value.
pub fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Number),
        (-3_i64..3).prop_map(Value::Number),
        any::<[i64; 3]>().prop_map(Value::Point),
        symbol().prop_map(Value::Symbol),
    ]
}

fn range(size: usize) -> impl Strategy<Value = Range> {
    (0..=size)
        .prop_flat_map(move |start| (Just(start), 0..=(size - start).min(12)))
        .prop_map(|(start, len)| Range {
            start: u16::try_from(start).expect("small"),
            len: u16::try_from(len).expect("small"),
        })
}

fn op(slots: u8, cases: usize) -> impl Strategy<Value = Op> {
    let registers = u8::try_from(RESULTS_MAX).expect("small");
    let slot = if slots == 0 {
        Just(Op::Not).boxed()
    } else {
        (0..slots).prop_map(Op::Slot).boxed()
    };
    prop_oneof![
        4 => value().prop_map(Op::Const),
        1 => (0..u8::try_from(ARGUMENTS_MAX).expect("small")).prop_map(Op::Argument),
        1 => slot,
        1 => (0..registers).prop_map(Op::Result),
        1 => (symbol(), symbol()).prop_map(|(owner, field)| Op::Reading { owner, field }),
        1 => (symbol(), symbol()).prop_map(|(owner, field)| Op::Before { owner, field }),
        1 => symbol().prop_map(|field| Op::ReadingOf { field }),
        1 => symbol().prop_map(|field| Op::BeforeOf { field }),
        1 => range(cases).prop_map(Op::Map),
        1 => any::<i64>().prop_map(Op::Near),
        1 => any::<i64>().prop_map(Op::NearTurn),
        4 => prop::sample::select(vec![
            Op::Add, Op::Sub, Op::Mul, Op::Eq, Op::AtMost, Op::AtLeast, Op::And, Op::Or, Op::Not,
        ]),
    ]
}

fn arguments(code: usize) -> impl Strategy<Value = Vec<(Symbol, Range)>> {
    prop::collection::vec((symbol(), range(code)), 0..=ARGUMENTS_MAX)
}

fn step(code: usize) -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(Kind::Read),
        Just(Kind::Command),
        Just(Kind::Until),
        range(code).prop_map(Kind::Pause)
    ];
    let on_error = prop_oneof![
        Just(OnError::Handoff),
        any::<u8>().prop_map(OnError::Retry),
        Just(OnError::Skip),
    ];
    let head = (symbol(), symbol(), kind, arguments(code), on_error);
    let formulas = (range(code), range(code), range(code));
    let tail = (0_u8..3, any::<i64>(), any::<u32>());
    (head, formulas, tail).prop_map(
        |((device, tool, kind, arguments, on_error), (require, ensure, target), (split, leg_max, timeout_ms))| Step {
            device,
            tool,
            kind,
            split: match (split, arguments.is_empty()) {
                (1, false) => Split::Toward(0),
                (2, false) => Split::Along(0),
                _ => Split::Never,
            },
            arguments: arguments.into_iter().collect(),
            require,
            ensure,
            target,
            leg_max,
            timeout_ms,
            on_error,
            ..Step::default()
        },
    )
}

/// A step of its call, or, where the second is given, one that compensates for the last step of that call.
type Sketched = (Step, Option<(u8, Range)>, bool);

fn call(code: usize) -> impl Strategy<Value = (Call, Vec<Sketched>, Vec<Step>)> {
    let keep = prop::option::of((0..u8::try_from(RESULTS_MAX).expect("small"), range(code)));
    let steps = prop::collection::vec((step(code), keep, any::<bool>()), 1..=2);
    let undo = prop::collection::vec(step(code), 0..=2.min(COMPENSATION_MAX));
    let head = (symbol(), symbol(), arguments(code), range(code), any::<u32>());
    (head, steps, undo).prop_map(|((device, tool, arguments, ensure, depends_on), steps, undo)| {
        let call = Call {
            device,
            tool,
            arguments: arguments.into_iter().collect(),
            ensure,
            depends_on,
        };
        (call, steps, undo)
    })
}

/// Any program that [`Program::check`] lets through.
pub fn program() -> impl Strategy<Value = Program> {
    let sizes = (0..=u8::try_from(SLOTS_MAX).expect("small"), 0..=60_usize, 0..=20_usize);
    sizes
        .prop_flat_map(|(slots, code, cases)| {
            (
                Just(slots),
                prop::collection::vec((symbol(), range(code)), 0..=STARTS_MAX),
                prop::collection::vec(call(code), 0..=CALLS_MAX / 2),
                prop::collection::vec(op(slots, cases), code),
                prop::collection::vec((symbol(), value()), cases),
            )
        })
        .prop_map(|(slots, start, calls, code, cases)| {
            let mut program = Program {
                slots,
                start: start.into_iter().collect(),
                code: code.into_iter().collect(),
                cases: cases.into_iter().collect(),
                ..Program::default()
            };
            let main: usize = calls.iter().map(|(_, steps, _)| steps.len()).sum();
            let mut undoing: Vec<Step> = Vec::new();
            for (index, (mut call, steps, undo)) in (0_u8..).zip(calls) {
                call.depends_on &= (1 << index) - 1;
                program.calls.push(call).expect("at most half of them");
                let undo_range = Range {
                    start: u16::try_from(main + undoing.len()).expect("small"),
                    len: u16::try_from(undo.len()).expect("small"),
                };
                for (step, keep, compensates) in steps {
                    let on_error = if compensates && !undo.is_empty() {
                        OnError::Compensate(undo_range)
                    } else {
                        step.on_error
                    };
                    let step = Step {
                        call: index,
                        keep,
                        on_error,
                        ..step
                    };
                    program.steps.push(step).expect("at most two a call");
                }
                undoing.extend(undo.into_iter().map(|step| Step { call: index, ..step }));
            }
            program.compensating = u8::try_from(undoing.len()).expect("small");
            program.steps.extend(undoing);
            assert!(program.steps.len() <= STEPS_MAX, "four a call, and half of the calls");
            program
        })
}

/// The program with the most bytes: every pool is full, every number is long.
pub fn largest() -> Program {
    let long = Value::Point([i64::MIN; 3]);
    let all = Range { start: 384, len: 128 };
    let symbol = Symbol(u32::MAX);
    let arguments: heapless::Vec<(Symbol, Range), ARGUMENTS_MAX> = [(symbol, all); ARGUMENTS_MAX].into_iter().collect();
    let mut program = Program {
        slots: u8::try_from(SLOTS_MAX).expect("small"),
        start: [(symbol, all); STARTS_MAX].into_iter().collect(),
        code: [Op::Const(long); CODE_MAX].into_iter().collect(),
        cases: [(symbol, long); CASES_MAX].into_iter().collect(),
        ..Program::default()
    };
    for index in 0..u8::try_from(CALLS_MAX).expect("small") {
        let call = Call {
            device: symbol,
            tool: symbol,
            arguments: arguments.clone(),
            ensure: all,
            depends_on: (1 << index) - 1,
        };
        program.calls.push(call).expect("room");
    }
    for at in 0..STEPS_MAX {
        let step = Step {
            device: symbol,
            tool: symbol,
            call: u8::try_from(at.min(CALLS_MAX - 1)).expect("small"),
            kind: Kind::Pause(all),
            arguments: arguments.clone(),
            require: all,
            ensure: all,
            target: all,
            split: Split::Along(5),
            leg_max: i64::MIN,
            timeout_ms: u32::MAX,
            on_error: OnError::Retry(u8::MAX),
            keep: Some((3, all)),
        };
        program.steps.push(step).expect("room");
    }
    program
}
