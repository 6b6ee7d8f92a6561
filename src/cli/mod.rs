//! The command line. Each command has one file: it opens the scheme, calls a job or loads a view, and prints the
//! result.

mod check;
mod check_file;
mod close;
mod console;
mod correct;
mod exceptions;
mod explain;
mod files;
pub mod generate;
mod job;
mod journal;
mod json;
mod open;
mod output;
mod run;
mod status;
mod table;
mod verify;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::{remark, say};

/// Runs a use-now-pay-later scheme (先用后付): merchants' files come in; due dates, mails, late fees and credit
/// impact follow; at the end of each business day the books close and reconciliation files come out.
#[derive(Parser)]
#[command(
    version,
    after_help = "Begin with the sample:\n  paylater --config sample-data/paylater.toml close --through 2026-03-31\n  paylater --config sample-data/paylater.toml explain T-STAR\n\nExit status: 0 done, 1 done with failures, 2 usage or configuration."
)]
struct Cli {
    /// The scheme's configuration file.
    #[arg(long, env = "PAYLATER_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print for programs: JSON on standard output, described in docs/json.md. The daemon prints nothing, and has none.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Do every job of every open day up to a date, in order, and seal each day. The main job; no daemon needed.
    Close(close::Close),
    /// Run as a daemon: every job at its times, until SIGTERM or Ctrl-C.
    Run(run::Run),
    /// Serve the console: pages that show the day, money, orders, files and exceptions, and endpoints for monitoring.
    Console(console::Console),
    /// Do one job now, for the open business date.
    Job(job::JobCommand),
    /// Show the business date, last and next runs, files, mails and exceptions.
    Status(status::Status),
    /// List files with their counts and what waits in the inboxes; show a file's rows; try files again.
    Files(files::Files),
    /// List open exceptions; close one with a reason.
    Exceptions(exceptions::Exceptions),
    /// Put a wrong fact right: void a payment, end a hold, mend a delivery date, … with who says so and why.
    Correct(Box<correct::Correct>),
    /// Tell an order's story: each date, amount, refusal and mail with its rule, policy version and source line.
    Explain(explain::Explain),
    /// Prove the books again from the facts, and every sealed day's files against their seal. Changes nothing.
    Verify(verify::Verify),
    /// Check configuration, policies, templates and schedules, and show the next runs of each job.
    Check(check::Check),
    /// Export the journal for other tools.
    Journal(journal::Journal),
    /// Make up a scheme of any size, repeatable from a seed, for trying out and for measuring.
    Generate(generate::Generate),
}

/// How a command ended.
pub enum Ending {
    Done,
    /// Done, with failures that the command reported.
    Failures,
}

/// An error in the command line or the configuration. The exit status is 2.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct Misconfigured(pub anyhow::Error);

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(matches!(cli.command, Command::Run(_) | Command::Console(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            remark!("error: starting up: {why}");
            return ExitCode::from(1);
        }
    };
    let ended = runtime.block_on(dispatch(cli));
    output::flush_log();
    match ended {
        Ok(Ending::Done) if output::is_lost() => ExitCode::from(1),
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failures) => ExitCode::from(1),
        Err(why) => {
            remark!("error: {why:#}");
            ExitCode::from(if why.is::<Misconfigured>() { 2 } else { 1 })
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<Ending> {
    let at = open::At { config: cli.config, json: cli.json };
    match cli.command {
        Command::Close(command) => command.run(&at).await,
        Command::Run(command) => command.run(&at).await,
        Command::Console(command) => command.run(&at).await,
        Command::Job(command) => command.run(&at).await,
        Command::Status(command) => command.run(&at).await,
        Command::Files(command) => command.run(&at).await,
        Command::Exceptions(command) => command.run(&at).await,
        Command::Correct(command) => command.run(&at).await,
        Command::Explain(command) => command.run(&at).await,
        Command::Verify(command) => command.run(&at).await,
        Command::Check(command) => command.run(&at).await,
        Command::Journal(command) => command.run(&at).await,
        Command::Generate(command) => command.run(at.json).map(|()| Ending::Done),
    }
}

/// Sends the log to standard error. A daemon, the console or a pipe gets the level `info`; a terminal, where a person watches the
/// progress, gets only warnings and errors. `PAYLATER_LOG` sets another filter.
fn log_to_stderr(daemon: bool) {
    let usual =
        if daemon || !std::io::stderr().is_terminal() { "info,sqlx=warn,tokio_cron_scheduler=warn" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("PAYLATER_LOG").unwrap_or_else(|_| usual.into());
    let log = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(output::Log::begin)
        .with_target(false);
    log.with_ansi(std::io::stderr().is_terminal()).init();
}
