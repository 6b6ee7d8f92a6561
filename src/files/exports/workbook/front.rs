//! The sheet in front: the accounts of the month, control totals of every report, and each day's figures with charts.

use std::collections::BTreeMap;
use std::io;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_xlsxwriter::{Chart, ChartType, Formula, Worksheet};

use super::cells::{Formats, Title, amount, date, failed};
use super::sheets::{Control, ReportSheets};

const NAME: &str = "month";

/// The accounts of the month and of its days, as the summaries have them.
#[derive(Default)]
pub struct Accounts {
    /// By currency and account, in the order of the summaries.
    months: Vec<AccountMonth>,
    /// By currency and day.
    days: BTreeMap<(String, NaiveDate), DayFigures>,
}

struct AccountMonth {
    currency: String,
    account: String,
    opening: Decimal,
    debits: Decimal,
    credits: Decimal,
    closing: Decimal,
}

/// What the charts show of a day.
#[derive(Default, Clone, Copy)]
struct DayFigures {
    new: Decimal,
    settled: Decimal,
    owed: Decimal,
    late_fees: Decimal,
    payable: Decimal,
}

impl Accounts {
    /// Takes a row of a day's summary.
    pub fn take(&mut self, day: NaiveDate, header: &csv::StringRecord, record: &csv::StringRecord) {
        let cell = |name: &str| {
            let at = header.iter().position(|known| known == name);
            at.and_then(|at| record.get(at)).unwrap_or_default()
        };
        let read = |name: &str| amount(cell(name)).unwrap_or_default();
        let (currency, account) = (cell("currency"), cell("account"));
        let (opening, debits, credits, closing) = (read("opening"), read("debits"), read("credits"), read("closing"));
        match self.months.iter_mut().find(|known| known.currency == currency && known.account == account) {
            Some(month) => {
                month.debits += debits;
                month.credits += credits;
                month.closing = closing;
            }
            None => {
                let (currency, account) = (currency.to_owned(), account.to_owned());
                self.months.push(AccountMonth { currency, account, opening, debits, credits, closing });
            }
        }
        let figures = self.days.entry((currency.to_owned(), day)).or_default();
        match account {
            "assets:receivable:principal" => (figures.new, figures.settled, figures.owed) = (debits, credits, closing),
            "assets:receivable:late-fee" => figures.late_fees = closing,
            "liabilities:merchant-payable" => figures.payable = -closing,
            _ => {}
        }
    }
}

pub fn write(
    formats: &Formats,
    title: &Title<'_>,
    accounts: &Accounts,
    reports: &BTreeMap<usize, ReportSheets>,
) -> io::Result<Worksheet> {
    let mut front = Front { sheet: Worksheet::new(), formats, row: 0 };
    front.sheet.set_name(NAME).map_err(failed)?;
    for (column, width) in (0u16..).zip([32, 18, 16, 16, 16, 16]) {
        front.sheet.set_column_width(column, width).map_err(failed)?;
    }
    front.sheet.set_landscape().set_print_fit_to_pages(1, 0);
    let Title { merchant_id, merchant, scheme, days: (first, last), seal } = title;
    let heading = format!("{merchant} ({merchant_id}), {}", last.format("%Y-%m"));
    front.sheet.write_string_with_format(0, 0, heading, &formats.title).map_err(failed)?;
    front.sheet.write_string(1, 0, format!("{scheme}; sealed days {first} to {last}")).map_err(failed)?;
    front.sheet.write_string(2, 0, format!("Seal of {last}: {seal}")).map_err(failed)?;
    front.row = 4;
    front.accounts(accounts)?;
    front.controls(reports)?;
    front.days(accounts)?;
    Ok(front.sheet)
}

struct Front<'a> {
    sheet: Worksheet,
    formats: &'a Formats,
    row: u32,
}

