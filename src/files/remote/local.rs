//! A folder on this machine, for example a mounted one.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{Entry, MOST_NAMES, RemoteError, Stamp, too_many_names};
use crate::files::atomic;

pub fn list(folder: &Path) -> Result<Vec<Entry>, RemoteError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if found.len() == MOST_NAMES {
            return Err(too_many_names());
        }
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push(Entry { name, stamp: stamp(&entry.metadata()?)?, not_a_file: None });
        }
    }
    Ok(found)
}

pub fn stat(folder: &Path, name: &str) -> Result<Option<Stamp>, RemoteError> {
    match fs::symlink_metadata(folder.join(name)) {
        Ok(metadata) => Ok(Some(stamp(&metadata)?)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why.into()),
    }
}

pub fn fetch(folder: &Path, entry: &Entry, to: &mut File) -> Result<(), RemoteError> {
    io::copy(&mut File::open(folder.join(&entry.name))?, to)?;
    match stat(folder, &entry.name)? {
        Some(stamp) if stamp == entry.stamp => Ok(()),
        _ => Err(RemoteError::Changed(entry.name.clone())),
    }
}

pub fn put(folder: &Path, name: &str, from: &mut File) -> Result<(), RemoteError> {
    if !folder.is_dir() {
        return Err(RemoteError::Refused(format!("the folder {} does not exist", folder.display())));
    }
    let to = folder.join(name);
    let part = atomic::part_of(&to);
    make_folder_of(&to)?;
    let mut file = File::create(&part)?;
    io::copy(from, &mut file)?;
    file.sync_all()?;
    Ok(atomic::rename(&part, &to)?)
}

pub fn rename(folder: &Path, from: &str, to: &str) -> Result<(), RemoteError> {
    make_folder_of(&folder.join(to))?;
    Ok(atomic::rename(&folder.join(from), &folder.join(to))?)
}

pub fn remove(folder: &Path, name: &str) -> Result<(), RemoteError> {
    Ok(fs::remove_file(folder.join(name))?)
}

fn make_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn stamp(metadata: &fs::Metadata) -> io::Result<Stamp> {
    let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Stamp { bytes: metadata.len(), tag: since.as_nanos().to_string() })
}
