//! `paylater statement`: monthly statements as pages that print.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use self::page::Pages;
use super::language::Lang;
use super::open::At;
use super::table::show;
use super::{Ending, json, which};
use crate::books::environment::Environment;
use crate::domain::calendar::last_of_month;
use crate::files::atomic;
use crate::mail::language::Language;
use crate::scheme::Merchant;
use crate::views::statement::{OfMerchant, Statement as View, Statements};

#[derive(clap::Args)]
#[command(after_help = "\
A statement says how what the merchant is owed and what its customers owe came from the opening to the closing balance: orders, \
payments, refunds, fees, write-offs; how old the debts are; and the other accounts. It is made from the sealed books: each total \
is checked against the sealed balances. Open the page in a browser and print it, or:

  chromium --headless --no-pdf-header-footer --print-to-pdf=TEA.pdf TEA_2026-03_statement.html

Without --merchant, there is also scheme_MONTH_statement.html with all merchants together.

Examples:
  paylater statement --month 2026-03 --into /srv/finance
  paylater statement --month 2026-03 --merchant TEA --lang zh
  paylater statement --month 2026-03 --json                   writes no pages")]
pub struct Statement {
    /// The month; of a month that is not over, the days sealed so far.
    #[arg(long, value_name = "MONTH", value_parser = which::month)]
    month: NaiveDate,

    /// Only this merchant's statement.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// The folder to write into; this one, unless you name another. A page of the same name is replaced.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// The language; that of the locale, unless you name one.
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

impl Statement {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let merchants = which::merchants(&environment.scheme, self.merchant.as_deref())?;
        let folder = self.into.clone().unwrap_or_else(|| PathBuf::from("."));
        // Reports that must be made again need a place; with --json nothing else is written.
        let temporary = folder.join(format!(".statement_{}.part", self.month.format("%Y-%m")));
        let loaded = self.load(&environment, &merchants, &temporary).await;
        if temporary.exists() {
            fs::remove_dir_all(&temporary).with_context(|| format!("removing {}", temporary.display()))?;
        }
        let statements = loaded?;
        if statements.is_empty() {
            let whom = self.merchant.as_deref().unwrap_or("any merchant");
            bail!("no day of {} is sealed with {whom}", self.month.format("%Y-%m"));
        }
        if at.json {
            json::print(Statements { month: self.month, statements })?;
            return Ok(Ending::Done);
        }
        fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
        let pages = Pages::load(Lang::or_locale(self.lang))?;
        for statement in &statements {
            let file = write(&environment, &pages, statement, &folder)?;
            show!("{}: {} to {}", file.display(), statement.first, statement.last);
        }
        Ok(Ending::Done)
    }

    /// Returns the statements of merchants and, if all were asked for, that of the scheme.
    async fn load(&self, environment: &Environment, merchants: &[&Merchant], temporary: &Path) -> Result<Vec<View>> {
        let days = (self.month, last_of_month(self.month));
        let mut tx = environment.store.read().await?;
        let mut loaded: Vec<OfMerchant> = Vec::new();
        for merchant in merchants {
            loaded.extend(View::load(&mut tx, environment, merchant, days, temporary).await?);
        }
        let of_scheme = if self.merchant.is_none() { View::of_scheme(&loaded) } else { None };
        Ok(loaded.into_iter().map(|loaded| loaded.statement).chain(of_scheme).collect())
    }
}

fn write(environment: &Environment, pages: &Pages, statement: &View, folder: &Path) -> Result<PathBuf> {
    let scheme = &environment.scheme;
    let merchant = statement.merchant_id.as_deref().and_then(|id| scheme.merchant(id));
    let name = merchant.map(|merchant| match (pages.language(), &merchant.name_zh) {
        (Language::Zh, Some(name)) => name.as_str(),
        _ => merchant.name.as_str(),
    });
    let html = pages.render(&scheme.name, name, statement)?;
    let whose = statement.merchant_id.as_deref().unwrap_or("scheme");
    let file = folder.join(format!("{whose}_{}_statement.html", statement.month.format("%Y-%m")));
    atomic::write(&file, html.as_bytes()).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
