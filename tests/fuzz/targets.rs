//! What is given to strangers' bytes: each target reads them as one kind of input and states what must hold whatever they are. The fuzzer
//! (`main.rs`) looks for bytes that break one; `tests/corpus.rs` gives every target all that was ever kept, with every build.

use llmos_firmware_bridge::Binding;
use llmos_firmware_bridge::link::{Kind, Link, LinkConfig, LinkInput, LinkOutput, read_report};
use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Faults, SimKind};
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_follower::{Follower, Symbol, disassemble, wire};
use llmos_kernel::goal::{self, Lexicon};
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::Input;
use llmos_kernel::policy::Policy;
use llmos_kernel::text::{manifest, trace};
use llmos_kernel::tool::Connect;
use llmos_kernel::toolset::Toolset;

#[path = "../../runtime/src/shell/hooks/file.rs"]
#[allow(
    dead_code,
    reason = "the program's own reader, of which only the reading is wanted here"
)]
mod hooks_file;

/// What is given a stranger's bytes; it panics where what must hold does not.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also its corpus's folder.
pub const TARGETS: [(&str, Target); 10] = [
    ("foreign", foreign),
    ("goal", goal),
    ("hooks", hooks),
    ("manifest", manifest),
    ("payload", payload),
    ("policy", policy),
    ("toolset", toolset),
    ("topic", topic),
    ("trace", trace),
    ("wire", wire),
];

/// Spans of a goal lie in its text, at the borders of characters.
fn goal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let goal = goal::read(&text, &Lexicon::default());
    for span in &goal.spans {
        assert!(text.get(span.start..span.end).is_some(), "{span:?} is not in the goal");
    }
}

/// A device of a manifest with an error is never there.
fn manifest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (device, found) = manifest::read(&text);
    let broken = found.iter().any(llmos_kernel::text::Diagnostic::is_error);
    assert!(device.is_none() || !broken, "a manifest with an error was taken");
    document("devices/fuzzed.md", &text);
}

/// What is printed is read again, and printed the same.
fn trace(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (found, _) = trace::read(&text);
    if let Some(found) = found {
        let printed = trace::print(&found, "\n");
        let (again, mistakes) = trace::read(&printed);
        let again = again.unwrap_or_else(|| panic!("what was printed is not read: {mistakes:?}\n{printed}"));
        assert_eq!(printed, trace::print(&again, "\n"));
        // Words that are added to a document leave every other line alone.
        if let Ok(more) = trace::with_pattern(&text, "move it {distance} left", "learned") {
            let kept = text.lines().filter(|line| more.contains(line)).count();
            assert!(kept + 1 >= text.lines().count(), "lines of a person were lost");
        }
    }
    document("traces/fuzzed.md", &text);
}

/// A document in a workspace with the template's devices.
fn document(path: &str, text: &str) {
    let mut kernel = Kernel::new(Settings::default());
    let arm = include_str!("../../workspace/devices/arm.md").to_owned();
    for (path, text) in [("devices/arm.md", arm), (path, text.to_owned())] {
        let path = path.to_owned();
        kernel.handle(0, Input::Document { path, text });
    }
    kernel.handle(0, Input::Ready);
    while kernel.poll().is_some() {}
}

fn policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // A policy that can't be read allows nothing; that it is never half read is the parser's type.
    let _ = Policy::read(&text);
    document("policy.toml", &text);
}

/// Hooks that are read can be told to a person.
fn hooks(bytes: &[u8]) {
    if let Ok(hooks) = hooks_file::read(&String::from_utf8_lossy(bytes)) {
        for hook in hooks {
            assert!(!hook.deed.text().is_empty(), "a hook does something");
        }
    }
}

fn toolset(bytes: &[u8]) {
    let _ = Toolset::read(&String::from_utf8_lossy(bytes));
}

/// A topic that is read is written the same.
fn topic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(topic) = Topic::parse(&text) {
        assert_eq!(topic.to_string(), text);
    }
}

