//! (6) Who follows sees everything, in order: a subscriber each change of each job once, from its position on; a consumer
//! group each record of a partition without a gap.

use rustc_hash::FxHashMap;

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::Known;
use crate::record::{Event, Snapshot};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct InOrder {
    subscribers: FxHashMap<u64, Subscriber>,
    /// The latest version of each job that anybody was told, when, and at which position where that was told.
    latest: Jobs<Option<Latest>>,
    partitions: FxHashMap<u64, Partition>,
    groups: FxHashMap<(u64, u64), Group>,
}

#[derive(Debug, Clone, Copy)]
struct Latest {
    version: u64,
    position: Option<u64>,
    at: u64,
    place: u64,
}

#[derive(Debug)]
struct Subscriber {
    /// It follows from the beginning of the feed, and has missed nothing by its own fault.
    whole: bool,
    /// The last position it saw, or from where it goes on.
    position: u64,
    /// The highest position it saw.
    highest: u64,
    /// The last version of each job that it saw, and where.
    seen: FxHashMap<Job, (u64, u64)>,
    place: u64,
    /// When it asked for what it was said to have caught up with.
    caught_up: Option<u64>,
}

#[derive(Debug, Default)]
struct Partition {
    /// The record at each offset, and where it was told first.
    records: Vec<Option<(u64, u64)>>,
    /// The offset behind the last acknowledged record.
    end: u64,
}

#[derive(Debug)]
struct Group {
    /// The offset that it reads next.
    next: u64,
    /// The first offset that it has not read yet.
    unread: u64,
    place: u64,
}

impl InOrder {
    fn follows(&mut self, subscriber: u64, after: u64, place: u64) {
        let new = || Subscriber {
            whole: after == 0,
            position: after,
            highest: after,
            seen: FxHashMap::default(),
            place,
            caught_up: None,
        };
        let it = self.subscribers.entry(subscriber).or_insert_with(new);
        if after > it.highest {
            // It leaves something out of its own accord.
            *it = new();
        }
        (it.position, it.place, it.caught_up) = (after, place, None);
    }

    fn seen(&mut self, fact: &Fact<'_>, job: Job, told: &Snapshot<u64>, known: &Known, violations: &mut Violations) {
        let Event::Seen { subscriber, position, .. } = fact.is else { return };
        let Some(it) = self.subscribers.get_mut(subscriber) else {
            let what = "a subscriber is told what it did not ask for";
            return violations.add(Invariant::InOrder, Some(*subscriber), what, &[fact.place]);
        };
        let mut add = |what, before: u64| {
            violations.add(Invariant::InOrder, Some(known.id(job)), what, &[before, fact.place]);
        };
        if *position <= it.position {
            add("a subscriber is told a change twice, or one out of order", it.place);
        }
        let again = *position <= it.highest;
        (it.position, it.place) = (*position, fact.place);
        it.highest = it.highest.max(*position);
        let before = it.seen.insert(job, (told.version, fact.place));
        match before {
            // It resumed before where it was, and sees some changes again.
            _ if again => {}
            Some((version, before)) if told.version != version + 1 => {
                add("a subscriber is not told each change of a job once, in order", before);
            }
            None if it.whole && told.version != 1 => add("a subscriber missed the first changes of a job", fact.place),
            _ => {}
        }
        if let Some(latest) = self.latest.at(job)
            && let Some(at) = latest.position
            && told.version.cmp(&latest.version) != position.cmp(&at)
        {
            add("changes of a job stand in the feed in another order than they were made", latest.place);
        }
    }

    /// Takes note of the latest version that anybody was told.
    fn told(&mut self, fact: &Fact<'_>, job: Job, told: &Snapshot<u64>) {
        let position = if let Event::Seen { position, .. } = fact.is { Some(*position) } else { None };
        let latest = self.latest.at(job);
        match latest {
            Some(latest) if told.version == latest.version => latest.position = latest.position.or(position),
            Some(latest) if told.version < latest.version => {}
            _ => *latest = Some(Latest { version: told.version, position, at: fact.at, place: fact.place }),
        }
    }

