//! JSON Schemas as parameters and back: an object's leaves become parameters whose names are their paths, and arguments are put
//! back where they belong. A keyword that asserts something and is not understood is named and refused, so that nothing is planned
//! against half a schema. It must not know tools or plans.

use super::unit;
use crate::goal::{self, Dimension};
use crate::plan::Given;
use crate::tool::{Parameter, Type};
use llmos_follower::MICRO;
use serde_json::{Map, Value, json};

/// An array without `maxItems` can have so many items: goals rarely list more.
const ITEMS_MAX: usize = 3;
const DEPTH_MAX: usize = 8;

/// Keywords that restrict values and are not understood.
const UNKNOWN: [&str; 17] = [
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "pattern",
    "patternProperties",
    "propertyNames",
    "prefixItems",
    "contains",
    "uniqueItems",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedProperties",
    "minProperties",
    "maxProperties",
];

/// What a schema of arguments asks for.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Schema {
    /// The parameters, in the order of the schema.
    pub leaves: Vec<Leaf>,
    /// Values that are given, where the object around them is there.
    constants: Vec<(Vec<Step>, Value)>,
    /// Objects and arrays that are not required, with what each needs when it is there.
    groups: Vec<(Vec<Step>, Vec<String>)>,
}

/// One value of the schema.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Leaf {
    /// As planning sees it; its name is the path in words.
    pub parameter: Parameter,
    path: Vec<Step>,
    form: Form,
    /// `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf`, `minLength`, `maxLength`.
    limits: Map<String, Value>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(String),
    Item(usize),
}

#[derive(Clone, PartialEq, Debug)]
enum Form {
    /// A number in this unit: its name, and micro-units of the base unit in one of it.
    Unit(String, i64),
    /// The options as the schema spells them.
    Options(Vec<Value>),
    Plain,
}

impl Schema {
    /// Reads the schema of an object of arguments of a tool that `does` something.
    ///
    /// # Errors
    /// What is not understood, and where.
    pub fn read(schema: &Value, does: &str) -> Result<Schema, String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let counts = |property: &&Value| matches!(kind_of(property), Some("number" | "integer"));
        let numbers = properties.map_or(0, |properties| properties.values().filter(counts).count());
        let mut reader = Reader {
            root: schema,
            does: if numbers == 1 { does } else { "" },
            schema: Schema::default(),
        };
        reader.object(schema, &[], true)?;
        Ok(reader.schema)
    }

    /// Arguments as the schema wants them.
    ///
    /// # Errors
    /// What the person is asked, where a value breaks the schema or a group lacks a part.
    pub fn json<'a>(&self, arguments: impl Iterator<Item = (&'a str, &'a Given)>) -> Result<Value, String> {
        let mut found = json!({});
        let mut present: Vec<&Leaf> = Vec::new();
        for (name, given) in arguments {
            let Some(leaf) = self.leaves.iter().find(|leaf| leaf.parameter.name == name) else {
                continue;
            };
            put(&mut found, &leaf.path, leaf.value(given)?);
            present.push(leaf);
        }
        for (path, needs) in &self.groups {
            let is_there = present.iter().any(|leaf| leaf.path.starts_with(path));
            let lacking = needs
                .iter()
                .find(|need| !present.iter().any(|leaf| leaf.parameter.name == **need));
            if let (true, Some(need)) = (is_there, lacking) {
                return Err(format!("what is the {need}?"));
            }
        }
        for (path, value) in &self.constants {
            let around = &path[..path.len().saturating_sub(1)];
            let is_there = self.groups.iter().all(|(group, _)| {
                !around.starts_with(group) || present.iter().any(|leaf| leaf.path.starts_with(group))
            });
            if is_there {
                put(&mut found, path, value.clone());
            }
        }
        Ok(found)
    }
}

