//! A statement as a page: one HTML file without anything fetched from elsewhere, laid out for A4.

use anyhow::{Context, Result};
use chrono::NaiveDate;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment as Engine, UndefinedBehavior, Value, context};

use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::mail::language::Language;
use crate::views::roll_forward::{AccountRoll, RollForward};
use crate::views::statement::Statement;
use crate::views::{Amount, grouped};

pub struct Pages {
    engine: Engine<'static>,
    language: Language,
    words: Value,
}

impl Pages {
    pub fn load(language: Language) -> Result<Pages> {
        let mut engine = Engine::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        engine.set_syntax(syntax.context("the delimiters of templates")?);
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.add_filter("figure", figure);
        engine.add_filter("day", move |day: String| {
            day.parse::<NaiveDate>().map_or(day.clone(), |day| language.day(day))
        });
        engine.add_template("statement.html", include_str!("statement.html")).context("the template of statements")?;
        let words = match language {
            Language::En => include_str!("en.toml"),
            Language::Zh => include_str!("zh.toml"),
        };
        let words: toml::Table = words.parse().context("the words of statements")?;
        Ok(Pages { engine, language, words: Value::from(Serde(words)) })
    }

    pub fn language(&self) -> Language {
        self.language
    }

    /// Returns the page of a statement; without a merchant's name, it is that of the scheme.
    pub fn render(&self, scheme: &str, merchant: Option<&str>, statement: &Statement) -> Result<String> {
        let month = match self.language {
            Language::Zh => statement.month.format("%Y年%-m月").to_string(),
            Language::En => statement.month.format("%B %Y").to_string(),
        };
        let currencies: Vec<Value> =
            statement.roll_forward.iter().map(|roll| self.currency(statement, roll)).collect::<Result<_>>()?;
        let value = context! {
            lang => if self.language == Language::Zh { "zh-CN" } else { "en" },
            w => self.words.clone(),
            scheme,
            merchant,
            month,
            statement => Serde(statement),
            currencies,
        };
        Ok(self.engine.get_template("statement.html")?.render(value)?)
    }

    /// Returns what the page says in one currency.
    fn currency(&self, statement: &Statement, roll: &RollForward) -> Result<Value> {
        let ageing = statement.ageing.iter().find(|ageing| ageing.currency == roll.currency);
        let largest = ageing.iter().flat_map(|ageing| &ageing.buckets).map(|bucket| bucket.outstanding.minor).max();
        let per_mille = |minor: i64| minor.saturating_mul(1_000) / largest.unwrap_or(1).max(1);
        let bars: Vec<i64> = ageing
            .iter()
            .flat_map(|ageing| &ageing.buckets)
            .map(|bucket| per_mille(bucket.outstanding.minor))
            .collect();
        let (goods, fees) = (roll.account(Account::ReceivablePrincipal), roll.account(Account::ReceivableLateFee));
        Ok(context! {
            currency => roll.currency.as_str(),
            payable => roll.account(Account::MerchantPayable).map(|account| self.lines(account)),
            customers => self.customers(roll, goods, fees),
            ageing => ageing.map(|ageing| Value::from(Serde(ageing))),
            bars,
            accounts => Serde(roll.accounts.iter().filter(|account| !account.is_empty()).map(summary).collect::<Vec<_>>()),
        })
    }

    /// Returns an account's lines: opening, each kind of movement, closing.
    fn lines(&self, account: &AccountRoll) -> Value {
        let movement = |moved: &crate::views::roll_forward::KindMoved| {
            context! { name => self.kind(&moved.kind), entries => moved.entries, amount => Serde(moved.amount) }
        };
        context! {
            opening => Serde(account.opening),
            movements => account.movements.iter().map(movement).collect::<Vec<_>>(),
            closing => Serde(account.closing),
        }
    }

