//! Points in time and lengths of time, as messages and rules write them.
//!
//! Comes in: text such as RFC 3339, `2024-02-01 12:30:00` (then UTC, as Bodhi and Koji write it) or `2024-02-01`; numbers of seconds.
//! Goes out: milliseconds, and their text. It knows no current time.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Milliseconds since 1970 in UTC; none if the text is no time.
pub fn parse_time(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from)).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Milliseconds since 1970 as RFC 3339 in UTC; what no calendar reaches, as the number.
pub fn show_time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

/// Milliseconds as the language writes them: `90m`, `1500ms`.
pub fn show_duration(millis: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let fits = |unit: &&(i64, &str)| millis != 0 && millis.checked_rem(unit.0) == Some(0);
    let (size, name) = units.iter().find(fits).copied().unwrap_or((1_000, "s"));
    format!("{}{name}", millis.checked_div(size).unwrap_or_default())
}

/// Milliseconds of a number of seconds; none beyond what 64 bits hold.
pub(crate) fn seconds(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1_000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "its bounds are checked on the same line")]
    (millis.abs() < 9e15).then_some(millis as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_messages_write() {
        let noon = Some(1_706_788_800_000);
        for text in [
            "2024-02-01T12:00:00Z",
            "2024-02-01T13:00:00+01:00",
            "2024-02-01 12:00:00",
            "2024-02-01T12:00:00.000",
        ] {
            assert_eq!(parse_time(text), noon, "{text}");
        }
        assert_eq!(parse_time("2024-02-01"), Some(1_706_745_600_000));
        for text in ["", "noon", "2024-13-01", "12:00"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert_eq!(show_time(1_706_788_800_000), "2024-02-01T12:00:00Z");
    }

    #[test]
    fn durations_are_written_in_the_largest_unit_that_fits() {
        let shown = [0, 1_500, 90_000, 5_400_000, 86_400_000, -60_000].map(show_duration);
        assert_eq!(shown, ["0s", "1500ms", "90s", "90m", "1d", "-1m"]);
    }

    #[test]
    fn seconds_are_bounded() {
        assert_eq!(seconds(1.5), Some(1_500));
        assert_eq!((seconds(1e300), seconds(f64::NAN)), (None, None));
    }
}