/// Puts a value at a path, with the objects and arrays around it.
fn put(into: &mut Value, path: &[Step], value: Value) {
    match path {
        [] => *into = value,
        [Step::Key(key), rest @ ..] => {
            if !into.is_object() {
                *into = json!({});
            }
            put(&mut into[key.as_str()], rest, value);
        }
        [Step::Item(_), rest @ ..] => {
            if !into.is_array() {
                *into = json!([]);
            }
            // Items come in their order; one that was left out leaves no hole.
            if let Value::Array(items) = into {
                let mut item = Value::Null;
                put(&mut item, rest, value);
                items.push(item);
            }
        }
    }
}

impl Leaf {
    fn value(&self, given: &Given) -> Result<Value, String> {
        let value = match (given, &self.form) {
            (Given::Quantity(_, micro), Form::Unit(_, scale)) => number(*micro, *scale),
            (Given::Quantity(_, micro) | Given::Number(micro), _) => number(*micro, MICRO),
            (Given::Boolean(truth), _) => json!(truth),
            (Given::Option(word), Form::Options(options)) => {
                let option = options.iter().find(|option| spelled(option) == *word);
                option.cloned().unwrap_or_else(|| json!(word))
            }
            (other, _) => json!(other.to_string()),
        };
        self.check(&value)?;
        Ok(value)
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let name = &self.parameter.name;
        let unit = match &self.form {
            Form::Unit(unit, _) => format!(" {unit}"),
            Form::Options(_) | Form::Plain => String::new(),
        };
        for (keyword, limit) in &self.limits {
            let Some(bound) = limit.as_f64() else {
                return Err(format!("the schema's {keyword} of {name} is no number"));
            };
            let length = || value.as_str().map_or(0, |text| text.chars().count());
            #[expect(clippy::cast_precision_loss, reason = "the length of a goal's words")]
            let measure = match keyword.as_str() {
                "minLength" | "maxLength" => length() as f64,
                _ => value.as_f64().unwrap_or(f64::NAN),
            };
            let holds = match keyword.as_str() {
                "minimum" | "minLength" => measure >= bound,
                "maximum" | "maxLength" => measure <= bound,
                "exclusiveMinimum" => measure > bound,
                "exclusiveMaximum" => measure < bound,
                _ => ((measure / bound) - (measure / bound).round()).abs() < 1e-9,
            };
            if !holds {
                return Err(format!(
                    "{name} is {value}{unit}, and its {keyword} is {limit}{unit}; which {name} should it be?"
                ));
            }
        }
        Ok(())
    }
}

/// `micro / scale`, as a whole number where it is one; otherwise rounded to six decimals and read back from its text.
fn number(micro: i64, scale: i64) -> Value {
    if micro % scale == 0 {
        return json!(micro / scale);
    }
    let rounded = i128::from(micro) * i128::from(MICRO) / i128::from(scale.max(1));
    let text = goal::print_number(i64::try_from(rounded).unwrap_or(i64::MAX));
    serde_json::from_str(&text).unwrap_or(json!(text))
}

/// An option as people say it.
fn spelled(option: &Value) -> String {
    option.as_str().map_or_else(|| option.to_string(), str::to_owned)
}

struct Reader<'a> {
    root: &'a Value,
    /// The tool's description, if it has one number.
    does: &'a str,
    schema: Schema,
}

impl<'a> Reader<'a> {
    fn object(&mut self, schema: &'a Value, path: &[Step], needed: bool) -> Result<(), String> {
        refuse(schema, path)?;
        let properties = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if let Some(unknown) = required
            .iter()
            .find(|name| properties.is_none_or(|known| !known.contains_key(**name)))
        {
            return Err(format!(
                "{}: \"required\" names \"{unknown}\", which is no property",
                shown(path)
            ));
        }
        let before = self.schema.leaves.len();
        let mut needs = Vec::new();
        for (key, property) in properties.into_iter().flatten() {
            let mut path = path.to_vec();
            path.push(Step::Key(key.clone()));
            let wanted = required.contains(&key.as_str());
            let first = self.schema.leaves.len();
            self.property(property, &path, wanted && needed)?;
            if wanted {
                let direct = self.schema.leaves[first..]
                    .iter()
                    .filter(|leaf| leaf.path.len() == path.len());
                needs.extend(direct.map(|leaf| leaf.parameter.name.clone()));
            }
        }
        if !needed && self.schema.leaves.len() > before {
            self.schema.groups.push((path.to_vec(), needs));
        }
        Ok(())
    }

