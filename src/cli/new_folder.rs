//! Folders that a command makes: nothing in a folder that is in use is overwritten.

use std::fs;
use std::path::Path;

use anyhow::{Context, Error, Result, bail, ensure};

/// Makes a folder, unless there is one with something in it.
pub fn make(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "{} is not empty; choose a new folder", folder.display());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => bail!(Error::new(error).context(format!("opening the folder {}", folder.display()))),
    }
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))
}
