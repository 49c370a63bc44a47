//! A program followed where it lies is the program: the same entries, the same refusals, the same outputs for the same inputs. And it fits
//! into a microcontroller.

mod support;

use llmos_follower::program::{CALLS_MAX, CASES_MAX, CODE_MAX, STEPS_MAX};
use llmos_follower::{
    Checkpoint, Envelope, Follower, Handoff, Index, Input, Kind, Listing, OnError, Op, Output, Program, Progress,
    Range, Reading, Readings, Reject, Symbol, Table, Value, Walker, Watch, World, wire,
};
use proptest::prelude::*;
use support::arbitrary::{largest, program, value};
use support::{ARM, PUMP, Sketch, everything, move_right, number, reading};

fn bytes(program: &Program) -> Vec<u8> {
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(program, &mut buffer).expect("room").to_vec()
}

/// A body with the checksum that belongs to it.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&body);
    body.extend(sum.to_le_bytes());
    body
}

fn all(len: usize) -> Range {
    Range {
        start: 0,
        len: u16::try_from(len).expect("small"),
    }
}

/// Every entry, one by one and in every stretch of a pool that begins somewhere.
fn check_entries(program: &Program) {
    let bytes = bytes(program);
    let index = Index::of(&bytes).expect("a good program");
    let there = index.program(&bytes).expect("its own bytes");
    let counts = Listing::counts(program);
    assert_eq!(there.counts(), counts);
    assert_eq!(index.counts(), counts);
    for at in 0..=STEPS_MAX {
        assert_eq!(Listing::start(program, at), there.start(at), "start {at}");
        assert_eq!(program.calls.get(at), there.call(at).as_ref(), "call {at}");
        assert_eq!(program.steps.get(at), there.step(at).as_ref(), "step {at}");
        assert_eq!(program.main().get(at), there.main_step(at).as_ref(), "main step {at}");
    }
    for start in 0..=program.code.len() {
        let rest = Range {
            start: u16::try_from(start).expect("small"),
            len: u16::try_from((program.code.len() - start).min(20)).expect("small"),
        };
        let found: Vec<Op> = there.code(rest).expect("inside").collect();
        assert_eq!(found, program.code[rest.indices()], "code from {start}");
    }
    for start in 0..=program.cases.len() {
        let rest = Range {
            start: u16::try_from(start).expect("small"),
            len: u16::try_from(program.cases.len() - start).expect("small"),
        };
        let found: Vec<(Symbol, Value)> = there.cases(rest).expect("inside").collect();
        assert_eq!(found, program.cases[rest.indices()], "cases from {start}");
    }
    assert!(there.code(all(program.code.len() + 1)).is_none());
    assert!(there.cases(all(program.cases.len() + 1)).is_none());
    for device in [ARM, PUMP, Symbol(u32::MAX)] {
        assert_eq!(there.is_for(device), program.is_for(device), "{device:?}");
    }
}

#[test]
fn every_entry_is_what_was_written() {
    check_entries(&Program::default());
    check_entries(&move_right(300_000, OnError::Retry(2)));
    check_entries(&everything());
    check_entries(&largest());
}

/// What the index refuses, `decode` refuses for the same reason, and the other way round.
fn check_refusal(bytes: &[u8]) -> Result<(), Reject> {
    let (index, decoded) = (Index::of(bytes), wire::decode(bytes));
    assert_eq!(
        index.as_ref().map(Index::counts).map_err(|reject| *reject),
        decoded.as_ref().map(Listing::counts).map_err(|reject| *reject),
        "{bytes:02x?}"
    );
    assert_eq!(
        Index::of_for(ARM, bytes).map(|_| ()),
        wire::decode_for(ARM, bytes).map(|_| ())
    );
    index.map(|_| ())
}

