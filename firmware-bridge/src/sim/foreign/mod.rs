//! Simulated devices that speak topics of their own, written from the public documentation of the real ones; none has ever seen a
//! manifest. Messages in, messages out; [`super::run`] connects one to a broker.

mod climate;
mod ros_base;
mod tasmota_plug;
mod zigbee_lamp;

use super::faults::{Faults, Occasion};
use llmos_follower::Millis;
use std::collections::{BTreeMap, VecDeque};

/// How long a slow device takes to report, in milliseconds.
const SLOW_MS: Millis = 3_000;
/// How often one that does nothing by itself is looked at, in milliseconds.
const IDLE_MS: Millis = 1_000;

/// The simulated devices of this form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForeignKind {
    /// A lamp behind `Zigbee2MQTT`.
    ZigbeeLamp,
    /// A plug that measures, with Tasmota.
    TasmotaPlug,
    /// A heat pump with the topics of Home Assistant's MQTT climate.
    Climate,
    /// A mobile base behind a bridge between ROS and MQTT.
    RosBase,
}

/// A message of such a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The bytes.
    pub payload: Vec<u8>,
    /// Whether the broker should keep it.
    pub retain: bool,
}

/// A device with topics of its own.
trait Gadget {
    /// The topics that it listens to.
    fn topics(&self) -> Vec<String>;
    /// What its broker says when it is gone.
    fn will(&self) -> Option<Message>;
    /// It has just connected.
    fn greet(&mut self, now: Millis, voice: &mut Voice);
    /// Somebody told it something.
    fn hear(&mut self, now: Millis, topic: &str, payload: &str, voice: &mut Voice);
    /// Time passes.
    fn step(&mut self, now: Millis, voice: &mut Voice);
    /// How often that should happen, in milliseconds.
    fn step_ms(&self) -> Millis {
        IDLE_MS
    }
    /// What it really is now, whatever it says, for one that can be looked into.
    fn inside(&self) -> Option<[u64; 3]> {
        None
    }
}

/// How a device speaks, faults included.
#[derive(Debug)]
struct Voice {
    faults: Faults,
    commands: u32,
    gone: bool,
    last: BTreeMap<String, Vec<u8>>,
    due: VecDeque<(Millis, Message)>,
}

impl Voice {
    /// Counts a command that would change something; false where the device does not do it.
    fn obeys(&mut self) -> bool {
        self.commands += 1;
        !strikes(self.faults.refuse, self.commands)
    }

    /// Says something that a listener may want to hear each time.
    fn say(&mut self, now: Millis, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) {
        let payload = payload.into();
        let silent = self.gone || self.faults.silent.is_some_and(|fault| fault.has_begun(self.commands));
        let same = self.last.get(topic) == Some(&payload);
        if silent || (same && self.faults.quiet.is_some()) {
            return;
        }
        self.last.insert(topic.to_owned(), payload.clone());
        let slow = self.commands > 0 && strikes(self.faults.slow, self.commands);
        let at = if slow { now + SLOW_MS } else { now };
        let retain = retain || self.faults.stale.is_some();
        self.due.push_back((
            at,
            Message {
                topic: topic.to_owned(),
                payload,
                retain,
            },
        ));
    }
}

fn strikes(fault: Option<Occasion>, number: u32) -> bool {
    fault.is_some_and(|occasion| occasion.strikes(number))
}

/// One simulated device.
pub struct ForeignSim {
    gadget: Box<dyn Gadget + Send>,
    voice: Voice,
    step_at: Millis,
}

impl std::fmt::Debug for ForeignSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForeignSim")
            .field("voice", &self.voice)
            .finish_non_exhaustive()
    }
}

impl ForeignSim {
    /// A device of that name.
    #[must_use]
    pub fn new(kind: ForeignKind, name: &str, faults: Faults) -> ForeignSim {
        let gadget: Box<dyn Gadget + Send> = match kind {
            ForeignKind::ZigbeeLamp => Box::new(zigbee_lamp::ZigbeeLamp::new(name)),
            ForeignKind::TasmotaPlug => Box::new(tasmota_plug::TasmotaPlug::new(name)),
            ForeignKind::Climate => Box::new(climate::Climate::new(name)),
            ForeignKind::RosBase => Box::new(ros_base::RosBase::new(name, faults.no_watchdog.is_some())),
        };
        ForeignSim {
            gadget,
            voice: Voice {
                faults,
                commands: 0,
                gone: false,
                last: BTreeMap::new(),
                due: VecDeque::new(),
            },
            step_at: 0,
        }
    }

