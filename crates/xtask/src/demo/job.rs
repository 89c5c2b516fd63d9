//! What a worker of the demo runs for each job: the payload comes on stdin, progress goes to stderr, the
//! result to stdout. Any program in any language could stand here.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::process::{self, Done, Failure, output};

/// Runs one job.
pub(crate) fn run() -> Done {
    let mut payload = String::new();
    std::io::stdin().read_to_string(&mut payload)?;
    let payload: Value = serde_json::from_str(&payload).map_err(|error| Failure::Failed(error.to_string()))?;
    let path = |name: &str| payload[name].as_str().map(Path::new);
    let (Some(input), Some(target)) = (path("input"), path("output")) else {
        return Err(Failure::Failed("the payload names no input or no output".to_owned()));
    };
    match payload["height"].as_u64() {
        Some(height) => transcode(input, target, height)?,
        None => thumbnail(input, target)?,
    }
    let size = std::fs::metadata(target)?.len();
    println!("{}", json!({"file": target, "size": size}));
    Ok(())
}

fn transcode(input: &Path, target: &Path, height: u64) -> Done {
    let seconds = duration(input)?;
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-y", "-progress", "pipe:1", "-i"])
        .arg(input)
        .args(["-vf", &format!("scale=-2:{height}"), "-c:v", "libx264", "-preset", "medium", "-crf", "24"])
        .args(["-c:a", "aac", "-b:a", "96k", "-threads", "1"])
        .arg(target)
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| process::not_started(&command, &error))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            // ffmpeg says microseconds here, in spite of the name.
            if let Some(at) = line.strip_prefix("out_time_ms=").and_then(|at| at.parse::<f64>().ok()) {
                let percent = (at / 1e6 / seconds * 100.0).clamp(0.0, 100.0);
                eprintln!("ackd:progress {percent:.1} encoding {height}p");
            }
        }
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(Failure::Failed(format!("ffmpeg ended with {status}"))),
    }
}

fn thumbnail(input: &Path, target: &Path) -> Done {
    let middle = (duration(input)? / 2.0).to_string();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-ss", &middle, "-i"]).arg(input);
    output(command.args(["-frames:v", "1", "-vf", "scale=320:-2", "-update", "1"]).arg(target)).map(drop)
}

/// The length of a video in seconds.
fn duration(file: &Path) -> Done<f64> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(file);
    let said = output(&mut command)?;
    let seconds = said.trim().parse().ok().filter(|seconds| *seconds > 0.0);
    seconds.ok_or_else(|| Failure::Failed(format!("{} has no duration", file.display())))
}
