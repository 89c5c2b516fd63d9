//! Random histories, in which every waiting job reaches a worker.

use proptest::prelude::*;

use super::*;

/// What a random history does next.
#[derive(Debug, Clone)]
enum Act {
    Submit {
        priority: u8,
        group: usize,
        kind: usize,
        delay: u64,
        many: usize,
    },
    Lease {
        kind: usize,
        max: usize,
    },
    Settle {
        which: usize,
        how: u8,
    },
    Cancel {
        which: usize,
    },
    Limit(Option<u32>),
    Concurrency(Option<u32>),
    Pause,
    Pass {
        millis: u64,
    },
    Fail,
    /// The server ends, and another begins on what is committed.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3u8, 0..5usize, 0..3usize, prop_oneof![3 => Just(0), 1 => 0..200u64], 1..12usize)
            .prop_map(|(priority, group, kind, delay, many)| Act::Submit { priority, group, kind, delay, many }),
        5 => (prop_oneof![3 => Just(0), 1 => 1..3usize], 1..9usize).prop_map(|(kind, max)| Act::Lease { kind, max }),
        4 => (any::<usize>(), 0..4u8).prop_map(|(which, how)| Act::Settle { which, how }),
        1 => any::<usize>().prop_map(|which| Act::Cancel { which }),
        1 => prop::option::of(1..4u32).prop_map(Act::Limit),
        1 => prop::option::of(1..6u32).prop_map(Act::Concurrency),
        1 => Just(Act::Pause),
        2 => (1..400u64).prop_map(|millis| Act::Pass { millis }),
        1 => Just(Act::Fail),
        1 => Just(Act::Restart),
    ]
}

/// The jobs of each group, and of none, that run, as a scan of the ledger has them.
fn running(world: &World) -> BTreeMap<Option<Arc<str>>, usize> {
    let mut running = BTreeMap::new();
    for job in world.reader.leased().unwrap() {
        *running.entry(job.spec.group.clone()).or_default() += 1;
    }
    running
}

