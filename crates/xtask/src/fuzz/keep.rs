//! The inputs that a run leaves, of which those that reach what none in the repository does are put there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Built, checked_in, quiet, text};
use crate::process::{Done, Failure, target};

/// The most bytes of an input in the repository: people can look at it.
const BYTES: u64 = 400;

/// The most inputs of a target in the repository.
const INPUTS: usize = 60;

/// Copies what matters of `corpus`.
pub(super) fn keep(built: &Built, target: &str, corpus: &Path) -> Done {
    let kept = checked_in(target);
    let mut files = listed(&kept)?;
    let there = files.len();
    files.extend(listed(corpus)?.into_iter().filter(|(size, _)| *size <= BYTES));
    let files: Vec<PathBuf> = files.into_iter().map(|(_, path)| path).collect();
    let features = features(built, target, &files)?;
    let mut reached = HashSet::new();
    let mut added = 0;
    for (at, (path, features)) in files.iter().zip(features).enumerate() {
        let known = reached.len();
        reached.extend(features);
        if at >= there && reached.len() > known && there + added < INPUTS {
            // libFuzzer names a file by what is in it.
            let name: String = path.file_name().unwrap_or_default().to_string_lossy().chars().take(12).collect();
            std::fs::copy(path, kept.join(name))?;
            added += 1;
        }
    }
    println!("{target}: {added} inputs are kept beside the {there} that there were");
    Ok(())
}

/// The files of a folder, the smallest first.
fn listed(folder: &Path) -> Done<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    files.sort();
    Ok(files)
}

/// What each file reaches, as libFuzzer counts it while it merges (`FuzzerMerge.h` says what it reads and writes).
fn features(built: &Built, name: &str, files: &[PathBuf]) -> Done<Vec<Vec<u32>>> {
    let control = target().join("fuzz").join(format!("{name}.merge"));
    let mut lines = vec![files.len().to_string(), "0".to_owned()];
    for file in files {
        lines.push(text(file)?);
    }
    std::fs::write(&control, lines.join("\n") + "\n")?;
    let args = [format!("-merge_control_file={}", text(&control)?), "-merge_inner=1".to_owned()];
    quiet(&mut built.command(name, &args)).status()?;
    let read = std::fs::read_to_string(&control)?;
    std::fs::remove_file(&control)?;
    let mut features = vec![Vec::new(); files.len()];
    for line in read.lines().skip(lines.len()) {
        let mut words = line.split(' ');
        if words.next() == Some("FT") {
            let mut numbers = words.filter_map(|word| word.parse::<u32>().ok());
            let at = numbers.next().and_then(|at| features.get_mut(at as usize));
            at.ok_or_else(|| Failure::Failed(format!("libFuzzer speaks of a file that there is not: {line}")))?
                .extend(numbers);
        }
    }
    Ok(features)
}
