//! For tests of what recurses over a client's data: it has room for as many levels as a payload may have.

/// A quarter of what a thread of tokio has. Debug builds, which the tests are, need several times the stack of release builds.
const STACK: usize = 512 * 1024;

/// Runs a test in a thread with a small stack. An overflow ends the whole test program.
pub(crate) fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// An argument that is nested this deeply, in turns of arrays and objects, around this innermost value.
pub(crate) fn nested(levels: usize, innermost: &str) -> String {
    let opening = (0..levels).map(|level| if level % 2 == 0 { "[" } else { r#"{"a":"# });
    let closing = (0..levels).rev().map(|level| if level % 2 == 0 { "]" } else { "}" });
    opening.chain([innermost]).chain(closing).collect()
}
