//! `paylater mails`: lists mails, shows the words of one, sends one again or takes it back, previews a mail about an order, and
//! exports the built-in templates.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use clap::Subcommand;

use super::open::{At, who};
use super::table::{print_box, print_fields};
use super::{Ending, Misconfigured, json, say};
use crate::clock;
use crate::jobs::Job;
use crate::jobs::send_reminders::mail_day;
use crate::jobs::send_reminders::preview::{Wanted, preview};
use crate::mail::template_files::BUILT_IN;
use crate::store::mails::{self, Filter, MailStatus};
use crate::store::{Lane, Tx};
use crate::views::mails::{self as view, MailState, MailWords};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Mails {
    #[command(subcommand)]
    command: Option<Command>,

    /// Only mails to this customer.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,

    /// Only mails with this status: queued, sending, sent, withdrawn, failed or unknown.
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<MailStatus>,

    /// Only mails of this day.
    #[arg(long, value_name = "DATE")]
    day: Option<NaiveDate>,

    /// How many, the newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    last: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Show a mail: what it is about, what became of it, and its very words.
    Show {
        /// The mail's number, from `paylater mails`.
        number: i64,
    },
    /// Send a mail of today again that failed, or of which it is unknown whether it was sent.
    Retry {
        /// The mail's number, from `paylater mails`.
        number: i64,
    },
    /// Take a mail back that has not left yet.
    Cancel {
        /// The mail's number, from `paylater mails`.
        number: i64,
    },
    /// Show a mail about an order as it would read now. Nothing is sent.
    Preview(Preview),
    /// Write the built-in templates into a folder.
    Templates {
        /// The folder. Files that are there already stay as they are.
        #[arg(long, value_name = "FOLDER")]
        export: PathBuf,
    },
}

#[derive(clap::Args)]
struct Preview {
    /// The order.
    order: String,

    /// Its merchant; needed only if there are several.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// The letter, such as overdue or second_reminder. Without it, the one that fits the day.
    #[arg(long, value_name = "NAME")]
    letter: Option<String>,

    /// The language, such as zh or en-US. Without it, the customer's.
    #[arg(long, value_name = "TAG")]
    lang: Option<String>,

    /// The day on which it would be read. Without it, the open business date.
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,

    /// Print the HTML.
    #[arg(long, conflicts_with = "message")]
    html: bool,

    /// Print the whole message, as it would be handed over.
    #[arg(long)]
    message: bool,
}

fn status(name: &str) -> Result<MailStatus, String> {
    let names = || MailStatus::ALL.map(MailStatus::name).join(", ");
    MailStatus::parse(name).ok_or_else(|| format!("write one of {}", names()))
}

impl Mails {
    pub async fn run(self, at: &At) -> Result<Ending> {
        match self.command {
            Some(Command::Show { number }) => show(at, number).await,
            Some(Command::Retry { number }) => retry(at, number).await,
            Some(Command::Cancel { number }) => cancel(at, number).await,
            Some(Command::Preview(preview)) => preview.run(at).await,
            Some(Command::Templates { export: folder }) => export(&folder),
            None => self.list(at).await,
        }
    }

    async fn list(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let filter = Filter { customer_id: self.customer.as_deref(), status: self.status, day: self.day };
        let list = view::list(&mut tx, &filter, i64::from(self.last)).await.context("listing the mails")?;
        if at.json {
            json::print(list)?;
        } else if list.mails.is_empty() {
            say!("No such mails.");
        } else {
            let rows = list.mails.into_iter().map(|mail| {
                let MailState { mail_no, business_date, customer_id, template, status, error, .. } = mail;
                let error = error.unwrap_or_default();
                vec![mail_no.to_string(), business_date.to_string(), customer_id, template, status, error]
            });
            print_box(&["mail", "day", "customer", "about", "status", "why"], rows);
        }
        Ok(Ending::Done)
    }
}

