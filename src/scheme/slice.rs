//! Slices of a scheme's work: what belongs to one merchant, and what belongs to the scheme and to no merchant. Slices do
//! not overlap, and together they are all of the work. So one slice can fail, wait or be done elsewhere without the
//! others.

use super::{Feed, Merchant};
use crate::domain::owner::Owner;

/// A part of a scheme's work.
#[derive(Debug, Clone, Copy)]
pub enum Slice<'s> {
    /// What belongs to no merchant: customers and agreements, mails (a customer gets one a day, whichever merchants it is
    /// about), and the seal of a day.
    Scheme,
    /// What belongs to one merchant: its files, orders, exceptions and books.
    Merchant(&'s Merchant),
}

impl<'s> Slice<'s> {
    /// Whose what belongs to the slice is.
    pub fn owner(self) -> Owner<&'s str> {
        match self {
            Slice::Scheme => Owner::Scheme,
            Slice::Merchant(merchant) => Owner::Merchant(&merchant.id),
        }
    }

    pub fn merchant(self) -> Option<&'s Merchant> {
        match self {
            Slice::Scheme => None,
            Slice::Merchant(merchant) => Some(merchant),
        }
    }

    /// Whether a feed's files belong to the slice. An inbox that feeds of several merchants share belongs to each of them
    /// with the files of its own feeds.
    pub fn has(self, feed: &Feed) -> bool {
        feed.owner.borrowed() == self.owner()
    }
}
