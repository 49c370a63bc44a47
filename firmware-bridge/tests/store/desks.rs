//! Who may ask what of a whole device, and that what it runs stays what it is while it runs.

use super::{ARM, Deed, arm, bytes, described, good, program};
use llmos_firmware_bridge::desk;
use llmos_firmware_bridge::device::{Device, Input, Output, Refusal};
use llmos_firmware_bridge::program::{
    Answer, Ask, MESSAGE_BYTES_MAX, Objection, OnHostLoss, Outcome, Reply, Request, Run, UNASKED, read_reply, write,
};
use llmos_firmware_bridge::sim::SimFlash;
use llmos_firmware_bridge::sim::arm::Arm;
use llmos_firmware_bridge::store::{Store, StoreConfig};
use llmos_follower::Value;

const MINE: u32 = 9;

struct Bench {
    device: Device<Arm, Store<SimFlash>>,
    now: u64,
    seq: u32,
    id: u64,
    outputs: Vec<Output>,
}

impl Bench {
    fn new() -> Bench {
        let config = StoreConfig {
            finishes_alone: true,
            ..StoreConfig::open(ARM)
        };
        let store = Store::open(SimFlash::new(), config, &arm());
        let mut bench = Bench {
            device: Device::with_programs(arm(), 1, store),
            now: 0,
            seq: 0,
            id: 0,
            outputs: Vec::new(),
        };
        bench.lease(MINE, 60_000);
        bench
    }

    fn lease(&mut self, session: u32, ttl_ms: u32) {
        let retained = false;
        let lease = Input::Lease {
            session,
            ttl_ms,
            retained,
        };
        self.device.handle(self.now, lease);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.device.poll() {
            self.outputs.push(output);
        }
    }

    fn ask_as(&mut self, session: u32, retained: bool, ask: Ask<'_>) -> Option<Answer> {
        self.id += 1;
        let id = self.id;
        let request = Request { session, id, ask };
        let reply = desk::handle(&mut self.device, self.now, &request, retained);
        self.drain();
        reply.map(|reply| {
            assert_eq!((reply.session, reply.id), (session, id));
            reply.answer
        })
    }

    fn ask(&mut self, ask: Ask<'_>) -> Answer {
        self.ask_as(MINE, false, ask).expect("a reply")
    }

    fn install(&mut self, bytes: &[u8], revision: u32) {
        let description = described(bytes, revision);
        self.ask(Ask::Begin(description));
        for (number, chunk) in (0_u32..).zip(bytes.chunks(64)) {
            let (crc, offset) = (description.crc, number * 64);
            self.ask(Ask::Chunk {
                crc,
                offset,
                bytes: chunk,
            });
        }
        let answer = self.ask(Ask::Commit { crc: description.crc });
        assert!(matches!(answer, Answer::Store(_)), "{answer:?}");
    }

    /// Asks for a run and returns what the device says to it.
    fn run(&mut self, crc: u32, slots: &[Value]) -> Result<(), Refusal> {
        self.seq += 1;
        let run = Run {
            seq: self.seq,
            expires_ms: self.now + 1_000,
            crc,
            on_host_loss: OnHostLoss::Finish,
            slots: slots.iter().copied().collect(),
        };
        self.outputs.clear();
        assert_eq!(self.ask_as(MINE, false, Ask::Run(run)), None);
        let answer = self.outputs.iter().find_map(|output| match output {
            Output::Ack { answer, .. } => Some(*answer),
            _ => None,
        });
        answer.expect("a run is answered as a command is")
    }

    fn wait(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += 10;
            self.device.handle(self.now, Input::Tick);
            self.drain();
        }
    }
}

