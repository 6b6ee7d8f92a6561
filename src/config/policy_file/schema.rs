//! JSON Schema of policies. A version may leave out the keys it inherits.

use serde_json::{Value as Json, json};

use super::version::{RawPolicy, RawVersion};
use crate::config::toml::schema::of;

/// The schema of a version with everything it inherits.
pub fn whole_version() -> Json {
    of::<RawVersion>()
}

/// The schema of a policy's file, in which a version may leave out inherited keys and set unwanted ones to `false`.
pub fn policy() -> Json {
    let mut schema = of::<RawPolicy>();
    let version = &mut schema["properties"]["version"]["items"];
    may_inherit(version);
    version["required"] = json!(["effective_from"]);
    or_false(&mut schema["properties"]["base"]);
    schema
}

/// Lets a table leave out inherited keys, and set optional ones to `false`. A list is inherited or replaced as a whole.
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
