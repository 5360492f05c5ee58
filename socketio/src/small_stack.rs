//! Tests that code which recurses over a payload needs little stack at the deepest allowed nesting.

/// The stack of the test's thread, in bytes: a quarter of that of tokio's threads. Debug builds
/// need several times the stack of release builds.
const STACK: usize = 512 * 1024;

/// Runs a test in a thread with a small stack. A stack overflow aborts the test program.
pub(crate) fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Returns JSON with this many levels of alternating arrays and objects around an innermost value.
pub(crate) fn nested(levels: usize, innermost: &str) -> String {
    let opening = (0..levels).map(|level| if level % 2 == 0 { "[" } else { r#"{"a":"# });
    let closing = (0..levels).rev().map(|level| if level % 2 == 0 { "]" } else { "}" });
    opening.chain([innermost]).chain(closing).collect()
}