    /// Returns the lines of what customers owe: goods and late fees beside each other.
    fn customers(&self, roll: &RollForward, goods: Option<&AccountRoll>, fees: Option<&AccountRoll>) -> Value {
        let Some(currency) = Currency::parse(&roll.currency) else { return Value::UNDEFINED };
        let amount = |minor| Value::from(Serde(Amount::new(minor, currency)));
        let line = |goods: i64, fees: i64| context! { goods => amount(goods), fees => amount(fees), total => amount(goods + fees) };
        let minor = |account: Option<&AccountRoll>, of: fn(&AccountRoll) -> Amount| {
            account.map_or(0, |account| of(account).minor)
        };
        let mut kinds: Vec<&str> = Vec::new();
        for moved in goods.iter().chain(&fees).flat_map(|account| &account.movements) {
            if !kinds.contains(&moved.kind.as_str()) {
                kinds.push(&moved.kind);
            }
        }
        let moved = |account: Option<&AccountRoll>, kind: &str| {
            let of_kind = account.and_then(|account| account.movements.iter().find(|moved| moved.kind == kind));
            of_kind.map_or(0, |moved| moved.amount.minor)
        };
        let movement = |kind: &&str| {
            context! { name => self.kind(kind), ..line(moved(goods, kind), moved(fees, kind)) }
        };
        context! {
            opening => line(minor(goods, |account| account.opening), minor(fees, |account| account.opening)),
            movements => kinds.iter().map(movement).collect::<Vec<_>>(),
            closing => line(minor(goods, |account| account.closing), minor(fees, |account| account.closing)),
        }
    }

    /// Returns the word for a kind of entry; a kind without one keeps its code.
    fn kind(&self, code: &str) -> Value {
        let word = self.words.get_attr("kind").and_then(|kinds| kinds.get_attr(code));
        word.ok().filter(|word| !word.is_undefined()).unwrap_or_else(|| Value::from(code))
    }
}

/// An account on one line.
#[derive(serde::Serialize)]
struct Summary<'a> {
    account: &'a str,
    opening: Amount,
    moved: Amount,
    closing: Amount,
}

fn summary(account: &AccountRoll) -> Summary<'_> {
    let moved = Amount::new(account.closing.minor - account.opening.minor, account.closing.currency);
    Summary { account: &account.account, opening: account.opening, moved, closing: account.closing }
}

/// `1,234.50`: an amount without its currency.
fn figure(amount: &Value) -> Result<String, minijinja::Error> {
    let minor = i64::try_from(amount.get_attr("minor")?)?;
    let currency = amount.get_attr("currency")?;
    let plain = currency.as_str().and_then(Currency::parse).map_or(minor.to_string(), |known| known.plain(minor));
    Ok(grouped(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journal::EntryKind;

    #[test]
    fn every_kind_of_entry_and_account_has_a_word_in_both_languages() {
        for words in [include_str!("en.toml"), include_str!("zh.toml")] {
            let words: toml::Table = words.parse().unwrap();
            for kind in EntryKind::ALL {
                assert!(words["kind"].get(kind.name()).is_some(), "{}", kind.name());
            }
            for account in Account::ALL {
                assert!(words["account"].get(account.name()).is_some(), "{}", account.name());
            }
        }
        let keys = |words: &str| -> Vec<String> { words.parse::<toml::Table>().unwrap().keys().cloned().collect() };
        assert_eq!(keys(include_str!("en.toml")), keys(include_str!("zh.toml")));
    }

    #[test]
    fn amounts_are_grouped_by_thousands() {
        let shown = |minor, code| {
            let amount = Amount::new(minor, Currency::parse(code).unwrap());
            figure(&Value::from(Serde(amount))).unwrap()
        };
        assert_eq!(shown(123_456_789, "CNY"), "1,234,567.89");
        assert_eq!(shown(-100_000, "CNY"), "\u{2212}1,000.00");
        assert_eq!(shown(999, "JPY"), "999");
    }
}
