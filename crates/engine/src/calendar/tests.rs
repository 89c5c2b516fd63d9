use jiff::ToSpan;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn shown(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.millis()).unwrap().strftime("%Y-%m-%dT%H:%MZ").to_string()
}

fn calendar(cron: &str, timezone: &str) -> Calendar {
    Calendar::new(cron, timezone).unwrap()
}

/// The first times after `after`.
fn times(calendar: &Calendar, after: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(calendar.next(after), |last| calendar.next(*last))
}

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";
const LORD_HOWE: &str = "Australia/Lord_Howe";

#[test]
fn times_come_as_the_clocks_change() {
    for (cron, timezone, after, expected) in [
        // The clock skips 2 to 3 o'clock: what is named in it comes at 3, once.
        ("30 2 * * *", BERLIN, "2026-03-28T00:00Z", ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("0,30 2 * * *", BERLIN, "2026-03-28T01:30Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T00:30Z"]),
        ("0 2,3 * * *", BERLIN, "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T01:00Z"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T12:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:30Z", "2026-03-10T06:30Z"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03T00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z", "2026-10-05T15:15Z"]),
        // What goes by the clock does not.
        ("30 * * * *", BERLIN, "2026-03-28T23:31Z", ["2026-03-29T00:30Z", "2026-03-29T01:30Z", "2026-03-29T02:30Z"]),
        ("*/30 2 * * *", BERLIN, "2026-03-28T01:00Z", ["2026-03-28T01:30Z", "2026-03-30T00:00Z", "2026-03-30T00:30Z"]),
        // The clock shows 2 to 3 o'clock twice: what is named in it comes once, what goes by the clock twice.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z", "2026-10-27T01:30Z"]),
        ("30 2 * * *", BERLIN, "2026-10-25T01:10Z", ["2026-10-26T01:30Z", "2026-10-27T01:30Z", "2026-10-28T01:30Z"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z", "2026-11-03T06:30Z"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T00:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z", "2026-04-06T15:15Z"]),
        ("30 * * * *", BERLIN, "2026-10-24T23:40Z", ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T02:30Z"]),
        ("*/30 2 * * *", BERLIN, "2026-10-25T00:00Z", ["2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z"]),
        (
            "*/15 1 * * *",
            LORD_HOWE,
            "2026-04-04T14:45Z",
            ["2026-04-04T15:00Z", "2026-04-04T15:15Z", "2026-04-05T14:30Z"],
        ),
        // No change at all, half an hour beside the others.
        (
            "0 9 * * *",
            "Asia/Kolkata",
            "2026-11-20T00:00Z",
            ["2026-11-20T03:30Z", "2026-11-21T03:30Z", "2026-11-22T03:30Z"],
        ),
        // A day that was skipped as a whole.
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00Z",
            ["2011-12-29T22:00Z", "2011-12-30T10:00Z", "2011-12-30T22:00Z"],
        ),
        // Far from each other, and far away.
        ("0 0 29 2 *", BERLIN, "2096-03-01T00:00Z", ["2104-02-28T23:00Z", "2108-02-28T23:00Z", "2112-02-28T23:00Z"]),
        ("0 * 29 2 *", BERLIN, "2096-03-01T00:00Z", ["2104-02-28T23:00Z", "2104-02-29T00:00Z", "2104-02-29T01:00Z"]),
        ("0 12 1 7 *", BERLIN, "9990-08-01T00:00Z", ["9991-07-01T10:00Z", "9992-07-01T10:00Z", "9993-07-01T10:00Z"]),
    ] {
        let found: Vec<String> = times(&calendar(cron, timezone), at(after)).take(3).map(shown).collect();
        assert_eq!(found, expected, "{cron} in {timezone} after {after}");
    }
}

#[test]
fn what_lies_beyond_all_that_can_be_written_never_comes() {
    for cron in ["0 0 1 1 *", "0 * 1 1 *"] {
        for timezone in ["UTC", BERLIN] {
            let calendar = calendar(cron, timezone);
            assert_eq!(calendar.next(at("9999-01-02T00:00Z")), None, "{cron} in {timezone}");
            assert_eq!(calendar.next(Timestamp::MAX), None);
        }
    }
}

