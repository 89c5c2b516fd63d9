use crate::{Answer, Decision, Position, View, Write};

/// The slowest consumer holds back what is old, but not what is ancient: else one that never comes again would have the
/// feed grow for ever.
pub(super) fn decide(view: &View, old: Position, ancient: Position) -> Decision {
    let through = old.min(view.position.unwrap_or(old)).max(ancient);
    let missed_from = view.position.filter(|position| *position < through);
    let writes = if through > Position::START { vec![Write::Forget(through)] } else { Vec::new() };
    Decision { writes, ..Decision::answer(Answer::Forgotten { through, missed_from }) }
}
