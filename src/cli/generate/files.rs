//! A merchant's files by kind and day, written row by row as an order's story unfolds.
//!
//! A story spans many days, so all days of a merchant are written at once. Each day buffers a few kilobytes and opens its
//! file only to append them, so the use of memory and file handles is bounded.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::dice::Dice;

/// The only currency of a made-up scheme.
pub const CURRENCY: &str = "CNY";

/// The bytes buffered for a file before they are appended.
const BUFFER_BYTES: usize = 16 * 1024;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Customers,
    Agreements,
    Orders,
    Fulfilments,
    Payments,
    Refunds,
    Extensions,
    Holds,
    Waivers,
}

impl Kind {
    pub const OF_SCHEME: [Kind; 2] = [Kind::Customers, Kind::Agreements];
    pub const OF_MERCHANT: [Kind; 7] =
        [Kind::Orders, Kind::Fulfilments, Kind::Payments, Kind::Refunds, Kind::Extensions, Kind::Holds, Kind::Waivers];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Customers => "customers",
            Kind::Agreements => "agreements",
            Kind::Orders => "orders",
            Kind::Fulfilments => "fulfilments",
            Kind::Payments => "payments",
            Kind::Refunds => "refunds",
            Kind::Extensions => "extensions",
            Kind::Holds => "holds",
            Kind::Waivers => "waivers",
        }
    }

    /// The canonical columns. A flaw finds the column to change by name.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Kind::Customers => &[
                "customer_id",
                "name",
                "email",
                "locale",
                "time_zone",
                "credit_score",
                "real_name_verified",
                "bank_card_bound",
            ],
            Kind::Agreements => {
                &["agreement_id", "customer_id", "merchant_id", "status", "changed_at", "score_authorised"]
            }
            Kind::Orders => &["order_id", "customer_id", "amount", "currency", "ordered_at", "item"],
            Kind::Fulfilments => &["order_id", "event", "occurred_at"],
            Kind::Payments => &["payment_id", "order_id", "amount", "currency", "paid_at", "channel"],
            Kind::Refunds => &["refund_id", "order_id", "amount", "currency", "refunded_at", "reason"],
            Kind::Extensions => &["extension_id", "order_id", "days", "requested_at", "approved_by"],
            Kind::Holds => &["hold_id", "order_id", "reason", "starts_on", "ends_on"],
            Kind::Waivers => &["waiver_id", "order_id", "amount", "currency", "waived_on", "approved_by"],
        }
    }
}

/// The number of rows by kind, and the number of flawed rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub good: BTreeMap<Kind, u64>,
    pub flawed: u64,
}

impl Rows {
    pub fn add(&mut self, more: Rows) {
        for (kind, rows) in more.good {
            *self.good.entry(kind).or_default() += rows;
        }
        self.flawed += more.flawed;
    }

    pub fn of(&self, kind: Kind) -> u64 {
        self.good.get(&kind).copied().unwrap_or_default()
    }
}

/// A folder in the inbox.
pub struct Folder {
    path: PathBuf,
    /// The last day; rows of later days are dropped.
    through: NaiveDate,
    files: BTreeMap<(Kind, NaiveDate), DayFile>,
    flaws_per_million: u32,
    /// Separate dice, so that the good rows are the same with and without flaws.
    flaw_dice: Dice,
    flawed: u64,
}

struct DayFile {
    csv: csv::Writer<Appending>,
    good: u64,
}

impl Folder {
    pub fn create(path: PathBuf, through: NaiveDate, flaws_per_million: u32, flaw_dice: Dice) -> Result<Folder> {
        std::fs::create_dir_all(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Folder { path, through, files: BTreeMap::new(), flaws_per_million, flaw_dice, flawed: 0 })
    }

    /// The number of the next row in a day's file, from 1.
    pub fn next_number(&self, kind: Kind, on: NaiveDate) -> u64 {
        self.files.get(&(kind, on)).map_or(1, |file| file.good + 1)
    }

    /// Adds a row to a day's file, sometimes followed by a flawed row.
    pub fn row(&mut self, kind: Kind, on: NaiveDate, cells: &[&str]) -> Result<()> {
        if on > self.through {
            return Ok(());
        }
        let file = match self.files.entry((kind, on)) {
            std::collections::btree_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(DayFile::create(self.path.join(format!("{}-{on}.csv", kind.name())), kind)?)
            }
        };
        file.write(cells)?;
        file.good += 1;
        if self.flaws_per_million > 0 && self.flaw_dice.per_million(self.flaws_per_million) {
            let flaw = self.flaw_dice.pick(&Flaw::ALL);
            let flawed = flaw.applied(kind, cells);
            file.write(&flawed)?;
            self.flawed += 1;
        }
        Ok(())
    }

    /// Writes the buffered rows.
    pub fn close(self) -> Result<Rows> {
        let mut rows = Rows { flawed: self.flawed, ..Rows::default() };
        for ((kind, _), mut file) in self.files {
            file.csv.flush().with_context(|| format!("writing {}", file.csv.get_ref().0.display()))?;
            *rows.good.entry(kind).or_default() += file.good;
        }
        Ok(rows)
    }
}