    fn property(&mut self, schema: &'a Value, path: &[Step], needed: bool) -> Result<(), String> {
        if path.len() > DEPTH_MAX {
            return Err(format!("{}: more than {DEPTH_MAX} levels deep", shown(path)));
        }
        let (schema, nullable) = self.resolve(schema, path)?;
        refuse(schema, path)?;
        let needed = needed && !nullable;
        if let Some(value) = schema.get("const") {
            self.schema.constants.push((path.to_vec(), value.clone()));
            return Ok(());
        }
        if let Some(options) = options(schema, path)? {
            return self.leaf(
                path,
                needed,
                (
                    Type::Enumeration(options.iter().map(spelled).collect()),
                    Form::Options(options),
                ),
                schema,
            );
        }
        let kind = kind_of(schema);
        let unit = match schema.get("x-unit").and_then(Value::as_str) {
            Some(named) => Some(named.to_owned()),
            None if matches!(kind, Some("number" | "integer")) => unit::told(&named(path), schema, self.does),
            None => None,
        };
        let (kind, form) = match (kind, unit.as_deref()) {
            (Some("object"), None) => return self.object(schema, path, needed),
            (Some("array"), None) => return self.array(schema, path, needed),
            (Some("number" | "integer"), Some(unit)) => {
                let (dimension, scale) = unit_of(unit).map_err(|message| format!("{}: {message}", shown(path)))?;
                (Type::Quantity(dimension), Form::Unit(unit.to_owned(), scale))
            }
            (Some("number"), None) => (Type::Number, Form::Plain),
            (Some("integer"), None) => (Type::Integer, Form::Plain),
            (Some("boolean"), None) => (Type::Boolean, Form::Plain),
            (Some("string") | None, None) => (Type::Text, Form::Plain),
            (kind, unit) => {
                let unit = unit.map_or(String::new(), |unit| format!(" with \"x-unit\": \"{unit}\""));
                return Err(format!(
                    "{}: \"type\": \"{}\"{unit} is not supported; use string, number, integer, boolean, object, array or enum",
                    shown(path),
                    kind.unwrap_or("none")
                ));
            }
        };
        self.leaf(path, needed, (kind, form), schema)
    }

    fn leaf(
        &mut self,
        path: &[Step],
        required: bool,
        (kind, form): (Type, Form),
        schema: &Value,
    ) -> Result<(), String> {
        const LIMITS: [&str; 7] = [
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minLength",
            "maxLength",
        ];
        let name = named(path);
        if self.schema.leaves.iter().any(|leaf| leaf.parameter.name == name) {
            return Err(format!("{}: a second parameter that reads \"{name}\"", shown(path)));
        }
        let limits = LIMITS
            .iter()
            .filter_map(|limit| Some(((*limit).to_owned(), schema.get(*limit)?.clone())));
        let mut limits: Map<String, Value> = limits.collect();
        if kind_of(schema) == Some("integer") && form != Form::Plain {
            limits.entry("multipleOf").or_insert(json!(1));
        }
        self.schema.leaves.push(Leaf {
            parameter: Parameter {
                name,
                kind,
                required,
                limit: None,
                bare: matches!(form, Form::Unit(..)),
            },
            path: path.to_vec(),
            form,
            limits,
        });
        Ok(())
    }

