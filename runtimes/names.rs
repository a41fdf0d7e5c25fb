//! Topics' names, each once and for as long as the process lives.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The one copy of a name.
///
/// Every record's [`RecordMetadata`](crate::RecordMetadata) has its topic's name. A count of those who hold it would be
/// changed twice for each record, by all threads at one place. So names are never freed: a process names few topics, and
/// the same ones again and again.
pub(crate) fn intern(name: &str) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let new: &'static str = Box::leak(name.into());
            names.insert(new);
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let [one, other] = [0, 1].map(|_| intern(&String::from("a topic of this test")));
        assert!(std::ptr::eq(one, other));
        assert_ne!(intern("another topic of this test"), one);
    }
}
