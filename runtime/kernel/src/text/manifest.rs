//! A device's Markdown file: what it can do, how far it may go, how success is seen. The format is specified in
//! `workspace/README.md`. All mistakes are reported, each with its place; a manifest with an error is not used. What a formula means is
//! checked by `compile`; this file reads keys and values and checks the configuration as a whole.

mod limits;

use super::expression::{self, Expression};
use super::node::{Fields, Key, Kind, Node, Place};
use super::{Diagnostic, document, topics};
use crate::compile;
use crate::goal::{self, Dimension};
use crate::tool::{Body, Conditions, Connect, Device, MacroStep, Parameter, Tool, Type};
use llmos_follower::envelope::COORDINATE_MAX;
use llmos_follower::program::ARGUMENTS_MAX;
use llmos_follower::{Digest, Envelope, MICRO, Point, Value};

/// Reads a manifest. The device is only there when the document has no error.
#[must_use]
pub fn read(text: &str) -> (Option<Device>, Vec<Diagnostic>) {
    let (document, mut found) = document::read(text);
    if super::has_errors(&found) {
        return (None, found);
    }
    let mut reader = Reader { found: &mut found };
    let device = reader.device(&document.node);
    if !super::has_errors(&found) {
        compile::check_device(&device.0, &device.1, &mut found);
    }
    found.sort_by_key(|diagnostic| diagnostic.place);
    let device = (!super::has_errors(&found)).then_some(device.0);
    (device, found)
}

/// The digests of what a trace relies on, so that a later change can be named: `limits`, `places`, `directions`, and each tool and macro
/// under its own name. What only describes (`does`) is left out. Empty for a document that can't be read.
#[must_use]
pub fn digests(text: &str) -> Vec<(String, String)> {
    let (document, _) = document::read(text);
    let Kind::Map(entries) = &document.node.kind else {
        return Vec::new();
    };
    let mut digests = Vec::new();
    for (key, node) in entries {
        match (key.name.as_str(), &node.kind) {
            ("limits" | "places" | "directions", _) => digests.push((key.name.clone(), digest(&[(key, node)]))),
            ("tools" | "macros", Kind::List(tools)) => {
                let maps = tools.iter().filter_map(|tool| match &tool.kind {
                    Kind::Map(fields) => Some(
                        fields
                            .iter()
                            .filter(|(key, _)| key.name != "does")
                            .map(|(key, node)| (key, node)),
                    ),
                    _ => None,
                });
                for fields in maps.map(Iterator::collect::<Vec<_>>) {
                    let name = fields
                        .iter()
                        .find(|(key, _)| key.name != "steps" && !TOOL_KEYS.split(", ").any(|known| known == key.name));
                    if let Some((name, _)) = name {
                        digests.push((name.name.clone(), digest(&fields)));
                    }
                }
            }
            _ => {}
        }
    }
    digests
}

fn digest(fields: &[(&Key, &Node)]) -> String {
    let mut digest = Digest::default();
    for (key, node) in fields {
        write(&mut digest, &key.name);
        write_node(&mut digest, node);
    }
    format!("{:016x}", digest.finish())
}

/// A text with its length, so that no two lists of texts are written alike.
fn write(digest: &mut Digest, text: &str) {
    digest.write(&(text.len() as u64).to_le_bytes());
    digest.write(text.as_bytes());
}

fn write_node(digest: &mut Digest, node: &Node) {
    match &node.kind {
        Kind::Null => digest.write(b"-"),
        Kind::Scalar(text) => {
            digest.write(b"s");
            write(digest, text);
        }
        Kind::List(list) => {
            digest.write(b"[");
            for node in list {
                write_node(digest, node);
            }
            digest.write(b"]");
        }
        Kind::Map(map) => {
            digest.write(b"{");
            for (key, node) in map {
                write(digest, &key.name);
                write_node(digest, node);
            }
            digest.write(b"}");
        }
    }
}

/// Where each tool stands, for findings that need the whole device.
pub type ToolPlaces = Vec<(String, Place)>;

/// Something that is reported: name, type, and the range that it can only lie in.
type Reported = (String, Type, Option<(i64, i64)>);

struct Reader<'a> {
    found: &'a mut Vec<Diagnostic>,
}

const DEVICE_KEYS: &str =
    "device, description, connect, simulator, limits, places, reports, entities, directions, tools, macros";
