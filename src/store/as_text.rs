//! Values that columns keep as text. The conversion is here and nowhere else.

use std::borrow::Cow;

use chrono::NaiveDate;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

use super::bulk::Cell;
use super::mails::MailStatus;
use super::runs::RunStatus;
use crate::domain::bank::instruction::{Answer, Direction};
use crate::domain::decide::credit_record::CreditStatus;
use crate::domain::decide::position::ListedPositions;
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

/// What columns keep by its name.
pub(super) trait Named: Sized {
    fn named(text: &str) -> Result<Self, String>;
}

/// Reads a name in rows that come as JSON.
pub(super) fn by_name<'de, D: Deserializer<'de>, T: Named>(name: D) -> Result<T, D::Error> {
    let name = Cow::<str>::deserialize(name)?;
    T::named(&name).map_err(D::Error::custom)
}

/// Reads a name that may be missing.
pub(super) fn any_name<'de, D: Deserializer<'de>, T: Named>(name: D) -> Result<Option<T>, D::Error> {
    let Some(name) = Option::<Cow<'_, str>>::deserialize(name)? else { return Ok(None) };
    T::named(&name).map(Some).map_err(D::Error::custom)
}

/// Reads a day in rows that come as JSON, several times as fast as chrono, which checks for other ways to write one.
pub(super) fn day<'de, D: Deserializer<'de>>(day: D) -> Result<NaiveDate, D::Error> {
    let text = Cow::<str>::deserialize(day)?;
    parse_day(&text).ok_or_else(|| D::Error::custom(format!("the store has a day that is none: {text:?}")))
}

/// Reads a day that may be missing.
pub(super) fn any_day<'de, D: Deserializer<'de>>(day: D) -> Result<Option<NaiveDate>, D::Error> {
    let Some(text) = Option::<Cow<'_, str>>::deserialize(day)? else { return Ok(None) };
    let day = parse_day(&text);
    day.map(Some).ok_or_else(|| D::Error::custom(format!("the store has a day that is none: {text:?}")))
}

/// Reads `2026-03-31`.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        let digit = |sum: u32, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'));
        digits.iter().try_fold(0, digit)
    };
    match year.len() {
        4 => NaiveDate::from_ymd_opt(i32::try_from(number(year)?).ok()?, number(&[*m1, *m2])?, number(&[*d1, *d2])?),
        _ => text.parse().ok(),
    }
}

/// Columns have the names of these enums' variants.
macro_rules! kept_by_name {
    ($($kind:ident),*) => {$(
        impl Named for $kind {
            fn named(text: &str) -> Result<$kind, String> {
                $kind::parse(text).ok_or_else(|| unknown(stringify!($kind), text))
            }
        }

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
                Ok($kind::named(text)?)
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
    ListedPositions,
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

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["2026-03-31", "2024-02-29", "0001-01-01", "9999-12-31", "+12026-03-31", "-0001-03-31"] {
            let read = parse_day(text);
            assert!(read.is_some(), "{text}");
            assert_eq!(read, text.parse().ok(), "{text}");
            assert_eq!(read.unwrap().to_string(), text);
        }
        for text in ["", "2026-02-29", "2026-13-01", "2026-3-01", "2026-03-01 ", "20a6-03-01", "2026-03-0x"] {
            assert_eq!(parse_day(text), None, "{text}");
        }
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