#[test]
fn each_refusal_is_that_of_decode() {
    let good = bytes(&everything());
    for at in 0..good.len() * 8 {
        let mut broken = good.clone();
        broken[at / 8] ^= 1 << (at % 8);
        assert_eq!(check_refusal(&broken), Err(Reject::Checksum));
    }
    let body = &good[..good.len() - 4];
    for length in 0..good.len() {
        assert!(check_refusal(&good[..length]).is_err());
        let cut = check_refusal(&sealed(body[..length.min(body.len() - 1)].to_vec()));
        // Of nothing, not even the version is there.
        let expected = if length == 0 {
            Reject::Truncated
        } else {
            Reject::Malformed
        };
        assert_eq!(cut, Err(expected));
    }
    assert_eq!(check_refusal(&sealed([body, &[0]].concat())), Err(Reject::Malformed));
    assert_eq!(check_refusal(&vec![0; wire::BYTES_MAX + 1]), Err(Reject::TooLarge));
    let mut other = body.to_vec();
    other[0] = wire::CURRENT + 1;
    assert_eq!(check_refusal(&sealed(other)), Err(Reject::Version));
    // Each list with as many entries as there is room for, and one more: (entries before it, one entry, room).
    let starts: (&[u8], &[u8], usize) = (&[0], &[1, 0, 0], 8);
    let code: (&[u8], &[u8], usize) = (&[0, 0, 0, 0, 0], &[19], CODE_MAX);
    let cases: (&[u8], &[u8], usize) = (&[0, 0, 0, 0, 0, 0], &[1, 0, 0], CASES_MAX);
    for (before, entry, room) in [starts, code, cases] {
        for (count, fits) in [(room, true), (room + 1, false)] {
            let mut more = [&[wire::CURRENT], before].concat();
            let mut varint = [0; 4];
            more.extend(postcard::to_slice(&count, &mut varint).expect("room").iter());
            more.extend(entry.repeat(count));
            more.extend([0; 6].iter().skip(before.len()));
            let found = check_refusal(&sealed(more));
            assert_eq!(
                found,
                if fits { Ok(()) } else { Err(Reject::TooLarge) },
                "{count} of {entry:?}"
            );
        }
    }
    let mut calls = largest();
    calls.code.clear();
    assert_eq!(check_refusal(&bytes(&calls)), Err(Reject::OutOfRange));
    let mut round = everything();
    round.calls[3].depends_on = 0b1000;
    assert_eq!(check_refusal(&bytes(&round)), Err(Reject::Order));
    assert_eq!(Index::of_for(PUMP, &good).err(), Some(Reject::Device));
}

/// One moment of a run: how much later it is, what comes in, and what the devices report then.
#[derive(Clone, Debug)]
struct Moment {
    pause_ms: u64,
    input: u8,
    readings: Vec<(u8, u8, u8, Value)>,
}

/// So few names that they meet.
const NAMES: [Symbol; 4] = [Symbol::NONE, ARM, Symbol::of("position"), Symbol::of("level")];

fn named(index: u8) -> Symbol {
    NAMES[usize::from(index) % NAMES.len()]
}

/// The program with few names, so that what it looks for is reported now and then.
fn with_few_names(mut program: Program) -> Program {
    let few = |symbol: &mut Symbol| *symbol = named(u8::try_from(symbol.0 % 4).expect("small"));
    let few_value = |value: &mut Value| {
        if let Value::Symbol(symbol) = value {
            few(symbol);
        }
    };
    program.start.iter_mut().for_each(|(device, _)| few(device));
    for call in &mut program.calls {
        few(&mut call.device);
        call.arguments.iter_mut().for_each(|(name, _)| few(name));
    }
    for step in &mut program.steps {
        few(&mut step.device);
        step.arguments.iter_mut().for_each(|(name, _)| few(name));
    }
    for op in &mut program.code {
        match op {
            Op::Const(value) => few_value(value),
            Op::Reading { owner, field } | Op::Before { owner, field } => {
                few(owner);
                few(field);
            }
            Op::ReadingOf { field } | Op::BeforeOf { field } => few(field),
            _ => {}
        }
    }
    for (case, value) in &mut program.cases {
        few(case);
        few_value(value);
    }
    program
}

