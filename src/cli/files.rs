//! `paylater files`: lists files with their outcomes, shows a file's rows, and tries files again.

mod list;
mod retry;
mod show;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::open::At;
use super::{Ending, Misconfigured};
use crate::store::listing::ListedFile;
use crate::store::{Tx, listing};
use crate::views::files::File;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Files {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    list: list::List,
}

#[derive(Subcommand)]
enum Command {
    /// Show the rows of a file that were not simply accepted.
    Show(show::Show),
    /// Retry files after you fixed the configuration: files in quarantine, and rows rejected because a policy or calendar was missing.
    Retry(retry::Retry),
}

impl Files {
    pub async fn run(self, at: &At) -> Result<Ending> {
        match self.command {
            None => self.list.run(at).await,
            Some(Command::Show(show)) => show.run(at).await,
            Some(Command::Retry(retry)) => retry.run(at).await,
        }
    }
}

/// Finds the one file with this number, or with this name: the sender's name, or the name it is kept under.
async fn find(tx: &mut Tx, which: &str) -> Result<ListedFile> {
    if let Ok(number) = which.parse() {
        let file = listing::file(tx, number).await?;
        return file.with_context(|| format!("there is no file {number}; `paylater files` lists those there are"));
    }
    let mut called = listing::files_called(tx, which).await?;
    // When two files have the same name, the second is kept under a name with a number, and that name is unique.
    let counted = called.iter().filter(|listed| listed.file.kept_as == which && listed.file.name != which);
    if let [only] = counted.collect::<Vec<_>>().as_slice() {
        return Ok((*only).clone());
    }
    match called.len() {
        0 => bail!("there is no file {which:?}; `paylater files` lists those there are"),
        1 => Ok(called.remove(0)),
        _ => {
            let one = |listed: &ListedFile| {
                let file = &listed.file;
                format!("\n  {}  feed {}, {}, {}", file.file_no, file.feed, file.business_date, file.status)
            };
            let all: String = called.iter().map(one).collect();
            bail!(Misconfigured(anyhow::anyhow!(
                "there are several files {which:?}; write the number of one of them:{all}"
            )))
        }
    }
}

/// Parses one of these names.
fn one_of<T: Clone + Send + Sync + 'static>(
    names: impl IntoIterator<Item = &'static str>,
    parse: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).map(move |name| parse(&name).expect("every name is that of a value"))
}

/// Returns the status with the number of the retry, if there is one: `quarantined`, or `quarantined, then 12`.
fn status_in_words(file: &File) -> String {
    match file.retried_as {
        Some(again) => format!("{}, then {again}", file.status),
        None => file.status.to_string(),
    }
}
