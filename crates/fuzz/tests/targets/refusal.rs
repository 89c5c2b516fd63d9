//! What holds of every problem that a client is answered with.

use ackd_api::{Code, Faults, Problem};

/// The most bytes of what is said of one field: the pointer to it, or what is wrong.
const SAID: usize = 4096;

/// Panics where `problem` is none that a client may be given.
pub(crate) fn is_fair(problem: &Problem) {
    let code = Code::from_text(&problem.code).expect("a code of this version");
    assert!((400..500).contains(&problem.status), "a fault of the server's: {problem}");
    assert_eq!((problem.status, &*problem.title), (code.status(), code.title()));
    assert!(!problem.detail.is_empty() && problem.detail.len() <= 2 * SAID, "{} bytes of detail", problem.detail.len());
    assert!(problem.errors.len() <= Faults::MAX, "{} faults", problem.errors.len());
    assert!(!problem.detail.starts_with("``"), "{problem}");
    for fault in &problem.errors {
        assert!(!fault.detail.is_empty() && fault.detail.len() <= SAID, "{} bytes of detail", fault.detail.len());
        assert!(fault.pointer.len() <= SAID, "a pointer of {} bytes", fault.pointer.len());
        assert!(is_pointer(&fault.pointer), "{:?} is no pointer", fault.pointer);
    }
    let written = serde_json::to_string(problem).expect("a problem can be written");
    assert_eq!(serde_json::from_str::<Problem>(&written).expect("and read"), *problem);
}

/// Whether `text` is a JSON pointer (RFC 6901, section 3).
pub(crate) fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}
