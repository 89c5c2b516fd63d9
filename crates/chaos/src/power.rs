//! The one thing for which there is no safe call: `EXT4_IOC_SHUTDOWN` (linux/fs/ext4/ioctl.c), which rustix does not wrap.
//! A program that does it (`xfs_io -x -c shutdown`) would have to be started while the disk is written, and is not where
//! ext4 is.

#![allow(unsafe_code, reason = "see the module")]

use std::fs::File;
use std::io;

use rustix::ioctl::{self, Setter, opcode};

/// `_IOR('X', 125, __u32)`, the same for ext4, XFS and F2FS.
const SHUTDOWN: ioctl::Opcode = opcode::read::<u32>(b'X', 125);

/// Nothing of the journal that stands in memory is written (`EXT4_GOING_FLAGS_NOLOGFLUSH`).
const NO_LOG_FLUSH: u32 = 2;

/// Shuts the file system of `root` down, as a power cut does.
///
/// # Errors
/// Where it is no such file system, or this process may not.
pub(crate) fn cut(root: &File) -> io::Result<()> {
    // SAFETY: the kernel reads a `u32` by the pointer that it is given, as this opcode says, and keeps nothing of it.
    let done = unsafe { ioctl::ioctl(root, Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
    done.map_err(io::Error::from)
}