impl DayFile {
    fn create(path: PathBuf, kind: Kind) -> Result<DayFile> {
        let csv = csv::WriterBuilder::new().flexible(true).buffer_capacity(BUFFER_BYTES).from_writer(Appending(path));
        let mut file = DayFile { csv, good: 0 };
        file.write(kind.columns())?;
        Ok(file)
    }

    fn write<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<()> {
        let written = self.csv.write_record(cells.iter().map(|cell| cell.as_ref().as_bytes()));
        written.with_context(|| format!("writing {}", self.csv.get_ref().0.display()))
    }
}

/// A file that is open only while rows are appended to it.
struct Appending(PathBuf);

impl Write for Appending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        OpenOptions::new().create(true).append(true).open(&self.0)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The flaw of a row. The flawed row follows the good row it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The same row again.
    Twice,
    /// The same key with another amount.
    OtherAmount,
    NoKey,
    NotANumber,
    NoSuchDay,
    CutShort,
    /// An unknown order or customer.
    Unknown,
}

impl Flaw {
    const ALL: [Flaw; 7] =
        [Flaw::Twice, Flaw::OtherAmount, Flaw::NoKey, Flaw::NotANumber, Flaw::NoSuchDay, Flaw::CutShort, Flaw::Unknown];

    /// The row with the flaw, or an unchanged repeat if the kind has no suitable column.
    fn applied(self, kind: Kind, cells: &[&str]) -> Vec<String> {
        let mut cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let columns = kind.columns();
        let at = |found: fn(&str) -> bool| columns.iter().position(|column| found(column));
        match self {
            Flaw::Twice => {}
            Flaw::OtherAmount => {
                if let Some(at) = at(|column| column == "amount") {
                    cells[at].insert(0, '1');
                }
            }
            Flaw::NoKey => cells[0].clear(),
            Flaw::NotANumber => {
                if let Some(at) = at(|column| matches!(column, "amount" | "days" | "credit_score")) {
                    "twelve".clone_into(&mut cells[at]);
                }
            }
            Flaw::NoSuchDay => {
                if let Some(at) = at(|column| column.ends_with("_at") || column.ends_with("_on")) {
                    "2026-02-30".clone_into(&mut cells[at]);
                }
            }
            Flaw::CutShort => cells.truncate(2),
            // A customer with an unknown id is not a flaw but a new customer.
            Flaw::Unknown if kind == Kind::Customers => {}
            Flaw::Unknown => {
                for (column, cell) in columns.iter().zip(&mut cells) {
                    if column.ends_with("_id") {
                        cell.push('X');
                    }
                }
            }
        }
        cells
    }
}

/// A time on a day between morning and night.
pub fn instant(day: NaiveDate, dice: &mut Dice) -> NaiveDateTime {
    seconds_into(day, 8 * 3_600 + dice.below(15 * 3_600))
}

pub fn seconds_into(day: NaiveDate, seconds: u64) -> NaiveDateTime {
    let seconds = i64::try_from(seconds).expect("a day has few seconds");
    day.and_time(chrono::NaiveTime::MIN) + Duration::seconds(seconds)
}

/// Writes a small file.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_breaks_one_thing() {
        let payment = ["P1", "O1", "12.00", "CNY", "2026-03-02 10:00:00", "alipay"];
        for (flaw, row) in [
            (Flaw::Twice, "P1,O1,12.00,CNY,2026-03-02 10:00:00,alipay"),
            (Flaw::OtherAmount, "P1,O1,112.00,CNY,2026-03-02 10:00:00,alipay"),
            (Flaw::NoKey, ",O1,12.00,CNY,2026-03-02 10:00:00,alipay"),
            (Flaw::NotANumber, "P1,O1,twelve,CNY,2026-03-02 10:00:00,alipay"),
            (Flaw::NoSuchDay, "P1,O1,12.00,CNY,2026-02-30,alipay"),
            (Flaw::CutShort, "P1,O1"),
            (Flaw::Unknown, "P1X,O1X,12.00,CNY,2026-03-02 10:00:00,alipay"),
        ] {
            assert_eq!(flaw.applied(Kind::Payments, &payment).join(","), row, "{flaw:?}");
        }
        assert_eq!(Flaw::OtherAmount.applied(Kind::Fulfilments, &["O1", "shipped", "2026-03-02"])[0], "O1");
    }
}
