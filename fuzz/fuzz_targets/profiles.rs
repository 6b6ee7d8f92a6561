//! A file is read the same however often and in whatever pieces, from any line on, under any profile; nothing of what was sent
//! is lost on the way, also not through a rejects file. The first two bytes of the input choose profile and kind; after a
//! `T` comes a profile of its own, up to a line of `====`.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::{Corpus, fuzz_target};
use paylater::config::profiles;
use paylater::files::acknowledgement::{self, Acknowledgement, RejectsForm};
use paylater::files::read::container::{self, Delivery, Packing};
use paylater::files::read::file_error::FileError;
use paylater::files::read::encoding::{Encoding, Script};
use paylater::files::inbox::Found;
use paylater::files::rows::Kind;
use paylater::files::preview::preview;
use paylater::files::profile::{Header, Profile};
use paylater::files::read::reader::{Line, Rows, examine};
use paylater_fuzz::found;

/// Forms that none of ours has.
const ODD: [&str; 4] = [
    r#"
about = "plain, but not as ours"
encoding = ["utf-16", "gb18030"]
delimiter = [";", "tab", ","]
quote = "'"
"#,
    r#"
about = "quotes mean nothing, and there are lines before the header"
quote = "none"
skip_lines = 2
empty_ends = true
"#,
    r#"
about = "lines around the rows, some of which say something"
comment = "//"
end_marker = "// end*"
[[total]]
line = "// {count} rows, {sum} in all*"
sum = "amount"
when = { currency = "CNY" }
optional = true
"#,
    r#"
about = "everything that is done to cells"
kind = "payments"
find_header = true
end_marker = "end"
totals_heading = "Sum"
times = ["%d.%m.%Y %H:%M", "%d/%m/%y", "%s"]
[cells]
trim = "`'"
nothing = ["/", "-"]
thousands = "."
decimal = ","
signs = ["€", "EUR"]
[columns]
payment_id = ["Id", "Nummer"]
order_id = { from = "Order", until = "(", replace = { "：" = ":", "a" = "" } }
amount = "Amount"
currency = { from = "Currency", words = { Euro = "EUR", Yuan = "CNY" }, nothing = ["none"] }
paid_at = "Paid"
channel = { constant = "post" }
[[variant]]
when = { Type = ["minus", ""] }
columns = { amount = { from = ["Back", "Amount"], sign = "negative" } }
[[set_aside]]
when = { Type = "*" }
unless = { Type = ["minus", "plus"] }
why = "no payment"
[[total]]
column = ["Sum", "Total"]
sum = ["Back", "Amount"]
unsigned = true
"#,
];

static PROFILES: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
    let ours = profiles::names().into_iter().map(|name| profiles::built_in(name).expect("ours is right"));
    ours.chain(ODD.iter().map(|text| profiles::of_text("odd", text).expect("the odd one is right"))).collect()
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(([choice, kind], rest)) = input.split_first_chunk::<2>() else { return Corpus::Reject };
    let (profile, bytes) = if *choice == b'T' {
        let separator = b"\n====\n";
        let Some(at) = rest.windows(separator.len()).position(|window| window == separator) else {
            return Corpus::Reject;
        };
        let Ok(text) = std::str::from_utf8(&rest[..at]) else { return Corpus::Reject };
        let Ok(profile) = profiles::of_text("own", text) else { return Corpus::Keep };
        (profile, &rest[at + separator.len()..])
    } else {
        (PROFILES[usize::from(*choice) % PROFILES.len()].clone(), rest)
    };
    let kind = profile.kind.unwrap_or(Kind::ALL[usize::from(*kind) % Kind::ALL.len()]);
    read(&profile, kind, bytes);
    Corpus::Keep
});

fn read(profile: &Arc<Profile>, kind: Kind, bytes: &[u8]) {
    let (found, packing) = (found(bytes, "sent"), Packing::default());
    let delivery = Delivery { found: &found, packing: &packing, profile, kind, zone: chrono_tz::Asia::Shanghai };
    let trust = examine(&delivery).expect("only a disk makes trouble").trust;
    let looked = preview(&delivery).expect("only a disk makes trouble");
    assert_eq!(looked.trust, trust, "looking at a file and taking it agree");
    if let Err(distrust) = trust {
        is_a_sentence(&distrust.message);
        // Nobody does this, but a file may be exchanged between the two.
        if let Err(why) = Rows::open(&delivery, 0).and_then(|mut rows| rows.take(usize::MAX)) {
            FileError::of(why).expect("only a disk makes trouble");
        }
        return;
    }
    let (rows, all) = lines(&delivery, 0, usize::MAX);
    assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number), "lines go upward");
    assert_eq!(looked.found.map(|found| found.rows), Some(all.len() as i64));
    for size in [1, 3] {
        assert_same(&all, &lines(&delivery, 0, size).1);
    }
    for at in [0, all.len() / 2, all.len().saturating_sub(1)] {
        if let Some(line) = all.get(at) {
            assert_same(&all[at + 1..], &lines(&delivery, line.number, 2).1);
        }
    }
    for line in &all {
        if let Err(why) = &line.parsed {
            is_a_sentence(&why.message);
        }
    }
    is_what_was_sent(&delivery, bytes, &rows, &all);
    if !all.is_empty() {
        comes_back(&delivery, &rows, &all);
    }
}

fn lines(delivery: &Delivery<'_>, after: i64, size: usize) -> (Rows, Vec<Line>) {
    let mut rows = Rows::open(delivery, after).expect("it was examined");
    let mut all = Vec::new();
    while !rows.is_finished() {
        all.extend(rows.take(size).expect("it was examined"));
    }
    (rows, all)
}

