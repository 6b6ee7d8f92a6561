//! Values that columns keep as text. The conversion is here and nowhere else.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

use super::bulk::Cell;
use crate::domain::owner::Owner;

/// An owner's column has the merchant's id, and is empty for the scheme.
fn owner_text<Id: AsRef<str>>(owner: &Owner<Id>) -> &str {
    owner.merchant().unwrap_or_default()
}

impl<'a> From<Owner<&'a str>> for Cell<'a> {
    fn from(owner: Owner<&'a str>) -> Self {
        match owner {
            Owner::Scheme => Cell::from(""),
            Owner::Merchant(id) => Cell::from(id),
        }
    }
}

impl<DB: Database, Id> Type<DB> for Owner<Id>
where
    str: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <str as Type<DB>>::type_info()
    }

    fn compatible(column: &DB::TypeInfo) -> bool {
        <str as Type<DB>>::compatible(column)
    }
}

impl<'q, DB: Database, Id: AsRef<str>> Encode<'q, DB> for Owner<Id>
where
    for<'t> &'t str: Encode<'t, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        owner_text(self).encode_by_ref(buffer)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Owner
where
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let text = <&str>::decode(value)?;
        Ok(if text.is_empty() { Owner::Scheme } else { Owner::Merchant(text.to_owned()) })
    }
}
