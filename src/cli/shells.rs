//! `paylater completions` and `paylater man`: what shells and `man` know about the command line, made from its own description, so
//! that packages need no other tool.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Ending, Misconfigured, say};

#[derive(clap::Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(clap::Args)]
pub struct Man {
    /// Folder to write to; it is made if it is missing.
    folder: PathBuf,
}

impl Completions {
    pub fn run(self, as_json: bool) -> Result<Ending> {
        refuse_json(as_json)?;
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "paylater", &mut script);
        let script = String::from_utf8(script).context("the completion script")?;
        say!("{}", script.trim_end());
        Ok(Ending::Done)
    }
}

impl Man {
    pub fn run(self, as_json: bool) -> Result<Ending> {
        refuse_json(as_json)?;
        let folder = &self.folder;
        fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
        let command = Cli::command().disable_help_subcommand(true);
        clap_mangen::generate_to(command, folder).with_context(|| format!("writing to {}", folder.display()))?;
        Ok(Ending::Done)
    }
}

fn refuse_json(as_json: bool) -> Result<()> {
    if as_json {
        return Err(Misconfigured(anyhow!("this command writes no JSON; leave out --json")).into());
    }
    Ok(())
}
