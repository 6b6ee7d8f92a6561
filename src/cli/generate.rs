//! `paylater generate`: a made-up scheme of any size, repeatable from a seed, for trials and benchmarks.
//!
//! The command writes a folder that `paylater close` can run unchanged. The output depends only on the seed and the sizes:
//! the code uses no clock, no unordered map and no floating point, so the same command gives the same bytes on every
//! platform. The files only report events; what follows from the events is for the scheme to decide.

mod dice;
mod files;
mod merchant;
mod people;
mod story;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use chrono::{Duration, NaiveDate};
use rust_decimal::Decimal;

use super::{json, new_folder, say};
use crate::domain::words::count;
use crate::views::generated::GeneratedScheme;
use dice::{Dice, Whose};
use files::{Folder, Kind, Rows, seconds_into, write_text};
use merchant::{Merchant, paylater_toml};
use people::{People, customer_id};
use story::{Order, write_order, write_what_follows};

/// Generate a made-up scheme for trials and benchmarks: customers, merchants and some weeks of their files
///
/// The folder holds a configuration, a policy for each merchant and an inbox with a file for each kind and day.
/// Most orders are delivered and paid on time. Some are paid late, in parts or never, or are returned, extended, held or
/// cancelled. The orders of a few customers are declined. The same options give the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "Example, a scheme of a month and its close:
  paylater generate --out trial
  paylater --config trial/paylater.toml close --through 2026-03-30

Example, a million orders in one file, to measure how fast files are taken in:
  paylater generate --out big --orders 1000000 --customers 100000 --merchants 1 --orders-only")]
pub struct Generate {
    /// Folder to write to; it must be new or empty
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,

    /// Seed; another number gives another scheme of the same size
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Number of customers; at least as many as merchants
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=99_999_999))]
    pub customers: u64,

    /// Number of orders in all, without flawed rows
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=99_999_999))]
    pub orders: u64,

    /// Number of merchants that share the orders; a customer opens the service at up to three of them
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=99_999))]
    pub merchants: u64,

    /// Number of days that the files cover; later events are left out
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    pub days: u32,

    /// First day of the scheme's books, YYYY-MM-DD
    #[arg(long, value_name = "DATE", default_value = "2026-03-01")]
    pub starts_on: NaiveDate,

    /// For measuring intake: all orders on the first day, in one file per merchant, and no later events
    #[arg(long)]
    pub orders_only: bool,

    /// Share of rows, 0 to 1, that are followed by a flawed row: a repeat, another amount, a malformed row, or an
    /// unknown order
    #[arg(long = "flaws", value_name = "RATIO", default_value = "0", value_parser = per_million)]
    pub flaws_per_million: u32,
}

impl Generate {
    pub fn run(&self, as_json: bool) -> Result<()> {
        let rows = self.write()?;
        let generated = GeneratedScheme {
            config: self.out.join("paylater.toml").display().to_string(),
            merchants: self.merchants,
            customers: rows.of(Kind::Customers),
            orders: rows.of(Kind::Orders),
            good_rows: rows.good.values().sum(),
            flawed_rows: rows.flawed,
            first: self.starts_on,
            last: self.last_day(),
        };
        if as_json {
            return json::print(&generated);
        }
        let GeneratedScheme { config, merchants, customers, orders, good_rows, flawed_rows, last, .. } = &generated;
        let (orders, merchants) = (count(*orders, "order"), count(*merchants, "merchant"));
        let customers = count(*customers, "customer");
        let good = count(*good_rows, "good row");
        say!("{orders} of {customers} at {merchants} in {}: {good}, {flawed_rows} flawed", self.out.display());
        say!("next: paylater --config {config} close --through {last}");
        Ok(())
    }

