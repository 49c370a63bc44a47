//! A dimmable lamp with white tones as `Zigbee2MQTT` shows it (its pages "MQTT topics and messages" and "Device availability"): JSON on
//! `zigbee2mqtt/NAME`, set by `/set`, asked by `/get`, brightness 0 to 254, tone in mireds, availability as JSON, kept. As there, the state
//! is published at once with the values that were set, however long the transition takes.

use super::{Gadget, Message, Voice};
use llmos_follower::Millis;
use serde_json::{Value as Json, json};

const BRIGHTNESS_MAX: u64 = 254;
/// The tones that such a bulb takes, in mireds.
const MIREDS: std::ops::RangeInclusive<u64> = 153..=500;

pub(super) struct ZigbeeLamp {
    topic: String,
    on: bool,
    brightness: u64,
    color_temp: u64,
}

impl ZigbeeLamp {
    pub(super) fn new(name: &str) -> ZigbeeLamp {
        ZigbeeLamp {
            topic: format!("zigbee2mqtt/{name}"),
            on: false,
            brightness: BRIGHTNESS_MAX,
            color_temp: 370,
        }
    }

    fn publish(&self, now: Millis, voice: &mut Voice) {
        let state = json!({
            "state": if self.on { "ON" } else { "OFF" },
            "brightness": self.brightness,
            "color_temp": self.color_temp,
            "linkquality": 120,
        });
        voice.say(now, &self.topic, state.to_string(), false);
    }

    /// Takes the parts that it understands; a message with one that it does not is refused whole.
    fn set(&mut self, set: &Json) -> Option<()> {
        let set = set.as_object()?;
        let number = |key: &str| set.get(key).map(|value| value.as_u64().ok_or(()));
        let brightness = number("brightness").transpose().ok()?;
        let color_temp = number("color_temp").transpose().ok()?;
        let on = match set
            .get("state")
            .map(|state| state.as_str().map(str::to_ascii_uppercase))
        {
            None => None,
            Some(word) => Some(match word?.as_str() {
                "ON" => true,
                "OFF" => false,
                "TOGGLE" => !self.on,
                _ => return None,
            }),
        };
        if brightness.is_some_and(|level| level > BRIGHTNESS_MAX)
            || color_temp.is_some_and(|tone| !MIREDS.contains(&tone))
        {
            return None;
        }
        // A brightness switches it too: 0 is off.
        self.on = on.or(brightness.map(|level| level > 0)).unwrap_or(self.on);
        self.brightness = brightness.filter(|level| *level > 0).unwrap_or(self.brightness);
        self.color_temp = color_temp.unwrap_or(self.color_temp);
        Some(())
    }
}

impl Gadget for ZigbeeLamp {
    fn topics(&self) -> Vec<String> {
        ["set", "get"].map(|last| format!("{}/{last}", self.topic)).to_vec()
    }

    fn will(&self) -> Option<Message> {
        Some(Message {
            topic: format!("{}/availability", self.topic),
            payload: br#"{"state":"offline"}"#.to_vec(),
            retain: true,
        })
    }

    fn greet(&mut self, now: Millis, voice: &mut Voice) {
        voice.say(
            now,
            &format!("{}/availability", self.topic),
            r#"{"state":"online"}"#,
            true,
        );
        self.publish(now, voice);
    }

    fn hear(&mut self, now: Millis, topic: &str, payload: &str, voice: &mut Voice) {
        if topic.ends_with("/get") {
            return self.publish(now, voice);
        }
        let Ok(set) = serde_json::from_str::<Json>(payload) else {
            return;
        };
        let before = (self.on, self.brightness, self.color_temp);
        if self.set(&set).is_some() {
            if !voice.obeys() {
                (self.on, self.brightness, self.color_temp) = before;
            }
            self.publish(now, voice);
        }
    }

    fn step(&mut self, _: Millis, _: &mut Voice) {}

    fn inside(&self) -> Option<[u64; 3]> {
        Some([u64::from(self.on), self.brightness, self.color_temp])
    }
}
