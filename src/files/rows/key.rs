//! The characters of an identifier: visible ones only, so that two different identifiers do not look the same. Letters of
//! different alphabets that look alike are not checked.

use unicode_normalization::is_nfc;

/// Why a text is not a valid identifier, and what to write instead.
pub fn wrong(text: &str) -> Option<String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return None;
    }
    if let Some(hidden) = text.chars().find(|c| !is_seen(*c)) {
        let code = u32::from(hidden);
        return Some(format!("has the invisible or ambiguous character U+{code:04X}; remove it"));
    }
    let composed = "has letters and accents as separate characters; write it in Unicode's composed form (NFC)";
    (!is_nfc(text)).then(|| composed.to_owned())
}

/// Whether a character is visible and distinguishable in a line of text.
pub fn is_seen(c: char) -> bool {
    let is_blank = c.is_whitespace() && c != ' ';
    !c.is_control()
        && !is_blank
        && !turns_text(c)
        && !matches!(c,
        // Soft hyphen, joiners, fillers and other zero-width characters.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
        // The replacement character, and private-use characters, which fonts show differently or not at all.
        | '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Characters that change the direction of the text after them.
pub fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_visible_characters_only() {
        for good in ["T-0305-02", "订单１", "Ä1", "a b", "=T3", "+8613800000001", "'x", "№7", "Заказ-1", "🍵1"]
        {
            assert_eq!(wrong(good), None, "{good}");
        }
        for (bad, code) in [
            ("A\u{200b}1", "U+200B"),
            ("A1\u{a0}", "U+00A0"),
            ("A\u{3000}1", "U+3000"),
            ("A\u{ad}1", "U+00AD"),
            ("\u{feff}A1", "U+FEFF"),
            ("A\u{202e}1", "U+202E"),
            ("A1\u{200f}", "U+200F"),
            ("A\t1", "U+0009"),
            ("A\u{7}1", "U+0007"),
            ("A\n1", "U+000A"),
            ("A\u{85}1", "U+0085"),
            ("A\u{2028}1", "U+2028"),
            ("A\u{3164}", "U+3164"),
            ("A\u{fe0f}", "U+FE0F"),
            ("A\u{e0041}", "U+E0041"),
            ("A\u{fffd}", "U+FFFD"),
            ("A\u{e000}", "U+E000"),
        ] {
            assert!(wrong(bad).is_some_and(|why| why.contains(code)), "{bad:?}: {:?}", wrong(bad));
        }
        assert!(wrong("A\u{308}1").is_some_and(|why| why.contains("composed form")));
    }
}
