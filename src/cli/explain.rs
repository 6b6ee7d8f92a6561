//! `paylater explain`: an order's story, day by day, every number with its rule and source.

mod bank;
mod bill;
mod late_fee;
mod movement;
mod story;
mod words;

use anyhow::{Context, Result};
use serde_json::json;

use self::story::Story;
use super::open::At;
use super::say;
use super::{Ending, Misconfigured};
use crate::books::environment::Environment;
use crate::scheme::Merchant;
use crate::store::{Tx, file_rows, orders};

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
        let story = Story::load(&mut tx, &environment, merchant, &self.order).await?;
        if at.json {
            let events: Vec<_> = story
                .events
                .iter()
                .map(|event| json!({ "on": event.on, "what": event.what, "source": event.source }))
                .collect();
            let story = json!({ "merchant": merchant.id, "order": self.order, "headline": story.headline,
                                "events": events, "now": story.now });
            say!("{}", serde_json::to_string_pretty(&story)?);
            return Ok(Ending::Done);
        }
        for line in &story.headline {
            say!("{}", words::on_one_line(line));
        }
        say!();
        let mut last = None;
        for event in &story.events {
            let day = if last == Some(event.on) { String::new() } else { event.on.to_string() };
            last = Some(event.on);
            let source = if event.source.is_empty() { String::new() } else { format!("   [{}]", event.source) };
            say!("{day:<12}{}", words::on_one_line(&format!("{}{source}", event.what)));
        }
        say!();
        for line in &story.now {
            say!("{}", words::on_one_line(line));
        }
        Ok(Ending::Done)
    }

    async fn find<'s>(&self, tx: &mut Tx, environment: &'s Environment) -> Result<&'s Merchant> {
        if let Some(id) = &self.merchant {
            return environment
                .scheme
                .merchant(id)
                .map(AsRef::as_ref)
                .with_context(|| format!("there is no merchant {id:?}"))
                .map_err(|why| Misconfigured(why).into());
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
            [] => anyhow::bail!("no file has named an order {:?} yet; ids are told apart to the letter", self.order),
            several => {
                let ids: Vec<&str> = several.iter().map(|merchant| merchant.id.as_str()).collect();
                anyhow::bail!("{} have an order {:?}; say which with --merchant", ids.join(" and "), self.order)
            }
        }
    }
}
