//! JSON Schema of each kind of file, for editors and `check`. The schemas are derived from the structs that files are
//! read into, so that an editor, `check` and the program always agree.

use serde_json::{Value as Json, json};

use super::job_file::RawJob;
use super::policy_file;
use super::profile_file::RawProfile;
use super::scheme_file::RawConfig;
use super::toml::schema::of;

/// The kinds of files that people write.
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

    /// The schema for an editor.
    pub fn schema(self) -> Json {
        let mut schema = match self {
            Written::Policy => policy_file::policy_schema(),
            Written::Config => of::<RawConfig>(),
            Written::Job => of::<RawJob>(),
            Written::Profile => of::<RawProfile>(),
        };
        // taplo, which most editors use for TOML, identifies schemas by this URL.
        schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
        schema["title"] = json!(format!("paylater {}", self.name()));
        schema
    }
}