    fn write(&self) -> Result<Rows> {
        ensure!(
            self.customers >= self.merchants,
            "{} can't be shared by {}: each merchant needs at least one",
            count(self.customers, "customer"),
            count(self.merchants, "merchant")
        );
        new_folder::make(&self.out)?;
        let people = People { seed: self.seed, customers: self.customers, merchants: self.merchants };
        let merchants: Vec<Merchant> =
            (0..self.merchants).map(|number| Merchant::new(number, self.merchants)).collect();

        let mut scheme = self.inbox("scheme", self.merchants)?;
        people.write(&merchants, self.starts_on, &mut scheme)?;
        let mut rows = scheme.close()?;
        for merchant in &merchants {
            let orders_each = self.orders_of(merchant) / people.at_each_merchant().max(1) + 1;
            let policy = self.out.join("policies").join(format!("{}.toml", merchant.slug()));
            write_text(&policy, &merchant.policy_toml(self.starts_on, orders_each))?;
            rows.add(self.write_merchant(merchant, &people)?);
        }
        // Write the configuration last, so that an incomplete folder cannot be run.
        write_text(&self.out.join("paylater.toml"), &paylater_toml(self.seed, self.starts_on, &merchants))?;
        Ok(rows)
    }

    fn write_merchant(&self, merchant: &Merchant, people: &People) -> Result<Rows> {
        let mut folder = self.inbox(&merchant.slug(), merchant.number)?;
        let orders = self.orders_of(merchant);
        let days = if self.orders_only { 1 } else { u64::from(self.days) };
        for number in 0..orders {
            let mut dice = Dice::new(self.seed, Whose::Order { merchant: merchant.number, number });
            let customer_number = people.someone_at(merchant.number, &mut dice);
            // Orders are spread evenly over the days and, within a day, from 8:00 to 23:00, so that ids and times ascend
            // together.
            let passed = (number * 100 + dice.below(100)) * days * 15 * 3_600 / (orders * 100);
            let on = self.starts_on + Duration::days(i64::try_from(passed / (15 * 3_600))?);
            let order = Order {
                id: format!("{}-{:08}", merchant.id, number + 1),
                minor: dice.price_minor(),
                ordered_at: seconds_into(on, 8 * 3_600 + passed % (15 * 3_600)),
            };
            let item = dice.pick(merchant.items());
            write_order(&order, &customer_id(customer_number), item, on, &mut folder)?;
            if self.orders_only {
                continue;
            }
            let customer = people.customer(customer_number);
            if people.is_welcome(&customer, merchant.number) {
                write_what_follows(&order, &customer, merchant, &mut dice, &mut folder)?;
            }
        }
        folder.close()
    }

    /// Orders are divided evenly; the first merchants get the remainder.
    fn orders_of(&self, merchant: &Merchant) -> u64 {
        self.orders / self.merchants + u64::from(merchant.number < self.orders % self.merchants)
    }

    fn inbox(&self, name: &str, number: u64) -> Result<Folder> {
        let dice = Dice::new(self.seed, Whose::Flaws { folder: number });
        Folder::create(self.out.join("inbox").join(name), self.last_day(), self.flaws_per_million, dice)
    }

    fn last_day(&self) -> NaiveDate {
        let days = if self.orders_only { 1 } else { self.days };
        self.starts_on + Duration::days(i64::from(days) - 1)
    }
}