fn assert_same(expected: &[Line], found: &[Line]) {
    assert_eq!(expected.len(), found.len());
    for (one, other) in expected.iter().zip(found) {
        assert_eq!((one.number, &one.cells), (other.number, &other.cells));
        assert_eq!((&one.parsed, one.canonical()), (&other.parsed, other.canonical()));
    }
}

/// What people read stands on one line and ends somewhere.
fn is_a_sentence(message: &str) {
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.chars().count() < 20_000, "{} characters", message.len());
}

/// Compares rows with a second reading of the file, all at once and sign by sign.
fn is_what_was_sent(delivery: &Delivery<'_>, bytes: &[u8], rows: &Rows, all: &[Line]) {
    if !container::open(delivery).expect("it was examined").is_plain() {
        return;
    }
    let layout = rows.layout();
    let encoding = match layout.script {
        Script::Utf8 => encoding_rs::UTF_8,
        Script::Gb18030 => encoding_rs::GB18030,
        Script::Utf16Le => encoding_rs::UTF_16LE,
        Script::Utf16Be => encoding_rs::UTF_16BE,
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes).expect("it is text throughout");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let quote = if layout.is_rejects { Some(b'"') } else { delivery.profile.quote };
    let sent = records(text, char::from(layout.delimiter), quote.map(char::from));
    let mut rest = sent.iter();
    for line in all {
        let cells: Vec<&str> = line.cells.iter().collect();
        let is_it = |(number, sent): &&(i64, Vec<String>)| *number == line.number && *sent == cells;
        assert!(rest.any(|sent| is_it(&sent)), "line {} {cells:?} is none of {sent:?}", line.number);
    }
    if delivery.profile.header == Header::After(0) && !delivery.profile.has_other_lines() {
        assert_eq!(all.len() + 1, sent.len(), "every line but the header is a row");
    }
}

/// Records with the line each begins in. A quote opens at a cell's beginning only.
fn records(text: &str, delimiter: char, quote: Option<char>) -> Vec<(i64, Vec<String>)> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begins, mut quoted, mut fresh) = (1, 1, false, true);
    let mut signs = text.chars().chain((!text.ends_with('\n')).then_some('\n')).peekable();
    while let Some(sign) = signs.next() {
        line += i64::from(sign == '\n');
        if Some(sign) == quote && quoted {
            if signs.peek() == quote.as_ref() {
                cell.extend(signs.next());
            } else {
                quoted = false;
            }
        } else if Some(sign) == quote && fresh {
            (quoted, fresh) = (true, false);
        } else if quoted || sign != delimiter && sign != '\n' {
            cell.push(sign);
            fresh = false;
        } else if sign == delimiter {
            record.push(std::mem::take(&mut cell));
            fresh = true;
        } else {
            let is_blank = record.is_empty() && (fresh || cell == "\r");
            let text = std::mem::take(&mut cell);
            record.push(text.strip_suffix('\r').unwrap_or(&text).to_owned());
            let record = std::mem::take(&mut record);
            if !is_blank {
                records.push((begins, record));
            }
            (begins, fresh) = (line, true);
        }
    }
    assert!(!quoted, "a quote that is not closed makes one row of what may be many");
    records
}

/// All rows, handed back as rejected, are read as the same once more.
fn comes_back(delivery: &Delivery<'_>, rows: &Rows, all: &[Line]) {
    let folder = Path::new("/dev/shm");
    let name = format!("paylater-fuzz-{}", std::process::id());
    let form = RejectsForm {
        header: rows.header_as_sent().to_vec(),
        delimiter: rows.layout().delimiter,
        is_marked: delivery.profile.encodings.first() != Some(&Encoding::Utf8),
    };
    let mut answer = Acknowledgement::open(folder, &name, 0, 0, form).expect("there is room in memory");
    for line in all {
        answer.reject(&line.cells, "CODE", "why").expect("there is room in memory");
    }
    answer.checkpoint().expect("there is room in memory");
    acknowledgement::publish(folder, &name, true).expect("there is room in memory");
    let bytes = std::fs::read(folder.join(format!("{name}.rejects.csv"))).expect("it was just written");
    let found: Found = found(&bytes, "mended");
    let delivery = Delivery { found: &found, ..*delivery };
    assert_eq!(
        examine(&delivery).expect("only a disk makes trouble").trust,
        Ok(()),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    let (_, again) = lines(&delivery, 0, usize::MAX);
    assert_eq!(again.len(), all.len());
    let header = rows.header_as_sent();
    // What was rejected before brings why, which is told anew.
    let brings_why = header.ends_with(&["code".to_owned(), "message".to_owned()]);
    for (one, other) in all.iter().zip(&again) {
        // Cells as sent; empty ones beyond the header are left out, and why a row was rejected if it brings that.
        let is_full =
            one.cells.len() >= header.len() && one.cells.iter().skip(header.len()).all(|cell| cell.trim().is_empty());
        let kept = if is_full { header.len() - if brings_why { 2 } else { 0 } } else { one.cells.len() };
        let cells = |line: &Line| line.cells.iter().take(kept).map(str::to_owned).collect::<Vec<_>>();
        if !brings_why || is_full {
            assert_eq!(cells(other), cells(one));
        }
        if !brings_why && one.cells.len() < header.len() {
            assert!(other.parsed.is_err(), "what was cut off is not taken unmended");
        }
        if one.cells.len() == header.len() && !brings_why {
            assert_eq!(one.parsed, other.parsed);
        }
    }
}
