//! A real clip: moving picture and sound.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Done, output};

/// Makes a clip of twenty seconds in `folder`.
pub(crate) fn make(folder: &Path) -> Done<PathBuf> {
    println!("making a clip with moving picture and sound …");
    let clip = folder.join("clip.mp4");
    output(
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=20"])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:duration=20"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"])
            .arg(&clip),
    )?;
    Ok(clip)
}
