//! What mail servers and readers say about a mail: it bounced, was taken for spam, or its reader wants no more reminders.

use chrono::{DateTime, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The address takes no mail.
    Bounce,
    /// The reader took the mail for spam.
    Complaint,
    /// The reader wants no more reminders.
    Unsubscribe,
}

impl FailureKind {
    pub const ALL: [FailureKind; 3] = [FailureKind::Bounce, FailureKind::Complaint, FailureKind::Unsubscribe];

    pub const fn name(self) -> &'static str {
        match self {
            FailureKind::Bounce => "bounce",
            FailureKind::Complaint => "complaint",
            FailureKind::Unsubscribe => "unsubscribe",
        }
    }

    pub fn parse(text: &str) -> Option<FailureKind> {
        FailureKind::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// A row about a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    pub message_id: String,
    /// The address that the mail went to.
    pub address: String,
    pub kind: FailureKind,
    pub at: DateTime<Utc>,
}

impl std::fmt::Debug for DeliveryFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DeliveryFailure { message_id, kind, .. } = self;
        write!(f, "DeliveryFailure({message_id}, {kind:?})")
    }
}
