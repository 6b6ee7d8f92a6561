//! Cleans what comes from files before it reaches a header or a template: names, items and reasons cannot end a line, start a
//! header, change the direction of the text around them, or lead anywhere.

/// Longer names and items are shortened in mails: readers need to recognise them, not to see them in full.
pub(super) const LONGEST_NAME: usize = 60;
pub(super) const LONGEST_ITEM: usize = 120;
/// Makes one line of at most `longest` characters: without control characters (a line break in a display name would start a
/// header), characters that change the direction of writing, and links.
pub fn cleaned(text: &str, longest: usize) -> String {
    let text: String = text.chars().filter(|c| !turns_direction(*c)).collect();
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || breaks_line(c))
        .filter(|word| !word.is_empty())
        .map(|word| if is_link(word) { "…" } else { word })
        .collect();
    let text = words.join(" ");
    if text.chars().count() <= longest {
        return text;
    }
    let mut cut: String = text.chars().take(longest - 1).collect();
    cut.truncate(cut.trim_end().len());
    cut + "…"
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether programs would make a link of a word. A link in a mail must come from the configuration.
fn is_link(word: &str) -> bool {
    let word = word.to_lowercase();
    word.contains("://") || word.contains("www.") || word.contains("mailto:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_turns_or_leads_away_is_taken_out() {
        for (text, expected) in [
            ("A\r\nBcc: b@c", "A Bcc: b@c"),
            ("a\0b\u{85}c\u{2028}d", "a b c d"),
            ("x\u{202e}gpj.exe\u{2069}\u{061c}", "xgpj.exe"),
            ("tea, see https://evil.example/x now", "tea, see … now"),
            ("(WWW.evil.example)", "…"),
            ("  ", ""),
            ("12345678901", "123456789…"),
        ] {
            assert_eq!(cleaned(text, 10.max(expected.chars().count())), expected, "{text:?}");
        }
    }
}
