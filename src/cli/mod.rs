//! The command line. Each command has one file: it opens the scheme, calls a job or loads a view, and prints the
//! result.

mod alerts;
mod check;
mod check_file;
mod close;
mod console;
mod correct;
mod customer;
mod exceptions;
mod explain;
mod files;
pub mod generate;
mod init;
mod job;
mod journal;
mod json;
mod language;
mod mails;
mod new_folder;
mod open;
mod output;
mod pause;
mod reports;
mod run;
mod runs;
mod shells;
mod statement;
mod status;
mod table;
mod traces;
mod verify;
mod which;
mod workbook;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use output::{remark, say};

use crate::store::in_words;

/// Runs a use-now-pay-later scheme (先用后付): merchants' files come in; due dates, mails, late fees and credit
/// impact follow; at the end of each business day the books close and reconciliation files come out.
#[derive(Parser)]
#[command(
    version,
    after_help = "Begin with the sample:\n  paylater --config sample-data/paylater.toml close --through 2026-03-31\n  paylater --config sample-data/paylater.toml explain T-STAR\n\nExit status: 0 done, 1 done with failures or not there, 2 usage or configuration."
)]
struct Cli {
    /// The scheme's configuration file; by default, `paylater.toml` in the current folder.
    #[arg(long, env = "PAYLATER_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print for programs: JSON on standard output, described in docs/json.md. The daemon and the console print nothing, and refuse it.
    #[arg(long, global = true)]
    json: bool,

    /// How long a command that changes something waits for its turn, while the daemon or another command works on the same
    /// part of the books.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every job of every open day up to a date, and seal each day. This is the main command; it needs no daemon.
    Close(close::Close),
    /// Run as a daemon, which runs each job at its scheduled times until SIGTERM or Ctrl-C.
    Run(run::Run),
    /// Serve the console: pages that show the day, money, orders, files and exceptions, and endpoints for monitoring.
    Console(console::Console),
    /// Run one job now, for the open business date.
    Job(job::JobCommand),
    /// Show the business date, last and next runs, files, mails and exceptions.
    Status(status::Status),
    /// List alerts that are open, and who gets them; send each receiver a test.
    Alerts(alerts::AlertsCommand),
    /// List runs of jobs; show one: what it did, why it failed, or why it did nothing.
    Runs(runs::Runs),
    /// Stop the daemon from running a job until it is resumed.
    Pause(pause::Pause),
    /// Let the daemon run a paused job again.
    Resume(pause::Resume),
    /// Plan runs for due times of a job that have no run; the daemon begins them.
    Backfill(pause::Backfill),
    /// List taken files with their row counts, and files that wait in the inboxes; show a file's rows; retry files.
    Files(files::Files),
    /// List mails; show the words of one, send it again or take it back; preview a mail; export the templates.
    Mails(mails::Mails),
    /// List open exceptions; close one with a reason.
    Exceptions(exceptions::Exceptions),
    /// Correct a wrong fact: void a payment, end a hold, change a delivery date, … with the reason and who approved it.
    Correct(Box<correct::Correct>),
    /// Show an order's history: each date, amount, refusal and mail, with its rule, policy version and source line.
    Explain(explain::Explain),
    /// Answer a customer who calls: what is owed, until when, and what if; by id, email address or payment.
    Customer(Box<customer::Customer>),
    /// Recompute the books from the facts, and compare every sealed day's files with their seal; all days, or some. Changes nothing.
    Verify(verify::Verify),
    /// Write a sealed day's files again, byte for byte, into another folder.
    Reports(reports::Reports),
    /// Write an Excel workbook of a month for each merchant: every report, control totals and charts.
    Workbook(workbook::Workbook),
    /// Write monthly statements as pages that print: balances, movements and how old debts are, by merchant and for the scheme.
    Statement(statement::Statement),
    /// Check configuration, policies, templates and schedules, and show the next runs of each job.
    Check(check::Check),
    /// Export the journal for other tools.
    Journal(journal::Journal),
    Init(init::Init),
    /// Generate an invented scheme of any size from a seed, to try paylater out or to measure it.
    Generate(generate::Generate),
    /// Print a shell's completion script for paylater.
    Completions(shells::Completions),
    /// Write manual pages: one for paylater and one for each command.
    #[command(hide = true)]
    Man(shells::Man),
}

