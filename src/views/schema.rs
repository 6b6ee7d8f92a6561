//! JSON Schema of every view, for programs that read `--json`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use super::Document;
use super::alerts::AlertList;
use super::check::ConfigCheck;
use super::closed_days::ClosedDays;
use super::correction::CorrectionResult;
use super::customer::CustomerGlance;
use super::exceptions::{ClosedException, ExceptionList};
use super::file_check::FileCheck;
use super::file_rows::FileRows;
use super::files::FileList;
use super::generated::GeneratedScheme;
use super::job::JobResult;
use super::journal::JournalEntry;
use super::made_again::ReportsMadeAgain;
use super::mails::{MailList, MailState, MailWords};
use super::new_scheme::NewScheme;
use super::order_story::OrderStory;
use super::policy::PolicyTerms;
use super::retry::Retries;
use super::runs::{Backfill, JobSwitch, RunAttempts, RunList};
use super::statement::Statements;
use super::status::Status;
use super::status_check::StatusCheck;
use super::verification::Verification;
use super::workbook::Workbooks;

/// A view by its name.
pub struct View {
    /// The name for `paylater check --schema`, such as `view-status`.
    pub name: &'static str,
    /// The command that prints it.
    pub command: &'static str,
    schema: fn() -> Json,
}

pub const VIEWS: &[View] = &[
    View { name: "view-alerts", command: "alerts", schema: of::<AlertList> },
    View { name: "view-backfill", command: "backfill", schema: of::<Backfill> },
    View { name: "view-check", command: "check", schema: of::<ConfigCheck> },
    View { name: "view-check-file", command: "check --file", schema: of::<FileCheck> },
    View { name: "view-check-policy", command: "check --policy", schema: of::<PolicyTerms> },
    View { name: "view-close", command: "close", schema: of::<ClosedDays> },
    View { name: "view-correct", command: "correct", schema: of::<CorrectionResult> },
    View { name: "view-customer", command: "customer", schema: of::<CustomerGlance> },
    View { name: "view-exceptions", command: "exceptions", schema: of::<ExceptionList> },
    View { name: "view-exceptions-close", command: "exceptions close", schema: of::<ClosedException> },
    View { name: "view-explain", command: "explain", schema: of::<OrderStory> },
    View { name: "view-files", command: "files", schema: of::<FileList> },
    View { name: "view-files-retry", command: "files retry", schema: of::<Retries> },
    View { name: "view-files-show", command: "files show", schema: of::<FileRows> },
    View { name: "view-generate", command: "generate", schema: of::<GeneratedScheme> },
    View { name: "view-init", command: "init", schema: of::<NewScheme> },
    View { name: "view-job", command: "job", schema: of::<JobResult> },
    View { name: "view-journal", command: "journal", schema: of::<JournalEntry> },
    View { name: "view-mails", command: "mails", schema: of::<MailList> },
    View { name: "view-mails-cancel", command: "mails cancel", schema: of::<MailState> },
    View { name: "view-mails-show", command: "mails show", schema: of::<MailWords> },
    View { name: "view-pause", command: "pause", schema: of::<JobSwitch> },
    View { name: "view-reports", command: "reports", schema: of::<ReportsMadeAgain> },
    View { name: "view-resume", command: "resume", schema: of::<JobSwitch> },
    View { name: "view-runs", command: "runs", schema: of::<RunList> },
    View { name: "view-runs-show", command: "runs show", schema: of::<RunAttempts> },
    View { name: "view-statement", command: "statement", schema: of::<Statements> },
    View { name: "view-status", command: "status", schema: of::<Status> },
    View { name: "view-status-check", command: "status --check", schema: of::<StatusCheck> },
    View { name: "view-verify", command: "verify", schema: of::<Verification> },
    View { name: "view-workbook", command: "workbook", schema: of::<Workbooks> },
];

impl View {
    pub fn named(name: &str) -> Option<&'static View> {
        VIEWS.iter().find(|view| view.name == name)
    }

    pub fn schema(&self) -> Json {
        let mut schema = (self.schema)();
        schema["title"] = json!(format!("paylater {} --json", self.command));
        schema
    }
}

fn of<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft07().for_serialize();
    settings.into_generator().into_root_schema_for::<Document<T>>().to_value()
}
