//! Tests of composing: snapshots of every mail, the same bytes each time, and no injection.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use proptest::prelude::*;

use super::*;
use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::language_tag;
use crate::domain::money::Currency;
use crate::domain::terms::letterhead::{Letterhead, Letterheads, Way};
use crate::mail::letter::{Debited, Line, MerchantSender, News, NextFee};
use crate::mail::reference::ReferenceKey;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn words(text: &str) -> Option<Way> {
    Some(Way::parse(text).unwrap())
}

fn sender() -> Sender {
    let merchant = MerchantSender {
        name: "Tea Corner".into(),
        name_zh: Some("茶里小铺".into()),
        letterheads: Letterheads::default(),
    };
    let odd = MerchantSender { name: "=1+1".into(), ..MerchantSender::default() };
    Sender {
        name: "Use Now Pay Later".into(),
        address: "reminders@paylater.example".into(),
        reply_to: Some("help@paylater.example".into()),
        scheme_name: "Use Now Pay Later".into(),
        letterheads: Letterheads::default(),
        merchants: [("TEA".to_owned(), merchant), ("ODD".to_owned(), odd)].into(),
        hosts: BTreeSet::new(),
        reference_key: None,
        pay_qr: false,
        unsubscribe_mailto: None,
        unsubscribe_one_click: false,
        accent: [0x1d, 0x4e, 0xd8],
        logo: None,
    }
}

/// A sender who has set everything that can be set.
fn full_sender() -> Sender {
    let english = Letterhead {
        name: Some("Later".into()),
        pay: words("https://pay.example/{merchant}/{order}?amount={amount}&currency={currency}&ref={reference}"),
        extend: words("https://pay.example/more-time/{order}"),
        give_back: words("To return goods, answer this mail and name order {order}."),
        unsubscribe: words("https://pay.example/stop?lang={language}&mail={mail}&ref={reference}"),
        contact: Some("help@paylater.example, 0800 1 (free)".into()),
        legal: Some("Later Ltd, 1 High Street, London".into()),
        complaints: Some("Financial Ombudsman, Exchange Tower, London".into()),
    };
    let chinese = Letterhead {
        name: Some("先用后付".into()),
        give_back: words("需要退货，请在小程序“我的订单”中选择 {order}。"),
        contact: Some("客服 95188".into()),
        legal: Some("先用后付（杭州）有限公司，杭州市西湖区 1 号".into()),
        complaints: Some("12378 金融消费者投诉热线".into()),
        ..english.clone()
    };
    let logo = crate::mail::qr::png("logo").unwrap();
    Sender {
        letterheads: Letterheads([("en".to_owned(), english), ("zh".to_owned(), chinese)].into()),
        hosts: ["pay.example".to_owned()].into(),
        reference_key: Some(ReferenceKey::new(&"k".repeat(32))),
        pay_qr: true,
        unsubscribe_mailto: Some("stop@paylater.example".into()),
        unsubscribe_one_click: true,
        logo: Some(logo),
        ..sender()
    }
}

fn templates() -> Templates {
    Templates::load(None, &language_tag("en"), &BTreeSet::new()).unwrap()
}

fn line(template: Template, language: &str) -> Line {
    let item = if language == "zh" { "普洱茶饼 2019 357g × 2" } else { "Pu'er tea cake 2019, 357 g × 2" };
    let (due_on, days_past_due, fee_minor, flag_on) = match template {
        Template::Upcoming | Template::DebitAnnounced => ("2026-03-12", 0, 0, None),
        Template::DueToday => ("2026-03-09", 0, 0, None),
        Template::Overdue => ("2026-03-08", 1, 0, None),
        _ => ("2026-03-02", 7, 120, Some(day("2026-03-14"))),
    };
    Line {
        template,
        merchant_id: "TEA".into(),
        order_id: "T-0301-02".into(),
        item: Some(item.into()),
        currency: Currency::parse("CNY").unwrap(),
        instalment: 1,
        instalments: 1,
        order_minor: 12_990,
        paid_minor: 0,
        refunded_minor: 0,
        outstanding_minor: 12_990,
        fee_minor,
        due_on: day(due_on),
        days_past_due,
        flag_on,
        next_fee: Some(NextFee { unless_paid_by: day("2026-03-12"), until: None, minor: Some(65) }),
        record_at_stake: true,
        debited: None,
        may_extend: true,
        may_give_back: true,
    }
}

