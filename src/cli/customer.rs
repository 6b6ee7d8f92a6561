//! `paylater customer`: a customer at a glance, short enough to read out on the phone, in English or Chinese.
//!
//! The texts are templates, one for each language, which get the view as JSON has it.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment as Templates, Error, ErrorKind, Value, escape_formatter};

use super::language::Lang;
use super::open::At;
use super::output::on_one_line;
use super::{Ending, Misconfigured, json, say};
use crate::domain::money::Currency;
use crate::mail::language::Language;
use crate::views::customer::{CustomerGlance, Questions, Search};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("who").required(true)))]
pub struct Customer {
    /// The customer's id, as in the customers file.
    #[arg(group = "who", value_name = "ID")]
    customer: Option<String>,

    /// The customer's email address; with `-` it is read from standard input, so that no list of processes shows it.
    #[arg(long, group = "who", value_name = "ADDRESS")]
    email: Option<String>,

    /// A payment's id: finds who made it.
    #[arg(long, group = "who", value_name = "ID")]
    payment: Option<String>,

    /// Only at this merchant.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// Also show what is owed on this day if nothing is paid.
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,

    /// Also show what to pay on this day so that nothing is owed any more.
    #[arg(long, value_name = "DATE")]
    pay_off_on: Option<NaiveDate>,

    /// Also show what an extension by so many days would change if it were asked for today.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=3650))]
    extend: Option<i64>,

    /// Which order to extend, if not every open one.
    #[arg(long, value_name = "ID", requires = "extend")]
    order: Option<String>,

    /// The language to answer in. Without it, LC_ALL, LC_MESSAGES or LANG decides: Chinese if it begins with zh, else English.
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// How many settled orders, declined orders and mails are listed: the latest.
const LISTED: usize = 5;

impl Customer {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let language = Lang::or_locale(self.lang);
        let search = self.search()?;
        let environment = at.look().await?;
        let merchant = match &self.merchant {
            None => None,
            Some(id) => Some(environment.scheme.merchant_named(id).map_err(Misconfigured)?.as_ref()),
        };
        let Customer { on, pay_off_on, extend, order, .. } = self;
        let questions = Questions { on, pay_off_on, extend, order };
        let mut tx = environment.store.read().await?;
        let found = CustomerGlance::load(&mut tx, &environment, &search, merchant, &questions).await?;
        let customer = found.map_err(|why| {
            let is_of_several = why.is_of_several();
            let why = anyhow::Error::new(why);
            if is_of_several { Misconfigured(why).into() } else { why }
        })?;
        if let Some(id) = &questions.order {
            let mut orders = customer.merchants.iter().flat_map(|merchant| &merchant.orders);
            ensure!(orders.any(|order| order.order_id == *id), "the customer has no accepted order {id:?}");
        }
        if at.json {
            json::print(&customer)?;
        } else {
            say!("{}", in_words(&customer, language)?);
        }
        Ok(Ending::Done)
    }

    fn search(&self) -> Result<Search> {
        if let Some(payment) = &self.payment {
            return Ok(Search::Payment(payment.clone()));
        }
        match (self.email.as_deref(), &self.customer) {
            (Some("-"), _) => {
                let mut address = String::new();
                let limit = std::io::stdin().take(4_096).read_to_string(&mut address);
                limit.context("reading the address from standard input")?;
                Ok(Search::Email(address))
            }
            (Some(address), _) => Ok(Search::Email(address.to_owned())),
            (None, Some(id)) => Ok(Search::Id(id.clone())),
            (None, None) => bail!("name a customer by id, or search with --email or --payment"),
        }
    }
}

/// Returns the answer as text.
fn in_words(customer: &CustomerGlance, language: Language) -> Result<String> {
    let mut templates = Templates::new();
    templates.set_auto_escape_callback(|_| AutoEscape::None);
    // Texts from senders' files must not control the terminal or look like paylater's own lines.
    templates.set_formatter(|out, state, value| match value.as_str() {
        Some(text) => escape_formatter(out, state, &Value::from(on_one_line(text))),
        None => escape_formatter(out, state, value),
    });
    templates.add_filter("money", move |amount: Value| money(&amount, language));
    templates.add_filter("day", move |day: String| match day.get(..10).unwrap_or(&day).parse() {
        Ok(day) => Ok(language.day(day)),
        Err(_) => Err(Error::new(ErrorKind::InvalidOperation, "not a day")),
    });
    templates.add_global("LISTED", LISTED);
    let source = match language {
        Language::En => include_str!("customer/en.txt"),
        Language::Zh => include_str!("customer/zh.txt"),
    };
    templates.add_template("customer", source)?;
    let text = templates.get_template("customer").and_then(|template| template.render(Serde(customer)));
    Ok(text.context("wording the answer")?.trim_end().to_owned())
}

fn money(amount: &Value, language: Language) -> Result<String, Error> {
    let minor = amount.get_attr("minor")?.as_i64();
    let currency = amount.get_attr("currency")?.as_str().and_then(Currency::parse);
    let no_amount = || Error::new(ErrorKind::InvalidOperation, "not an amount");
    let (minor, currency) = minor.zip(currency).ok_or_else(no_amount)?;
    Ok(language.money(currency, minor))
}

#[cfg(test)]
mod tests {
    use crate::domain::decide::credit_record::CreditStatus;
    use crate::domain::decide::reminders::Template;
    use crate::domain::facts::fact::HoldReason;
    use crate::domain::terms::hold::HoldEffect;

    #[test]
    fn every_code_has_words_in_both_languages() {
        let credit = CreditStatus::ALL.map(CreditStatus::name);
        let holds = HoldReason::ALL.map(HoldReason::name);
        let stopped = HoldEffect::ALL.map(HoldEffect::name);
        let mails = Template::ALL.map(Template::name);
        for code in credit.iter().chain(&holds).chain(&stopped).chain(&mails) {
            for text in [include_str!("customer/en.txt"), include_str!("customer/zh.txt")] {
                assert!(text.contains(&format!("\"{code}\": ")), "{code}");
            }
        }
    }
}