async fn show(at: &At, number: i64) -> Result<Ending> {
    let environment = at.look().await?;
    let mut tx = environment.store.read().await?;
    let words = view::words(&mut tx, number).await.map_err(Misconfigured)?;
    if at.json {
        json::print(words)?;
        return Ok(Ending::Done);
    }
    let MailWords { mail, about, subject, text } = words;
    let mut fields = vec![
        (format!("mail {}", mail.mail_no), format!("{} to customer {}", mail.business_date, mail.customer_id)),
        ("  status".to_owned(), mail.status),
        ("  Message-ID".to_owned(), mail.message_id),
    ];
    fields.extend(mail.error.map(|why| ("  why".to_owned(), why)));
    for one in about {
        let taken_out = one.suppressed.map(|why| format!("; taken out: {why}")).unwrap_or_default();
        fields.push(("  about".to_owned(), format!("{} {}, {}{taken_out}", one.merchant_id, one.order_id, one.step)));
    }
    print_fields(16, fields);
    match (subject, text) {
        (Some(subject), Some(text)) => say!("\n{subject}\n\n{}", text.trim_end()),
        _ => say!("\nIt was not handed over, so that it has no words yet."),
    }
    Ok(Ending::Done)
}

/// The mail of a number.
async fn found(tx: &mut Tx, number: i64) -> Result<mails::MailRow> {
    let mail = mails::of_number(tx, number).await?;
    let missing = || Misconfigured(anyhow::anyhow!("there is no mail {number}; `paylater mails` lists them"));
    mail.ok_or_else(|| missing().into())
}

async fn retry(at: &At, number: i64) -> Result<Ending> {
    let work = at.work(&[Lane::Mail], "mails retry").await?;
    let environment = &work.environment;
    let today = environment.business_date().await?;
    let day = mail_day(environment, today, environment.now_of(Job::SendReminders.name(), today));
    let mut tx = environment.store.write().await?;
    let mail = found(&mut tx, number).await?;
    let can_be = matches!(mail.status, MailStatus::Failed | MailStatus::Unknown);
    ensure!(can_be, "mail {number} is {}; only a mail that failed or is unknown is sent again", mail.status.name());
    if mail.business_date != day {
        let its_day = mail.business_date;
        bail!(
            "mail {number} was right on {its_day} and is out of date; what is due today is in the mails of {day}, and a \
             notice that was not sent is planned again by itself"
        );
    }
    mails::set_status(&mut tx, &[number], MailStatus::Queued, None).await?;
    done(at, tx, number, "waits to be sent by the next run of send_reminders").await
}

async fn cancel(at: &At, number: i64) -> Result<Ending> {
    let work = at.work(&[Lane::Mail], "mails cancel").await?;
    let mut tx = work.environment.store.write().await?;
    let mail = found(&mut tx, number).await?;
    let can_be = mail.status == MailStatus::Queued;
    ensure!(can_be, "mail {number} is {}; only a queued mail can be taken back", mail.status.name());
    mails::cancel(&mut tx, number, &format!("cancelled by {}", who())).await?;
    done(at, tx, number, "is cancelled").await
}

async fn done(at: &At, mut tx: Tx, number: i64, what: &str) -> Result<Ending> {
    let mail = found(&mut tx, number).await?;
    tx.commit().await?;
    if at.json {
        json::print(MailState::from(mail))?;
    } else {
        say!("Mail {number} {what}.");
    }
    Ok(Ending::Done)
}

impl Preview {
    async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let merchants = &environment.scheme.merchants;
        let merchant = match (&self.merchant, &merchants[..]) {
            (Some(id), _) => id.clone(),
            (None, [only]) => only.id.clone(),
            (None, _) => return Err(Misconfigured(anyhow::anyhow!("which merchant? Name it with --merchant")).into()),
        };
        let day = match self.on {
            Some(day) => day,
            None => environment.business_date().await?,
        };
        let mut tx = environment.store.read().await?;
        let wanted = Wanted {
            merchant: &merchant,
            order_id: &self.order,
            letter: self.letter.as_deref(),
            language: self.lang.as_deref(),
            day,
            at: clock::now(),
        };
        let mail = preview(&mut tx, &environment, &wanted).await.map_err(Misconfigured)?;
        if self.message {
            say!("{}", String::from_utf8_lossy(&mail.bytes()).trim_end());
        } else if self.html {
            say!("{}", mail.html.trim_end());
        } else {
            say!("{}\n\n{}", mail.subject, mail.text.trim_end());
        }
        Ok(Ending::Done)
    }
}

fn export(folder: &Path) -> Result<Ending> {
    let mut written = 0;
    for (language, name, text) in BUILT_IN {
        let file = folder.join(language).join(name);
        if file.exists() {
            continue;
        }
        let parent = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| format!("making the folder {}", parent.display()))?;
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        written += 1;
    }
    say!("{written} of {} templates are written to {}.", BUILT_IN.len(), folder.display());
    Ok(Ending::Done)
}
