//! Dates as HTTP writes them (RFC 9110, section 5.6.7).

use std::fmt;

const DAY: u64 = 86_400;
/// The last second of the year 9999: there is no room for five digits.
const LAST: u64 = 253_402_300_799;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The value of a header such as `Date`: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpDate(u64);

impl HttpDate {
    /// So many seconds after the beginning of 1970, leap seconds not counted, as the clocks of
    /// operating systems do; the end of the year 9999 at the latest.
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

/// The year, the month from 0 and the day of the month, so many days after the beginning of 1970.
fn civil(days: u64) -> (u64, usize, u64) {
    // Counted from 1 March of the year 0: leap days come last in a year, and eras of 400 years are
    // equally long.
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
