use super::entry::{Entry, place};

/// Slots walked for one insert from which on a table counts as full. Hashes that are spread evenly
/// never come near it; it keeps one key that is used again and again from making every walk long.
const LONGEST_WALK: usize = 1024;

/// Keys in memory: a hash table with open addressing, where one hash may stand several times.
///
/// The home of an entry keeps the order of the hashes and an entry that finds its home taken moves on
/// to the right, so that the table is sorted but for the order within each row of taken slots.
pub(super) struct Table {
    /// 0 is an empty slot; else the entry with its number plus one. Behind the homes there is room
    /// for what moves on from the last of them.
    slots: Vec<u128>,
    homes: usize,
    len: usize,
    capacity: usize,
    longest_walk: usize,
    /// The first job number that the table covers.
    pub(super) from: u64,
    /// The job number after the last that the table covers so far.
    pub(super) to: u64,
}

impl Table {
    pub(super) fn new(capacity: usize, from: u64) -> Table {
        // A quarter of the homes stays empty, which keeps walks short.
        let homes = capacity + capacity / 3 + 1;
        let slots = vec![0; homes + LONGEST_WALK];
        Table { slots, homes, len: 0, capacity, longest_walk: 0, from, to: from }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= self.capacity || self.longest_walk >= LONGEST_WALK
    }

    /// Adds a key to a table that is not full, or was not before the first key of the same job. Numbers come in ascending
    /// order.
    pub(super) fn insert(&mut self, hash: u64, number: u64) {
        let home = place(hash, self.homes);
        let walked = self.slots[home..].iter().take_while(|slot| **slot != 0).count();
        if home + walked == self.slots.len() {
            self.slots.push(0);
        }
        self.slots[home + walked] = slot(hash, number);
        self.len += 1;
        self.longest_walk = self.longest_walk.max(walked);
    }

    /// Puts `number` in the place of `old` under `hash`, if it is there.
    pub(super) fn renew(&mut self, hash: u64, old: u64, number: u64) -> bool {
        let (old, new) = (slot(hash, old), slot(hash, number));
        let mut walk = self.slots[place(hash, self.homes)..].iter_mut().take_while(|slot| **slot != 0);
        walk.find(|slot| **slot == old).map(|slot| *slot = new).is_some()
    }

    /// Appends the numbers under `hash`, newest first.
    pub(super) fn find(&self, hash: u64, numbers: &mut Vec<u64>) {
        let known = numbers.len();
        let walk = self.slots[place(hash, self.homes)..].iter().take_while(|slot| **slot != 0);
        numbers.extend(walk.map(|slot| entry(*slot)).filter(|entry| entry.hash() == hash).map(Entry::number));
        // Each insert walks past those before it, so the walk meets them oldest first.
        numbers[known..].reverse();
    }

    /// All entries, in order.
    pub(super) fn sorted(&self) -> impl Iterator<Item = Entry> {
        self.slots.split(|slot| *slot == 0).flat_map(|row| {
            let mut row: Vec<Entry> = row.iter().map(|slot| entry(*slot)).collect();
            row.sort_unstable();
            row
        })
    }
}

const fn slot(hash: u64, number: u64) -> u128 {
    (hash as u128) << 64 | (number + 1) as u128
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn entry(slot: u128) -> Entry {
    Entry::new((slot >> 64) as u64, slot as u64 - 1)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_WALK, Table};
    use crate::keys::entry::{Entry, NUMBERS};
    use crate::keys::tests::spread;

    fn numbers(table: &Table, hash: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        table.find(hash, &mut numbers);
        numbers
    }

    #[test]
    fn holds_as_many_as_it_says_and_is_full_then() {
        for capacity in [1, 2, 3, 100] {
            let mut table = Table::new(capacity, 0);
            for number in 0..capacity as u64 {
                assert!(!table.is_full());
                table.insert(u64::MAX - number, number);
            }
            assert!(table.is_full());
            assert_eq!(table.len(), capacity);
            assert_eq!(numbers(&table, u64::MAX), [0]);
            assert!(numbers(&table, 1).is_empty());
        }
    }

    #[test]
    fn one_hash_keeps_all_its_numbers_newest_first() {
        let mut table = Table::new(8, 0);
        for number in [0, 3, NUMBERS - 1] {
            table.insert(u64::MAX, number);
            table.insert(0, number);
        }
        assert_eq!(numbers(&table, u64::MAX), [NUMBERS - 1, 3, 0]);
        assert_eq!(numbers(&table, 0), [NUMBERS - 1, 3, 0]);
        let numbers = [0, 3, NUMBERS - 1];
        let sorted = [0, u64::MAX].into_iter().flat_map(|hash| numbers.map(|number| Entry::new(hash, number)));
        assert!(table.sorted().eq(sorted));
    }

    #[test]
    fn a_renewed_key_keeps_one_place() {
        let mut table = Table::new(8, 0);
        table.insert(7, 1);
        table.insert(7, 2);
        assert!(table.renew(7, 1, 3));
        assert!(!table.renew(7, 1, 4) && !table.renew(8, 2, 4));
        let mut found = numbers(&table, 7);
        found.sort_unstable();
        assert_eq!((found, table.len()), (vec![2, 3], 2));
    }

    #[test]
    fn entries_come_out_sorted() {
        let mut table = Table::new(10_000, 0);
        // Half of them crowd at the end.
        let hashes = (0..10_000).map(|key| if key % 2 == 0 { spread(key) } else { u64::MAX - spread(key) % 1_000_000 });
        let mut entries: Vec<Entry> = hashes.zip(0..).map(|(hash, number)| Entry::new(hash, number)).collect();
        entries.retain(|entry| {
            let room = !table.is_full();
            if room {
                table.insert(entry.hash(), entry.number());
            }
            room
        });
        assert!(entries.len() > LONGEST_WALK && table.is_full());
        entries.sort_unstable();
        assert!(table.sorted().eq(entries.iter().copied()));
        assert!(entries.iter().all(|entry| numbers(&table, entry.hash()).contains(&entry.number())));
    }

    #[test]
    fn a_table_grows_if_a_row_runs_off_its_end() {
        let mut table = Table::new(100_000, 0);
        let mut number = 0;
        // Rows side by side, none of which is long enough to end the table, until one insert joins them.
        let homes = table.homes as u64;
        let width = u64::MAX / homes + 1;
        for home in homes - 800..homes - 1 {
            table.insert(home * width, number);
            number += 1;
        }
        for _ in 0..LONGEST_WALK {
            table.insert(u64::MAX, number);
            number += 1;
        }
        assert!(!table.is_full());
        table.insert((homes - 800) * width, number);
        assert!(table.is_full());
        assert!(numbers(&table, (homes - 800) * width).contains(&number));
        assert_eq!(table.sorted().count(), table.len());
    }

    #[test]
    fn a_key_used_without_end_fills_the_table_early() {
        let mut table = Table::new(100_000, 0);
        let mut number = 0;
        while !table.is_full() {
            table.insert(7, number);
            number += 1;
        }
        assert_eq!(number, LONGEST_WALK as u64 + 1);
    }
}
