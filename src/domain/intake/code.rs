//! The codes that say why: why an order was declined, why a row has its outcome, why a file was not simply taken, and what
//! finance must look at. The store, files, messages and JSON have their names; docs/file-formats.md explains each code.
//!
//! A name never changes: stores and other people's programs have it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

/// Defines an enum of codes with their names. `| Row(RowCode)` adds the codes of another enum.
macro_rules! codes {
    ($(#[$about:meta])* $kind:ident {
        $($(#[$why:meta])* $code:ident = $name:literal,)+
        $(| $group:ident($codes:ident),)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $kind {
            $($(#[$why])* $code,)+
            $($group($codes),)*
        }

        impl $kind {
            pub fn all() -> impl Iterator<Item = $kind> {
                [$($kind::$code),+].into_iter()$(.chain($codes::all().map($kind::$group)))*
            }

            pub const fn name(self) -> &'static str {
                match self {
                    $($kind::$code => $name,)+
                    $($kind::$group(code) => code.name(),)*
                }
            }

            pub fn parse(text: &str) -> Option<$kind> {
                match text {
                    $($name => Some($kind::$code),)+
                    _ => None$(.or_else(|| $codes::parse(text).map($kind::$group)))*,
                }
            }
        }

        $(impl From<$codes> for $kind {
            fn from(code: $codes) -> $kind {
                $kind::$group(code)
            }
        })*

        /// Codes are sorted by their names, as the store sorts them.
        impl Ord for $kind {
            fn cmp(&self, other: &$kind) -> Ordering {
                self.name().cmp(other.name())
            }
        }

        impl PartialOrd for $kind {
            fn partial_cmp(&self, other: &$kind) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        /// Any text: a later version has more codes, and its JSON must still fit the schema.
        impl JsonSchema for $kind {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                String::schema_name()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                String::json_schema(generator)
            }
        }
    };
}

codes! {
    /// Why an order was declined. `decline` has the figures and the words.
    DeclineCode {
        Currency = "CURRENCY",
        NoCustomer = "NO_CUSTOMER",
        NoAgreement = "NO_AGREEMENT",
        AgreementClosed = "AGREEMENT_CLOSED",
        ScoreNotAuthorised = "SCORE_NOT_AUTHORISED",
        NotVerified = "NOT_VERIFIED",
        NoBankCard = "NO_BANK_CARD",
        ScoreTooLow = "SCORE_TOO_LOW",
        AccountOverdue = "ACCOUNT_OVERDUE",
        OverLimit = "OVER_LIMIT",
    }
}

codes! {
    /// Why a row has its outcome. An accepted row has no code.
    RowCode {
        // What it says is known already.
        Duplicate = "DUPLICATE",
        Conflict = "CONFLICT",

        // It can't be read.
        MissingValue = "MISSING_VALUE",
        BadText = "BAD_TEXT",
        BadKey = "BAD_KEY",
        BadEmail = "BAD_EMAIL",
        BadQuotes = "BAD_QUOTES",
        BadAmount = "BAD_AMOUNT",
        BadCurrency = "BAD_CURRENCY",
        BadNumber = "BAD_NUMBER",
        BadValue = "BAD_VALUE",
        BadTime = "BAD_TIME",
        ColumnCount = "COLUMN_COUNT",

        // It is correct, and there is nothing to record.
        SetAside = "SET_ASIDE",
        NoAmount = "NO_AMOUNT",
        /// It waited, and was corrected meanwhile.
        Corrected = "CORRECTED",

        // It doesn't fit what is known or configured.
        UnknownMerchant = "UNKNOWN_MERCHANT",
        NoPolicy = "NO_POLICY",
        NoCalendarYear = "NO_CALENDAR_YEAR",
        UnknownOrder = "UNKNOWN_ORDER",
        UnknownPayment = "UNKNOWN_PAYMENT",
        UnknownFact = "UNKNOWN_FACT",
        UnknownInstruction = "UNKNOWN_INSTRUCTION",
        UnknownMail = "UNKNOWN_MAIL",
        WrongOrder = "WRONG_ORDER",
        OrderDeclined = "ORDER_DECLINED",
        /// Also of an order: [`DeclineCode::Currency`].
        Currency = "CURRENCY",
        BeforeOrder = "BEFORE_ORDER",
        PaymentChargedBack = "PAYMENT_CHARGED_BACK",

        // The order's terms refuse it.
        RefundTooLate = "REFUND_TOO_LATE",
        RefundTooMuch = "REFUND_TOO_MUCH",
        ChargebackTooEarly = "CHARGEBACK_TOO_EARLY",
        ChargebackTooMuch = "CHARGEBACK_TOO_MUCH",
        ExtensionNotOffered = "EXTENSION_NOT_OFFERED",
        ExtensionNotNeeded = "EXTENSION_NOT_NEEDED",
        ExtensionNoEffect = "EXTENSION_NO_EFFECT",
        ExtensionLimit = "EXTENSION_LIMIT",
        ExtensionTooLong = "EXTENSION_TOO_LONG",
        ExtensionTooEarly = "EXTENSION_TOO_EARLY",
        ExtensionTooLate = "EXTENSION_TOO_LATE",
        ExtensionWrittenOff = "EXTENSION_WRITTEN_OFF",

        // It is an order, and was declined.
        NoCustomer = "NO_CUSTOMER",
        NoAgreement = "NO_AGREEMENT",
        AgreementClosed = "AGREEMENT_CLOSED",
        ScoreNotAuthorised = "SCORE_NOT_AUTHORISED",
        NotVerified = "NOT_VERIFIED",
        NoBankCard = "NO_BANK_CARD",
        ScoreTooLow = "SCORE_TOO_LOW",
        AccountOverdue = "ACCOUNT_OVERDUE",
        OverLimit = "OVER_LIMIT",
    }
}

codes! {
    /// What is to be said about a file as a whole: why it was refused or not read to its end, or what is remarkable about it.
    FileCode {
        Duplicate = "FILE_DUPLICATE",

        // It is in quarantine.
        Empty = "FILE_EMPTY",
        Encoding = "FILE_ENCODING",
        Unreadable = "FILE_UNREADABLE",
        Archive = "FILE_ARCHIVE",
        TooLarge = "FILE_TOO_LARGE",
        LineTooLong = "FILE_LINE_TOO_LONG",
        ColumnMissing = "FILE_COLUMN_MISSING",
        ColumnTwice = "FILE_COLUMN_TWICE",
        Totals = "FILE_TOTALS",
        Truncated = "FILE_TRUNCATED",

        // It was taken, or a part of it.
        Changed = "FILE_CHANGED",
        NameAgain = "FILE_NAME_AGAIN",
        RowsRejected = "ROWS_REJECTED",
        AnswersLost = "ANSWERS_LOST",
    }
}

codes! {
    /// What an exception is about. The exception about a single row or file has the code of that row or file.
    ExceptionCode {
        // Rows whose money may have moved without being recorded.
        PaymentRejected = "PAYMENT_REJECTED",
        RefundRejected = "REFUND_REJECTED",
        ChargebackRejected = "CHARGEBACK_REJECTED",
        ResultRejected = "RESULT_REJECTED",
        DatedAhead = "DATED_AHEAD",
        NotInBill = "NOT_IN_BILL",

        // Customers and orders.
        UnknownCustomer = "UNKNOWN_CUSTOMER",
        ClosedWhileOwing = "CLOSED_WHILE_OWING",
        CardUnboundWhileOwing = "CARD_UNBOUND_WHILE_OWING",
        NotFulfilled = "NOT_FULFILLED",

        // Files that are not there, or that can't be taken as files.
        FileMissing = "FILE_MISSING",
        FileGap = "FILE_GAP",
        FileRefused = "FILE_REFUSED",
        InboxUnreachable = "INBOX_UNREACHABLE",

        // Mails.
        MailRefused = "MAIL_REFUSED",
        MailDelayed = "MAIL_DELAYED",
        MailFailed = "MAIL_FAILED",
        MailUnknown = "MAIL_UNKNOWN",

        // Instructions to banks.
        DebitNoAnswer = "DEBIT_NO_ANSWER",
        PayoutNoAnswer = "PAYOUT_NO_ANSWER",
        PayoutFailed = "PAYOUT_FAILED",
        CreditOverpaid = "CREDIT_OVERPAID",

        /// A merchant was left out of the seal.
        BooksBroken = "BOOKS_BROKEN",

        | Row(RowCode),
        | File(FileCode),
    }
}

impl RowCode {
    /// Whether the row is correct but has nothing to record, so that it is declined and not rejected.
    pub fn has_nothing_to_record(self) -> bool {
        matches!(self, RowCode::SetAside | RowCode::NoAmount)
    }

    /// Whether the row was well formed, but the terms of its order refuse it.
    pub fn is_refused_by_terms(self) -> bool {
        matches!(
            self,
            RowCode::RefundTooLate
                | RowCode::RefundTooMuch
                | RowCode::ChargebackTooEarly
                | RowCode::ChargebackTooMuch
                | RowCode::ExtensionNotOffered
                | RowCode::ExtensionNotNeeded
                | RowCode::ExtensionNoEffect
                | RowCode::ExtensionLimit
                | RowCode::ExtensionTooLong
                | RowCode::ExtensionTooEarly
                | RowCode::ExtensionTooLate
                | RowCode::ExtensionWrittenOff
        )
    }
}

impl From<DeclineCode> for RowCode {
    fn from(code: DeclineCode) -> RowCode {
        match code {
            DeclineCode::Currency => RowCode::Currency,
            DeclineCode::NoCustomer => RowCode::NoCustomer,
            DeclineCode::NoAgreement => RowCode::NoAgreement,
            DeclineCode::AgreementClosed => RowCode::AgreementClosed,
            DeclineCode::ScoreNotAuthorised => RowCode::ScoreNotAuthorised,
            DeclineCode::NotVerified => RowCode::NotVerified,
            DeclineCode::NoBankCard => RowCode::NoBankCard,
            DeclineCode::ScoreTooLow => RowCode::ScoreTooLow,
            DeclineCode::AccountOverdue => RowCode::AccountOverdue,
            DeclineCode::OverLimit => RowCode::OverLimit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_what_it_was_written_for() {
        assert!(DeclineCode::all().all(|code| DeclineCode::parse(code.name()) == Some(code)));
        assert!(RowCode::all().all(|code| RowCode::parse(code.name()) == Some(code)));
        assert!(FileCode::all().all(|code| FileCode::parse(code.name()) == Some(code)));
        // No code of an exception is also the code of a row or file: the names would be confused.
        assert!(ExceptionCode::all().all(|code| ExceptionCode::parse(code.name()) == Some(code)));
        assert_eq!(ExceptionCode::parse("FILE_LOST"), None);
    }

    #[test]
    fn a_declined_orders_row_has_the_code_of_its_order() {
        assert!(DeclineCode::all().all(|code| RowCode::from(code).name() == code.name()));
    }

    #[test]
    fn codes_are_sorted_by_name_and_written_as_their_names() {
        let mut codes = [ExceptionCode::from(FileCode::Empty), ExceptionCode::BooksBroken, RowCode::Conflict.into()];
        codes.sort_unstable();
        assert_eq!(serde_json::to_string(&codes).unwrap(), r#"["BOOKS_BROKEN","CONFLICT","FILE_EMPTY"]"#);
        assert_eq!(format!("{:<10}|", FileCode::Empty), "FILE_EMPTY|");
    }
}