/// The program without what ends most random ones at once: conditions that hardly ever hold and code that is no expression.
fn that_goes_far(mut program: Program) -> Program {
    program.start.clear();
    let truth = Range {
        start: u16::try_from(program.code.len()).expect("small"),
        len: 1,
    };
    program.code.push(Op::Const(Value::Bool(true))).expect("room");
    for call in &mut program.calls {
        call.ensure = Range::EMPTY;
        call.arguments.iter_mut().for_each(|(_, range)| *range = truth);
    }
    for (at, step) in program.steps.iter_mut().enumerate() {
        step.require = Range::EMPTY;
        step.arguments.iter_mut().for_each(|(_, range)| *range = truth);
        step.keep = None;
        if at % 3 > 0 {
            (step.ensure, step.target) = (truth, Range::EMPTY);
        }
        if let Kind::Pause(_) = step.kind {
            step.kind = Kind::Until;
        }
    }
    program
}

fn readings(moment: &Moment) -> Readings {
    let mut readings = Readings::default();
    for (device, owner, field, value) in &moment.readings {
        let reading = Reading {
            device: named(*device),
            owner: named(*owner),
            field: named(*field),
            value: *value,
        };
        readings.push(reading).expect("room");
    }
    readings
}

/// Everything that a follower says, and where it then stands.
fn follow<L: Listing>(
    program: &L,
    slots: &[Value],
    moments: &[Moment],
) -> Result<Vec<(Vec<Output>, Checkpoint)>, Reject> {
    let known = [
        Input::Sent,
        Input::Acknowledged,
        Input::State(Progress::Finished),
        Input::State(Progress::Finished),
        Input::State(Progress::Busy),
        Input::State(Progress::Unknown),
        Input::Tick,
        Input::Failed,
        Input::Refused,
        Input::Again,
        Input::Lost,
        Input::Stop,
    ];
    let mut follower = Follower::new(program, slots)?;
    let (mut now, mut said) = (0_u64, Vec::new());
    for moment in moments {
        let readings = readings(moment);
        let world = World {
            program,
            readings: &readings,
        };
        now += moment.pause_ms;
        let outputs: Vec<Output> = std::iter::from_fn(|| follower.poll(world)).collect();
        said.push((outputs, follower.checkpoint().clone()));
        follower.handle(world, now, known[usize::from(moment.input) % known.len()]);
    }
    Ok(said)
}

/// Follows a program from memory and in place, and returns how far it came.
fn check_followed(program: &Program, slots: &[Value], moments: &[Moment]) -> usize {
    let bytes = bytes(program);
    let index = Index::of(&bytes).expect("a good program");
    let there = index.program(&bytes).expect("its own bytes");
    let slots = slots.get(..usize::from(program.slots)).unwrap_or_default();
    let (here, there) = (follow(program, slots, moments), follow(&there, slots, moments));
    assert_eq!(here, there);
    here.map_or(0, |said| said.iter().map(|(outputs, _)| outputs.len()).sum())
}