/// A ratio from 0 to 1, in millionths.
fn per_million(text: &str) -> Result<u32, String> {
    let ratio: Decimal = text.parse().map_err(|_| format!("{text} is not a number such as 0.01"))?;
    if !(Decimal::ZERO..=Decimal::ONE).contains(&ratio) {
        return Err(format!("{text} is not between 0 and 1"));
    }
    let millionths = (ratio * Decimal::from(1_000_000)).round();
    u32::try_from(millionths).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    fn small(out: &Path) -> Generate {
        Generate {
            out: out.join("scheme"),
            seed: 1,
            customers: 200,
            orders: 1_001,
            merchants: 3,
            days: 30,
            starts_on: "2026-03-01".parse().unwrap(),
            orders_only: false,
            flaws_per_million: 0,
        }
    }

    /// Returns every file of a generated scheme by its path.
    fn files(command: &Generate) -> BTreeMap<String, Vec<u8>> {
        fn read(folder: &Path, under: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(&path, under, found);
                } else {
                    let name = path.strip_prefix(under).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        read(&command.out, &command.out, &mut found);
        found
    }

    fn written(change: impl FnOnce(&mut Generate)) -> (Rows, BTreeMap<String, Vec<u8>>) {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = small(temporary.path());
        change(&mut command);
        let rows = command.write().unwrap();
        (rows, files(&command))
    }

    fn records(csv: &[u8]) -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new().flexible(true).from_reader(csv).records().collect::<Result<_, _>>().unwrap()
    }

    fn kind_of(name: &str) -> Option<Kind> {
        let stem = name.strip_suffix(".csv")?.rsplit('/').next()?;
        Kind::OF_SCHEME.into_iter().chain(Kind::OF_MERCHANT).find(|kind| stem.starts_with(kind.name()))
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (_, first) = written(|_| {});
        let (_, again) = written(|_| {});
        assert!(first == again);
        let (_, other) = written(|command| command.seed = 2);
        assert!(first != other);
    }

    #[test]
    fn the_bytes_of_seed_1_are_these() {
        use sha2::{Digest, Sha256};
        let (_, files) = written(|_| {});
        let mut all = Sha256::new();
        for (name, bytes) in &files {
            all.update(name);
            all.update(bytes);
        }
        let seal: String = all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            seal, "ee9d1feb0d679920",
            "figures measured on a made-up scheme compare only while its bytes stay the same"
        );
    }

    #[test]
    fn rows_are_as_many_as_asked_for() {
        let (rows, files) = written(|_| {});
        assert_eq!(rows.of(Kind::Customers), 200);
        assert_eq!(rows.of(Kind::Agreements), 600);
        assert_eq!(rows.of(Kind::Orders), 1_001);
        assert_eq!(rows.flawed, 0);
        let mut counted: BTreeMap<Kind, u64> = BTreeMap::new();
        for (name, csv) in &files {
            if let Some(kind) = kind_of(name) {
                *counted.entry(kind).or_default() += records(csv).len() as u64;
            }
        }
        assert_eq!(counted, rows.good);
        for kind in Kind::OF_MERCHANT {
            assert!(rows.of(kind) > 0, "a scheme of this size has {}", kind.name());
        }
        let days: BTreeSet<&str> = files.keys().filter_map(|name| name.strip_prefix("inbox/m01/orders-")).collect();
        assert_eq!(days.len(), 30);
        assert_eq!((days.first(), days.last()), (Some(&"2026-03-01.csv"), Some(&"2026-03-30.csv")));
        assert!(files.contains_key("paylater.toml") && files.contains_key("policies/m03.toml"));
    }

    #[test]
    fn every_file_has_the_canonical_columns() {
        let (_, files) = written(|_| {});
        for (name, csv) in files {
            let Some(kind) = kind_of(&name) else { continue };
            let required = match kind {
                Kind::Customers => {
                    "customer_id name email locale time_zone credit_score real_name_verified bank_card_bound"
                }
                Kind::Agreements => "agreement_id customer_id merchant_id status changed_at score_authorised",
                Kind::Orders => "order_id customer_id amount currency ordered_at",
                Kind::Fulfilments => "order_id event occurred_at",
                Kind::Payments => "payment_id order_id amount currency paid_at",
                Kind::Refunds => "refund_id order_id amount currency refunded_at",
                Kind::Extensions => "extension_id order_id days requested_at",
                Kind::Holds => "hold_id order_id reason starts_on",
                Kind::Waivers => "waiver_id order_id amount currency waived_on",
            };
            let header = csv::Reader::from_reader(csv.as_slice()).headers().unwrap().clone();
            for column in required.split(' ') {
                assert!(header.iter().any(|found| found == column), "{name} has no {column}: {header:?}");
            }
            for record in records(&csv) {
                assert_eq!(record.len(), header.len(), "{name}: {record:?}");
            }
        }
    }

    #[test]
    fn ids_are_unique_and_ascend() {
        let (_, files) = written(|_| {});
        let mut last: BTreeMap<(String, Kind), String> = BTreeMap::new();
        // Files are sorted by name, which for the files of one kind is the order of the days.
        for (name, csv) in files {
            let Some(kind) = kind_of(&name).filter(|kind| *kind != Kind::Fulfilments) else {
                continue;
            };
            let folder = name.rsplit_once('/').unwrap().0.to_owned();
            for record in records(&csv) {
                let key = record[0].to_owned();
                let before = last.insert((folder.clone(), kind), key.clone());
                assert!(before.as_ref() < Some(&key), "{name}: {key} after {before:?}");
            }
        }
    }

    #[test]
    fn nothing_is_told_before_it_happened_or_after_the_last_day() {
        let (_, files) = written(|_| {});
        for (name, csv) in files {
            let Some(kind) = kind_of(&name) else { continue };
            let file_day = &name[name.len() - "2026-03-01.csv".len()..name.len() - ".csv".len()];
            assert!(("2026-03-01"..="2026-03-30").contains(&file_day), "{name}");
            let Some(column) =
                kind.columns().iter().position(|column| column.ends_with("_at") || column.ends_with("_on"))
            else {
                continue;
            };
            for record in records(&csv) {
                assert!(&record[column][..10] <= file_day, "{name}: {record:?}");
            }
        }
    }

    #[test]
    fn flaws_come_on_top_of_the_good_rows() {
        let (good, without) = written(|_| {});
        let (rows, with) = written(|command| command.flaws_per_million = 50_000);
        assert_eq!(good.good, rows.good);
        let all: u64 = rows.good.values().sum();
        assert!((all * 3 / 100..all * 7 / 100).contains(&rows.flawed), "{} of {all}", rows.flawed);
        for (name, csv) in without {
            let flawed: BTreeSet<&[u8]> = with[&name].split(|byte| *byte == b'\n').collect();
            for line in csv.split(|byte| *byte == b'\n') {
                assert!(flawed.contains(line), "{name} lost {}", String::from_utf8_lossy(line));
            }
        }
    }

    #[test]
    fn orders_only_is_one_file_a_merchant() {
        let (rows, files) = written(|command| command.orders_only = true);
        assert_eq!(rows.of(Kind::Orders), 1_001);
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "inbox/m01/orders-2026-03-01.csv",
                "inbox/m02/orders-2026-03-01.csv",
                "inbox/m03/orders-2026-03-01.csv",
                "inbox/scheme/agreements-2026-03-01.csv",
                "inbox/scheme/customers-2026-03-01.csv",
                "paylater.toml",
                "policies/m01.toml",
                "policies/m02.toml",
                "policies/m03.toml",
            ]
        );
    }

    #[test]
    fn a_used_folder_and_too_few_customers_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let command = small(temporary.path());
        command.write().unwrap();
        let refused = command.write().unwrap_err().to_string();
        assert!(refused.ends_with("is not empty; choose a new folder"), "{refused}");
        let few = Generate { customers: 2, out: temporary.path().join("few"), ..command };
        let refused = few.write().unwrap_err().to_string();
        assert_eq!(refused, "2 customers can't be shared by 3 merchants: each merchant needs at least one");
    }

    #[test]
    fn only_the_folder_must_be_named() {
        use clap::{Args, FromArgMatches};
        let mut line = Generate::augment_args(clap::Command::new("generate"));
        let given = line.try_get_matches_from_mut(["generate", "--out", "trial"]).unwrap();
        let command = Generate::from_arg_matches(&given).unwrap();
        assert_eq!((command.customers, command.orders, command.merchants, command.days), (1_000, 5_000, 2, 30));
        assert_eq!((command.seed, command.starts_on.to_string().as_str()), (1, "2026-03-01"));
        assert!(!command.orders_only && command.flaws_per_million == 0);
        for wrong in [["--orders", "0"], ["--flaws", "2"], ["--starts-on", "March"]] {
            let line = ["generate", "--out", "trial"].into_iter().chain(wrong);
            let refused = Generate::augment_args(clap::Command::new("generate")).try_get_matches_from(line);
            assert!(refused.is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_ratio_is_read_exactly() {
        for (text, millionths) in [("0", Some(0)), ("0.01", Some(10_000)), ("1", Some(1_000_000)), ("1.1", None)] {
            assert_eq!(per_million(text).ok(), millionths, "{text}");
        }
        assert_eq!(per_million("some").unwrap_err(), "some is not a number such as 0.01");
    }
}
