//! The span of local time that a recording number, or its beginning, stands for.

/// First microsecond, and the one behind the last, of local time that a recording number's beginning stands for;
/// `None` if no recording number begins so.
pub fn local_span_of_sn(sn: &str) -> Option<(i64, i64)> {
    // Filled up with the smallest and the largest digits; what no calendar has is then held to what it has.
    const LEAST: &str = "00000000_000000_000";
    const MOST: &str = "99999999_999999_999";
    if !sn.is_ascii() || sn.len() > LEAST.len() {
        return None;
    }
    let first = local_us(&format!("{sn}{}", &LEAST[sn.len()..]), false)?;
    let last = local_us(&format!("{sn}{}", &MOST[sn.len()..]), true)?;
    (first <= last).then_some((first, last + 1_000))
}

fn local_us(sn: &str, clamp: bool) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = sn.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    if sn.as_bytes().get(8) != Some(&b'_') || sn.as_bytes().get(15) != Some(&b'_') {
        return None;
    }
    let (year, mut month, mut day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second, ms) = (number(9, 11)?, number(11, 13)?, number(13, 15)?, number(16, 19)?);
    let year = i32::try_from(year).ok()?;
    if clamp {
        month = month.min(12);
        while day > 28 && chrono::NaiveDate::from_ymd_opt(year, month, day).is_none() {
            day -= 1;
        }
    } else {
        month = month.max(1);
        day = day.max(1);
    }
    let clamped = |value: u32, most: u32| if clamp { value.min(most) } else { value };
    let date = chrono::NaiveDate::from_ymd_opt(year, month, day)?;
    let time = date.and_hms_milli_opt(clamped(hour, 23), clamped(minute, 59), clamped(second, 59), ms)?;
    Some(time.and_utc().timestamp_micros())
}
