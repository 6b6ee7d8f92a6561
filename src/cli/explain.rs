//! `paylater explain`: shows an order's story, day by day. Every number has its rule and source.

use anyhow::Result;

use super::open::At;
use super::output::on_one_line;
use super::table::{print_fields, print_wrapped};
use super::{Ending, Misconfigured, json, say};
use crate::books::environment::Environment;
use crate::scheme::Merchant;
use crate::store::{Tx, file_rows, orders};
use crate::views::order_story::OrderStory;

#[derive(clap::Args)]
pub struct Explain {
    /// The order's id, as the merchant gave it.
    order: String,

    /// Which merchant's, where two have an order of this id.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
}

impl Explain {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let merchant = self.find(&mut tx, &environment).await?;
        let story = OrderStory::load(&mut tx, &environment, merchant, &self.order).await?;
        if at.json {
            json::print(&story)?;
        } else {
            print(&story);
        }
        Ok(Ending::Done)
    }

    async fn find<'s>(&self, tx: &mut Tx, environment: &'s Environment) -> Result<&'s Merchant> {
        if let Some(id) = &self.merchant {
            return Ok(environment.scheme.merchant_named(id).map_err(Misconfigured)?.as_ref());
        }
        let mut found = Vec::new();
        for merchant in &environment.scheme.merchants {
            let known = !orders::known(tx, &merchant.id, &[&self.order]).await?.is_empty();
            if known || !file_rows::of_order(tx, &merchant.id, &self.order).await?.is_empty() {
                found.push(merchant);
            }
        }
        match found.as_slice() {
            [only] => Ok(only),
            [] => anyhow::bail!(
                "no file has named an order {:?} yet; ids must match exactly, including upper and lower case",
                self.order
            ),
            several => {
                let ids: Vec<&str> = several.iter().map(|merchant| merchant.id.as_str()).collect();
                let why =
                    anyhow::anyhow!("{} have an order {:?}; say which with --merchant", ids.join(" and "), self.order);
                Err(Misconfigured(why).into())
            }
        }
    }
}

/// The width of the column of days.
const DAYS: u16 = 12;

fn print(story: &OrderStory) {
    for line in &story.headline {
        print_wrapped(&on_one_line(line));
    }
    say!();
    let mut last = None;
    let events = story.events.iter().map(|event| {
        let day = if last == Some(event.on) { String::new() } else { event.on.to_string() };
        last = Some(event.on);
        let source = event.source.as_ref().map(|source| format!("   [{source}]")).unwrap_or_default();
        (day, on_one_line(&format!("{}{source}", event.what)))
    });
    print_fields(DAYS, events.collect::<Vec<_>>());
    say!();
    for line in &story.now {
        print_wrapped(&on_one_line(line));
    }
}
