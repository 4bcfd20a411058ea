//! HTTP dates (RFC 9110, section 5.6.7).

use std::fmt;

const DAY: u64 = 86_400;
/// The last second of the year 9999; the format has four digits for the year.
const LAST: u64 = 253_402_300_799;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A timestamp in the format of the `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpDate(u64);

impl HttpDate {
    /// Creates a date from Unix time in seconds, clamped to the end of the year 9999.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(if seconds < LAST { seconds } else { LAST })
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = civil(days);
        write!(
            f,
            "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
            // 1970 began on a Thursday.
            WEEKDAYS[((days + 4) % 7) as usize],
            MONTHS[month],
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// Converts days since 1970-01-01 to the year, the month (from 0) and the day of the month.
fn civil(days: u64) -> (u64, usize, u64) {
    // Count from 1 March of year 0, so that leap days end a year and all 400-year eras are equally
    // long.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months have 153 days in five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let next_year = u64::from(month >= 10);
    (
        era * 400 + year + next_year,
        ((month + 2) % 12) as usize,
        day,
    )
}
