//! Languages by their tags (BCP 47), such as `zh`, `zh-Hant` or `de-AT`.

use std::collections::BTreeMap;

use icu_locale_core::LanguageIdentifier;

/// The language of a customer, a template or a text.
pub type LanguageTag = LanguageIdentifier;

/// Parses a tag in any case, with `-` or `_`. Anything else is no language in particular.
pub fn language_tag(text: &str) -> LanguageTag {
    text.trim().replace('_', "-").parse().unwrap_or(LanguageTag::UNKNOWN)
}

/// The tags to look for in place of one, the closest first: `zh-Hant-TW`, `zh-Hant`, `zh-TW`, `zh` (RFC 4647, section 3.4, and
/// without the script too, since customers' tags often lack it).
pub fn fallbacks(tag: &LanguageTag) -> Vec<LanguageTag> {
    let of = |script: bool, region: bool| LanguageTag {
        script: tag.script.filter(|_| script),
        region: tag.region.filter(|_| region),
        ..LanguageTag::from(tag.language)
    };
    let mut found = vec![tag.clone(), of(true, true), of(true, false), of(false, true), of(false, false)];
    found.dedup();
    found
}

/// Finds what there is in a language or, failing that, in the closest one.
pub fn closest<'m, T>(in_languages: &'m BTreeMap<String, T>, tag: &LanguageTag) -> Option<&'m T> {
    fallbacks(tag).iter().find_map(|tag| in_languages.get(&tag.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_language_is_found() {
        let known: BTreeMap<String, &str> =
            [("zh", "Chinese"), ("zh-Hant", "traditional"), ("en", "English"), ("de-AT", "Austrian")]
                .map(|(tag, name)| (tag.to_owned(), name))
                .into();
        for (tag, expected) in [
            ("zh-CN", Some("Chinese")),
            ("ZH_tw", Some("Chinese")),
            ("zh-Hant-TW", Some("traditional")),
            ("zh-hant", Some("traditional")),
            ("zh-Hans-CN", Some("Chinese")),
            ("en-GB-oxendict", Some("English")),
            ("de-AT", Some("Austrian")),
            ("de-Latn-AT", Some("Austrian")),
            ("de", None),
            ("", None),
            ("中", None),
            ("x", None),
        ] {
            assert_eq!(closest(&known, &language_tag(tag)).copied(), expected, "{tag}");
        }
    }
}