    /// An array as so many parameters as it can have items.
    fn array(&mut self, schema: &'a Value, path: &[Step], needed: bool) -> Result<(), String> {
        let bound = |keyword: &str| {
            schema
                .get(keyword)
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok())
        };
        let least = bound("minItems").unwrap_or(0);
        let most = bound("maxItems")
            .unwrap_or(ITEMS_MAX.max(least))
            .min(ITEMS_MAX.max(least));
        let Some(items) = schema.get("items") else {
            return Err(format!("{}: an array without \"items\" is not supported", shown(path)));
        };
        for item in 0..most {
            let mut path = path.to_vec();
            path.push(Step::Item(item));
            self.property(items, &path, needed && item < least)?;
        }
        Ok(())
    }

    /// The schema behind references and behind a choice between something and nothing; and whether it may be nothing.
    fn resolve(&self, schema: &'a Value, path: &[Step]) -> Result<(&'a Value, bool), String> {
        let (mut schema, mut nullable) = (schema, false);
        for _ in 0..DEPTH_MAX {
            if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
                let pointed = reference
                    .strip_prefix('#')
                    .and_then(|pointer| self.root.pointer(pointer));
                schema = pointed.ok_or_else(|| format!("{}: \"$ref\": \"{reference}\" leads nowhere", shown(path)))?;
                continue;
            }
            let choice = ["anyOf", "oneOf"]
                .iter()
                .find_map(|keyword| Some((keyword, schema.get(*keyword)?.as_array()?)));
            let Some((keyword, choices)) = choice else {
                return Ok((schema, nullable));
            };
            let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
            nullable |= choices.iter().any(|choice| is_null(&choice));
            let mut others = choices.iter().filter(|choice| !is_null(choice));
            match (others.next(), others.next()) {
                (Some(only), None) => schema = only,
                // Options spelled one by one are read as an enumeration.
                _ if !choices.is_empty()
                    && choices
                        .iter()
                        .all(|choice| choice.get("const").is_some() || is_null(&choice)) =>
                {
                    return Ok((schema, nullable));
                }
                _ => {
                    return Err(format!(
                        "{}: the schema keyword \"{keyword}\" is supported for one schema or \"null\", or for constants",
                        shown(path)
                    ));
                }
            }
        }
        Err(format!(
            "{}: references lead to references, {DEPTH_MAX} deep",
            shown(path)
        ))
    }
}

fn refuse(schema: &Value, path: &[Step]) -> Result<(), String> {
    match UNKNOWN.iter().find(|keyword| schema.get(**keyword).is_some()) {
        None => Ok(()),
        Some(keyword) => Err(format!(
            "{}: the schema keyword \"{keyword}\" is not supported; use string, number, integer, boolean, object, array or enum",
            shown(path)
        )),
    }
}

/// The one type of a schema; `["string", "null"]` is a string.
fn kind_of(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        Some(kind) => kind.as_str(),
        None if schema.get("properties").is_some() => Some("object"),
        None => None,
    }
}

/// The options of an enumeration, as `enum` or as constants to choose from.
fn options(schema: &Value, path: &[Step]) -> Result<Option<Vec<Value>>, String> {
    let constants = ["anyOf", "oneOf"]
        .iter()
        .find_map(|keyword| schema.get(*keyword)?.as_array());
    let listed: Option<Vec<Value>> = match (schema.get("enum"), constants) {
        (Some(listed), _) => listed.as_array().cloned(),
        (None, Some(constants)) => Some(
            constants
                .iter()
                .filter_map(|choice| choice.get("const").cloned())
                .collect(),
        ),
        (None, None) => return Ok(None),
    };
    let usable = |option: &Value| option.is_string() || option.is_number() || option.is_boolean();
    let listed: Option<Vec<Value>> =
        listed.map(|listed| listed.into_iter().filter(|option| !option.is_null()).collect());
    match listed {
        Some(listed) if !listed.is_empty() && listed.iter().all(usable) => Ok(Some(listed)),
        _ => Err(format!(
            "{}: \"enum\" needs one or more texts, numbers or booleans",
            shown(path)
        )),
    }
}

fn unit_of(unit: &str) -> Result<(Dimension, i64), String> {
    unit::scale(unit).ok_or_else(|| format!("\"x-unit\": \"{unit}\" is no unit that is known here"))
}

/// A path as a parameter's name: `pose x`, `tags 2`.
fn named(path: &[Step]) -> String {
    let steps: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(item) => (item + 1).to_string(),
        })
        .collect();
    steps.join(" ")
}

/// A path as people find it in the schema.
fn shown(path: &[Step]) -> String {
    let mut text = String::from("parameters");
    for step in path {
        match step {
            Step::Key(key) => text.extend([".", key]),
            Step::Item(_) => text.push_str("[]"),
        }
    }
    text
}
