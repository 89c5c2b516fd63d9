//! The job systems that are compared: a row each.

use super::servers::Kind;

/// A row of the table: a job system with settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The folder of its driver below `crates/bench/peers`, and what the command line calls it.
    pub(crate) folder: &'static str,
    /// What the table calls it.
    pub(crate) title: &'static str,
    /// The server behind it.
    pub(crate) server: Kind,
    /// How its driver is run.
    pub(crate) driver: Language,
    /// What kind of thing it is.
    pub(crate) sort: Sort,
    /// What its acknowledgement promises.
    pub(crate) promise: Promise,
    /// How many jobs its worker acknowledges at once, where that is for the user to choose.
    pub(crate) ack: usize,
    /// The settings, for the table.
    pub(crate) settings: &'static str,
}

/// What a driver is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// This program itself.
    Ourselves,
    /// A program that cargo built.
    Rust,
    /// `driver.mjs`, by Node.js.
    Node,
    /// `driver.py`, by Python.
    Python,
}

/// What kind of thing a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// What all others are compared with.
    Ackd,
    /// It knows jobs: attempts, retries, results.
    Jobs,
    /// It carries messages; what makes jobs of them is still to be written.
    Broker,
}

/// What is true of a job once the job system has acknowledged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It was synced to the disk before.
    Synced,
    /// It is in memory; the text says when it reaches the disk.
    Later(&'static str),
}

/// All of them. ackd comes first.
pub(crate) const ALL: &[Peer] = &[
    Peer {
        folder: "ackd",
        title: "ackd",
        server: Kind::Ackd,
        driver: Language::Ourselves,
        sort: Sort::Ackd,
        promise: Promise::Synced,
        ack: 100,
        settings: "as installed; 8 worker connections, leases of up to 100, settled together",
    },
    Peer {
        folder: "graphile-worker",
        title: "graphile-worker",
        server: Kind::Postgres,
        driver: Language::Node,
        sort: Sort::Jobs,
        promise: Promise::Synced,
        ack: 1,
        settings: "the preset of its performance page: 24 jobs at a time, a local queue of 500, completions in batches; it keeps no results, the \
                   task tells of its end by `NOTIFY`",
    },
    Peer {
        folder: "pg-boss",
        title: "pg-boss",
        server: Kind::Postgres,
        driver: Language::Node,
        sort: Sort::Jobs,
        promise: Promise::Synced,
        ack: 1,
        settings: "4 `work()` loops, `batchSize: 100`, `burstWhenBatchFull`, woken by `LISTEN`; a result is known by asking every 5 ms",
    },
    Peer {
        folder: "apalis",
        title: "apalis, PostgreSQL",
        server: Kind::Postgres,
        driver: Language::Rust,
        sort: Sort::Jobs,
        promise: Promise::Synced,
        ack: 1,
        settings: "`batch_size(100)`, `concurrency(100)`, woken by `LISTEN` and asking every 100 ms; `push_tasks`; results by `wait_for`, which asks \
                   every 500 ms",
    },
    Peer {
        folder: "bullmq",
        title: "BullMQ, AOF always",
        server: Kind::RedisSyncs,
        driver: Language::Node,
        sort: Sort::Jobs,
        promise: Promise::Synced,
        ack: 1,
        settings: "Redis with `appendonly yes`, `appendfsync always`; `addBulk`; worker with `concurrency: 100` in a process of its own",
    },
    Peer {
        folder: "bullmq",
        title: "BullMQ, default Redis",
        server: Kind::Redis,
        driver: Language::Node,
        sort: Sort::Jobs,
        promise: Promise::Later("a snapshot a minute or rarer"),
        ack: 1,
        settings: "Redis as it is installed; else as above",
    },
    Peer {
        folder: "celery",
        title: "Celery, RabbitMQ",
        server: Kind::RabbitMq,
        driver: Language::Python,
        sort: Sort::Jobs,
        promise: Promise::Synced,
        ack: 1,
        settings: "`acks_late`, 2 processes (prefork), 64 messages prefetched, `confirm_publish`; 64 callers are threads; results by `rpc://`",
    },
    Peer {
        folder: "restate",
        title: "Restate",
        server: Kind::Restate,
        driver: Language::Node,
        sort: Sort::Jobs,
        promise: Promise::Synced,
        ack: 1,
        settings: "a service with one handler; one-way calls, or requests to learn the result; while nobody works the service holds the calls \
                   that it gets",
    },
    Peer {
        folder: "rabbitmq",
        title: "RabbitMQ quorum",
        server: Kind::RabbitMq,
        driver: Language::Rust,
        sort: Sort::Broker,
        promise: Promise::Synced,
        ack: 1,
        settings: "a quorum queue, persistent messages, publisher confirms, 300 prefetched, each acknowledged by itself; results by direct reply-to",
    },
    Peer {
        folder: "rabbitmq",
        title: "RabbitMQ quorum, ack per 100",
        server: Kind::RabbitMq,
        driver: Language::Rust,
        sort: Sort::Broker,
        promise: Promise::Synced,
        ack: 100,
        settings: "the same, 100 acknowledged at once, or after 2 ms",
    },
    Peer {
        folder: "nats",
        title: "NATS JetStream",
        server: Kind::Nats,
        driver: Language::Rust,
        sort: Sort::Broker,
        promise: Promise::Later("synced every 2 minutes"),
        ack: 100,
        settings: "files, work-queue retention, a durable pull consumer, 1,000 pulled at once, each acknowledged by itself; as it is installed it \
                   does not sync before it acknowledges",
    },
    Peer {
        folder: "redis-streams",
        title: "Redis Streams, AOF always",
        server: Kind::RedisSyncs,
        driver: Language::Rust,
        sort: Sort::Broker,
        promise: Promise::Synced,
        ack: 100,
        settings: "raw; `appendfsync always`; `XADD` in pipelines, `XREADGROUP COUNT 100`, `XACK` and `XDEL` of all it gave",
    },
];

