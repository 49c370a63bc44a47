//! A heat pump with the topics of Home Assistant's "MQTT HVAC": one topic for each thing, plain text, each setting with a command topic and a
//! state topic, states kept by the broker, availability `online` and `offline`. The names are free there; here they begin with the device's.

use super::{Gadget, Message, Voice};
use llmos_follower::Millis;

/// What it can be set to, in degrees Celsius: the limits that Home Assistant assumes.
const TARGET: std::ops::RangeInclusive<f64> = 7.0..=35.0;
/// How fast the room follows, in degrees a second.
const DRIFT_PER_S: f64 = 0.05;
/// How often the room is measured, in milliseconds.
const MEASURE_MS: Millis = 2_000;

pub(super) struct Climate {
    name: String,
    mode: String,
    target: f64,
    room: f64,
}

impl Climate {
    pub(super) fn new(name: &str) -> Climate {
        Climate {
            name: name.to_owned(),
            mode: "off".to_owned(),
            target: 20.0,
            room: 18.0,
        }
    }

    fn say(&self, now: Millis, what: &str, payload: String, voice: &mut Voice) {
        voice.say(now, &format!("{}/{what}", self.name), payload, true);
    }
}

impl Gadget for Climate {
    fn topics(&self) -> Vec<String> {
        ["mode/set", "temperature/set"]
            .map(|last| format!("{}/{last}", self.name))
            .to_vec()
    }

    fn will(&self) -> Option<Message> {
        Some(Message {
            topic: format!("{}/availability", self.name),
            payload: b"offline".to_vec(),
            retain: true,
        })
    }

    fn greet(&mut self, now: Millis, voice: &mut Voice) {
        self.say(now, "availability", "online".to_owned(), voice);
        self.say(now, "mode", self.mode.clone(), voice);
        self.say(now, "temperature", format!("{:.1}", self.target), voice);
        self.say(now, "current_temperature", format!("{:.1}", self.room), voice);
    }

    fn hear(&mut self, now: Millis, topic: &str, payload: &str, voice: &mut Voice) {
        if topic.ends_with("/mode/set") && ["off", "heat", "cool", "auto"].contains(&payload) {
            if voice.obeys() {
                payload.clone_into(&mut self.mode);
            }
            self.say(now, "mode", self.mode.clone(), voice);
        }
        let target = payload.parse::<f64>().ok().filter(|target| TARGET.contains(target));
        if let (true, Some(target)) = (topic.ends_with("/temperature/set"), target) {
            if voice.obeys() {
                self.target = target;
            }
            self.say(now, "temperature", format!("{:.1}", self.target), voice);
        }
    }

    fn step(&mut self, now: Millis, voice: &mut Voice) {
        let way = self.target - self.room;
        let pulls = match self.mode.as_str() {
            "heat" => way > 0.0,
            "cool" => way < 0.0,
            mode => mode == "auto",
        };
        if pulls {
            #[expect(clippy::cast_precision_loss, reason = "a few thousand milliseconds")]
            let step = DRIFT_PER_S * MEASURE_MS as f64 / 1_000.0;
            self.room += way.clamp(-step, step);
        }
        self.say(now, "current_temperature", format!("{:.1}", self.room), voice);
    }

    fn step_ms(&self) -> Millis {
        MEASURE_MS
    }
}
