//! `limits:` of a manifest: how far, how fast, how often. Limits that contradict each other are found here, and not on the way. This file must
//! not know tools.

use super::{Fields, Kind, Node, Place, Reader, milliseconds};
use crate::goal::{self, Dimension};
use crate::text::Diagnostic;
use crate::tool::Device;
use llmos_follower::envelope::{COMMANDS_MAX, COORDINATE_MAX, ZONES_MAX};
use llmos_follower::{Envelope, MICRO, Point, Rate, Shape};

const LIMIT_KEYS: &str = "bounds, keep_out, margin, detours, max_speed, max_acceleration, max_step, max_turn, max_turn_speed, max_duration, max_rate, command_expiry, heartbeat, state_age";
/// A device grants a lease for a minute at most, and a lease lasts one heartbeat.
const HEARTBEAT_MS_MAX: u32 = 60_000;

impl Reader<'_> {
    pub(super) fn limits(&mut self, node: &Node, device: &mut Device) {
        let mut fields = Fields::of(node, "limits", self.found);
        if let Some(margin) = self.quantity(&mut fields, "margin", Dimension::Length) {
            device.envelope.margin = margin.min(COORDINATE_MAX);
        }
        if let Some(bounds) = fields.take("bounds") {
            device.envelope.bounds = self.bounds(bounds, device.envelope.margin);
        }
        if let Some(zones) = fields.take("keep_out") {
            self.zones(zones, device);
        }
        device.envelope.detours = self.flag(&mut fields, "detours", false);
        if device.envelope.detours && device.envelope.keep_out.is_empty() {
            let message = "\"detours: true\" has no effect: there is no keep_out zone to go around";
            self.found.push(Diagnostic::warning(node.place, message));
        }
        for (key, dimension, slot) in [
            ("max_speed", Dimension::Speed, &mut device.envelope.speed_max),
            (
                "max_acceleration",
                Dimension::Acceleration,
                &mut device.envelope.acceleration_max,
            ),
            ("max_step", Dimension::Length, &mut device.envelope.step_max),
            ("max_turn", Dimension::Angle, &mut device.envelope.turn_max),
            (
                "max_turn_speed",
                Dimension::AngularSpeed,
                &mut device.envelope.turn_speed_max,
            ),
            ("max_duration", Dimension::Duration, &mut device.envelope.duration_max),
        ] {
            *slot = self.quantity(&mut fields, key, dimension);
        }
        device.envelope.rate_max = self.rate(&mut fields);
        self.times(&mut fields, device);
        fields.finish_strictly(LIMIT_KEYS, self.found);
    }

    fn times(&mut self, fields: &mut Fields<'_>, device: &mut Device) {
        for (key, most, slot) in [
            ("command_expiry", u32::MAX, &mut device.expiry_ms),
            ("heartbeat", HEARTBEAT_MS_MAX, &mut device.heartbeat_ms),
            ("state_age", u32::MAX, &mut device.envelope.state_age_ms_max),
        ] {
            let place = fields.place_of(key);
            let Some(micro) = self.quantity(fields, key, Dimension::Duration) else {
                continue;
            };
            let ms = milliseconds(micro);
            if ms == 0 || ms > most {
                let most = if most == u32::MAX {
                    String::new()
                } else {
                    format!(" and at most {most} ms")
                };
                self.error(place, format!("\"{key}\" should be at least 1 ms{most}, found {ms} ms"));
            }
            *slot = ms;
        }
    }

    /// "10 Hz" is ten in any second, "0.5 Hz" one in any two.
    fn rate(&mut self, fields: &mut Fields<'_>) -> Option<Rate> {
        let place = fields.place_of("max_rate");
        let micro = self.quantity(fields, "max_rate", Dimension::Frequency)?;
        let commands = u16::try_from(micro / MICRO).unwrap_or(u16::MAX);
        let whole = micro % MICRO == 0;
        if commands > 0 && whole && usize::from(commands) <= COMMANDS_MAX {
            return Some(Rate {
                commands,
                per_ms: 1_000,
            });
        }
        // Rounded up, so that it is rather too slow than too fast.
        let per_ms = u32::try_from((1_000 * MICRO).saturating_add(micro - 1) / micro);
        if let (0, Ok(per_ms)) = (commands, per_ms) {
            return Some(Rate { commands: 1, per_ms });
        }
        self.error(
            place,
            format!("\"max_rate\" should be a whole number of commands a second, at most {COMMANDS_MAX} (\"10 Hz\"), or less than one (\"0.5 Hz\")"),
        );
        None
    }

    fn bounds(&mut self, node: &Node, margin: i64) -> Option<[(i64, i64); 3]> {
        let mut fields = Fields::of(node, "bounds", self.found);
        let axes = ["x", "y", "z"].map(|axis| {
            let (text, place) = fields.required(axis, self.found)?;
            match goal::parse_range(text) {
                Ok((Dimension::Length, low, high)) => {
                    if low.saturating_add(margin) > high.saturating_sub(margin) {
                        let margin = goal::print_quantity(Dimension::Length, margin);
                        let message = format!(
                            "the margin of {margin} on both sides leaves nothing of the bounds of {axis}, \"{text}\""
                        );
                        self.error(place, message);
                    }
                    Some((low, high))
                }
                Ok(_) => {
                    self.error(
                        place,
                        format!("the bounds of {axis} should be lengths, such as \"-2..2 m\", found \"{text}\""),
                    );
                    None
                }
                Err(message) => {
                    self.error(place, format!("the bounds of {axis}: {message}"));
                    None
                }
            }
        });
        fields.finish_strictly("x, y, z", self.found);
        Some([axes[0]?, axes[1]?, axes[2]?])
    }

    fn zones(&mut self, node: &Node, device: &mut Device) {
        let Kind::List(list) = &node.kind else {
            return self.error(
                node.place,
                "keep_out should be a list: [ { sphere: \"0, 0, 0.4 m\", radius: \"0.3 m\", name: person } ]",
            );
        };
        for item in list {
            let mut fields = Fields::of(item, "a zone", self.found);
            let name = fields
                .text("name", self.found)
                .map_or("zone", |(text, _)| text)
                .to_owned();
            let shape = self.shape(&mut fields, item.place);
            fields.finish_strictly("sphere, box, to, cylinder, radius, height, floor, name", self.found);
            let Some(shape) = shape else { continue };
            if leaves_nothing(&shape, &device.envelope) {
                self.error(
                    item.place,
                    format!("the zone \"{name}\" with the margin covers all of the bounds; no place would be left"),
                );
            }
            if device.envelope.keep_out.push(shape).is_err() {
                return self.error(item.place, format!("more than {ZONES_MAX} zones; join some of them"));
            }
            device.zones.push(name);
        }
    }

    fn shape(&mut self, fields: &mut Fields<'_>, place: Place) -> Option<Shape> {
        if let Some((text, at)) = fields.text("sphere", self.found) {
            let center = self.point(text, at)?;
            return Some(Shape::Sphere {
                center,
                radius: self.needed(fields, "radius", place)?,
            });
        }
        if let Some((text, at)) = fields.text("cylinder", self.found) {
            let base = self.point(text, at)?;
            let (radius, height) = (
                self.needed(fields, "radius", place)?,
                self.needed(fields, "height", place)?,
            );
            return Some(Shape::Cylinder { base, radius, height });
        }
        if let Some((text, at)) = fields.text("box", self.found) {
            let a = self.point(text, at)?;
            let (to, at) = fields.required("to", self.found)?;
            let b = self.point(to, at)?;
            let corner = |pick: fn(i64, i64) -> i64| std::array::from_fn(|axis| pick(a[axis], b[axis]));
            return Some(Shape::Box {
                min: corner(i64::min),
                max: corner(i64::max),
            });
        }
        if let Some((text, at)) = fields.text("floor", self.found) {
            return self.height(text, at).map(|z| Shape::Floor { z });
        }
        self.error(place, "a zone is { sphere: POINT, radius: LENGTH }, { box: POINT, to: POINT }, { cylinder: POINT, radius: LENGTH, height: LENGTH } or { floor: LENGTH }");
        None
    }

    /// The height of a floor, which may lie below the origin.
    fn height(&mut self, text: &str, place: Place) -> Option<i64> {
        match goal::parse_quantity(text) {
            Ok((Dimension::Length, micro)) if micro.unsigned_abs() <= COORDINATE_MAX.unsigned_abs() => Some(micro),
            _ => {
                let message = format!("a floor is a height of at most 500 m, such as \"2 cm\", found \"{text}\"");
                self.error(place, message);
                None
            }
        }
    }

    fn needed(&mut self, fields: &mut Fields<'_>, key: &str, place: Place) -> Option<i64> {
        let value = self.quantity(fields, key, Dimension::Length);
        if value.is_none() {
            self.error(place, format!("this zone needs a positive length \"{key}:\""));
        }
        if value.is_some_and(|micro| micro > COORDINATE_MAX) {
            let message = format!("\"{key}\" is more than 500 m, which geometry here does not cover");
            self.error(place, message);
        }
        value.filter(|micro| *micro <= COORDINATE_MAX)
    }
}

/// Whether a zone takes up everything within the bounds. Both are convex, so their corners decide.
fn leaves_nothing(zone: &Shape, envelope: &Envelope) -> bool {
    let Some(bounds) = envelope.bounds else { return false };
    let corner = |which: usize| -> Point {
        let side = |axis: usize, (low, high): (i64, i64)| if which >> axis & 1 == 0 { low } else { high };
        std::array::from_fn(|axis| side(axis, bounds[axis]))
    };
    let near = bounds
        .iter()
        .all(|(low, high)| low.unsigned_abs().max(high.unsigned_abs()) <= COORDINATE_MAX.unsigned_abs());
    near && (0..8).map(corner).all(|at| zone.is_touched(at, at, envelope.margin))
}