/// The rows that `names` choose, ackd always among them; all where there are no names.
///
/// # Errors
/// A name that is no peer's, with the names there are.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Peer>, String> {
    if let Some(stranger) = names.iter().find(|name| ALL.iter().all(|peer| peer.folder != **name)) {
        let mut known: Vec<_> = ALL.iter().map(|peer| peer.folder).collect();
        known.dedup();
        return Err(format!("there is no peer {stranger:?}; there are {}", known.join(", ")));
    }
    let is_chosen =
        |peer: &&Peer| names.is_empty() || peer.sort == Sort::Ackd || names.iter().any(|name| name == peer.folder);
    Ok(ALL.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_and_ackd_is_always_there() {
        let folders = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen(&names).map(|rows| rows.iter().map(|row| row.folder).collect::<Vec<_>>())
        };
        assert_eq!(folders(&["bullmq"]).unwrap(), ["ackd", "bullmq", "bullmq"]);
        assert_eq!(folders(&[]).unwrap().len(), ALL.len());
        assert!(folders(&["sidekiq"]).unwrap_err().contains("redis-streams"));
    }

    #[test]
    fn every_driver_has_a_folder_and_every_folder_a_row() {
        let peers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for peer in ALL.iter().filter(|peer| peer.driver != Language::Ourselves) {
            assert!(peers.join(peer.folder).is_dir(), "{} has no folder", peer.folder);
        }
        let folders = std::fs::read_dir(peers).unwrap().map(|it| it.unwrap());
        for folder in folders.filter(|it| it.file_type().unwrap().is_dir()) {
            let name = folder.file_name().into_string().unwrap();
            assert!(name == "common" || ALL.iter().any(|peer| peer.folder == name), "{name} is no peer's");
        }
    }
}
