//! A time that is taken is the one that was written: written again in any of the accepted forms, it is read as the same.
#![no_main]

use chrono::{Datelike, SecondsFormat};
use chrono_tz::Tz;
use libfuzzer_sys::fuzz_target;
use paylater::domain::calendar::YEARS;
use paylater::files::rows::cell::Cells;

fuzz_target!(|text: &str| {
    let header = ["at".to_owned()];
    for zone in [Tz::Asia__Shanghai, Tz::Europe__London, Tz::America__New_York] {
        let cells = csv::StringRecord::from(vec![text]);
        let cells = Cells { header: &header, cells: &cells, zone, as_sent: None };
        if let Ok(at) = cells.instant("at") {
            let written = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            let again = csv::StringRecord::from(vec![written.as_str()]);
            let again = Cells { header: &header, cells: &again, zone, as_sent: None }.instant("at");
            assert_eq!(again.as_ref(), Ok(&at), "{text:?} {written}");
        }
        if let Ok(day) = cells.date("at") {
            assert_eq!(day.to_string(), text.trim(), "a date has one form");
            // The first midnight is still in the year before, elsewhere.
            let is_edge = [YEARS.start(), YEARS.end()].contains(&&day.year());
            assert!(is_edge || cells.instant("at").is_ok(), "a date is a time as well: {text:?}");
        }
    }
});
