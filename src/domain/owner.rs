//! Whose something is: a merchant's or the scheme's own. Files of customers and agreements, and exceptions about mails or
//! the store, belong to the scheme.

use std::fmt;

/// Whose something is. `Owner<&str>` borrows the merchant's id. The scheme sorts before all merchants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner<Id = String> {
    Scheme,
    Merchant(Id),
}

impl<Id: AsRef<str>> Owner<Id> {
    pub fn borrowed(&self) -> Owner<&str> {
        match self {
            Owner::Scheme => Owner::Scheme,
            Owner::Merchant(id) => Owner::Merchant(id.as_ref()),
        }
    }

    /// The id of the merchant; `None` for the scheme.
    pub fn merchant(&self) -> Option<&str> {
        match self {
            Owner::Scheme => None,
            Owner::Merchant(id) => Some(id.as_ref()),
        }
    }
}

impl Owner<&str> {
    pub fn to_owned(self) -> Owner {
        match self {
            Owner::Scheme => Owner::Scheme,
            Owner::Merchant(id) => Owner::Merchant(id.to_owned()),
        }
    }
}

impl<Id: AsRef<str>> fmt::Display for Owner<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.merchant().unwrap_or("scheme"))
    }
}
