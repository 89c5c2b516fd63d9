//! What came out, in a table.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Submitted;
use crate::process::{Done, output};

const HEAD: [&str; 8] = ["job", "file", "size", "resolution", "attempts", "accepted", "started", "done"];

/// The row of a finished job.
pub(crate) fn row(job: &Submitted, document: &Value) -> Done<[String; 8]> {
    let after = |field: &str| match document[field].as_str().and_then(millis) {
        Some(at) => format!("{:.2} s", (at - job.submitted_at) as f64 / 1e3),
        None => "–".to_owned(),
    };
    let file = job.output.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size = std::fs::metadata(&job.output).map_or_else(|_| "–".to_owned(), |it| format!("{} KiB", it.len() >> 10));
    Ok([
        job.title.clone(),
        file,
        size,
        resolution(&job.output)?,
        document["attempt"].to_string(),
        format!("{:.1} ms", job.accepted_in.as_secs_f64() * 1e3),
        after("started_at"),
        after("finished_at"),
    ])
}

/// Prints the rows under their heads.
pub(crate) fn print(rows: &[[String; 8]]) {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    };
    line(&HEAD);
    for row in rows {
        line(&row.each_ref().map(String::as_str));
    }
    println!("(times since the submit; attempts and times are of the attempt that was completed)");
}

fn resolution(file: &Path) -> Done<String> {
    let mut command = Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=width,height",
        "-of",
        "csv=p=0:s=x",
    ]);
    Ok(output(command.arg(file))?.trim().to_owned())
}

/// Milliseconds since the epoch of a time as ackd writes it: "2026-11-20T10:00:00.000Z".
fn millis(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, milli) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    // Days since the epoch, counted in years that begin in March: then the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_read_as_milliseconds() {
        assert_eq!(super::millis("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(super::millis("2000-02-29T12:34:56.789Z"), Some(951_827_696_789));
        assert_eq!(super::millis("2026-11-20T23:18:00.001Z"), Some(1_795_216_680_001));
        assert_eq!(super::millis("soon"), None);
    }
}
