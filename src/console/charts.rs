//! The geometry of charts, in whole units of their own coordinates. The numbers stand beside each chart, so a chart may be
//! rounded.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// How long the longest bar is.
const LONGEST: i64 = 1_000;

/// Returns the lengths of bars: the largest value has [`LONGEST`], and a value above 0 is never invisible.
pub fn bars(values: &[i64]) -> Vec<i64> {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    values.iter().map(|value| length(*value, most)).collect()
}

fn length(value: i64, most: i64) -> i64 {
    if value <= 0 {
        return 0;
    }
    let length = i128::from(value) * i128::from(LONGEST) / i128::from(most);
    i64::try_from(length).unwrap_or(LONGEST).max(6)
}

/// A column of a column chart.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Column {
    pub x: i64,
    pub y: i64,
    pub width: i64,
    pub height: i64,
}

/// How high a column chart is, and the space between two columns.
pub const HEIGHT: i64 = 160;
const GAP: i64 = 6;

/// Returns the columns of values in a chart of this width.
pub fn columns(values: &[i64], width: i64) -> Vec<Column> {
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX).max(1);
    let step = width / count;
    let column = |(i, length): (i64, &i64)| {
        let height = length * HEIGHT / LONGEST;
        Column { x: i * step + GAP / 2, y: HEIGHT - height, width: (step - GAP).max(2), height }
    };
    (0..).zip(&bars(values)).map(column).collect()
}

/// How wide a time line is.
pub const LINE: i64 = 960;

/// Returns where an instant is on a line from one instant to another, within its ends.
pub fn on_line(at: DateTime<Utc>, from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    let whole = (to - from).num_seconds().max(1);
    ((at - from).num_seconds() * LINE / whole).clamp(0, LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_has_the_longest_bar() {
        assert_eq!(bars(&[0, 1, 500, 1_000]), [0, 6, 500, 1_000]);
        assert_eq!(bars(&[i64::MAX, -5]), [1_000, 0]);
        assert_eq!(bars(&[]), [0_i64; 0]);
    }

    #[test]
    fn columns_stand_on_the_ground() {
        let columns = columns(&[10, 5, 0], 300);
        assert_eq!(columns[0], Column { x: 3, y: 0, width: 94, height: 160 });
        assert_eq!((columns[1].y, columns[1].height), (80, 80));
        assert_eq!((columns[2].x, columns[2].y, columns[2].height), (203, 160, 0));
    }

    #[test]
    fn instants_stay_on_their_line() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z"));
        for (instant, expected) in
            [("2026-03-01T12:00:00Z", 480), ("2026-02-01T00:00:00Z", 0), ("2026-04-01T00:00:00Z", 960)]
        {
            assert_eq!(on_line(at(instant), from, to), expected, "{instant}");
        }
    }
}
