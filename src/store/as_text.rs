//! Values that columns keep as text. The conversion is here and nowhere else.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

use super::bulk::Cell;
use super::mails::MailStatus;
use super::runs::RunStatus;
use crate::domain::bank::instruction::{Answer, Direction};
use crate::domain::decide::credit_record::CreditStatus;
use crate::domain::decide::reminders::Template;
use crate::domain::facts::fact::FactKind;
use crate::domain::intake::code::{DeclineCode, ExceptionCode, FileCode, RowCode};
use crate::domain::intake::kind::Kind;
use crate::domain::intake::status::{FileStatus, RowOutcome};
use crate::domain::journal::{EntryKind, Reason};
use crate::domain::owner::Owner;

/// Says that a column has no value of this type, whose name is written as words.
fn unknown(kind: &str, text: &str) -> String {
    let words: String =
        kind.chars().flat_map(|c| c.is_uppercase().then_some(' ').into_iter().chain(c.to_lowercase())).collect();
    format!("the store has an unknown{words}: {text:?}")
}

/// Columns have the names of these enums' variants.
macro_rules! kept_by_name {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Cell<'_> {
            fn from(value: $kind) -> Self {
                Cell::from(value.name())
            }
        }

        impl<DB: Database> Type<DB> for $kind
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

        impl<'q, DB: Database> Encode<'q, DB> for $kind
        where
            &'static str: Encode<'q, DB>,
        {
            fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                self.name().encode_by_ref(buffer)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $kind
        where
            &'r str: Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                let text = <&str>::decode(value)?;
                $kind::parse(text).ok_or_else(|| unknown(stringify!($kind), text).into())
            }
        }
    )*};
}
kept_by_name!(
    Answer,
    CreditStatus,
    DeclineCode,
    Direction,
    EntryKind,
    ExceptionCode,
    FactKind,
    FileCode,
    FileStatus,
    Kind,
    MailStatus,
    RunStatus,
    Reason,
    RowCode,
    RowOutcome,
    Template
);

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

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[test]
    fn statuses_of_mails_are_read_as_what_they_were_written_for() {
        assert_eq!(MailStatus::ALL.map(|status| MailStatus::parse(status.name())), MailStatus::ALL.map(Some));
        assert_eq!(MailStatus::parse("lost"), None);
    }

    #[tokio::test]
    async fn an_owner_is_an_id_or_an_empty_text_and_an_unknown_name_is_an_error() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for (owner, text) in [(Owner::Scheme, ""), (Owner::Merchant("TEA"), "TEA")] {
            let sql = "SELECT $1, $1 = $2";
            let query = sqlx::query_as(sql).bind(owner).bind(text);
            let (read, same): (Owner, bool) = query.fetch_one(&mut connection).await.unwrap();
            assert_eq!((read.borrowed(), same), (owner, true));
        }
        let lost: Result<FileStatus, _> = sqlx::query_scalar("SELECT 'lost'").fetch_one(&mut connection).await;
        assert!(lost.unwrap_err().to_string().contains("the store has an unknown file status: \"lost\""));
    }
}
