//! Fingerprints of rows, as they are computed line by line.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::lines::{Booked, Form};
use super::parts::{JOURNAL, ORDERS, Part};

/// The most marks in a part. In larger parts, marks are further apart.
const MOST_MARKS: usize = 512;

/// The length of a mark: the first hexadecimal digits of the hash so far.
const MARK: usize = 8;

/// The fingerprint of an owner's rows of a day in one table. Its marks show where another state of the rows begins to differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartPrint {
    pub part: String,
    pub rows: usize,
    pub sha256: String,
    #[serde(default)]
    pub form: Form,
    /// The number of rows between marks.
    every: usize,
    marks: String,
}

/// The fingerprints of the journal and of the orders that it booked, which are read together.
#[derive(Default)]
pub struct BookedPrints {
    journal: Printing,
    orders: Printing,
}

impl BookedPrints {
    pub fn take(&mut self, booked: &Booked) {
        booked.entries().for_each(|line| self.journal.row(line));
        booked.orders().for_each(|line| self.orders.row(line));
    }

    pub fn finish(self) -> Vec<PartPrint> {
        let BookedPrints { journal, orders } = self;
        vec![journal.finish(&JOURNAL, Form::Json), orders.finish(&ORDERS, Form::Json)]
    }
}

/// A fingerprint that is being computed.
pub struct Printing {
    hash: Sha256,
    rows: usize,
    every: usize,
    marks: Vec<String>,
}

impl Default for Printing {
    fn default() -> Printing {
        Printing { hash: Sha256::new(), rows: 0, every: 1, marks: Vec::new() }
    }
}

impl Printing {
    pub fn row(&mut self, text: &str) {
        self.hash.update(text);
        self.hash.update("\n");
        self.rows += 1;
        if !self.rows.is_multiple_of(self.every) {
            return;
        }
        let mut mark = hex(&self.hash.clone().finalize());
        mark.truncate(MARK);
        self.marks.push(mark);
        if self.marks.len() > MOST_MARKS {
            self.every *= 2;
            self.marks = self.marks.split_off(1).into_iter().step_by(2).collect();
        }
    }

    pub fn finish(self, part: &Part, form: Form) -> PartPrint {
        let Printing { hash, rows, every, marks } = self;
        let (part, sha256) = (part.name.to_owned(), hex(&hash.finalize()));
        PartPrint { part, rows, sha256, form, every, marks: marks.concat() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PartPrint {
    fn mark(&self, rows: usize) -> Option<&str> {
        let at = (rows / self.every).checked_sub(1)? * MARK;
        self.marks.get(at..at + MARK)
    }

    /// How many rows are certainly equal, and within how many rows after these the first difference is.
    pub fn differs_after(&self, other: &PartPrint) -> (usize, usize) {
        let every = self.every.max(other.every);
        let same = (1..).map(|i| i * every).take_while(|rows| {
            let (mark, others) = (self.mark(*rows), other.mark(*rows));
            mark.is_some() && mark == others
        });
        (same.last().unwrap_or(0), every)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parts::PARTS;
    use super::*;

    fn of_rows(rows: &[String]) -> PartPrint {
        let mut printing = Printing::default();
        rows.iter().for_each(|row| printing.row(row));
        printing.finish(&PARTS[0], Form::NOW)
    }

    #[test]
    fn the_first_row_that_differs_is_found() {
        for (rows, changed) in [(1_usize, 0_usize), (5, 3), (512, 511), (513, 100), (4_000, 2_345)] {
            let sealed: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
            let mut found = sealed.clone();
            found[changed].push('x');
            let (after, among) = of_rows(&sealed).differs_after(&of_rows(&found));
            assert!((after..after + among).contains(&changed), "{rows} rows, {changed}: {after} and {among} more");
            assert!(among <= rows.div_ceil(MOST_MARKS).next_power_of_two(), "{rows} rows: {among}");
            found = sealed.clone();
            found.insert(changed, "new".to_owned());
            let (after, among) = of_rows(&sealed).differs_after(&of_rows(&found));
            assert!((after..after + among).contains(&changed), "{rows} rows, {changed}: {after} and {among} more");
        }
    }
}
