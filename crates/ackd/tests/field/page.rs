//! The page that says which trouble is shown not to be by which test stays true.

use std::path::{Path, PathBuf};

/// How many troubles users of other systems had that the first table lists.
const TROUBLES: usize = 24;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/troubles.md")).unwrap()
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The file and the name of a test, where `text` names one.
fn test(text: &str) -> Option<(&str, &str)> {
    text.split_once(".rs::").map(|(path, name)| (&text[..path.len() + ".rs".len()], name))
}

/// Whether `source` has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    // Its attribute stands before it, or before what is said of it.
    let before = source[..at].trim_end_matches("async ").trim_end();
    let attributes = before.lines().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with("#[") || line.starts_with("//") || line.starts_with("#!")
    });
    attributes.into_iter().any(|line| line.trim_end().ends_with("test]") || line.contains("::test("))
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = page();
    let named: Vec<(&str, &str)> = quoted(&page).filter_map(test).collect();
    assert!(named.len() > TROUBLES, "{named:?}");
    for (path, name) in named {
        let file = root().join("crates").join(path);
        let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(has_test(&source, name), "{path} has no test {name}");
    }
}

#[test]
fn every_file_that_the_page_points_to_is_there() {
    let page = page();
    for path in quoted(&page).filter(|text| text.ends_with(".rs") || text.ends_with(".md")) {
        assert!(root().join(path).is_file(), "there is no {path}");
    }
}

/// Each says what was seen elsewhere, what is done here, and by what it is shown.
#[test]
fn each_trouble_has_a_row_that_shows_something() {
    let page = page();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line[2..].starts_with(|first: char| first.is_ascii_digit()))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(numbers, (1..=TROUBLES).map(|number| number.to_string()).collect::<Vec<_>>());
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row[1].len() > 10 && row[2].len() > 20, "{row:?}");
        assert!(quoted(row[3]).any(|text| test(text).is_some() || text.ends_with(".rs")), "{row:?}");
    }
}
