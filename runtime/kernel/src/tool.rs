//! What a device can do, as the kernel sees it: typed parameters, effects, conditions, limits. Built from a manifest by
//! `text::manifest`, read by planning, compiling and the gate. It must not know how a manifest is written.

use crate::goal::Dimension;
use crate::text::expression::Expression;
use llmos_follower::{Envelope, Point, Value};
use serde::{Deserialize, Serialize};

/// The type of a parameter, a reading or an expression.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// A quantity of a dimension, in micro-units of its base unit.
    Quantity(Dimension),
    /// A number without a unit, in millionths.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// One of these options.
    Enumeration(Vec<String>),
    /// Something that a device reports by name.
    Entity,
    /// Somewhere: coordinates, or something or some place by name.
    Place,
    /// Coordinates or a displacement.
    Point,
    /// Words of the goal.
    Text,
}

impl Type {
    /// Reads the word for a type: a dimension, `entity`, `left|right` ..
    ///
    /// # Errors
    /// What is known, and what was found.
    pub fn parse(text: &str) -> Result<Type, String> {
        if text.contains('|') {
            let options: Vec<String> = text.split('|').map(|option| option.trim().to_owned()).collect();
            let empty = options.iter().any(String::is_empty);
            return if empty {
                Err(format!("\"{text}\" has an empty option"))
            } else {
                Ok(Type::Enumeration(options))
            };
        }
        Ok(match text {
            "number" => Type::Number,
            "integer" => Type::Integer,
            "boolean" => Type::Boolean,
            "entity" => Type::Entity,
            "place" => Type::Place,
            "point" => Type::Point,
            "text" => Type::Text,
            _ => Type::Quantity(Dimension::parse(text).ok_or_else(|| {
                format!("\"{text}\" is no type; known are a dimension (length, angle, duration, speed, temperature, ratio, volume, mass ..), number, integer, boolean, entity, place, point, text, or options such as on|off")
            })?),
        })
    }

    /// The word for it in a manifest.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Type::Quantity(dimension) => dimension.name().to_owned(),
            Type::Number => "number".to_owned(),
            Type::Integer => "integer".to_owned(),
            Type::Boolean => "boolean".to_owned(),
            Type::Enumeration(options) => options.join("|"),
            Type::Entity => "entity".to_owned(),
            Type::Place => "place".to_owned(),
            Type::Point => "point".to_owned(),
            Type::Text => "text".to_owned(),
        }
    }
}

/// A parameter of a tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether a call must give it.
    pub required: bool,
    /// Lowest and highest value, in micro-units.
    pub limit: Option<(i64, i64)>,
    /// Whether a number without a unit may stand for a quantity: where the tool itself says in which unit it counts.
    pub bare: bool,
}

/// How a primitive is proved and cut.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
    /// Must hold before.
    pub before: Option<Expression>,
    /// Must hold after; without it a success can't be observed.
    pub after: Option<Expression>,
}

/// A step of a macro: a primitive and its arguments, in the macro's parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MacroStep {
    /// The primitive.
    pub tool: String,
    /// Its arguments, in the order of its parameters.
    pub arguments: Vec<(String, Expression)>,
}

/// How a tool is carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// One command to the device.
    Primitive,
    /// Several primitives, each through the gate.
    Macro(Vec<MacroStep>),
}

/// A tool of a device.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the manifest, and any two may go together"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for people and for the model.
    pub does: String,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// Whether it changes anything.
    pub acts: bool,
    /// Whether doing it twice is the same as doing it once, so that it may be retried.
    pub idempotent: bool,
    /// Whether its effect only serves a later call (to pick something up, to place it).
    pub prepares: bool,
    /// Whether the device goes on at the speed that it is given until it is told otherwise.
    pub drives: bool,
    /// Whether a person must agree first.
    pub confirm: bool,
    /// Whether the model and the person may call it; a primitive of macros only is not offered.
    pub offered: bool,
    /// Time for one command, in milliseconds.
    pub timeout_ms: u32,
    /// What holds before and after.
    pub conditions: Conditions,
    /// How it is carried out.
    pub body: Body,
}

/// How a device is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Connect {
    /// Our own protocol over MQTT.
    Native,
    /// Our own protocol over a serial line.
    Serial {
        /// The port, such as `/dev/ttyUSB0`.
        path: String,
        /// Its speed, in bits a second.
        baud: u32,
    },
    /// A device that exists already: its binding, as JSON for the bridge.
    Foreign(String),
}

impl Connect {
    /// Whether the device speaks our protocol: it grants a lease, keeps limits of its own and accounts for its commands.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Connect::Native | Connect::Serial { .. } => true,
            Connect::Foreign(_) => false,
        }
    }
}

/// A device and everything its manifest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its name, which is also its place in the topics.
    pub name: String,
    /// What it is.
    pub description: String,
    /// How it is reached.
    pub connect: Connect,
    /// The built-in plant that stands in for it on the embedded broker.
    pub simulator: Option<String>,
    /// Its envelope, as the gate enforces it.
    pub envelope: Envelope,
    /// Names of the envelope's zones, in order.
    pub zones: Vec<String>,
    /// How long a command may travel, in milliseconds.
    pub expiry_ms: u32,
    /// How often it hears from us, in milliseconds.
    pub heartbeat_ms: u32,
    /// Places it knows by name.
    pub places: Vec<(String, Point)>,
    /// What it reports about itself.
    pub reports: Vec<(String, Type)>,
    /// What it reports about each entity.
    pub entity_reports: Vec<(String, Type)>,
    /// What an option of an enumeration is worth in a formula: a unit vector or a sign.
    pub directions: Vec<(String, Value)>,
    /// Its tools and macros.
    pub tools: Vec<Tool>,
}

impl Device {
    /// A tool by name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }
}
