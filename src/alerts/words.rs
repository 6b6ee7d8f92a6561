//! Alerts in words, for mails and chats. They name codes, jobs and files, never a customer.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::store::alerts::Note;
use crate::views::status_check::TroubleCode;

/// The most notes in a message; the number of the others is said.
const MOST: usize = 40;

/// The longest message of an alert.
const LONGEST: usize = 1_000;

/// A subject, such as `My scheme: JOB_FAILED close_day`.
pub fn subject(scheme: &str, notes: &[Note]) -> String {
    let over = notes.iter().filter(|note| note.is_over).count();
    match (notes, notes.len() - over) {
        ([note], _) => format!("{scheme}: {}", title(note)),
        (_, 0) => format!("{scheme}: {over} alerts are over"),
        (_, 1) if over > 0 => format!("{scheme}: 1 alert, {over} over"),
        (_, began) if over > 0 => format!("{scheme}: {began} alerts, {over} over"),
        (_, began) => format!("{scheme}: {began} alerts"),
    }
}

fn title(note: &Note) -> String {
    let over = if note.is_over { "over: " } else { "" };
    format!("{over}{} {}", note.code, note.about).trim_end().to_owned()
}

/// Every note with what to do.
pub fn text(notes: &[Note], zone: Tz) -> String {
    let mut parts: Vec<String> = notes.iter().take(MOST).map(|note| paragraph(note, zone)).collect();
    if notes.len() > MOST {
        parts.push(format!("… and {} more.", notes.len() - MOST));
    }
    parts.push("`paylater status --check` says what is wrong now; the runbook has more.".to_owned());
    parts.join("\n\n")
}

fn paragraph(note: &Note, zone: Tz) -> String {
    let at = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let when = match note.over_at.filter(|_| note.is_over) {
        Some(over) => format!("from {} to {}", at(note.began_at), at(over)),
        None => format!("since {}", at(note.began_at)),
    };
    let mut lines = vec![format!("{}, {when}", title(note)), message(note)];
    if !note.is_over
        && let Some(remedy) = remedy(note)
    {
        lines.push(format!("What to do: {remedy}"));
    }
    lines.join("\n")
}

/// The message, cut if it is very long.
pub fn message(note: &Note) -> String {
    if note.message.chars().count() <= LONGEST {
        return note.message.clone();
    }
    note.message.chars().take(LONGEST).chain(['…']).collect()
}

pub fn remedy(note: &Note) -> Option<&'static str> {
    TroubleCode::parse(&note.code).map(TroubleCode::remedy)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn note(code: &str, about: &str, is_over: bool) -> Note {
        let at = |text: &str| text.parse().unwrap();
        Note {
            note_no: 7,
            alert_no: 3,
            is_over,
            code: code.to_owned(),
            about: about.to_owned(),
            message: format!("{about} went wrong"),
            began_at: at("2026-03-01T16:31:00Z"),
            over_at: is_over.then(|| at("2026-03-01T17:00:00Z")),
        }
    }

    #[test]
    fn subjects() {
        let (began, over) = (note("BEHIND", "", false), note("JOB_FAILED", "close_day", true));
        for (notes, expected) in [
            (vec![began.clone()], "Tea: BEHIND"),
            (vec![over.clone()], "Tea: over: JOB_FAILED close_day"),
            (vec![began.clone(), began.clone()], "Tea: 2 alerts"),
            (vec![began.clone(), over.clone()], "Tea: 1 alert, 1 over"),
            (vec![over.clone(), over.clone()], "Tea: 2 alerts are over"),
        ] {
            assert_eq!(subject("Tea", &notes), expected);
        }
    }

    #[test]
    fn a_text_says_what_happened_and_what_to_do() {
        let notes = [note("FILE_OVERDUE", "payments 2026-03-01", false), note("JOB_FAILED", "close_day", true)];
        insta::assert_snapshot!(text(&notes, chrono_tz::Asia::Shanghai));
        let many = vec![notes[0].clone(); MOST + 2];
        assert!(text(&many, chrono_tz::UTC).contains("… and 2 more."));
    }
}
