//! Reads the project's own sources and documentation for tests.

use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("reading {}: {why}", path.display()))
}

/// Returns all Rust files below a folder, with paths relative to the project.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let path = folder.join(entry.file_name());
        if root().join(&path).is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns a source without its tests, which come last in a file.
pub fn without_tests(source: &str) -> String {
    source.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// Returns the texts between quotes, line by line. A text that contains quotes is split, which is good enough here.
pub fn quoted(source: &str) -> Vec<String> {
    source.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Returns the first two cells of each row of the table under the heading `### name`. The first cell has no back-ticks.
pub fn table_below(page: &str, name: &str) -> Vec<(String, String)> {
    let heading = format!("### {name}");
    let mut rows = Vec::new();
    for line in page.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, first, second, ..] = cells.as_slice()
            && let Some(column) = first.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'))
        {
            rows.push((column.to_owned(), (*second).to_owned()));
        }
    }
    rows
}