const TOOL_KEYS: &str = "does, before, after, timeout, reads, idempotent, prepares, drives, confirm, offered";
const TIMEOUT_MS: u32 = 15_000;
/// The speed of a serial line where nobody says another, and which ones there are, in bits a second.
const BAUD: u32 = 115_200;
const BAUDS: std::ops::RangeInclusive<u32> = 300..=4_000_000;
/// The longest path of a serial port, in bytes.
const PORT_LEN_MAX: usize = 255;

impl Reader<'_> {
    fn error(&mut self, place: Place, message: impl Into<String>) {
        self.found.push(Diagnostic::error(place, message));
    }

    fn device(&mut self, node: &Node) -> (Device, ToolPlaces) {
        let mut fields = Fields::of(node, "a device", self.found);
        let name = self.device_name(&mut fields);
        let description = fields
            .required("description", self.found)
            .map_or("", |(text, _)| text)
            .to_owned();
        let connect = self.connect(fields.take("connect"), fields.place());
        let simulator = fields.text("simulator", self.found);
        if let (Some((_, place)), Connect::Serial { .. }) = (simulator, &connect) {
            let message =
                "\"simulator\" has no effect on a serial line: nothing stands in for what is plugged in there";
            self.found.push(Diagnostic::warning(place, message));
        }
        let simulator = simulator.map(|(text, _)| text.to_owned());
        let mut device = Device {
            name,
            description,
            connect,
            simulator,
            envelope: Envelope {
                state_age_ms_max: 2_000,
                ..Envelope::default()
            },
            zones: Vec::new(),
            expiry_ms: 2_000,
            heartbeat_ms: 1_500,
            places: Vec::new(),
            reports: Vec::new(),
            entity_reports: Vec::new(),
            report_ranges: Vec::new(),
            directions: standard_directions(),
            tools: Vec::new(),
        };
        match fields.take("limits") {
            Some(limits) => self.limits(limits, &mut device),
            None => self.error(
                fields.place(),
                "\"limits:\" is missing: say how far the device may go (an empty {} for one that never moves)",
            ),
        }
        if let Some(node) = fields.take("places") {
            device.places = self.places(node, &device);
        }
        for (of_entities, what) in [(false, "reports"), (true, "entities")] {
            for (name, kind, range) in self.types(fields.take(what), what) {
                let ranges = range.map(|range| (of_entities, name.clone(), range));
                device.report_ranges.extend(ranges);
                let reports = if of_entities {
                    &mut device.entity_reports
                } else {
                    &mut device.reports
                };
                reports.push((name, kind));
            }
        }
        if let Some(node) = fields.take("directions") {
            self.directions(node, &mut device.directions);
        }
        let mut places = Vec::new();
        self.tools(fields.take("tools"), false, &mut device, &mut places);
        self.tools(fields.take("macros"), true, &mut device, &mut places);
        if device.tools.is_empty() {
            self.error(
                fields.place(),
                "the device has no tools: add \"tools:\" with at least one",
            );
        }
        fields.finish(DEVICE_KEYS, self.found);
        (device, places)
    }

    fn device_name(&mut self, fields: &mut Fields<'_>) -> String {
        let Some((name, place)) = fields.required("device", self.found) else {
            return String::new();
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
            self.error(
                place,
                format!(
                    "the device name \"{name}\" should be 1 to 32 of a-z, 0-9, _ and -: it becomes part of its topics"
                ),
            );
        }
        name.to_owned()
    }

    fn connect(&mut self, node: Option<&Node>, place: Place) -> Connect {
        let expected = "expected connect: { mqtt: llmos } or connect: { serial: /dev/ttyUSB0 } for our protocol, or connect: { topics: {..} } for a device that exists already";
        let Some(node) = node else {
            self.error(place, format!("\"connect:\" is missing: {expected}"));
            return Connect::Native;
        };
        let mut fields = Fields::of(node, "connect", self.found);
        let connect = if let Some(node) = fields.take("topics") {
            Connect::Foreign(topics::json(node).to_string())
        } else if let Some((path, place)) = fields.text("serial", self.found) {
            if fields.take("mqtt").is_some() {
                self.error(
                    node.place,
                    "a device is on MQTT or on a serial line: leave out \"mqtt\" or \"serial\"",
                );
            }
            self.serial(path, place, &mut fields)
        } else {
            if fields.text("mqtt", self.found).is_none_or(|(text, _)| text != "llmos") {
                self.error(node.place, expected);
            }
            Connect::Native
        };
        fields.finish("mqtt, serial, baud, topics", self.found);
        connect
    }

    fn serial(&mut self, path: &str, place: Place, fields: &mut Fields<'_>) -> Connect {
        if !path.starts_with('/') || path.len() > PORT_LEN_MAX || path.chars().any(char::is_control) {
            self.error(
                place,
                format!("\"serial\" should be the whole path of a port, such as /dev/ttyUSB0 or one of /dev/serial/by-id, found \"{path}\""),
            );
        }
        let mut baud = BAUD;
        if let Some((text, place)) = fields.text("baud", self.found) {
            match text.parse() {
                Ok(number) if BAUDS.contains(&number) => baud = number,
                _ => self.error(
                    place,
                    format!(
                        "\"baud\" should be a whole number from {} to {}, usual are 9600, 57600 and 115200, found \"{text}\"",
                        BAUDS.start(),
                        BAUDS.end()
                    ),
                ),
            }
        }
        let path = path.to_owned();
        Connect::Serial { path, baud }
    }

    fn quantity(&mut self, fields: &mut Fields<'_>, key: &str, dimension: Dimension) -> Option<i64> {
        let (text, place) = fields.text(key, self.found)?;
        match goal::parse_quantity(text) {
            Ok((found, micro)) if found == dimension && micro > 0 => Some(micro),
            Ok((found, _)) => {
                self.error(
                    place,
                    format!(
                        "\"{key}\" should be a positive {}, found the {} \"{text}\"",
                        dimension.name(),
                        found.name()
                    ),
                );
                None
            }
            Err(message) => {
                self.error(place, format!("\"{key}\" should be a {}: {message}", dimension.name()));
                None
            }
        }
    }

    fn point(&mut self, text: &str, place: Place) -> Option<Point> {
        match goal::parse_point(text) {
            Ok(point)
                if point
                    .iter()
                    .all(|axis| axis.unsigned_abs() <= COORDINATE_MAX.unsigned_abs()) =>
            {
                Some(point)
            }
            Ok(_) => {
                self.error(
                    place,
                    format!("\"{text}\" is further than 500 m from the origin, which geometry here does not cover"),
                );
                None
            }
            Err(message) => {
                self.error(place, message);
                None
            }
        }
    }

    fn places(&mut self, node: &Node, device: &Device) -> Vec<(String, Point)> {
        let mut fields = Fields::of(node, "places", self.found);
        let mut places = Vec::new();
        while let Some((key, value)) = fields.take_next() {
            let Kind::Scalar(text) = &value.kind else {
                self.error(
                    value.place,
                    format!("the place \"{}\" should be a point such as \"0.8, 0, 1.2 m\"", key.name),
                );
                continue;
            };
            let Some(point) = self.point(text, value.place) else {
                continue;
            };
            // A place that the gate would refuse is a mistake of the configuration, and is found here and not on the way.
            if let Err(breach) = device.envelope.check_path(point, point) {
                self.error(
                    value.place,
                    format!(
                        "the place \"{}\" can never be reached: {}",
                        key.name,
                        crate::policy::breach_text(device, breach)
                    ),
                );
            }
            places.push((key.name.clone(), point));
        }
        places
    }

    fn types(&mut self, node: Option<&Node>, what: &str) -> Vec<Reported> {
        let Some(node) = node else { return Vec::new() };
        let mut fields = Fields::of(node, what, self.found);
        let mut types = Vec::new();
        while let Some((key, value)) = fields.take_next() {
            match &value.kind {
                Kind::Scalar(text) => {
                    if let Some((kind, range)) = self.kind(text, value.place) {
                        types.push((key.name.clone(), kind, range));
                    }
                }
                _ => self.error(value.place, format!("the type of \"{}\" should be a text", key.name)),
            }
        }
        types
    }

    /// `length`, `ratio 0..100 %`, `left|right`.
    fn kind(&mut self, text: &str, place: Place) -> Option<(Type, Option<(i64, i64)>)> {
        let (word, range) = match text.trim().split_once(' ') {
            Some((word, range)) if !text.contains('|') => (word, Some(range)),
            _ => (text.trim(), None),
        };
        let kind = match Type::parse(word) {
            Ok(kind) => kind,
            Err(message) => {
                self.error(place, message);
                return None;
            }
        };
        let limit = range.and_then(|range| self.limit(&kind, range, place));
        Some((kind, limit))
    }

    fn limit(&mut self, kind: &Type, range: &str, place: Place) -> Option<(i64, i64)> {
        let found = match kind {
            Type::Quantity(dimension) => match goal::parse_range(range) {
                Ok((found, low, high)) if found == *dimension => Ok((low, high)),
                Ok((found, ..)) => Err(format!(
                    "a range of {} was expected, found {}",
                    dimension.name(),
                    found.name()
                )),
                Err(message) => Err(message),
            },
            Type::Number | Type::Integer => range
                .split_once("..")
                .ok_or_else(|| format!("a range such as 0..10 was expected, found \"{range}\""))
                .and_then(|(low, high)| Ok((goal::parse_number(low)?, goal::parse_number(high)?))),
            _ => Err(format!("only quantities and numbers have a range, found \"{range}\"")),
        };
        match found {
            Ok((low, high)) if low <= high => Some((low, high)),
            Ok(_) => {
                self.error(place, format!("the range \"{range}\" is empty"));
                None
            }
            Err(message) => {
                self.error(place, message);
                None
            }
        }
    }

    fn directions(&mut self, node: &Node, directions: &mut Vec<(String, Value)>) {
        let mut fields = Fields::of(node, "directions", self.found);
        while let Some((key, value)) = fields.take_next() {
            let Kind::Scalar(text) = &value.kind else {
                self.error(
                    value.place,
                    "a direction is a point such as \"1, 0, 0\" or a sign such as \"-1\"",
                );
                continue;
            };
            let parsed = if text.contains(',') {
                goal::parse_point(text).map(Value::Point)
            } else {
                goal::parse_number(text).map(Value::Number)
            };
            match parsed {
                Ok(value) => {
                    directions.retain(|(known, _)| *known != key.name);
                    directions.push((key.name.clone(), value));
                }
                Err(message) => self.error(value.place, message),
            }
        }
    }

    fn tools(&mut self, node: Option<&Node>, macros: bool, device: &mut Device, places: &mut ToolPlaces) {
        let Some(node) = node else { return };
        let Kind::List(list) = &node.kind else {
            return self.error(
                node.place,
                "tools and macros are lists: \"- move: { distance: length }\"",
            );
        };
        for item in list {
            let Some(tool) = self.tool(item, macros) else { continue };
            if device.tools.iter().any(|known| known.name == tool.name) {
                self.error(item.place, format!("the tool \"{}\" is declared twice", tool.name));
            }
            places.push((tool.name.clone(), item.place));
            device.tools.push(tool);
        }
    }

    fn tool(&mut self, node: &Node, is_macro: bool) -> Option<Tool> {
        let mut fields = Fields::of(node, "a tool", self.found);
        let does = fields
            .required("does", self.found)
            .map_or("", |(text, _)| text)
            .to_owned();
        let conditions = Conditions {
            before: self.formula(&mut fields, "before"),
            after: self.formula(&mut fields, "after"),
        };
        let timeout = self.quantity(&mut fields, "timeout", Dimension::Duration);
        let reads = self.flag(&mut fields, "reads", false);
        let idempotent = self.flag(&mut fields, "idempotent", false);
        let prepares = self.flag(&mut fields, "prepares", false);
        let drives = self.flag(&mut fields, "drives", false);
        let confirm = self.flag(&mut fields, "confirm", false);
        let offered = self.flag(&mut fields, "offered", true);
        let body = if is_macro {
            Body::Macro(self.macro_steps(fields.take("steps"), node.place))
        } else {
            Body::Primitive
        };
        let Some((key, signature)) = fields.take_next() else {
            self.error(
                node.place,
                "a tool starts with its name and parameters: \"move: { distance: length }\"",
            );
            return None;
        };
        let parameters = self.parameters(signature);
        if !key
            .name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            || key.name.is_empty()
        {
            self.error(
                key.place,
                format!("the tool name \"{}\" should be of a-z, 0-9 and _", key.name),
            );
        }
        let name = key.name.clone();
        fields.finish(TOOL_KEYS, self.found);
        Some(Tool {
            name,
            does,
            parameters,
            acts: !reads,
            idempotent,
            prepares,
            drives,
            confirm,
            offered,
            timeout_ms: timeout.map_or(TIMEOUT_MS, milliseconds),
            conditions,
            body,
        })
    }

    fn parameters(&mut self, node: &Node) -> Vec<Parameter> {
        let mut fields = Fields::of(node, "parameters", self.found);
        let mut parameters: Vec<Parameter> = Vec::new();
        while let Some((key, value)) = fields.take_next() {
            let Kind::Scalar(text) = &value.kind else {
                self.error(
                    value.place,
                    format!("the type of \"{}\" should be a text such as length", key.name),
                );
                continue;
            };
            let Some((kind, limit)) = self.kind(text, value.place) else {
                continue;
            };
            let (name, required) = key
                .name
                .strip_suffix('?')
                .map_or((key.name.as_str(), true), |name| (name, false));
            if required && parameters.last().is_some_and(|last| !last.required) {
                self.error(
                    key.place,
                    format!("\"{name}\" is required but stands after an optional parameter; put optional ones last"),
                );
            }
            parameters.push(Parameter {
                name: name.to_owned(),
                kind,
                required,
                limit,
                bare: false,
            });
        }
        if parameters.len() > ARGUMENTS_MAX {
            self.error(
                node.place,
                format!("{} parameters; at most {ARGUMENTS_MAX} are possible", parameters.len()),
            );
        }
        parameters
    }

    fn flag(&mut self, fields: &mut Fields<'_>, key: &str, otherwise: bool) -> bool {
        match fields.text(key, self.found) {
            Some(("true", _)) => true,
            Some(("false", _)) => false,
            Some((text, place)) => {
                self.error(place, format!("\"{key}\" should be true or false, found \"{text}\""));
                otherwise
            }
            None => otherwise,
        }
    }

    fn formula(&mut self, fields: &mut Fields<'_>, key: &str) -> Option<Expression> {
        let (text, place) = fields.text(key, self.found)?;
        self.expression(text, place)
    }

    fn expression(&mut self, text: &str, place: Place) -> Option<Expression> {
        match expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(mistake) => {
                let column = place.column.saturating_add(u32::try_from(mistake.at).unwrap_or(0));
                self.error(Place { column, ..place }, mistake.message);
                None
            }
        }
    }

    fn macro_steps(&mut self, node: Option<&Node>, place: Place) -> Vec<MacroStep> {
        let Some(Node {
            kind: Kind::List(list), ..
        }) = node
        else {
            self.error(
                place,
                "a macro needs \"steps:\", a list such as [ gripper: { state: open } ]",
            );
            return Vec::new();
        };
        let mut steps = Vec::new();
        for item in list {
            let mut fields = Fields::of(item, "a step", self.found);
            let Some((tool, arguments)) = fields.take_next() else {
                continue;
            };
            let mut given = Fields::of(arguments, "arguments", self.found);
            let mut list = Vec::new();
            while let Some((key, value)) = given.take_next() {
                match &value.kind {
                    Kind::Scalar(text) => {
                        if let Some(expression) = self.expression(text, value.place) {
                            list.push((key.name.clone(), expression));
                        }
                    }
                    _ => self.error(
                        value.place,
                        format!("the argument \"{}\" should be a formula", key.name),
                    ),
                }
            }
            fields.finish("one tool with its arguments", self.found);
            steps.push(MacroStep {
                tool: tool.name.clone(),
                arguments: list,
            });
        }
        steps
    }
}

/// The unit vectors that the words of direction stand for, unless a manifest says otherwise: right +x, forward +y, up +z.
fn standard_directions() -> Vec<(String, Value)> {
    [
        ("right", [MICRO, 0, 0]),
        ("left", [-MICRO, 0, 0]),
        ("forward", [0, MICRO, 0]),
        ("back", [0, -MICRO, 0]),
        ("up", [0, 0, MICRO]),
        ("down", [0, 0, -MICRO]),
    ]
    .map(|(name, point)| (name.to_owned(), Value::Point(point)))
    .to_vec()
}

fn milliseconds(micro: i64) -> u32 {
    u32::try_from(micro / 1_000).unwrap_or(u32::MAX)
}