fn letter(template: Template, language: &str) -> Letter {
    Letter {
        message_id: "20260309-000012@paylater.example".into(),
        to_name: if language == "zh" { "周若曦".into() } else { "Siobhan O'Brien".into() },
        to_address: "someone@example.org".into(),
        language: language_tag(language),
        template,
        wording: None,
        business_date: day("2026-03-09"),
        sent_at: "2026-03-09T01:00:00Z".parse().unwrap(),
        lines: if template.asks() { vec![line(template, language)] } else { Vec::new() },
        news: if template.asks() { Vec::new() } else { vec![happened(template, language)] },
    }
}

/// Something that happened to an order of which two amounts are left.
fn happened(template: Template, language: &str) -> News {
    let item = if language == "zh" { "台灯" } else { "Desk lamp" };
    let minor = match template {
        Template::ExtensionAgreed | Template::HoldBegun | Template::HoldEnded | Template::ReportWithdrawn => None,
        _ => Some(4_950),
    };
    let until = matches!(template, Template::HoldBegun | Template::DebitFailed).then(|| day("2026-03-20"));
    News {
        template,
        merchant_id: "TEA".into(),
        order_id: "T-0301-09".into(),
        item: Some(item.into()),
        currency: Currency::parse("CNY").unwrap(),
        instalment: i64::from(template == Template::FeeCharged),
        instalments: 2,
        day: day("2026-03-08"),
        minor,
        until,
        dues: vec![(Some(day("2026-03-22")), 4_950), (None, 4_950)],
        settled: false,
    }
}

/// A notice with lines of every other kind, two merchants, two currencies, an order without an item, and debits.
fn long_letter(language: &str) -> Letter {
    let mut letter = letter(Template::Notice, language);
    let of = |template, order_id: &str| Line { order_id: order_id.into(), ..line(template, language) };
    let until = NaiveTime::from_hms_opt(20, 0, 0);
    letter.lines.extend([
        Line { flag_on: Some(day("2026-03-15")), item: None, ..of(Template::Notice, "T-0302-07") },
        Line { merchant_id: "ODD".into(), item: Some("<b>\"A & B\"</b>".into()), ..of(Template::Overdue, "G-7") },
        Line { currency: Currency::parse("JPY").unwrap(), may_extend: false, ..of(Template::DueToday, "B-0309-/08") },
        Line {
            instalment: 2,
            instalments: 4,
            order_minor: 51_960,
            paid_minor: 12_990,
            refunded_minor: 100,
            next_fee: Some(NextFee { unless_paid_by: day("2026-03-13"), until, minor: None }),
            ..of(Template::Upcoming, "T-0305-01")
        },
        Line {
            debited: Some(Debited::On { day: day("2026-03-12"), minor: 13_055 }),
            ..of(Template::Upcoming, "T-0305-02")
        },
        Line { debited: Some(Debited::UnderWay { minor: 12_990 }), ..of(Template::DueToday, "T-0305-03") },
    ]);
    letter.news = vec![happened(Template::ExtensionAgreed, language), happened(Template::PaymentReceived, language)];
    letter.news[1].settled = true;
    letter.news[1].dues.clear();
    letter
}

fn composed(letter: &Letter) -> Mail {
    compose(letter, &sender(), &templates()).unwrap()
}

