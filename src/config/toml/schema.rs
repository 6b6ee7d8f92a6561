//! JSON Schema of files that people write, derived from the structs that the files are read into.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

/// The schema of a struct that a file is read into.
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

/// Simplifies a schema. TOML has no null, so an optional key needs no mention of it. Decimals are quoted strings or
/// whole numbers; a number with a point would lose digits.
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
            // A flattened struct can't deny unknown keys itself.
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