impl Front<'_> {
    /// Writes a table's header, with amounts from a column on, and goes to the row below.
    fn header(&mut self, names: &[&str], amounts_from: u16) -> io::Result<()> {
        for (column, name) in (0u16..).zip(names) {
            let format = if column < amounts_from { &self.formats.header } else { &self.formats.header_of_amounts };
            self.sheet.write_string_with_format(self.row, column, *name, format).map_err(failed)?;
        }
        self.row += 1;
        Ok(())
    }

    fn text(&mut self, column: u16, text: &str) -> io::Result<()> {
        self.sheet.write_string(self.row, column, text).map(|_| ()).map_err(failed)
    }

    fn amount(&mut self, column: u16, amount: Decimal) -> io::Result<()> {
        let format = self.formats.of(amount);
        self.sheet.write_with_format(self.row, column, amount, format).map(|_| ()).map_err(failed)
    }

    fn formula(&mut self, column: u16, formula: &str, result: Decimal) -> io::Result<()> {
        let formula = Formula::new(formula).set_result(result.to_string());
        let format = self.formats.of(result);
        self.sheet.write_formula_with_format(self.row, column, formula, format).map(|_| ()).map_err(failed)
    }

    fn accounts(&mut self, accounts: &Accounts) -> io::Result<()> {
        self.header(&["account", "currency", "opening", "debits", "credits", "closing"], 2)?;
        for month in &accounts.months {
            self.text(0, &month.account)?;
            self.text(1, &month.currency)?;
            for (column, amount) in (2u16..).zip([month.opening, month.debits, month.credits, month.closing]) {
                self.amount(column, amount)?;
            }
            self.row += 1;
        }
        self.row += 1;
        Ok(())
    }

    /// Writes what the manifests say beside what the sheets add up to: the difference is 0.
    fn controls(&mut self, reports: &BTreeMap<usize, ReportSheets>) -> io::Result<()> {
        self.header(&["control total", "currency", "manifests", "this workbook", "difference"], 2)?;
        for report in reports.values() {
            let rows = Control { of_manifests: report.sealed_rows.into(), of_sheets: report.row_count().into() };
            self.control(&format!("{}: rows", report.kind), "", rows, &report.count_formula())?;
            for ((column, currency), control) in &report.totals {
                if let Some(formula) = report.sum_formula(column, currency) {
                    self.control(&format!("{}: {column}", report.kind), currency, *control, &formula)?;
                }
            }
        }
        self.row += 1;
        Ok(())
    }

    fn control(&mut self, name: &str, currency: &str, control: Control, formula: &str) -> io::Result<()> {
        self.text(0, name)?;
        self.text(1, currency)?;
        self.amount(2, control.of_manifests)?;
        self.formula(3, formula, control.of_sheets)?;
        let (row, digits) = (self.row + 1, control.of_manifests.scale());
        let difference = format!("=ROUND(C{row}-D{row},{digits})");
        self.formula(4, &difference, control.of_manifests - control.of_sheets)?;
        self.row += 1;
        Ok(())
    }

    /// Writes each day's figures by currency, with charts beside the tables above. A currency without any is left out.
    fn days(&mut self, accounts: &Accounts) -> io::Result<()> {
        let mut currencies: Vec<&str> = accounts.days.keys().map(|(currency, _)| currency.as_str()).collect();
        currencies.dedup();
        let mut chart_row = 4;
        for currency in currencies {
            let of_currency = accounts.days.iter().filter(|((of, _), _)| of == currency);
            let days: Vec<(NaiveDate, DayFigures)> = of_currency.map(|((_, day), figures)| (*day, *figures)).collect();
            let is_empty = |figures: &DayFigures| {
                [figures.new, figures.settled, figures.owed, figures.late_fees, figures.payable]
                    .iter()
                    .all(Decimal::is_zero)
            };
            if days.iter().all(|(_, figures)| is_empty(figures)) {
                continue;
            }
            let on_day = format!("day ({currency})");
            self.header(&[&on_day, "new", "settled", "owed by customers", "late fees owed", "owed to merchant"], 1)?;
            let first = self.row;
            for (day, figures) in &days {
                let day = date(*day)?;
                self.sheet.write_date_with_format(self.row, 0, day, &self.formats.date).map_err(failed)?;
                let DayFigures { new, settled, owed, late_fees, payable } = *figures;
                for (column, amount) in (1u16..).zip([new, settled, owed, late_fees, payable]) {
                    self.amount(column, amount)?;
                }
                self.row += 1;
            }
            let rows = (first, self.row - 1);
            let moved =
                chart(ChartType::Column, &format!("New and settled, {currency}"), rows, &[(1, "new"), (2, "settled")]);
            let owed = [(3, "owed by customers"), (5, "owed to the merchant")];
            let owed = chart(ChartType::Line, &format!("Owed at the end of each day, {currency}"), rows, &owed);
            self.sheet.insert_chart(chart_row, 7, &moved).map_err(failed)?;
            self.sheet.insert_chart(chart_row + CHART_ROWS, 7, &owed).map_err(failed)?;
            chart_row += 2 * CHART_ROWS;
            self.row += 1;
        }
        Ok(())
    }
}

/// The rows that a chart covers, and one between.
const CHART_ROWS: u32 = 17;

/// Returns a chart of columns of the table of days.
fn chart(kind: ChartType, title: &str, (first, last): (u32, u32), columns: &[(u16, &str)]) -> Chart {
    let mut chart = Chart::new(kind);
    chart.title().set_name(title);
    chart.set_width(640).set_height(320);
    for (column, name) in columns {
        let series = chart.add_series();
        series.set_categories((NAME, first, 0, last, 0)).set_values((NAME, first, *column, last, *column));
        series.set_name(*name);
    }
    chart.x_axis().set_num_format("dd");
    chart.legend().set_position(rust_xlsxwriter::ChartLegendPosition::Bottom);
    chart
}