/// How a command ended.
pub enum Ending {
    Done,
    /// Done, with failures that the command reported.
    Failures,
}

/// An error in the command line or the configuration: also the name of a merchant, a job or a feed that the configuration does not
/// have, and a name that several things of the books have. The exit status is 2. What the books do not have (an order, a customer,
/// a file, a run, an exception) is an ordinary error, whose exit status is 1.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct Misconfigured(pub anyhow::Error);

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let (spans, traces) = traces::begin();
    log_to_stderr(matches!(cli.command, Command::Run(_) | Command::Console(_)), spans);
    // A close is one deep future, which a thread's usual 2 MiB don't hold in a debug build.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(16 << 20).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => {
            remark!("error: starting up: {why}");
            return ExitCode::from(1);
        }
    };
    let ended = runtime.block_on(dispatch(cli));
    traces.end();
    output::flush_log();
    // Work that was cut off must not keep the program from ending.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(Ending::Done) if output::is_lost() => ExitCode::from(1),
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failures) => ExitCode::from(1),
        Err(why) => {
            let why = in_words(why);
            remark!("error: {why:#}");
            ExitCode::from(if why.is::<Misconfigured>() { 2 } else { 1 })
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<Ending> {
    let at = open::At { config: cli.config, json: cli.json, wait: Duration::from_secs(cli.wait) };
    match cli.command {
        Command::Close(command) => command.run(&at).await,
        Command::Run(command) => command.run(&at).await,
        Command::Console(command) => command.run(&at).await,
        Command::Job(command) => command.run(&at).await,
        Command::Status(command) => command.run(&at).await,
        Command::Alerts(command) => command.run(&at).await,
        Command::Runs(command) => command.run(&at).await,
        Command::Pause(command) => command.run(&at).await,
        Command::Resume(command) => command.run(&at).await,
        Command::Backfill(command) => command.run(&at).await,
        Command::Files(command) => command.run(&at).await,
        Command::Mails(command) => command.run(&at).await,
        Command::Exceptions(command) => command.run(&at).await,
        Command::Correct(command) => command.run(&at).await,
        Command::Explain(command) => command.run(&at).await,
        Command::Customer(command) => command.run(&at).await,
        Command::Verify(command) => command.run(&at).await,
        Command::Reports(command) => command.run(&at).await,
        Command::Workbook(command) => command.run(&at).await,
        Command::Statement(command) => command.run(&at).await,
        Command::Check(command) => command.run(&at).await,
        Command::Journal(command) => command.run(&at).await,
        Command::Init(command) => command.run(at.json),
        Command::Generate(command) => command.run(at.json).map(|()| Ending::Done),
        Command::Completions(command) => command.run(at.json),
        Command::Man(command) => command.run(at.json),
    }
}

/// Sends the log to standard error. A daemon, the console or a pipe gets the level `info`; a terminal, where a person watches the
/// progress, gets only warnings and errors. `PAYLATER_LOG` sets another filter; `PAYLATER_LOG_FORMAT=json` makes each line a
/// JSON object.
fn log_to_stderr(daemon: bool, spans: Option<traces::Spans>) {
    let usual =
        if daemon || !std::io::stderr().is_terminal() { "info,sqlx=warn,tokio_cron_scheduler=warn" } else { "warn" };
    let filter = EnvFilter::try_from_env("PAYLATER_LOG").unwrap_or_else(|_| usual.into());
    let log = tracing_subscriber::fmt::layer()
        .log_internal_errors(false)
        .with_writer(output::Log::begin)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let log = if std::env::var("PAYLATER_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.with_ansi(false).json().flatten_event(true).boxed()
    } else {
        log.boxed()
    };
    let own = Targets::new().with_target("paylater", Level::DEBUG);
    let spans = spans.map(|spans| spans.with_filter(own));
    tracing_subscriber::registry().with(log.with_filter(filter)).with(spans).init();
}
