//! Sorts more rows than memory should hold: what does not fit goes to temporary files, sorted, and is merged from there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows with keys, to be read in the order of their keys. Rows with the same key keep the order in which they came.
pub struct Sorter<K, V> {
    rows: Vec<(K, V)>,
    /// The most rows in memory.
    at_once: usize,
    /// Rows that did not fit, sorted, a JSON line each.
    files: Vec<File>,
}

impl<K: Ord + Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> Sorter<K, V> {
    pub fn new(at_once: usize) -> Sorter<K, V> {
        Sorter { rows: Vec::new(), at_once, files: Vec::new() }
    }

    pub fn push(&mut self, key: K, row: V) -> io::Result<()> {
        if self.rows.len() >= self.at_once {
            self.write_out()?;
        }
        self.rows.push((key, row));
        Ok(())
    }

    /// The row that came last, if it has this key.
    pub fn last_mut(&mut self, is_key: impl FnOnce(&K) -> bool) -> Option<&mut V> {
        self.rows.last_mut().filter(|(key, _)| is_key(key)).map(|(_, row)| row)
    }

    /// Passes all rows to `take`, sorted.
    pub fn read<E: From<io::Error>>(mut self, mut take: impl FnMut(K, V) -> Result<(), E>) -> Result<(), E> {
        if self.files.is_empty() {
            self.sort();
            return self.rows.into_iter().try_for_each(|(key, row)| take(key, row));
        }
        self.write_out()?;
        let mut runs: Vec<Run<V>> = self.files.into_iter().map(Run::of).collect();
        let mut first = BinaryHeap::new();
        for (i, run) in runs.iter_mut().enumerate() {
            first.extend(run.next()?.map(|key: K| Reverse((key, i))));
        }
        while let Some(Reverse((key, i))) = first.pop() {
            let run = &mut runs[i];
            if let Some(row) = run.row.take() {
                take(key, row)?;
            }
            first.extend(run.next()?.map(|key: K| Reverse((key, i))));
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.sort();
        let mut out = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
        for row in self.rows.drain(..) {
            serde_json::to_writer(&mut out, &row)?;
            out.write_all(b"\n")?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.files.push(file);
        Ok(())
    }
}

/// Sorted rows in a file, and the row whose key was read last.
struct Run<V> {
    lines: BufReader<File>,
    line: String,
    row: Option<V>,
}

impl<V: DeserializeOwned> Run<V> {
    fn of(file: File) -> Run<V> {
        Run { lines: BufReader::new(file), line: String::new(), row: None }
    }

    /// Reads the next row and returns its key.
    fn next<K: DeserializeOwned>(&mut self) -> io::Result<Option<K>> {
        self.line.clear();
        if self.lines.read_line(&mut self.line)? == 0 {
            return Ok(None);
        }
        let (key, row) = serde_json::from_str(&self.line)?;
        self.row = Some(row);
        Ok(Some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_whether_they_fit_or_not() {
        for (rows, at_once) in [(0, 3), (2, 3), (3, 3), (4, 3), (1_000, 7), (1_000, 1)] {
            let mut sorter = Sorter::new(at_once);
            for i in 0..rows {
                sorter.push(format!("\"{}\n", i * 7 % 10), i).unwrap();
            }
            let mut sorted: Vec<(String, i32)> = Vec::new();
            sorter
                .read(|key, row| {
                    sorted.push((key, row));
                    io::Result::Ok(())
                })
                .unwrap();
            assert_eq!(sorted.len(), rows as usize);
            assert!(sorted.is_sorted(), "{rows} rows, {at_once} at once");
        }
    }
}