pub fn mail_to(name: &str, address: &str) -> Mail {
    let letter = Letter { to_name: name.into(), to_address: address.into(), ..letter(Template::Overdue, "en") };
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
    for language in ["zh", "en"] {
        for template in Template::ALL {
            let mail = composed(&letter(template, language));
            let name = format!("{}.{}", template.name(), language);
            insta::assert_snapshot!(name, format!("{}\n\n{}", mail.subject, mail.text));
        }
        let mail = composed(&long_letter(language));
        insta::assert_snapshot!(format!("several.{}", language), format!("{}\n\n{}", mail.subject, mail.text));
        insta::assert_snapshot!(format!("several_html.{}", language), mail.html);
    }
}

#[test]
fn the_message_around_the_words() {
    let mail = composed(&letter(Template::DueToday, "en"));
    insta::assert_snapshot!(String::from_utf8(mail.bytes()).unwrap().replace("\r\n", "\n"));
}

#[test]
fn the_same_letter_gives_the_same_bytes() {
    for language in ["zh", "en"] {
        let letter = long_letter(language);
        assert_eq!(composed(&letter).bytes(), composed(&letter).bytes());
    }
}

#[test]
fn the_language_is_the_closest_to_the_customers() {
    for (locale, greeting) in [
        ("zh-CN", "周若曦，您好！"),
        ("ZH_tw", "周若曦，您好！"),
        ("en-US", "Hello 周若曦,"),
        ("de", "Hello 周若曦,"),
        ("", "Hello 周若曦,"),
        ("中", "Hello 周若曦,"),
    ] {
        let letter =
            Letter { to_name: "周若曦".into(), language: language_tag(locale), ..letter(Template::Overdue, "en") };
        assert!(composed(&letter).text.starts_with(greeting), "{locale}");
    }
    let american = Letter { language: language_tag("en-US"), ..letter(Template::Overdue, "en") };
    assert!(composed(&american).text.contains("March 8, 2026"));
}

