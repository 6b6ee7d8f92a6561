//! What a scheme and its merchants have their mails say beyond the amounts: how to pay, whom to ask, and who writes. Each is
//! set for a language. What is not set is left out of mails.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::language_tag::{LanguageTag, closest};

/// The letterhead of a scheme or a merchant in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letterhead {
    pub name: Option<String>,
    /// How to pay.
    pub pay: Option<Way>,
    /// How to ask for more time.
    pub extend: Option<Way>,
    /// How to give goods back.
    pub give_back: Option<Way>,
    /// How to stop mails that may be stopped.
    pub unsubscribe: Option<Way>,
    /// Whom to ask, in one line.
    pub contact: Option<String>,
    /// Legal name and address.
    pub legal: Option<String>,
    /// The body that hears complaints.
    pub complaints: Option<String>,
}

/// Letterheads by language tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letterheads(pub BTreeMap<String, Letterhead>);

impl Letterheads {
    /// Returns the letterhead in a language. What it lacks comes from `others`, in the same language or the closest one.
    pub fn of(&self, tag: &LanguageTag, others: Option<&Letterheads>) -> Letterhead {
        let own = closest(&self.0, tag).cloned().unwrap_or_default();
        let other = others.and_then(|others| closest(&others.0, tag)).cloned().unwrap_or_default();
        Letterhead {
            // The name is not handed down: a merchant's is not the scheme's.
            name: own.name,
            pay: own.pay.or(other.pay),
            extend: own.extend.or(other.extend),
            give_back: own.give_back.or(other.give_back),
            unsubscribe: own.unsubscribe.or(other.unsubscribe),
            contact: own.contact.or(other.contact),
            legal: own.legal.or(other.legal),
            complaints: own.complaints.or(other.complaints),
        }
    }

    /// The hosts of all links.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.0.values().flat_map(|head| {
            let ways = [&head.pay, &head.extend, &head.give_back, &head.unsubscribe];
            ways.into_iter().flatten().filter_map(Way::host)
        })
    }
}

/// A way to do something: a link, or words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    Link { host: String, pattern: Pattern },
    Words(Pattern),
}

/// A text with places to fill in, such as `{order}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

/// What can be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Merchant,
    Order,
    Instalment,
    Amount,
    Currency,
    Reference,
    Language,
    /// The Message-ID.
    Mail,
}

impl Place {
    pub const ALL: [Place; 8] = [
        Place::Merchant,
        Place::Order,
        Place::Instalment,
        Place::Amount,
        Place::Currency,
        Place::Reference,
        Place::Language,
        Place::Mail,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Place::Merchant => "merchant",
            Place::Order => "order",
            Place::Instalment => "instalment",
            Place::Amount => "amount",
            Place::Currency => "currency",
            Place::Reference => "reference",
            Place::Language => "language",
            Place::Mail => "mail",
        }
    }
}

/// Why a text cannot be a way to do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WayError {
    #[error("{{{0}}} is nothing that can be filled in; write one of {places}", places = places())]
    Place(String),
    #[error("a {{ without its }}")]
    Unclosed,
    #[error("links begin with https://, so that nobody on the way can read or change what they lead to")]
    NotHttps,
    #[error("the link has no host, or its host is not written out")]
    Host,
    #[error("a line break or another control character")]
    Control,
}

fn places() -> String {
    Place::ALL.map(|place| format!("{{{}}}", place.name())).join(", ")
}

impl Way {
    /// Parses a way: a link if it begins with `https://`, else words.
    pub fn parse(text: &str) -> Result<Way, WayError> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(WayError::Control);
        }
        let pattern = Pattern::parse(text)?;
        let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if begins("http://") {
            return Err(WayError::NotHttps);
        }
        if !begins("https://") {
            return Ok(Way::Words(pattern));
        }
        let rest = &text["https://".len()..];
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_host = !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'))
            && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\'));
        if !is_host {
            return Err(WayError::Host);
        }
        Ok(Way::Link { host: host.to_ascii_lowercase(), pattern })
    }

    /// Whether it has a signed reference.
    pub fn is_signed(&self) -> bool {
        let (Way::Link { pattern, .. } | Way::Words(pattern)) = self;
        pattern.has(Place::Reference)
    }

    pub fn host(&self) -> Option<&str> {
        match self {
            Way::Link { host, .. } => Some(host),
            Way::Words(_) => None,
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, WayError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, left) = after.split_once('}').ok_or(WayError::Unclosed)?;
            let place = Place::ALL.into_iter().find(|place| place.name() == name);
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place(place.ok_or_else(|| WayError::Place(name.to_owned()))?));
            rest = left;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Pattern(parts))
    }

    /// Fills in the places.
    pub fn filled(&self, value: impl Fn(Place) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(place) => value(*place),
        });
        parts.collect()
    }

    fn has(&self, place: Place) -> bool {
        self.0.contains(&Part::Place(place))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.filled(|place| format!("{{{}}}", place.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language_tag::language_tag;

    #[test]
    fn a_way_is_a_link_or_words() {
        let filled = |text: &str| match Way::parse(text) {
            Ok(Way::Link { host, pattern }) => {
                format!("{host} {}", pattern.filled(|place| place.name().to_uppercase()))
            }
            Ok(Way::Words(pattern)) => pattern.filled(|place| place.name().to_uppercase()),
            Err(why) => why.to_string(),
        };
        for (text, expected) in [
            ("https://Pay.example/o/{order}?a={amount}", "pay.example https://Pay.example/o/ORDER?a=AMOUNT"),
            ("https://pay.example", "pay.example https://pay.example"),
            ("In the app, under {order}.", "In the app, under ORDER."),
            (
                "http://pay.example",
                "links begin with https://, so that nobody on the way can read or change what they lead to",
            ),
            ("https://{order}.example/", "the link has no host, or its host is not written out"),
            ("https:///x", "the link has no host, or its host is not written out"),
            ("https://user@pay.example/", "the link has no host, or its host is not written out"),
            ("https://pay.example/a b", "the link has no host, or its host is not written out"),
            ("Pay {order", "a { without its }"),
            (
                "{name}",
                "{name} is nothing that can be filled in; write one of {merchant}, {order}, {instalment}, {amount}, {currency}, {reference}, {language}, {mail}",
            ),
            ("a\r\nb", "a line break or another control character"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn a_merchants_letterhead_comes_before_the_schemes() {
        let words = |text: &str| Some(Way::parse(text).unwrap());
        let head = |name: Option<&str>, pay, contact: Option<&str>| Letterhead {
            name: name.map(str::to_owned),
            pay,
            contact: contact.map(str::to_owned),
            ..Letterhead::default()
        };
        let scheme = Letterheads([("en".to_owned(), head(Some("Later"), words("app"), Some("us")))].into());
        let merchant = Letterheads([("en-GB".to_owned(), head(None, words("shop"), None))].into());
        let british = merchant.of(&language_tag("en-GB"), Some(&scheme));
        assert_eq!(british, head(None, words("shop"), Some("us")));
        assert_eq!(merchant.of(&language_tag("en-US"), Some(&scheme)), head(None, words("app"), Some("us")));
        assert_eq!(merchant.of(&language_tag("de"), Some(&scheme)), Letterhead::default());
    }
}