fn moment() -> impl Strategy<Value = Moment> {
    let readings = prop::collection::vec((0_u8..4, 0_u8..4, 0_u8..4, value()), 0..8);
    // What a good device says comes twice as often as what ends a run.
    let input = prop_oneof![2 => 0_u8..6, 1 => 0_u8..10, 1 => 0_u8..12];
    (0_u64..2_000, input, readings).prop_map(|(pause_ms, input, readings)| Moment {
        pause_ms,
        input,
        readings,
    })
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    prop::collection::vec(moment(), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_program_has_its_entries_in_place(program in program()) {
        check_entries(&program);
    }

    #[test]
    fn any_program_is_followed_in_place_as_in_memory(
        program in program(),
        slots in prop::collection::vec(value(), 8),
        moments in moments(),
    ) {
        check_followed(&with_few_names(program.clone()), &slots, &moments);
        check_followed(&that_goes_far(with_few_names(program)), &slots, &moments);
    }

    #[test]
    fn hostile_bytes_are_refused_as_decode_refuses_them(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = check_refusal(&bytes);
        let _ = check_refusal(&sealed([&[wire::CURRENT], bytes.as_slice()].concat()));
    }

    #[test]
    fn a_program_with_bytes_changed_on_purpose_is_refused_as_decode_refuses_it(
        program in program(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let good = bytes(&program);
        let mut body = good[..good.len() - 4].to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = check_refusal(&sealed(body));
    }

    /// Flash that changes underneath can say anything; the follower goes wrong in a bounded way.
    #[test]
    fn bytes_that_change_underneath_do_no_more_than_end_the_run(
        program in program(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        slots in prop::collection::vec(value(), 8),
        moments in moments(),
    ) {
        let mut bytes = bytes(&program);
        let index = Index::of(&bytes).expect("a good program");
        let body = bytes.len() - 4;
        for (at, byte) in changes {
            bytes[at.index(body)] = byte;
        }
        let there = index.program(&bytes).expect("the checksum at the end is the same");
        let slots = slots.get(..usize::from(program.slots)).unwrap_or_default();
        let _ = follow(&there, slots, &moments);
    }
}

#[test]
fn the_comparison_sees_runs_that_come_far() {
    let state = |input: u8, level: i64| Moment {
        pause_ms: 500,
        input,
        readings: vec![(1, 0, 3, Value::Number(level * 1_000_000))],
    };
    let mut sketch = Sketch::default();
    for level in 1..=6 {
        sketch.call("level", &[number(level)]);
        sketch.set("level", &[number(level)], OnError::Handoff);
    }
    let moments: Vec<Moment> = (1..=6)
        .flat_map(|level| [state(0, level - 1), state(1, level - 1), state(2, level)])
        .chain([state(6, 6)])
        .collect();
    assert_eq!(check_followed(&sketch.0, &[], &moments), 6 * 3 + 1);
}

#[test]
fn an_index_only_reads_the_bytes_it_was_made_from() {
    let (one, other) = (bytes(&everything()), bytes(&move_right(1, OnError::Skip)));
    let index = Index::of(&one).expect("a good program");
    assert!(index.program(&one).is_some());
    assert!(index.program(&other).is_none());
    assert!(index.program(&one[..one.len() - 1]).is_none());
    assert!(index.program(&[]).is_none());
    let sum = u32::from_le_bytes(*one.last_chunk().expect("four bytes"));
    assert_eq!(index.checksum(), sum);
}

#[test]
fn more_readings_than_there_is_room_for_end_the_run() {
    let mut sketch = Sketch::default();
    sketch.call("level", &[number(1)]);
    sketch.set("level", &[number(1)], OnError::Handoff);
    let mut readings = Table::<4>::new();
    let level = |owner: u32| Reading {
        device: ARM,
        owner: Symbol(owner),
        field: Symbol::of("level"),
        value: Value::Number(0),
    };
    (0..4).for_each(|owner| readings.push(level(owner)).expect("room"));
    assert_eq!(readings.push(level(4)), Err(level(4)));
    for (fits, expected) in [(true, None), (false, Some(Handoff::Missing))] {
        let world = World {
            program: &sketch.0,
            readings: &readings,
        };
        let said = if fits {
            Walker::<4>::new(&sketch.0, &[]).expect("a good program").poll(world)
        } else {
            Walker::<3>::new(&sketch.0, &[]).expect("a good program").poll(world)
        };
        let why = match said {
            Some(Output::Handoff { why, .. }) => Some(why),
            _ => None,
        };
        assert_eq!(why, expected);
    }
    assert!(reading("level").field().is_some());
}

/// On 32 bits everything is at most as large as here, where words are longer: what fits here fits there.
#[test]
fn it_fits_into_four_kilobytes() {
    let (follower, readings) = (size_of::<Walker<16>>(), size_of::<Table<16>>());
    let (index, watch, envelope) = (size_of::<Index>(), size_of::<Watch>(), size_of::<Envelope>());
    assert!(
        follower + readings + index + watch <= 3_500,
        "{follower} {readings} {index} {watch}"
    );
    assert!(index <= 384, "{index}");
    assert!(envelope <= 1_200, "{envelope}");
    const { assert!(STEPS_MAX == 64 && CALLS_MAX == 24, "as the budget says") }
}