#[test]
fn only_the_holder_of_the_lease_changes_anything_and_nothing_that_was_kept_does() {
    let mut bench = Bench::new();
    let bytes = good(1);
    let begin = || Ask::Begin(described(&bytes, 1));
    for ask in [begin(), Ask::Commit { crc: 1 }, Ask::Abort, Ask::Forget { run: 1 }] {
        let answer = bench.ask_as(7, false, ask.clone());
        assert_eq!(answer, Some(Answer::Refused(Objection::NoLease)), "{ask:?}");
        let answer = bench.ask_as(MINE, true, ask.clone());
        assert_eq!(answer, Some(Answer::Refused(Objection::Retained)), "{ask:?}");
    }
    assert!(matches!(bench.ask_as(7, false, Ask::Status), Some(Answer::Store(_))));
    assert_eq!(bench.ask_as(7, false, Ask::Report), Some(Answer::Report(None)));
    assert!(matches!(bench.ask(begin()), Answer::Store(_)));
    // The lease runs out in the middle of an upload; whoever has the next one goes on with it.
    bench.now += 60_001;
    assert_eq!(bench.ask(Ask::Abort), Answer::Refused(Objection::NoLease));
    bench.lease(7, 1_000);
    let Some(Answer::Store(status)) = bench.ask_as(7, false, begin()) else {
        panic!("it goes on");
    };
    assert!(status.upload.is_some(), "{status:?}");
}

#[test]
fn a_program_stays_what_it_is_while_it_runs_and_its_report_is_kept_until_a_host_has_it() {
    let mut bench = Bench::new();
    let first = bytes(&program(
        ARM,
        &[Deed::GoToSlot, Deed::Option("gripper", "state", "open")],
    ));
    bench.install(&first, 1);
    let crc = described(&first, 1).crc;
    assert_eq!(bench.run(crc ^ 1, &[]), Err(Refusal::NoProgram));
    assert_eq!(bench.run(crc, &[]), Err(Refusal::UnboundSlot));
    let to = Value::Point([800_000, 0, 1_300_000]);
    assert_eq!(bench.run(crc, &[to]), Ok(()));
    let run = bench.id;
    bench.wait(50);
    assert_eq!(bench.device.running(), Some(run));
    let second = good(2);
    let begin = Ask::Begin(described(&second, 2));
    assert_eq!(bench.ask(begin), Answer::Refused(Objection::Busy));
    // A flood while it moves: it answers, and goes on.
    for _ in 0..2_000 {
        assert_eq!(bench.ask(Ask::Abort), Answer::Refused(Objection::Busy));
        assert!(matches!(bench.ask(Ask::Status), Answer::Store(_)));
    }
    bench.lease(MINE, 0);
    bench.wait(3_000);
    let Some(Answer::Report(Some(report))) = bench.ask_as(7, false, Ask::Report) else {
        panic!("it is kept");
    };
    assert_eq!((report.run, report.session, report.crc), (run, MINE, crc));
    assert!(matches!(report.outcome, Outcome::Finished { .. }), "{report:?}");
    // The next host is told without asking, after it has the lease.
    bench.outputs.clear();
    bench.lease(7, 60_000);
    let told: Vec<&Output> = bench
        .outputs
        .iter()
        .filter(|output| matches!(output, Output::Lease { .. } | Output::Run))
        .collect();
    assert!(
        matches!(told[..], [Output::Lease { granted: true, .. }, Output::Run]),
        "{told:?}"
    );
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    let said = desk::tell(&bench.device, &mut buffer).and_then(read_reply);
    let answer = Answer::Report(Some(report));
    let expected = Reply {
        session: MINE,
        id: UNASKED,
        answer,
    };
    assert_eq!(said, Some(expected));
    let other = bench.ask_as(7, false, Ask::Forget { run: run + 1 });
    assert_eq!(other, Some(Answer::Report(Some(report))), "another run");
    let forgotten = bench.ask_as(7, false, Ask::Forget { run });
    assert_eq!(forgotten, Some(Answer::Report(None)));
    assert_eq!(desk::tell(&bench.device, &mut buffer), None);
}

#[test]
fn packets_say_the_same_and_noise_says_nothing() {
    let mut bench = Bench::new();
    let request = Request {
        session: 7,
        id: 3,
        ask: Ask::Status,
    };
    let mut packet = [0; MESSAGE_BYTES_MAX];
    let packet = write(&request, &mut packet).expect("it fits").to_vec();
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    let reply = desk::serve(&mut bench.device, 0, &packet, &mut buffer).and_then(read_reply);
    assert!(
        matches!(
            reply,
            Some(Reply {
                id: 3,
                answer: Answer::Store(_),
                ..
            })
        ),
        "{reply:?}"
    );
    for cut in 0..packet.len() {
        assert_eq!(desk::serve(&mut bench.device, 0, &packet[..cut], &mut buffer), None);
    }
    let longer = [packet.as_slice(), &[0]].concat();
    assert_eq!(desk::serve(&mut bench.device, 0, &longer, &mut buffer), None);
}
