//! `ackd-checker FILE…`: says whether histories keep ackd's promises.
//!
//! Several files are one history: each is in the order of its times, and they are read together in that order. Exit status:
//! 0 where nothing is violated, 1 where something is, 2 where there is no history to read.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use ackd_checker::{Checker, Names, Record, Report, read_line};

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() || files.iter().any(|file| file.starts_with('-')) {
        eprintln!(
            "usage: ackd-checker FILE…\n\nEach file holds records of what clients asked, were answered and saw, one JSON line each."
        );
        return ExitCode::from(2);
    }
    match check(&files) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ackd-checker: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing is violated.
fn check(files: &[String]) -> Result<bool, String> {
    let mut names = Names::default();
    let mut checker = Checker::new();
    let mut merged = Merged::open(files)?;
    while let Some(record) = merged.next(&mut names)? {
        checker.take(&record).map_err(|error| format!("{}: {error}", merged.place()))?;
    }
    let report = checker.finish();
    println!("{} records, {} violations", report.records, report.found);
    show(&report, files, &names)?;
    Ok(report.found == 0)
}

/// Shows what is violated, and the lines that prove it, for which the files are read once more.
fn show(report: &Report, files: &[String], names: &Names) -> Result<(), String> {
    let mut wanted: Vec<u64> = report.violations.iter().flat_map(|it| it.records.iter().copied()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut lines = Vec::with_capacity(wanted.len());
    if let Some(last) = wanted.last() {
        let mut merged = Merged::open(files)?;
        let mut again = Names::default();
        for place in 0..=*last {
            if merged.next(&mut again)?.is_some() && wanted.get(lines.len()) == Some(&place) {
                lines.push(format!("{}: {}", merged.place(), merged.line()));
            }
        }
    }
    let texts = if report.found == 0 { Vec::new() } else { names.texts() };
    for violation in &report.violations {
        let about = violation.about.and_then(|about| texts.get(usize::try_from(about).ok()?));
        let about = about.map(|about| format!(", {about}"));
        println!("\n{}{}: {}", violation.invariant, about.unwrap_or_default(), violation.what);
        for record in &violation.records {
            let line = wanted.binary_search(record).ok().and_then(|at| lines.get(at));
            println!("    {}", line.map_or("", String::as_str));
        }
    }
    let more = report.found - report.violations.len() as u64;
    if more > 0 {
        println!("\nand {more} more");
    }
    Ok(())
}

/// Several files as one history.
struct Merged {
    sources: Vec<Source>,
    /// The source that gave the record at hand.
    last: usize,
}

/// One of them.
struct Source {
    name: String,
    lines: BufReader<File>,
    /// The number of the line that was read last, from 1.
    line: u64,
    /// Its text, kept to be filled again.
    text: String,
    /// Its record, which nobody took yet.
    next: Option<Record<u64>>,
    over: bool,
}

impl Merged {
    fn open(files: &[String]) -> Result<Merged, String> {
        let open = |name: &String| {
            let file = File::open(name).map_err(|error| format!("{name}: {error}"))?;
            let lines = BufReader::with_capacity(1 << 20, file);
            Ok(Source { name: name.clone(), lines, line: 0, text: String::new(), next: None, over: false })
        };
        Ok(Merged { sources: files.iter().map(open).collect::<Result<_, String>>()?, last: 0 })
    }

    /// The next record.
    fn next(&mut self, names: &mut Names) -> Result<Option<Record<u64>>, String> {
        for source in &mut self.sources {
            source.fill(names)?;
        }
        let heads = self.sources.iter().enumerate();
        let heads = heads.filter_map(|(at, source)| source.next.as_ref().map(|next| (next.at, at)));
        let Some((_, first)) = heads.min() else { return Ok(None) };
        self.last = first;
        Ok(self.sources[first].next.take())
    }

    /// The line of the record at hand.
    fn line(&self) -> &str {
        self.sources[self.last].text.trim()
    }

    /// Where the record at hand stands.
    fn place(&self) -> String {
        let source = &self.sources[self.last];
        format!("{}:{}", source.name, source.line)
    }
}

impl Source {
    fn fill(&mut self, names: &mut Names) -> Result<(), String> {
        while self.next.is_none() && !self.over {
            self.text.clear();
            let read = self.lines.read_line(&mut self.text).map_err(|error| format!("{}: {error}", self.name))?;
            self.over = read == 0;
            self.line += u64::from(read > 0);
            if !self.text.trim().is_empty() {
                let record = read_line(self.text.trim(), names);
                self.next = Some(record.map_err(|error| format!("{}:{}: {error}", self.name, self.line))?);
            }
        }
        Ok(())
    }
}