    fn record(&mut self, fact: &Fact<'_>, partition: u64, offset: u64, record: u64, violations: &mut Violations) {
        let records = &mut self.partitions.entry(partition).or_default().records;
        let Ok(at) = usize::try_from(offset) else { return };
        if records.len() <= at {
            records.resize(at + 1, None);
        }
        let (is, before) = *records[at].get_or_insert((record, fact.place));
        if is != record {
            let what = "two records stand at one offset";
            violations.add(Invariant::InOrder, Some(partition), what, &[before, fact.place]);
        }
    }

    fn assigned(&mut self, group: (u64, u64), offset: u64, place: u64, violations: &mut Violations) {
        let it = self.groups.entry(group).or_insert(Group { next: offset, unread: offset, place });
        if offset > it.unread {
            let what = "a group goes on behind records that it has not seen";
            violations.add(Invariant::InOrder, Some(group.1), what, &[it.place, place]);
        }
        (it.next, it.place) = (offset, place);
    }

    fn fetched(&mut self, group: (u64, u64), offset: u64, place: u64, violations: &mut Violations) {
        let Some(it) = self.groups.get_mut(&group) else {
            let what = "a group is told what it did not ask for";
            return violations.add(Invariant::InOrder, Some(group.1), what, &[place]);
        };
        if offset != it.next {
            let what = "a group is not told each record of a partition once, in order";
            violations.add(Invariant::InOrder, Some(group.1), what, &[it.place, place]);
        }
        it.next = offset + 1;
        it.unread = it.unread.max(it.next);
        it.place = place;
    }
}

impl Rule for InOrder {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        if let Some((job, told)) = fact.told() {
            self.seen(fact, job, told, known, violations);
            return self.told(fact, job, told);
        }
        match fact.is {
            Event::Follows { subscriber, after } => self.follows(*subscriber, *after, fact.place),
            Event::Reset { subscriber } => {
                if let Some(it) = self.subscribers.get_mut(subscriber) {
                    it.whole = false;
                    it.seen.clear();
                }
            }
            Event::CaughtUp { subscriber, since } => {
                self.subscribers.get_mut(subscriber).into_iter().for_each(|it| it.caught_up = Some(*since));
            }
            Event::Appended { partition, offset, record } => {
                self.record(fact, *partition, *offset, *record, violations);
                let partition = self.partitions.entry(*partition).or_default();
                partition.end = partition.end.max(offset + 1);
            }
            Event::Assigned { group, partition, offset } => {
                self.assigned((*group, *partition), *offset, fact.place, violations);
            }
            Event::Fetched { group, partition, offset, record } => {
                self.record(fact, *partition, *offset, *record, violations);
                self.fetched((*group, *partition), *offset, fact.place, violations);
            }
            _ => {}
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        for it in self.subscribers.values().filter(|it| it.whole) {
            let Some(since) = it.caught_up else { continue };
            for (job, latest) in self.latest.iter() {
                let Some(latest) = latest.filter(|latest| latest.at < since) else { continue };
                let (version, place) = it.seen.get(&job).copied().unwrap_or((0, it.place));
                if version < latest.version {
                    let what = "a subscriber caught up and was not told of a change";
                    violations.add(Invariant::InOrder, Some(known.id(job)), what, &[latest.place, place]);
                }
            }
        }
        if !known.has_ended() {
            return;
        }
        for ((_, partition), group) in &self.groups {
            let end = self.partitions.get(partition).map_or(0, |partition| partition.end);
            if group.unread < end {
                let what = "a group was not told an acknowledged record";
                violations.add(Invariant::InOrder, Some(*partition), what, &[group.place]);
            }
        }
    }
}
