use std::collections::BTreeMap;
use std::sync::Arc;

use ackd_domain::{Name, Push, Queue};
use tokio::sync::watch;

/// The queues whose jobs are pushed, as far as is committed: the core writes it down before it answers whoever changed it.
#[derive(Debug, Default)]
pub(crate) struct Pushes(watch::Sender<BTreeMap<Name, Arc<Push>>>);

impl Pushes {
    /// The queue has these settings from now on.
    pub(crate) fn configured(&self, queue: &Queue) {
        self.0.send_if_modified(|pushes| match &queue.settings.push {
            Some(push) => pushes.insert(queue.name.clone(), Arc::clone(push)).as_ref() != Some(push),
            None => pushes.remove(&queue.name).is_some(),
        });
    }

    /// All of them, as they are and as they come to be.
    pub(super) fn follow(&self) -> watch::Receiver<BTreeMap<Name, Arc<Push>>> {
        self.0.subscribe()
    }

    /// How many posts the pushes of all queues but this one may have under way at once.
    pub(crate) fn concurrency_beside(&self, queue: &Name) -> u32 {
        self.0.borrow().iter().filter(|(name, _)| *name != queue).map(|(_, push)| push.concurrency()).sum()
    }
}

#[cfg(test)]
mod tests {
    use ackd_domain::QueueSettings;

    use super::*;

    fn queue(name: &str, concurrency: Option<u32>) -> Queue {
        let push = |concurrency| Push {
            url: "http://x".into(),
            concurrency: Some(concurrency),
            timeout: None,
            is_async: false,
            fail_on: None,
        };
        let settings = QueueSettings { push: concurrency.map(push).map(Arc::new), ..QueueSettings::default() };
        Queue { settings, ..Queue::new(Name::new(name).unwrap()) }
    }

    #[test]
    fn who_follows_is_told_of_what_changes_only() {
        let pushes = Pushes::default();
        let mut followed = pushes.follow();
        pushes.configured(&queue("plain", None));
        assert!(!followed.has_changed().unwrap());
        pushes.configured(&queue("a", Some(3)));
        assert_eq!(followed.borrow_and_update().len(), 1);
        pushes.configured(&Queue { paused: true, ..queue("a", Some(3)) });
        assert!(!followed.has_changed().unwrap(), "a pause is nothing to a push");
        pushes.configured(&queue("a", Some(4)));
        pushes.configured(&queue("b", Some(5)));
        assert_eq!(pushes.concurrency_beside(&Name::new("b").unwrap()), 4);
        assert_eq!(pushes.concurrency_beside(&Name::new("c").unwrap()), 9);
        pushes.configured(&queue("a", None));
        assert_eq!(followed.borrow_and_update().keys().map(Name::as_str).collect::<Vec<_>>(), ["b"]);
    }
}
