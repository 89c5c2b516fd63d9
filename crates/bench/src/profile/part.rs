//! Which part of the server a sample belongs to.

/// A part of the server's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    Network,
    Disk,
    Kernel,
    Http,
    Json,
    Runtime,
    Engine,
    Decisions,
    Ledger,
    Sqlite,
    Checksums,
    Allocation,
    Copies,
    Collections,
    Other,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Network => "kernel: sockets",
            Part::Disk => "kernel: files and disk",
            Part::Kernel => "kernel: waking, waiting, memory",
            Part::Http => "HTTP",
            Part::Json => "JSON",
            Part::Runtime => "tokio",
            Part::Engine => "engine: turns, dispatch, leases",
            Part::Decisions => "decisions",
            Part::Ledger => "ledger above SQLite",
            Part::Sqlite => "SQLite",
            Part::Checksums => "checksums and hashes",
            Part::Allocation => "allocation",
            Part::Copies => "copies of bytes",
            Part::Collections => "collections, strings, locks",
            Part::Other => "other",
        }
    }

    /// The part of a function, by its name and by the file that it is in.
    pub(super) fn of(symbol: &str, file: &str) -> Part {
        if file.starts_with("[kernel") || file.starts_with("[vdso") || symbol.starts_with("[k]") {
            return kernel(symbol);
        }
        if symbol == "[unknown]" {
            return Part::Other;
        }
        let is_ours = file.rsplit('/').next().is_some_and(|name| name.starts_with("ackd"));
        if !is_ours {
            return if MEMORY.iter().any(|name| symbol.contains(name)) { Part::Copies } else { Part::Other };
        }
        let named = CRATES.iter().filter_map(|(name, part)| Some((symbol.find(name)?, *part)));
        if let Some((_, part)) = named.min_by_key(|(at, _)| *at) {
            return part;
        }
        let is_rust = symbol.contains("::") || symbol.starts_with("_R") || symbol.starts_with("_ZN");
        match symbol {
            _ if is_rust => Part::Collections,
            _ if symbol.starts_with("mi_") || symbol.starts_with("_mi_") => Part::Allocation,
            _ if MEMORY.iter().any(|name| symbol.contains(name)) => Part::Copies,
            // What else is there is C: SQLite's, mostly under names of any kind.
            _ => Part::Sqlite,
        }
    }
}

/// Crates by their names in symbols. The first in a symbol says where the function is.
const CRATES: [(&str, Part); 22] = [
    ("ackd_http", Part::Http),
    ("hyper", Part::Http),
    ("httparse", Part::Http),
    ("httpdate", Part::Http),
    ("4http", Part::Http),
    ("http::", Part::Http),
    ("ackd_websocket", Part::Http),
    ("ackd_api", Part::Json),
    ("serde", Part::Json),
    ("memchr", Part::Json),
    ("tokio", Part::Runtime),
    ("mio::", Part::Runtime),
    ("ackd_engine", Part::Engine),
    ("ackd_domain", Part::Decisions),
    ("ackd_ports", Part::Ledger),
    ("ackd_embedded", Part::Ledger),
    ("rusqlite", Part::Ledger),
    ("crc32c", Part::Checksums),
    ("xxhash", Part::Checksums),
    ("siphash", Part::Checksums),
    ("rand", Part::Checksums),
    ("chacha", Part::Checksums),
];

const MEMORY: [&str; 4] = ["memcpy", "memmove", "memset", "memcmp"];

fn kernel(symbol: &str) -> Part {
    const NETWORK: [&str; 8] = ["tcp", "inet", "sock", "skb", "loopback", "ipv4", "qdisc", "napi"];
    const DISK: [&str; 14] = [
        "ext4",
        "jbd2",
        "vfs",
        "iomap",
        "blk",
        "bio",
        "folio",
        "fsync",
        "virtio",
        "page_cache",
        "writeback",
        "filemap",
        "pwrite",
        "file_write",
    ];
    let has = |names: &[&str]| names.iter().any(|name| symbol.contains(name));
    let begins = ["ip_", "net_", "dev_", "nf_", "sk_", "eth_"].iter().any(|name| symbol.starts_with(name));
    match symbol {
        _ if begins || has(&NETWORK) => Part::Network,
        _ if has(&DISK) => Part::Disk,
        _ => Part::Kernel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_belongs_to_the_crate_that_it_is_of() {
        let ours = |symbol| Part::of(symbol, "/tmp/target/release/ackd");
        assert_eq!(ours("ackd_engine::core::Core::turn"), Part::Engine);
        assert_eq!(ours("<ackd_domain::job::Job as core::clone::Clone>::clone"), Part::Decisions);
        assert_eq!(ours("core::ptr::drop_in_place<ackd_http::call::Call>"), Part::Http);
        assert_eq!(ours("_ZN10serde_json2de12from_trait17h0000000000000000E"), Part::Json);
        assert_eq!(ours("alloc::vec::Vec<T,A>::push"), Part::Collections);
        assert_eq!(ours("sqlite3VdbeExec"), Part::Sqlite);
        assert_eq!(ours("balance_nonroot"), Part::Sqlite);
        assert_eq!(ours("mi_malloc_aligned"), Part::Allocation);
        assert_eq!(Part::of("__memmove_avx_unaligned_erms", "/usr/lib/libc.so.6"), Part::Copies);
        assert_eq!(Part::of("tcp_sendmsg", "[kernel.kallsyms]"), Part::Network);
        assert_eq!(Part::of("ext4_file_write_iter", "[kernel.kallsyms]"), Part::Disk);
        assert_eq!(Part::of("finish_task_switch", "[kernel.kallsyms]"), Part::Kernel);
        assert_eq!(Part::of("[unknown]", "[unknown]"), Part::Other);
    }
}
