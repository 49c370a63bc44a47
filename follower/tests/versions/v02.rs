//! Version 2.

use super::super::support::{everything, move_right};
use llmos_follower::{Call, Kind, OnError, Op, Program, Range, Split, Step, Symbol, Value, wire};

const MOVE: &str = "02000001b5cfbcc3039480acc20101e2a8ccf502000100000001b5cfbcc3039480acc201000101e2a8ccf50200010000060701050200c0843de807010200000d0001c0cf2405008a9cbd9a09000280897a000001000b0904008a9cbd9a0905008a9cbd9a09000280897a000001000b090d904e003d152cdb";
const EVERYTHING: &str = "020101b5cfbcc303000304b5cfbcc303838e9cb10c01c1898593060301000000b5cfbcc303838e9cb10c0195ada0ee0b0f01000000b5cfbcc303838e9cb10c0195ada0ee0b1401000002b5cfbcc303838e9cb10c01c189859306190100000008b5cfbcc303838e9cb10c000101c18985930605010000060300000000e807010101020401b5cfbcc303a099b9c90800020901000000000000000000d00f0000b5cfbcc303a099b9c90800030000000a0500000000e8070000b5cfbcc303838e9cb10c01010195ada0ee0b10010000110300000000e8070200b5cfbcc303838e9cb10c02010195ada0ee0b15010000160300000000e8070000b5cfbcc30396adbdb70e0300000000000000000000e8070000b5cfbcc303838e9cb10c030101c1898593061a0100001b0300000000e80704070100b5cfbcc303838e9cb10c03010195ada0ee0b1e0100001f0300000000e80701020001220400c1898593060001000c02000500ddcfe7dc0902000400c18985930601000c00018092f4010400ddcfe7dc0903020001809bee020910000180897a000180897a040095ada0ee0b01000c00018092f40100018092f401040095ada0ee0b01000c0001000001000400c18985930601000c000100040095ada0ee0b01000c00dadbaeca";
const VARIANTS: &str = "020801c801001701000000000000060000000001f0a204001700000000000000000000000000000101f0a20400170000000000000100000001ff0000000002001701f0a20400170000000000000200000002000000000301f0a204001700000000000000000003000000000001f0a2040017000000000000000000040501000000000001f0a2040017000000000000000000000001170000000001010002027ffeffffffffffffffff010003c80101050207030304c801f0a20405c801f0a20406f0a20407f0a204080001090a0b0c0dd8040ed7040f1011121301c80103f0a2040fd45129";

fn check(frozen: &str, program: &Program) {
    let frozen = super::bytes(frozen);
    let mut buffer = vec![0; wire::BYTES_MAX];
    let written = wire::encode(program, &mut buffer).expect("room");
    assert_eq!(written, frozen, "written: {written:02x?}");
    assert_eq!(wire::decode(&frozen).as_ref(), Ok(program));
}

#[test]
fn version_2_is_read_and_written_as_ever() {
    check(MOVE, &move_right(300_000, OnError::Retry(2)));
    check(EVERYTHING, &everything());
    check(VARIANTS, &variants());
}

/// Every variant of every enumeration, so that none can change its place.
fn variants() -> Program {
    let (owner, field) = (Symbol(200), Symbol(70_000));
    let cases = Range { start: 0, len: 1 };
    let code = [
        Op::Const(Value::Bool(false)),
        Op::Const(Value::Number(-1)),
        Op::Const(Value::Point([1, -64, i64::MAX])),
        Op::Const(Value::Symbol(owner)),
        Op::Argument(5),
        Op::Slot(7),
        Op::Result(3),
        Op::Reading { owner, field },
        Op::Before { owner, field },
        Op::ReadingOf { field },
        Op::BeforeOf { field },
        Op::Map(cases),
        Op::Add,
        Op::Sub,
        Op::Mul,
        Op::Eq,
        Op::Near(300),
        Op::NearTurn(-300),
        Op::AtMost,
        Op::AtLeast,
        Op::And,
        Op::Or,
        Op::Not,
    ];
    let all = Range { start: 0, len: 23 };
    let step = |kind: Kind, split: Split, on_error: OnError| Step {
        kind,
        arguments: [(field, all)].into_iter().collect(),
        split,
        on_error,
        ..Step::default()
    };
    let steps = [
        step(Kind::Read, Split::Never, OnError::Handoff),
        step(Kind::Command, Split::Toward(0), OnError::Retry(255)),
        step(Kind::Pause(all), Split::Along(0), OnError::Skip),
        step(Kind::Until, Split::Never, OnError::Stop),
        step(
            Kind::Read,
            Split::Never,
            OnError::Compensate(Range { start: 5, len: 1 }),
        ),
        step(Kind::Read, Split::Never, OnError::Handoff),
    ];
    Program {
        slots: 8,
        start: [(owner, all)].into_iter().collect(),
        calls: [Call::default()].into_iter().collect(),
        steps: steps.into_iter().collect(),
        compensating: 1,
        code: code.into_iter().collect(),
        cases: [(owner, Value::Symbol(field))].into_iter().collect(),
    }
}
