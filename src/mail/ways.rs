//! Fills in how to pay, to ask for time and to give goods back.

use super::cleaned::cleaned;
use super::formats::Formats;
use super::letter::{Line, Sender};
use super::reference::Payable;
use super::view::WayView;
use crate::domain::language_tag::LanguageTag;
use crate::domain::terms::letterhead::{Place, Way};

const LONGEST: usize = 500;

/// Fills in a way for a line. In links, every value is percent-encoded.
pub(super) fn filled(
    way: &Way,
    (line, message_id): (&Line, &str),
    sender: &Sender,
    formats: &Formats,
    tag: &LanguageTag,
) -> WayView {
    let minor = line.outstanding_minor.saturating_add(line.fee_minor);
    let value = |place: Place| match place {
        Place::Merchant => line.merchant_id.clone(),
        Place::Order => line.order_id.clone(),
        Place::Instalment => line.instalment.to_string(),
        Place::Amount => line.currency.plain(minor),
        Place::Currency => line.currency.code().to_owned(),
        Place::Language => tag.to_string(),
        Place::Mail => message_id.to_owned(),
        Place::Reference => {
            let Line { merchant_id, order_id, instalment, currency, .. } = line;
            let payable = Payable { merchant_id, order_id, instalment: *instalment, minor, currency: *currency };
            sender.reference_key.as_ref().map(|key| key.sign(payable)).unwrap_or_default()
        }
    };
    match way {
        Way::Link { pattern, .. } => {
            let link = pattern.filled(|place| percent_encoded(&value(place)));
            WayView { link: Some(link), ..WayView::default() }
        }
        Way::Words(pattern) => {
            let words = pattern.filled(|place| match place {
                Place::Amount => formats.money(line.currency, minor),
                place => value(place),
            });
            WayView { words: Some(cleaned(&words, LONGEST)), ..WayView::default() }
        }
    }
}

/// Fills in a way that is about the mail and not about an order.
pub(super) fn about_mail(way: &Way, message_id: &str, sender: &Sender, tag: &LanguageTag) -> WayView {
    let value = |place: Place| match place {
        Place::Language => tag.to_string(),
        Place::Mail => message_id.to_owned(),
        Place::Reference => sender.reference_key.as_ref().map(|key| key.sign_mail(message_id)).unwrap_or_default(),
        Place::Merchant | Place::Order | Place::Instalment | Place::Amount | Place::Currency => String::new(),
    };
    match way {
        Way::Link { pattern, .. } => {
            let link = pattern.filled(|place| percent_encoded(&value(place)));
            WayView { link: Some(link), ..WayView::default() }
        }
        Way::Words(pattern) => WayView { words: Some(cleaned(&pattern.filled(value), LONGEST)), ..WayView::default() },
    }
}

/// Moves a way that is the same for all lines it is about from the lines to the letter. Returns it, and whether lines keep ways
/// of their own.
pub(super) fn shared<'l>(ways: impl Iterator<Item = &'l mut WayView>) -> (WayView, bool) {
    let mut ways: Vec<&mut WayView> = ways.collect();
    let Some(first) = ways.first().map(|way| (**way).clone()) else { return (WayView::default(), false) };
    if !ways.iter().all(|way| **way == first) {
        return (WayView::default(), true);
    }
    for way in &mut ways {
        **way = WayView::default();
    }
    (first, false)
}

/// Encodes all but the unreserved characters of RFC 3986.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The first link in an HTML text that leads to a host which is not among these. Links are `https:` or, to the mail's own images,
/// `cid:`. What people wrote is escaped, so that it has no tags.
pub(super) fn stray_link(html: &str, is_host: impl Fn(&str) -> bool) -> Option<String> {
    let tags = html.split('<').skip(1).filter(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic()));
    let leading = tags.flat_map(attributes).filter(|(name, _)| LEADING.contains(&name.as_str()));
    leading.map(|(_, link)| link).find(|link| {
        // Escaped text has its slashes written like this; what else is written so makes no host of the configuration.
        let link = link.to_ascii_lowercase().replace("&#x2f;", "/");
        let host = link.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        !link.starts_with("cid:") && !host.is_some_and(&is_host)
    })
}

/// The attributes that lead to another place.
const LEADING: [&str; 7] = ["href", "src", "action", "background", "formaction", "poster", "srcset"];

/// The attributes of a tag, from the text after its `<`.
fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = tag.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/')).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        if name.is_empty() {
            return found;
        }
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix('=').map(str::trim_start) else { continue };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len())),
        };
        found.push((name, value.trim().to_owned()));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_configured_hosts_only() {
        let is_host = |host: &str| host == "pay.example";
        for (html, stray) in [
            ("<a href=\"https://pay.example/x\">", None),
            ("<img src='cid:logo'><a href=\"https://pay.example\">", None),
            ("<a href=\"https:&#x2f;&#x2f;pay.example&#x2f;x?a=1&amp;b=2\">", None),
            (
                "<a href=\"https:&#x2f;&#x2f;pay.example&#46;evil&#x2f;x\">",
                Some("https:&#x2f;&#x2f;pay.example&#46;evil&#x2f;x"),
            ),
            ("<a href=\"https://pay.example.evil/\">", Some("https://pay.example.evil/")),
            ("<a href=\"https://pay.example@evil/\">", Some("https://pay.example@evil/")),
            ("<A HREF=http://pay.example/>", Some("http://pay.example/")),
            ("<a href=\"https://pay.example\"><img src=\"//evil/x\">", Some("//evil/x")),
            ("<a href=\"javascript:1\">", Some("javascript:1")),
            ("<img alt='x' src=evil>", Some("evil")),
            ("<a href=\"https://pay.example/?src=mail\" title=\"href='x'\">", None),
            ("&lt;img src=&quot;http://evil&quot;> src=x", None),
        ] {
            assert_eq!(stray_link(html, is_host).as_deref(), stray, "{html}");
        }
    }

    #[test]
    fn values_in_links_are_encoded() {
        assert_eq!(percent_encoded("B-0309-/08 茶&a=1"), "B-0309-%2F08%20%E8%8C%B6%26a%3D1");
    }
}