/// Messages, one a line, each to the device that leases and to the host; the first byte says on which topic.
fn payload(bytes: &[u8]) {
    let device = DeviceName::parse("arm").expect("a name");
    let mut simulated = Simulated::new(SimKind::Arm, 0, 1, Faults::default(), 1);
    let mut link = Link::new(LinkConfig {
        device: device.clone(),
        session: 7,
        heartbeat_ms: 500,
        expiry_ms: 2_000,
        kind: Kind::Native,
    });
    link.handle(0, LinkInput::Connected);
    let subjects = [
        Subject::Lease,
        Subject::Cmd,
        Subject::Ack,
        Subject::State,
        Subject::Event,
        Subject::Program,
        Subject::Stop,
        Subject::Online,
        Subject::Manifest,
    ];
    for (now, line) in (0..).step_by(50).zip(bytes.split(|byte| *byte == b'\n')) {
        let Some((kind, payload)) = line.split_first() else {
            continue;
        };
        let subject = subjects[usize::from(*kind) % subjects.len()];
        let retained = kind & 0x80 != 0;
        simulated.handle_message(now, subject, payload, retained);
        simulated.handle_tick(now);
        while simulated.poll().is_some() {}
        let topic = Topic::new(&device, subject).to_string();
        link.handle(
            now,
            LinkInput::Message {
                topic: &topic,
                payload,
                retained,
            },
        );
        link.handle(now, LinkInput::Tick);
        while link.poll().is_some() {}
        let _ = read_report(payload);
    }
    // Whatever strangers say: the arm stays in its own envelope.
    let [x, y, z] = simulated.position().expect("an arm is somewhere");
    assert!(x.abs() <= 2_000_000 && y.abs() <= 2_000_000 && (0..=3_000_000).contains(&z));
}

/// Messages of a device with topics of its own, one a line: the first byte of all says which example of the template it is, the first of each
/// line on which of its topics. Whatever it says, nothing leaves but questions about its state: nobody has asked for a command.
fn foreign(bytes: &[u8]) {
    const EXAMPLES: [&str; 4] = [
        include_str!("../../workspace/devices/examples/zigbee2mqtt-lamp.md"),
        include_str!("../../workspace/devices/examples/tasmota-plug.md"),
        include_str!("../../workspace/devices/examples/home-assistant-climate.md"),
        include_str!("../../workspace/devices/examples/ros-base.md"),
    ];
    let Some((which, rest)) = bytes.split_first() else {
        return;
    };
    let (device, _) = manifest::read(EXAMPLES[usize::from(*which) % EXAMPLES.len()]);
    let device = device.expect("an example of the template");
    let Connect::Foreign(topics) = &device.connect else {
        panic!("an example with topics of its own")
    };
    let (binding, problems) = Binding::read(topics);
    assert!(problems.is_empty(), "{problems:?}");
    let mut link = Link::new(LinkConfig {
        device: DeviceName::parse(&device.name).expect("a name"),
        session: 7,
        heartbeat_ms: 500,
        expiry_ms: 2_000,
        kind: Kind::Foreign(Box::new(binding)),
    });
    link.handle(0, LinkInput::Connected);
    let (mut listens, mut asks) = (Vec::new(), Vec::new());
    while let Some(output) = link.poll() {
        match output {
            LinkOutput::Subscribe(topic) => listens.push(topic),
            LinkOutput::Publish { topic, .. } => asks.push(topic),
            LinkOutput::Event(_) => {}
        }
    }
    for (now, line) in (0..).step_by(50).zip(rest.split(|byte| *byte == b'\n')) {
        let Some((kind, payload)) = line.split_first() else {
            continue;
        };
        let topic = &listens[usize::from(kind & 0x7f) % listens.len()];
        let retained = kind & 0x80 != 0;
        link.handle(
            now,
            LinkInput::Message {
                topic,
                payload,
                retained,
            },
        );
        link.handle(now, LinkInput::Tick);
        while let Some(output) = link.poll() {
            if let LinkOutput::Publish { topic, .. } = output {
                assert!(asks.contains(&topic), "it was made to publish on {topic}");
            }
        }
    }
}

/// A program that is read is written the same, can be printed, and can be begun or not, but never panics.
fn wire(bytes: &[u8]) {
    for sealed in [bytes.to_vec(), with_checksum(bytes)] {
        if let Ok(program) = wire::decode(&sealed) {
            let mut buffer = vec![0; wire::BYTES_MAX];
            let written = wire::encode(&program, &mut buffer).expect("room for every program");
            assert_eq!(wire::decode(written).as_ref(), Ok(&program));
            let mut text = String::new();
            disassemble(&program, &|_: Symbol| None, &mut text).expect("a String takes all");
            let _ = Follower::new(&program, &[]);
        }
    }
}

/// So that the fuzzer need not guess one.
fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(bytes).to_le_bytes();
    bytes.iter().copied().chain(sum).collect()
}
