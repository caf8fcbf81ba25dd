//! Durations on the command line, in variables and in the file.

use std::time::Duration;

/// Reads `90s`, `3m`, `1h 30m`; a bare number is seconds.
///
/// # Errors
/// A clause that says what would have been right.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| "it is too long".to_owned());
    }
    humantime::parse_duration(text)
        .map_err(|_| "it is not a duration such as 90s, 3m or \"1h 30m\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_may_be_left_out_and_combined() {
        for (text, seconds) in
            [("90s", 90), ("3m", 180), ("1h 30m", 5400), ("1h30m", 5400), ("45", 45), ("0", 0), (" 2m ", 120)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "soon", "-1s", "5 parsecs", "1.5", "99999999999999999999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
