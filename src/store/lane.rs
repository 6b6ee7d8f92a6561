//! The parts of the work that have a lane each.

/// What one paylater at a time works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Files, facts, the close and its reports.
    Books,
    /// Customers' mails. A slow mail server does not hold up the books.
    Mail,
}

impl Lane {
    pub const ALL: [Lane; 2] = [Lane::Books, Lane::Mail];

    pub fn name(self) -> &'static str {
        match self {
            Lane::Books => "books",
            Lane::Mail => "mail",
        }
    }
}
