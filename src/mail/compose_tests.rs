//! Tests of composing: snapshots of every mail, the same bytes each time, and no injection.

use proptest::prelude::*;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn sender(language: Language) -> Sender {
    let scheme = if language == Language::Zh { "先用后付" } else { "Use Now Pay Later" };
    Sender {
        name: scheme.into(),
        address: "reminders@paylater.example".into(),
        reply_to: Some("help@paylater.example".into()),
        scheme_name: scheme.into(),
        contact: Some("help@paylater.example".into()),
    }
}

fn line(template: Template, language: Language) -> Line {
    let (merchant_name, item) = match language {
        Language::Zh => ("茶里小铺", "普洱茶饼 2019 357g × 2"),
        Language::En => ("Tea Corner", "Pu'er tea cake 2019, 357 g × 2"),
    };
    let (due_on, days_past_due, fee_minor, flag_on) = match template {
        Template::Upcoming => ("2026-03-12", 0, 0, None),
        Template::DueToday => ("2026-03-09", 0, 0, None),
        Template::Overdue => ("2026-03-08", 1, 0, None),
        Template::Notice => ("2026-03-02", 7, 120, Some(day("2026-03-14"))),
    };
    Line {
        template,
        merchant_name: merchant_name.into(),
        order_id: "T-0301-02".into(),
        item: Some(item.into()),
        currency: Currency::parse("CNY").unwrap(),
        outstanding_minor: 12_990,
        fee_minor,
        due_on: day(due_on),
        days_past_due,
        flag_on,
        fee_grows_on: Some(day("2026-03-12")),
        record_at_stake: true,
        debited: None,
    }
}

fn letter(template: Template, language: Language) -> Letter {
    Letter {
        message_id: "20260309-000012@paylater.example".into(),
        to_name: if language == Language::Zh { "周若曦".into() } else { "Siobhan O'Brien".into() },
        to_address: "someone@example.org".into(),
        language,
        template,
        business_date: day("2026-03-09"),
        sent_at: "2026-03-09T01:00:00Z".parse().unwrap(),
        lines: vec![line(template, language)],
    }
}

/// A notice with lines of every other kind, two merchants, two currencies, and an order without an item.
fn long_letter(language: Language) -> Letter {
    let mut letter = letter(Template::Notice, language);
    let of = |template, order_id: &str| Line { order_id: order_id.into(), ..line(template, language) };
    letter.lines.extend([
        Line { flag_on: Some(day("2026-03-15")), item: None, ..of(Template::Notice, "T-0302-07") },
        Line { merchant_name: "=1+1".into(), item: Some("<b>\"A & B\"</b>".into()), ..of(Template::Overdue, "G-7") },
        Line { currency: Currency::parse("JPY").unwrap(), ..of(Template::DueToday, "B-1") },
        of(Template::Upcoming, "T-0305-01"),
    ]);
    letter
}

fn composed(letter: &Letter) -> Mail {
    compose(letter, &sender(letter.language), &Templates::load(None).unwrap()).unwrap()
}

pub fn mail_to(name: &str, address: &str) -> Mail {
    let letter = Letter { to_name: name.into(), to_address: address.into(), ..letter(Template::Overdue, Language::En) };
    composed(&letter)
}

/// The headers of a message, with folded lines joined.
fn headers(mail: &Mail) -> Vec<String> {
    let text = String::from_utf8(mail.bytes()).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    head.split("\r\n").map(str::to_owned).collect()
}

#[test]
fn each_letter_in_each_language() {
    for language in [Language::Zh, Language::En] {
        for template in Template::ALL {
            let mail = composed(&letter(template, language));
            let name = format!("{}.{}", template.name(), language.code());
            insta::assert_snapshot!(name, format!("{}\n\n{}", mail.subject, mail.text));
        }
        let mail = composed(&long_letter(language));
        insta::assert_snapshot!(format!("several.{}", language.code()), format!("{}\n\n{}", mail.subject, mail.text));
        insta::assert_snapshot!(format!("several_html.{}", language.code()), mail.html);
    }
}

#[test]
fn the_message_around_the_words() {
    let mail = composed(&letter(Template::DueToday, Language::En));
    insta::assert_snapshot!(String::from_utf8(mail.bytes()).unwrap().replace("\r\n", "\n"));
}

#[test]
fn the_same_letter_gives_the_same_bytes() {
    for language in [Language::Zh, Language::En] {
        let letter = long_letter(language);
        assert_eq!(composed(&letter).bytes(), composed(&letter).bytes());
    }
}

#[test]
fn the_language_is_the_locales() {
    for (locale, language) in [
        ("zh-CN", Language::Zh),
        ("zh", Language::Zh),
        ("ZH_tw", Language::Zh),
        ("en", Language::En),
        ("", Language::En),
        ("中", Language::En),
    ] {
        assert_eq!(Language::of(locale), language, "{locale}");
    }
}

