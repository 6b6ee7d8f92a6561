//! Who makes a request.

/// The person or program that makes a request, for the log and the head of the page.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub name: String,
    /// Whether there is a session to end.
    pub has_session: bool,
}

impl Visitor {
    /// Somebody who has not said who they are, and sees only what everybody may see.
    pub fn nobody() -> Visitor {
        Visitor { name: String::new(), has_session: false }
    }
}
