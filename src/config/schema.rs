//! JSON Schema of what people write: of policies, of `paylater.toml`, of job files and of profiles. It is derived from the structs
//! that these are read into, so that an editor, `check` and the program can't disagree.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use super::policy_file::{RawPolicy, RawVersion};
use super::{job_file::RawJob, profile_file::RawProfile, scheme_file::RawConfig};

/// The kinds of files people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A merchant's terms, or a base policy.
    Policy,
    /// `paylater.toml`.
    Config,
    /// When a job runs.
    Job,
    /// How a format is read.
    Profile,
}

impl Written {
    pub const ALL: [Written; 4] = [Written::Policy, Written::Config, Written::Job, Written::Profile];

    pub fn name(self) -> &'static str {
        match self {
            Written::Policy => "policy",
            Written::Config => "config",
            Written::Job => "job",
            Written::Profile => "profile",
        }
    }

    pub fn parse(name: &str) -> Option<Written> {
        Written::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What an editor is given.
    pub fn schema(self) -> Json {
        let mut schema = match self {
            Written::Policy => policy(),
            Written::Config => of::<RawConfig>(),
            Written::Job => of::<RawJob>(),
            Written::Profile => of::<RawProfile>(),
        };
        // taplo, which most editors use for TOML, names schemas by this.
        schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
        schema["title"] = json!(format!("paylater {}", self.name()));
        schema
    }
}

/// Of a struct as it is read.
pub fn of<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    if let Some(top) = schema.as_object_mut() {
        top.remove("$schema");
        top.remove("title");
    }
    schema
}

/// Of a version with everything it inherits.
pub fn whole_version() -> Json {
    of::<RawVersion>()
}

/// Of a policy's file, where a version may leave out what it inherits, and say `false` to what it does not want.
pub fn policy() -> Json {
    let mut schema = of::<RawPolicy>();
    let version = &mut schema["properties"]["version"]["items"];
    may_inherit(version);
    version["required"] = json!(["effective_from"]);
    or_false(&mut schema["properties"]["base"]);
    schema
}

/// Lets a table leave out what it inherits, and say `false` to what need not be there at all. A list is taken or left as
/// a whole.
fn may_inherit(table: &mut Json) {
    let Some(object) = table.as_object_mut() else { return };
    for either in object.get_mut("anyOf").and_then(Json::as_array_mut).into_iter().flatten() {
        may_inherit(either);
    }
    let required = object.remove("required").unwrap_or(json!([]));
    let Some(properties) = object.get_mut("properties").and_then(Json::as_object_mut) else { return };
    for (key, property) in properties {
        may_inherit(property);
        let needed = required.as_array().is_some_and(|names| names.contains(&json!(key)));
        if !needed && property["type"] != "boolean" && key != "same_as" {
            or_false(property);
        }
    }
}

fn or_false(property: &mut Json) {
    let mut wanted = property.take();
    let description = wanted.as_object_mut().and_then(|object| object.remove("description"));
    *property = json!({ "anyOf": [{ "const": false }, wanted] });
    if let Some(description) = description {
        property["description"] = description;
    }
}

/// TOML knows no null, so a key that may be left out needs no word about it. Decimals stand in quotes, or are whole
/// numbers; a number with a point would lose digits on the way.
fn plain(schema: &mut Json) {
    match schema {
        Json::Array(items) => items.iter_mut().for_each(plain),
        Json::Object(_) => {
            if let Some(either) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
                either.retain(|wanted| wanted["type"] != "null");
                if let [wanted] = either.as_mut_slice() {
                    let mut wanted = wanted.take();
                    if schema["description"].is_string() {
                        wanted["description"] = schema["description"].clone();
                    }
                    *schema = wanted;
                }
            }
            if let Some(words) = schema["oneOf"].as_array() {
                let alone =
                    |word: &Json| if word["const"].is_string() { vec![word["const"].clone()] } else { Vec::new() };
                let among = |word: &Json| word["enum"].as_array().cloned().unwrap_or_default();
                let words: Vec<Json> = words.iter().flat_map(|word| [among(word), alone(word)].concat()).collect();
                schema["enum"] = Json::Array(words);
                schema["type"] = json!("string");
            }
            if let Some(words) = schema.get_mut("enum").and_then(Json::as_array_mut) {
                words.retain(|word| !word.is_null());
            }
            if let Some(types) = schema["type"].as_array() {
                let left: Vec<Json> = types.iter().filter(|kind| *kind != "null").cloned().collect();
                schema["type"] = match left.as_slice() {
                    [only] => only.clone(),
                    _ => json!(["string", "integer"]),
                };
            }
            let Some(object) = schema.as_object_mut() else { return };
            object.remove("oneOf");
            // Structs that stand within others can't say so themselves.
            if object.contains_key("properties") {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            if object.get("type").is_some_and(Json::is_array) {
                object.insert("format".to_owned(), json!("decimal"));
                object.insert("pattern".to_owned(), json!(r"^-?[0-9]+(\.[0-9]+)?$"));
            } else if object.get("type") == Some(&json!("integer")) {
                object.remove("format");
            }
            object.values_mut().for_each(plain);
        }
        _ => {}
    }
}
