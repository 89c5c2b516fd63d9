use super::*;

fn next(cron: &str, from: &str) -> String {
    let next = Cron::read(cron).unwrap().next(from.parse().unwrap());
    next.map_or_else(|| "none".to_owned(), |next| next.strftime("%Y-%m-%d %H:%M").to_string())
}

#[test]
fn the_fields_name_times() {
    for (cron, from, expected) in [
        ("* * * * *", "2026-11-20 10:00", "2026-11-20 10:00"),
        ("* * * * *", "2026-12-31 23:59", "2026-12-31 23:59"),
        ("5 * * * *", "2026-11-20 10:06", "2026-11-20 11:05"),
        ("*/15 * * * *", "2026-11-20 10:46", "2026-11-20 11:00"),
        ("10-50/20 * * * *", "2026-11-20 10:11", "2026-11-20 10:30"),
        ("10-50/20 * * * *", "2026-11-20 10:51", "2026-11-20 11:10"),
        ("0 9-17 * * mon-fri", "2026-11-20 17:01", "2026-11-23 09:00"),
        ("0 0 * * 7", "2026-11-20 00:00", "2026-11-22 00:00"),
        ("0 0 * * 0", "2026-11-20 00:00", "2026-11-22 00:00"),
        ("0 0 * * Sat-Sun", "2026-11-22 00:01", "2026-11-28 00:00"),
        ("0 0 * * fri-SUN", "2026-11-22 00:00", "2026-11-22 00:00"),
        ("0 0 * * sun-tue", "2026-11-25 00:00", "2026-11-29 00:00"),
        ("0 0 31 * *", "2026-11-01 00:00", "2026-12-31 00:00"),
        ("0 0 29 2 *", "2026-11-20 00:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2096-02-29 00:01", "2104-02-29 00:00"),
        // A 29 February that is a Sunday.
        ("0 0 29 2 */7", "2088-03-01 00:00", "2128-02-29 00:00"),
        ("0 0 29 2 */6", "2072-03-01 00:00", "2076-02-29 00:00"),
        // Where both days are named either will do; where one begins with a star both must.
        ("0 0 13 * fri", "2026-11-14 00:00", "2026-11-20 00:00"),
        ("0 0 */2 * fri", "2026-11-20 00:01", "2026-11-27 00:00"),
        ("0 0 */2 * fri", "2026-11-27 00:01", "2026-12-11 00:00"),
        ("0 0 1,15 jan,Jul *", "2026-11-20 00:00", "2027-01-01 00:00"),
        ("  0\t0 1 1 *  ", "2026-11-20 00:00", "2027-01-01 00:00"),
        ("@hourly", "2026-11-20 10:01", "2026-11-20 11:00"),
        ("@Daily", "2026-11-20 10:01", "2026-11-21 00:00"),
        ("@midnight", "2026-11-20 10:01", "2026-11-21 00:00"),
        ("@weekly", "2026-11-20 10:01", "2026-11-22 00:00"),
        ("@monthly", "2026-11-20 10:01", "2026-12-01 00:00"),
        ("@yearly", "2026-11-20 10:01", "2027-01-01 00:00"),
        ("@annually", "2026-11-20 10:01", "2027-01-01 00:00"),
        ("0 0 1 1 *", "9999-01-01 00:01", "none"),
        ("0 0 1 1 *", "9998-06-01 00:00", "9999-01-01 00:00"),
    ] {
        assert_eq!(next(cron, from), expected, "{cron} from {from}");
    }
}

#[test]
fn what_is_wrong_is_said_where() {
    for (cron, expected) in [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("* * * * * *", "has 6 fields"),
        ("@reboot", "has 1 fields"),
        ("60 * * * *", "`60` in the minute: a minute is 0 to 59"),
        ("-1 * * * *", "`-1` in the minute"),
        ("+1 * * * *", "`+1` in the minute"),
        ("1.5 * * * *", "`1.5` in the minute"),
        ("001 * * * *", "`001` in the minute"),
        ("1, * * * *", "`` in the minute"),
        ("* 24 * * *", "`24` in the hour: an hour is 0 to 23"),
        ("* 22-5 * * *", "`22-5` in the hour: a range ends before it begins"),
        ("* * 0 * *", "`0` in the day of month: a day is 1 to 31"),
        ("* * 32 * *", "`32` in the day of month"),
        ("* * L * *", "`L` in the day of month"),
        ("* * * 13 *", "`13` in the month: a month is 1 to 12 or jan to dec"),
        ("* * * 0 *", "`0` in the month"),
        ("* * * janu *", "`janu` in the month"),
        ("* * * * 8", "`8` in the day of week: a day of the week is 0 to 7"),
        ("* * * * 5-0", "`5-0` in the day of week: a range ends"),
        ("* * * * mon#2", "`mon#2` in the day of week"),
        ("* * * * ?", "`?` in the day of week"),
        ("*/0 * * * *", "`*/0` in the minute: a step is at least 1"),
        ("*/60 * * * *", "`*/60` in the minute: a step"),
        ("*/ * * * *", "`*/` in the minute: a step"),
        ("*/5/5 * * * *", "`*/5/5` in the minute: a step"),
        ("5/15 * * * *", "`5/15` in the minute: a step follows"),
        ("ä * * * *", "`ä` in the minute"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 30-31 feb *", "never comes"),
        ("0 0 31 2,4,6,9,11 *", "never comes"),
    ] {
        let error = Cron::read(cron).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{cron}: {error}");
    }
    assert!(Cron::read("*/59 * * * *").is_ok());
}

#[test]
fn the_length_is_limited() {
    let long = |bytes: usize| {
        let minutes = "0,".repeat(bytes / 2 - 5) + "0";
        let cron = format!("{minutes} * * * *");
        cron.clone() + &" ".repeat(bytes - cron.len())
    };
    assert!(Cron::read(&long(limits::CRON_BYTES)).is_ok());
    assert_eq!(Cron::read(&long(limits::CRON_BYTES + 1)), Err(CronError::TooLong(256)));
}