#[test]
fn a_bad_letter_is_refused_without_naming_the_customer() {
    let good = || letter(Template::Notice, Language::En);
    for address in
        ["", "nobody", "a b@example.org", "a@example.org\r\nBcc: b@example.org", "\"a\nb\"@example.org", "a@"]
    {
        let error = compose(
            &Letter { to_address: address.into(), ..good() },
            &sender(Language::En),
            &Templates::load(None).unwrap(),
        );
        assert_eq!(error.unwrap_err(), ComposeError::Address, "{address:?}");
    }
    for id in ["", "x", "@x", "x@", "a b@x", "../x@y", "a/b@x", "a@b@c", ".a@x", "a@x\r\n"] {
        let error = compose(
            &Letter { message_id: id.into(), ..good() },
            &sender(Language::En),
            &Templates::load(None).unwrap(),
        );
        assert_eq!(error.unwrap_err(), ComposeError::MessageId(id.into()));
    }
    let templates = Templates::load(None).unwrap();
    let error = compose(&Letter { lines: vec![], ..good() }, &sender(Language::En), &templates).unwrap_err();
    assert_eq!(error, ComposeError::NoLine(Template::Notice));
    let lines = vec![Line { flag_on: None, ..line(Template::Notice, Language::En) }];
    let error = compose(&Letter { lines, ..good() }, &sender(Language::En), &templates).unwrap_err();
    assert_eq!(error, ComposeError::NoFlagDay("T-0301-02".into()));
    let error =
        compose(&good(), &Sender { reply_to: Some("x".into()), ..sender(Language::En) }, &templates).unwrap_err();
    assert_eq!(error, ComposeError::Sender("x".into()));
    assert!(!format!("{:?}", good()).contains("Siobhan"));
}

#[test]
fn a_name_that_is_empty_when_cleaned_is_left_out() {
    for name in ["", " \r\n\0 ", "\u{202e}\u{2066}"] {
        let mail = mail_to(name, "a@example.org");
        assert!(headers(&mail).contains(&"To: a@example.org".to_owned()), "{name:?}");
        assert!(mail.text.starts_with("Hello,\n"), "{name:?}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let long = "长".repeat(300);
    for text in [
        "A\r\nBcc: evil@example.org",
        "A\0B",
        "\"quoted\" \\ <evil@example.org>, b@c",
        "🐱👩‍👩‍👧 😀",
        "مرحبا \u{202e}gpj.exe",
        "</td><script>alert(1)</script>",
        "{{ scheme }}{% raw %}",
        "=_20260309-000012-paylater-example--",
        long.as_str(),
    ] {
        check_hostile(text);
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_makes_a_header(text in "\\PC*|(?s).{0,80}") {
        check_hostile(&text);
    }
}

fn check_hostile(text: &str) {
    let mut letter = letter(Template::Overdue, Language::En);
    letter.to_name = text.into();
    letter.lines[0].merchant_name = text.into();
    letter.lines[0].item = Some(text.into());
    letter.lines[0].order_id = text.into();
    thread_local!(static TEMPLATES: Templates = Templates::load(None).unwrap());
    let mail = TEMPLATES.with(|templates| compose(&letter, &sender(Language::En), templates)).unwrap();
    let names: Vec<String> = headers(&mail).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    let expected =
        ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "Reply-To", "MIME-Version", "Content-Type"];
    assert_eq!(names, expected, "{text:?}");
    assert!(mail.subject.chars().count() <= LONGEST_SUBJECT);
    assert!(!mail.html.contains("<script>"));
    assert!(!mail.text.contains('\u{202e}'));
    let message = String::from_utf8(mail.bytes()).unwrap();
    assert_eq!(message.matches("--=_20260309-000012-paylater-example").count(), 3, "{text:?}");
    assert!(message.is_ascii());
}

/// Writes the HTML and message of every mail to a folder for viewing: `MAIL_PREVIEW=folder cargo test preview`.
#[test]
fn preview() {
    let Some(folder) = std::env::var_os("MAIL_PREVIEW") else { return };
    let folder = std::path::PathBuf::from(folder);
    for language in [Language::Zh, Language::En] {
        let letters = Template::ALL.map(|template| (template.name(), letter(template, language)));
        for (name, letter) in letters.into_iter().chain([("several", long_letter(language))]) {
            let mail = composed(&letter);
            std::fs::write(folder.join(format!("{name}.{}.html", language.code())), &mail.html).unwrap();
            std::fs::write(folder.join(format!("{name}.{}.eml", language.code())), mail.bytes()).unwrap();
        }
    }
}