/// Whether a scan of the ledger finds a job for `ask`.
fn finds(world: &World, ask: &Ask, rules: QueueRules) -> bool {
    let running = running(world);
    let mut lanes = world.reader.lanes().unwrap().into_iter().filter(|lane| {
        let is_free = |(most, group): (u32, &Arc<str>)| {
            running.get(&Some(Arc::clone(group))).is_none_or(|jobs| *jobs < most as usize)
        };
        (ask.kinds.is_empty() || lane.kind.as_ref().is_some_and(|kind| ask.kinds.contains(kind)))
            && rules.group_concurrency.zip(lane.group.as_ref()).is_none_or(is_free)
    });
    let due = |lane: Lane| world.reader.eligible(&lane, None, 1).unwrap().iter().any(|it| it.job.run_at <= world.now());
    let has_room = rules.concurrency.is_none_or(|most| running.values().sum::<usize>() < most as usize);
    !rules.paused && has_room && lanes.any(due)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// However small the part of the backlog in memory: every waiting job is leased in the end, each once
    /// an attempt, those of one lane in order; and memory holds no more than its limit a lane.
    #[test]
    fn every_waiting_job_reaches_a_worker(acts in prop::collection::vec(act(), 1..60)) {
        let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
        let mut world = World::on(&ledger, SMALL);
        let settings = QueueSettings { backoff: Some(ackd_domain::Backoff::default()), ..QueueSettings::default() };
        world.run(Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::replace(&settings)) }).unwrap();
        let mut jobs: Vec<JobId> = Vec::new();
        let mut held: Vec<Assigned> = Vec::new();
        for act in acts {
            match act {
                Act::Submit { priority, group, kind, delay, many } => {
                    let start = Start::After(Duration::from_millis(delay));
                    let group = [None, Some("a".into()), Some("b".into()), Some("c".into()), Some("d".into())][group].clone();
                    let kind = [None, Some("x".into()), Some("y".into())][kind].clone();
                    let one = Submission { priority: Some(priority), group, kind, start, ..submission() };
                    let command = Command::Submit(vec![one; many]);
                    if let Ok(Ok(Answer::Accepted(accepted))) = world.try_run(command) {
                        jobs.extend(accepted.iter().map(|it| it.job.id));
                    }
                }
                Act::Lease { kind, max } => {
                    let kinds = [vec![], vec!["x".into()], vec!["x".into(), "y".into()]][kind].clone();
                    let ask = Ask { kinds, ..ask(max) };
                    let rules = world.core.queues.rules(&name("video"));
                    // While it rests after a failed commit it knows of no job.
                    let rests = world.core.resting_until.is_some();
                    let finds = finds(&world, &ask, rules);
                    let leased = world.lease(ask);
                    if !rests && world.core.resting_until.is_none() {
                        prop_assert_eq!(!leased.is_empty(), finds);
                    }
                    let running = running(&world);
                    for it in &leased {
                        if let Some((most, group)) = rules.group_concurrency.zip(it.job.spec.group.as_ref()) {
                            let running = running[&Some(Arc::clone(group))];
                            prop_assert!(running <= most as usize, "{} of {}", running, most);
                        }
                    }
                    if let (Some(most), false) = (rules.concurrency, leased.is_empty()) {
                        prop_assert!(running.values().sum::<usize>() <= most as usize, "{:?} of {}", running, most);
                    }
                    for (at, it) in leased.iter().enumerate() {
                        let key = |it: &Assigned| (it.job.run_at, it.job.id.number());
                        let lane = Lane::of(&it.job);
                        prop_assert!(leased[..at].iter().filter(|before| Lane::of(&before.job) == lane).all(|before| key(before) < key(it)));
                    }
                    held.extend(leased);
                }
                Act::Settle { which, how } if !held.is_empty() => {
                    let assigned = held.swap_remove(which % held.len());
                    let lease = token(&assigned.job).unwrap();
                    let error = Failure { problem: "{}".into() };
                    let command = match how {
                        0 | 1 => complete(&assigned),
                        2 => Command::Release { lease, delay: Some(Duration::from_millis(50)), checkpoint: None },
                        _ => Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false },
                    };
                    if world.try_run(command).is_err() {
                        held.push(assigned);
                    }
                }
                Act::Cancel { which } if !jobs.is_empty() => {
                    drop(world.try_run(Command::Cancel { id: jobs[which % jobs.len()] }));
                }
                Act::Limit(most) => drop(world.try_run(limit(most))),
                Act::Concurrency(most) => drop(world.try_run(concurrency(most))),
                Act::Pause => {
                    let paused = !world.core.queues.rules(&name("video")).paused;
                    let patch = Box::new(QueuePatch::pause(paused));
                    drop(world.try_run(Command::Configure { queue: name("video"), patch }));
                }
                Act::Restart => {
                    let (millis, asks) = (world.millis, world.asks);
                    world = World::on(&ledger, SMALL);
                    world.asks = asks;
                    world.pass(Duration::from_millis(millis));
                }
                Act::Pass { millis } => world.pass(Duration::from_millis(millis)),
                Act::Fail => world.faults.fail_next(LedgerError::Full("no room".into())),
                _ => {}
            }
            prop_assert!(world.core.dispatcher.in_memory() <= SMALL.total + SMALL.page);
            let running: usize = running(&world).into_values().sum();
            prop_assert_eq!(world.core.dispatcher.running(), running);
            prop_assert_eq!(world.core.leases.running().len(), running);
        }
        drop(world.try_run(limit(None)));
        drop(world.try_run(limit(Some(2))));
        drop(world.try_run(concurrency(Some(7))));
        drop(world.try_run(concurrency(Some(7))));
        let resume = || Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::pause(false)) };
        drop(world.try_run(resume()));
        drop(world.try_run(resume()));
        for assigned in held.drain(..) {
            drop(world.try_run(complete(&assigned)));
        }
        // An hour is beyond every delay, back-off and lease: all that waits is due by then.
        for _ in 0..400 {
            world.pass(Duration::from_secs(10));
            let leased = world.lease(ask(100));
            for assigned in leased {
                drop(world.try_run(complete(&assigned)));
            }
        }
        for id in jobs {
            let job = world.job(id);
            prop_assert!(job.status.is_terminal(), "{job:?}");
        }
    }
}
