//! A plug with one relay and a meter as Tasmota speaks (its pages "MQTT" and "Commands"): `cmnd/NAME/POWER` is answered on
//! `stat/NAME/RESULT` as JSON and on `stat/NAME/POWER` as a word, an empty payload asks; `tele/NAME/STATE` and `tele/NAME/SENSOR` come every
//! five minutes; `tele/NAME/LWT` says `Online`, and its last will `Offline`, kept.

use super::{Gadget, Message, Voice};
use llmos_follower::Millis;
use serde_json::{Value as Json, json};

/// Tasmota's `TelePeriod`, in milliseconds.
const TELE_MS: Millis = 300_000;
/// What hangs on the plug, in watts.
const LOAD_W: u32 = 40;

pub(super) struct TasmotaPlug {
    name: String,
    on: bool,
    tele_at: Millis,
}

impl TasmotaPlug {
    pub(super) fn new(name: &str) -> TasmotaPlug {
        TasmotaPlug {
            name: name.to_owned(),
            on: false,
            tele_at: TELE_MS,
        }
    }

    fn topic(&self, prefix: &str, last: &str) -> String {
        format!("{prefix}/{}/{last}", self.name)
    }

    fn word(&self) -> &'static str {
        if self.on { "ON" } else { "OFF" }
    }

    fn state(&self, now: Millis) -> String {
        let uptime = now / 1_000;
        json!({ "UptimeSec": uptime, "Heap": 25, "POWER": self.word(), "Wifi": { "RSSI": 70, "Signal": -65 } })
            .to_string()
    }

    fn sensors(&self) -> Json {
        let power = if self.on { LOAD_W } else { 0 };
        json!({ "ENERGY": { "Total": 1.25, "Today": 0.1, "Power": power, "Voltage": 230, "Current": f64::from(power) / 230.0 } })
    }

    fn answer(&self, now: Millis, voice: &mut Voice) {
        let result = json!({ "POWER": self.word() }).to_string();
        voice.say(now, &self.topic("stat", "RESULT"), result, false);
        voice.say(now, &self.topic("stat", "POWER"), self.word(), false);
    }

    fn tele(&self, now: Millis, voice: &mut Voice) {
        voice.say(now, &self.topic("tele", "STATE"), self.state(now), false);
        voice.say(now, &self.topic("tele", "SENSOR"), self.sensors().to_string(), false);
    }
}

impl Gadget for TasmotaPlug {
    fn topics(&self) -> Vec<String> {
        ["POWER", "STATE", "STATUS"]
            .map(|last| self.topic("cmnd", last))
            .to_vec()
    }

    fn will(&self) -> Option<Message> {
        Some(Message {
            topic: self.topic("tele", "LWT"),
            payload: b"Offline".to_vec(),
            retain: true,
        })
    }

    fn greet(&mut self, now: Millis, voice: &mut Voice) {
        voice.say(now, &self.topic("tele", "LWT"), "Online", true);
        self.tele(now, voice);
    }

    fn hear(&mut self, now: Millis, topic: &str, payload: &str, voice: &mut Voice) {
        match topic.rsplit('/').next() {
            Some("STATE") => voice.say(now, &self.topic("stat", "RESULT"), self.state(now), false),
            Some("STATUS") if payload == "10" => {
                let status = json!({ "StatusSNS": self.sensors() }).to_string();
                voice.say(now, &self.topic("stat", "STATUS10"), status, false);
            }
            Some("POWER") => {
                let wanted = match payload.to_ascii_lowercase().as_str() {
                    "" => return self.answer(now, voice),
                    "on" | "1" | "true" => true,
                    "off" | "0" | "false" => false,
                    "toggle" | "2" => !self.on,
                    _ => return,
                };
                if voice.obeys() {
                    self.on = wanted;
                }
                self.answer(now, voice);
            }
            _ => {}
        }
    }

    fn step(&mut self, now: Millis, voice: &mut Voice) {
        if now >= self.tele_at {
            self.tele_at = now + TELE_MS;
            self.tele(now, voice);
        }
    }
}
