//! A mobile base in ROS behind a bridge that writes messages as JSON (as `mqtt_bridge` does, with `rosbridge_library`'s conversion):
//! `geometry_msgs/Twist` comes in on `NAME/cmd_vel`, `nav_msgs/Odometry` goes out on `NAME/odom` ten times a second. It moves as it was last
//! told, and stops where nothing came for half a second, as `diff_drive_controller` does by default; without that watchdog it never stops.

use super::{Gadget, Message, Voice};
use llmos_follower::Millis;
use serde_json::{Value as Json, json};

/// How often it computes, in milliseconds.
const STEP_MS: Millis = 20;
/// How often it says where it is, in milliseconds.
const ODOMETRY_MS: Millis = 100;
/// How long a velocity is good for, in milliseconds.
const WATCHDOG_MS: Millis = 500;
/// What its motors can do, in metres and radians a second.
const SPEED_MAX: f64 = 0.5;
const TURN_MAX: f64 = 1.5;

pub(super) struct RosBase {
    name: String,
    watchdog: bool,
    pose: [f64; 3],
    twist: [f64; 2],
    told_at: Millis,
    now: Millis,
    said_at: Millis,
}

impl RosBase {
    pub(super) fn new(name: &str, without_watchdog: bool) -> RosBase {
        RosBase {
            name: name.to_owned(),
            watchdog: !without_watchdog,
            pose: [0.0; 3],
            twist: [0.0; 2],
            told_at: 0,
            now: 0,
            said_at: 0,
        }
    }

    /// Moves from the last time to this one.
    fn advance(&mut self, now: Millis) {
        let ms = now.saturating_sub(self.now);
        self.now = now;
        if self.watchdog && now.saturating_sub(self.told_at) > WATCHDOG_MS {
            self.twist = [0.0; 2];
        }
        #[expect(clippy::cast_precision_loss, reason = "at most some seconds")]
        let seconds = ms as f64 / 1_000.0;
        let [speed, turn] = self.twist;
        let heading = self.pose[2] + turn * seconds / 2.0;
        self.pose[0] += speed * heading.cos() * seconds;
        self.pose[1] += speed * heading.sin() * seconds;
        self.pose[2] += turn * seconds;
    }

    fn odometry(&self) -> String {
        let [x, y, heading] = self.pose;
        let [speed, turn] = self.twist;
        let vector = |x: f64, y: f64, z: f64| json!({ "x": x, "y": y, "z": z });
        let orientation = json!({ "x": 0.0, "y": 0.0, "z": (heading / 2.0).sin(), "w": (heading / 2.0).cos() });
        let stamp = json!({ "sec": self.now / 1_000, "nanosec": (self.now % 1_000) * 1_000_000 });
        json!({
            "header": { "stamp": stamp, "frame_id": "odom" },
            "child_frame_id": "base_link",
            "pose": { "pose": { "position": vector(x, y, 0.0), "orientation": orientation } },
            "twist": { "twist": { "linear": vector(speed, 0.0, 0.0), "angular": vector(0.0, 0.0, turn) } },
        })
        .to_string()
    }
}

impl Gadget for RosBase {
    fn topics(&self) -> Vec<String> {
        vec![format!("{}/cmd_vel", self.name)]
    }

    fn will(&self) -> Option<Message> {
        None
    }

    fn greet(&mut self, now: Millis, voice: &mut Voice) {
        voice.say(now, &format!("{}/odom", self.name), self.odometry(), false);
    }

    fn hear(&mut self, now: Millis, _: &str, payload: &str, voice: &mut Voice) {
        let Ok(twist) = serde_json::from_str::<Json>(payload) else {
            return;
        };
        let part = |pointer: &str| twist.pointer(pointer).map_or(Some(0.0), Json::as_f64);
        let (Some(speed), Some(turn)) = (part("/linear/x"), part("/angular/z")) else {
            return;
        };
        self.advance(now);
        // Its end must always be heard, so it is no command to refuse.
        let ends = speed == 0.0 && turn == 0.0;
        if ends || voice.obeys() {
            self.twist = [speed.clamp(-SPEED_MAX, SPEED_MAX), turn.clamp(-TURN_MAX, TURN_MAX)];
            self.told_at = now;
        }
    }

    fn step(&mut self, now: Millis, voice: &mut Voice) {
        self.advance(now);
        if now >= self.said_at + ODOMETRY_MS {
            self.said_at = now;
            voice.say(now, &format!("{}/odom", self.name), self.odometry(), false);
        }
    }

    fn step_ms(&self) -> Millis {
        STEP_MS
    }
}