#[test]
fn what_is_set_is_said() {
    for language in ["zh", "en"] {
        for (name, letter) in [("set", letter(Template::Overdue, language)), ("set_several", long_letter(language))] {
            let mail = compose(&letter, &full_sender(), &templates()).unwrap();
            let shown = format!("{}\n\n{}", mail.subject, mail.text);
            insta::assert_snapshot!(format!("{name}.{language}"), shown);
            // Every image that the HTML shows is sent with it, and no other.
            let message = String::from_utf8(mail.bytes()).unwrap();
            let shown: BTreeSet<&str> =
                mail.html.split("cid:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            let sent = message.matches("Content-ID: <").count();
            assert_eq!(sent, shown.len(), "{name}.{language}");
            assert!(shown.iter().all(|id| message.contains(&format!("Content-ID: <{id}>"))), "{shown:?}");
        }
    }
}

#[test]
fn sums_in_the_subject_are_in_the_body() {
    for language in ["zh", "en"] {
        for template in Template::ALL {
            let mail = composed(&letter(template, language));
            let digits = |text: &str| -> Vec<String> {
                let words = text
                    .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
                    .map(|w| w.trim_matches(['.', ',']));
                words.filter(|word| word.contains('.')).map(str::to_owned).collect()
            };
            let sums = digits(&mail.subject);
            assert!(!sums.is_empty() || !template.asks(), "{}", mail.subject);
            assert!(sums.iter().all(|sum| mail.text.contains(sum) && mail.html.contains(sum)), "{sums:?}");
        }
    }
}

#[test]
fn a_link_to_another_place_is_refused() {
    let other = Sender { hosts: ["other.example".to_owned()].into(), ..full_sender() };
    let error = compose(&letter(Template::Overdue, "en"), &other, &templates()).unwrap_err();
    assert!(matches!(&error, ComposeError::Link(link) if link.contains("pay.example")), "{error:?}");
}

#[test]
fn no_sentence_that_the_terms_do_not_bear_out() {
    let mut plain = letter(Template::Overdue, "en");
    let line = &mut plain.lines[0];
    (line.may_extend, line.may_give_back, line.record_at_stake, line.next_fee) = (false, false, false, None);
    let mail = compose(&plain, &full_sender(), &templates()).unwrap();
    for word in ["more time", "extension", "return", "report", "record", "late fee"] {
        assert!(!mail.text.to_lowercase().contains(word), "{word}: {}", mail.text);
    }
    let mut debited = letter(Template::DueToday, "en");
    debited.lines[0].debited = Some(Debited::On { day: day("2026-03-09"), minor: 12_990 });
    let mail = compose(&debited, &full_sender(), &templates()).unwrap();
    assert!(mail.text.contains("CNY 129.90 will be collected from your bank card on 9 March 2026"), "{}", mail.text);
    assert!(!mail.text.contains("pay.example/TEA"), "{}", mail.text);
}

#[test]
fn a_bad_letter_is_refused_without_naming_the_customer() {
    let good = || letter(Template::Notice, "en");
    for address in
        ["", "nobody", "a b@example.org", "a@example.org\r\nBcc: b@example.org", "\"a\nb\"@example.org", "a@"]
    {
        let error = compose(&Letter { to_address: address.into(), ..good() }, &sender(), &templates());
        assert_eq!(error.unwrap_err(), ComposeError::Address, "{address:?}");
    }
    for id in ["", "x", "@x", "x@", "a b@x", "../x@y", "a/b@x", "a@b@c", ".a@x", "a@x\r\n"] {
        let error = compose(&Letter { message_id: id.into(), ..good() }, &sender(), &templates());
        assert_eq!(error.unwrap_err(), ComposeError::MessageId(id.into()));
    }
    let templates = templates();
    let error = compose(&Letter { lines: vec![], ..good() }, &sender(), &templates).unwrap_err();
    assert_eq!(error, ComposeError::NoLine(Template::Notice));
    let lines = vec![Line { flag_on: None, ..line(Template::Notice, "en") }];
    let error = compose(&Letter { lines, ..good() }, &sender(), &templates).unwrap_err();
    assert_eq!(error, ComposeError::NoFlagDay("T-0301-02".into()));
    let error = compose(&good(), &Sender { reply_to: Some("x".into()), ..sender() }, &templates).unwrap_err();
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
    let mut letter = letter(Template::Overdue, "en");
    letter.to_name = text.into();
    letter.lines[0].merchant_id = text.into();
    letter.lines[0].item = Some(text.into());
    letter.lines[0].order_id = text.into();
    thread_local!(static TEMPLATES: Templates = templates());
    let mail = TEMPLATES.with(|templates| compose(&letter, &sender(), templates)).unwrap();
    let names: Vec<String> = headers(&mail).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    let expected = [
        "Message-ID",
        "Date",
        "From",
        "To",
        "Subject",
        "Auto-Submitted",
        "Content-Language",
        "Feedback-ID",
        "Reply-To",
        "MIME-Version",
        "Content-Type",
    ];
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
    for language in ["zh", "en"] {
        let letters = Template::ALL.map(|template| (template.name(), letter(template, language)));
        let mut extreme = long_letter(language);
        extreme.to_name = "مرحبا 长长长 ".repeat(30);
        extreme.lines[0].item = Some("Longwordwithoutanyspace".repeat(6));
        extreme.lines[0].order_id = "ORDER-".repeat(12);
        extreme.lines[1].outstanding_minor = 1_000_000_000_000;
        for (name, letter) in letters.into_iter().chain([("several", long_letter(language)), ("extreme", extreme)]) {
            for (sender, kind) in [(sender(), "plain"), (full_sender(), "set")] {
                let mail = compose(&letter, &sender, &templates()).unwrap();
                std::fs::write(folder.join(format!("{name}.{language}.{kind}.html")), &mail.html).unwrap();
                std::fs::write(folder.join(format!("{name}.{language}.{kind}.eml")), mail.bytes()).unwrap();
            }
        }
    }
}
