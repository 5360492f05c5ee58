//! Dates of MessagePack, as strings.

/// Formats milliseconds since 1970-01-01 UTC like JavaScript's `toJSON`. `None` if JavaScript has
/// no such date.
pub(crate) fn date(millis: i64) -> Option<String> {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days since 0000-03-01, in eras of 400 years. A year that starts in March ends with its leap
    // day.
    let days = days.checked_add(719_468)?;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    // JavaScript's dates end 100,000,000 days from 1970.
    (millis.unsigned_abs() <= 8_640_000_000_000_000).then(|| {
        let year = match year {
            0..=9999 => format!("{year:04}"),
            _ => format!("{year:+07}"),
        };
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    })
}

/// The milliseconds since 1970-01-01 UTC of a timestamp: the extension type -1, with 4, 8 or 12
/// bytes. Fractions are cut off, as in JavaScript.
pub(super) fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (seconds, nanos) = match bytes.len() {
        4 => (i64::from(u32::from_be_bytes(bytes.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            (i64::try_from(both & 0x3_ffff_ffff).ok()?, both >> 34)
        }
        _ => {
            let (nanos, seconds) = bytes.split_first_chunk()?;
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanos).into())
        }
    };
    let (millis, fraction) = (i64::try_from(nanos / 1_000_000).ok()?, nanos % 1_000_000);
    let millis = seconds.saturating_mul(1000).saturating_add(millis);
    Some(if millis < 0 && fraction > 0 { millis + 1 } else { millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read() {
        for (bytes, millis) in [
            (&b"\0\0\0\x01"[..], Some(1000)),
            (b"\xff\xff\xff\xff", Some(4_294_967_295_000)),
            (b"\x1d\x53\x53\x00\x65\x53\xf1\x00", Some(1_700_000_000_123)),
            (b"\x07\x54\xd4\xc0\xff\xff\xff\xff\xff\xff\xff\xff", Some(-877)),
            (b"\x07\x54\xd4\xc1\xff\xff\xff\xff\xff\xff\xff\xff", Some(-876)),
            (b"\0\0\0\0\x80\0\0\0\0\0\0\0", Some(i64::MIN)),
            (b"\0", None),
        ] {
            assert_eq!(timestamp(bytes), millis, "{bytes:x?}");
        }
    }

    #[test]
    fn dates_match_the_calendar() {
        for (millis, text) in [
            (951_782_400_000, Some("2000-02-29T00:00:00.000Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (1_700_000_000_123, Some("2023-11-14T22:13:20.123Z")),
            (-62_198_755_200_000, Some("-000001-01-01T00:00:00.000Z")),
            (253_402_300_800_000, Some("+010000-01-01T00:00:00.000Z")),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(date(millis).as_deref(), text, "{millis}");
        }
    }
}
