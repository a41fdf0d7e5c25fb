//! Panics as findings: what was said and where, in place of lines on standard error.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// This thread catches what panics now, so that nobody has to be told.
    static CATCHES: Cell<bool> = const { Cell::new(false) };
    /// What the last panic said and where it was, if this thread caught it.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs something; if it panics, the error is the panic's message and its place.
pub(super) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    SAID.take();
    let outer = CATCHES.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CATCHES.set(outer);
    // What resumes a panic by hand, as a callback may, passes no hook.
    result.map_err(|payload| SAID.take().unwrap_or_else(|| message(&*payload).to_owned()))
}

/// Puts a hook before the one that is there, which still gets the panics of all other code.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| match CATCHES.get() {
            true => SAID.set(Some(words(panic))),
            false => others(panic),
        }));
    });
}

fn words(panic: &PanicHookInfo<'_>) -> String {
    let message = message(panic.payload());
    match panic.location() {
        Some(place) => format!("{message}, at {place}"),
        None => message.to_owned(),
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("something that is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let said = catch(|| panic!("batch {} is gone", 7)).unwrap_err();
        assert!(said.starts_with("batch 7 is gone, at "), "{said}");
        assert!(said.contains(file!()), "{said}");
    }

    #[test]
    fn what_passes_no_hook_is_told_by_its_message() {
        assert!(catch(|| catch(|| panic!("before"))).is_ok());
        let said = catch(|| std::panic::resume_unwind(Box::new("by hand")));
        assert_eq!(said, Err::<(), _>("by hand".to_owned()));
    }

    #[test]
    fn what_does_not_panic_gives_its_result() {
        assert_eq!(catch(|| 7), Ok(7));
    }
}