    /// The topics that it listens to.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.gadget.topics()
    }

    /// What its broker says when it is gone.
    #[must_use]
    pub fn will(&self) -> Option<Message> {
        self.gadget.will()
    }

    /// It has just connected. One that is stale says its last words here, which the broker keeps, and is then gone without a will.
    pub fn handle_connected(&mut self, now: Millis) {
        self.gadget.greet(now, &mut self.voice);
        self.voice.gone |= self.voice.faults.stale.is_some();
    }

    /// Somebody told it something.
    pub fn handle_message(&mut self, now: Millis, topic: &str, payload: &[u8]) {
        if let (false, Ok(payload)) = (self.voice.gone, std::str::from_utf8(payload)) {
            self.gadget.hear(now, topic, payload.trim(), &mut self.voice);
        }
    }

    /// Lets time pass.
    pub fn handle_tick(&mut self, now: Millis) {
        if now >= self.step_at {
            self.step_at = now + self.gadget.step_ms();
            self.gadget.step(now, &mut self.voice);
        }
    }

    /// The next message to publish, or `None` until the next input.
    pub fn poll(&mut self, now: Millis) -> Option<Message> {
        let due = self.voice.due.front().is_some_and(|(at, _)| *at <= now);
        if due {
            self.voice.due.pop_front().map(|(_, message)| message)
        } else {
            None
        }
    }

    /// What it really is now, whatever it says: of a lamp whether it is on (0 or 1), its brightness (0 to 254) and its tone (mireds). `None`
    /// for one that can't be looked into.
    #[must_use]
    pub fn inside(&self) -> Option<[u64; 3]> {
        self.gadget.inside()
    }

    /// When [`ForeignSim::handle_tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Millis {
        let said = self.voice.due.front().map_or(Millis::MAX, |(at, _)| *at);
        said.min(self.step_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it publishes when it is told this, as text.
    fn told(sim: &mut ForeignSim, now: Millis, topic: &str, payload: &str) -> Vec<String> {
        sim.handle_message(now, topic, payload.as_bytes());
        said(sim, now)
    }

    fn said(sim: &mut ForeignSim, now: Millis) -> Vec<String> {
        std::iter::from_fn(|| sim.poll(now))
            .map(|message| format!("{} {}", message.topic, String::from_utf8_lossy(&message.payload)))
            .collect()
    }

    fn faults(spec: &str) -> Faults {
        Faults::parse(spec).expect("known faults")
    }

    #[test]
    fn a_lamp_speaks_zigbee2mqtt() {
        let mut lamp = ForeignSim::new(ForeignKind::ZigbeeLamp, "lamp", Faults::default());
        let state = told(
            &mut lamp,
            0,
            "zigbee2mqtt/lamp/set",
            r#"{"state": "ON", "brightness": 100}"#,
        );
        for part in [
            "zigbee2mqtt/lamp {",
            r#""state":"ON""#,
            r#""brightness":100"#,
            r#""color_temp":370"#,
        ] {
            assert!(state.len() == 1 && state[0].contains(part), "{part}: {state:?}");
        }
        let state = told(
            &mut lamp,
            0,
            "zigbee2mqtt/lamp/set",
            r#"{"state": "TOGGLE", "transition": 2}"#,
        );
        assert!(state[0].contains(r#""state":"OFF""#), "{state:?}");
        let asked = told(&mut lamp, 0, "zigbee2mqtt/lamp/get", r#"{"state": ""}"#);
        assert_eq!(asked, state);
        for odd in ["on", r#"{"brightness": 300}"#, r#"{"brightness": "bright"}"#, "[]"] {
            assert_eq!(
                told(&mut lamp, 0, "zigbee2mqtt/lamp/set", odd),
                Vec::<String>::new(),
                "{odd}"
            );
        }
    }

    #[test]
    fn a_plug_speaks_tasmota() {
        let mut plug = ForeignSim::new(ForeignKind::TasmotaPlug, "plug", Faults::default());
        plug.handle_connected(0);
        let hello = said(&mut plug, 0);
        assert!(hello.contains(&"tele/plug/LWT Online".to_owned()), "{hello:?}");
        assert_eq!(
            told(&mut plug, 0, "cmnd/plug/POWER", "on"),
            [r#"stat/plug/RESULT {"POWER":"ON"}"#, "stat/plug/POWER ON"]
        );
        assert_eq!(
            told(&mut plug, 0, "cmnd/plug/POWER", ""),
            [r#"stat/plug/RESULT {"POWER":"ON"}"#, "stat/plug/POWER ON"]
        );
        assert_eq!(told(&mut plug, 0, "cmnd/plug/POWER", "maybe"), Vec::<String>::new());
        let status = told(&mut plug, 0, "cmnd/plug/STATUS", "10");
        assert!(
            status[0].starts_with("stat/plug/STATUS10") && status[0].contains("\"Power\":40"),
            "{status:?}"
        );
    }

    #[test]
    fn a_heat_pump_speaks_plain_text() {
        let mut pump = ForeignSim::new(ForeignKind::Climate, "study", Faults::default());
        assert_eq!(
            told(&mut pump, 0, "study/temperature/set", "22.5"),
            ["study/temperature 22.5"]
        );
        assert_eq!(told(&mut pump, 0, "study/mode/set", "heat"), ["study/mode heat"]);
        for (topic, odd) in [
            ("study/temperature/set", "60"),
            ("study/temperature/set", "warm"),
            ("study/mode/set", "boil"),
        ] {
            assert_eq!(told(&mut pump, 0, topic, odd), Vec::<String>::new(), "{odd}");
        }
    }

    /// Where the base stands along x after driving at 0.4 m/s for a second, two seconds after the last word it heard.
    fn driven(spec: &str) -> f64 {
        let mut base = ForeignSim::new(ForeignKind::RosBase, "rover", faults(spec));
        let mut last = String::new();
        for now in (0..3_000).step_by(50) {
            if now < 1_000 {
                base.handle_message(now, "rover/cmd_vel", br#"{"linear": {"x": 0.4}, "angular": {"z": 0}}"#);
            }
            base.handle_tick(now);
            last = said(&mut base, now).pop().unwrap_or(last);
        }
        let odometry = last.split_once(' ').expect("a message").1;
        let json: serde_json::Value = serde_json::from_str(odometry).expect("JSON");
        json["pose"]["pose"]["position"]["x"].as_f64().expect("a number")
    }

    #[test]
    fn a_base_stops_by_itself_only_with_a_watchdog() {
        let (with, without) = (driven(""), driven("no_watchdog"));
        assert!((0.5..0.65).contains(&with), "{with}");
        assert!((1.1..1.25).contains(&without), "{without}");
    }

    #[test]
    fn faults_strike() {
        let mut lamp = ForeignSim::new(ForeignKind::ZigbeeLamp, "lamp", faults("refuse@1,silent@3"));
        let on = r#"{"state": "ON"}"#;
        assert!(
            told(&mut lamp, 0, "zigbee2mqtt/lamp/set", on)[0].contains("OFF"),
            "refused"
        );
        assert!(told(&mut lamp, 0, "zigbee2mqtt/lamp/set", on)[0].contains("ON"));
        assert_eq!(
            told(&mut lamp, 0, "zigbee2mqtt/lamp/set", on),
            Vec::<String>::new(),
            "silent"
        );
        let mut lamp = ForeignSim::new(ForeignKind::ZigbeeLamp, "lamp", faults("slow,quiet"));
        assert_eq!(told(&mut lamp, 0, "zigbee2mqtt/lamp/set", on), Vec::<String>::new());
        assert_eq!(said(&mut lamp, SLOW_MS).len(), 1);
        told(&mut lamp, SLOW_MS, "zigbee2mqtt/lamp/set", on);
        assert_eq!(said(&mut lamp, 3 * SLOW_MS), Vec::<String>::new(), "nothing changed");
        let mut lamp = ForeignSim::new(ForeignKind::ZigbeeLamp, "lamp", faults("stale"));
        lamp.handle_connected(0);
        let kept: Vec<Message> = std::iter::from_fn(|| lamp.poll(0)).collect();
        assert!(
            !kept.is_empty() && kept.iter().all(|message| message.retain),
            "{kept:?}"
        );
        assert_eq!(told(&mut lamp, 0, "zigbee2mqtt/lamp/get", ""), Vec::<String>::new());
    }
}