/// Each time is found by looking at every minute of the days around each change of the clocks, with another reading of
/// what that means: a fixed time comes when it, or else what follows it, is shown for the first time.
#[test]
fn every_time_is_found_and_no_other() {
    for timezone in [BERLIN, NEW_YORK, LORD_HOWE, "Asia/Kolkata", "Africa/Casablanca", "America/Sao_Paulo", "UTC"] {
        let zone = zone::named(timezone).unwrap();
        let year: jiff::Timestamp = "2017-01-10T12:00Z".parse().unwrap();
        // Some files have a last change of nothing, in 2038.
        let last: jiff::Timestamp = "2030-01-01T00:00Z".parse().unwrap();
        let changes = zone.following(year).map(|change| change.timestamp()).take_while(|change| *change < last);
        for change in [year].into_iter().chain(changes.take(6)) {
            let start = change.checked_sub(50.hours()).unwrap();
            for text in
                ["30 2 * * *", "0,15,30,45 0-3 * * *", "59 23 * * 6,0", "*/20 * * * *", "*/7 1,2 * * *", "@hourly"]
            {
                check(&calendar(text, timezone), &zone, start);
            }
        }
    }
}

/// Looks at every minute of four days.
fn check(calendar: &Calendar, zone: &TimeZone, start: jiff::Timestamp) {
    let fixed = !calendar.cron.goes_by_the_clock;
    let (mut expected, mut named) = (Vec::new(), None);
    for minute in 0..4 * 24 * 60 {
        let now = start.checked_add(minute.minutes()).unwrap();
        let civil = zone.to_datetime(now);
        if fixed {
            // What is named next, and comes as soon as the clock has reached or passed it.
            let awaited: DateTime = *named.get_or_insert_with(|| calendar.cron.next(civil).unwrap());
            if civil >= awaited {
                expected.push(now.as_millisecond());
                named = calendar.cron.next(civil.checked_add(1.minute()).unwrap());
            }
        } else if calendar.cron.next(civil) == Some(civil) {
            expected.push(now.as_millisecond());
        }
    }
    let found = times(calendar, Timestamp::from_millis(start.as_millisecond() - 1));
    let found: Vec<i64> = found.take(expected.len()).map(Timestamp::millis).collect();
    assert_eq!(found, expected, "{calendar:?} from {start}");
    let beyond = found.last().and_then(|last| calendar.next(Timestamp::from_millis(*last)));
    assert!(beyond.is_none_or(|next| next.millis() >= start.as_millisecond() + 4 * 86_400_000), "{calendar:?}");
}

#[test]
fn the_latest_is_the_last_of_all_that_came() {
    for (cron, until) in [
        ("* * * * *", "2026-03-29T00:59Z"),
        ("*/20 * * * *", "2026-10-25T01:39Z"),
        ("30 2 * * *", "2026-03-29T01:00Z"),
        ("30 2 * * *", "2026-10-26T01:29Z"),
        ("* * * 1 *", "2026-10-26T01:29Z"),
    ] {
        let calendar = calendar(cron, BERLIN);
        let first = calendar.next(at("2026-01-31T00:00Z")).unwrap();
        let all: Vec<Timestamp> = times(&calendar, Timestamp::from_millis(first.millis() - 1))
            .take_while(|time| *time <= at(until))
            .collect();
        assert_eq!(calendar.latest(first, at(until)), all.last().copied(), "{cron}");
        assert_eq!(calendar.latest(first, first), Some(first));
        assert_eq!(calendar.latest(first, Timestamp::from_millis(first.millis() - 1)), None);
    }
}

#[test]
fn time_zones_are_known_by_their_names() {
    for (name, known) in [
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("europe/BERLIN", BERLIN),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Etc/GMT+5", "Etc/GMT+5"),
    ] {
        assert_eq!(calendar("@daily", name).timezone(), known);
    }
    for unknown in
        ["", "Mars/Olympus", "Etc/Unknown", "local", "+01:00", "../etc/passwd", "Europe", "/Europe/Berlin", " UTC"]
    {
        let error = Calendar::new("@daily", unknown).unwrap_err();
        assert_eq!(error, CalendarError::Zone(ZoneError::Unknown), "{unknown}");
    }
    let long = |bytes: usize| Calendar::new("@daily", &"x".repeat(bytes)).unwrap_err();
    assert_eq!(long(64), CalendarError::Zone(ZoneError::Unknown));
    assert_eq!(long(65), CalendarError::Zone(ZoneError::TooLong(65)));
    // A container has often none but ours.
    assert!(tz_without_the_system(BERLIN).is_ok() && tz_without_the_system("Mars/Olympus").is_err());
}

fn tz_without_the_system(name: &str) -> Result<TimeZone, jiff::Error> {
    jiff::tz::TimeZoneDatabase::bundled().get(name)
}
