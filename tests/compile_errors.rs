//! What must not compile does not, and says why.

/// Errors that `cargo check` finds.
#[test]
fn errors_of_a_check() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}

/// Errors in what generic code becomes for a type of the user's, which the compiler finds where it generates code.
///
/// These stand apart from the others: with a case that must pass, trybuild builds each case alone, and takes seconds for each.
#[test]
fn errors_of_a_build() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/built/pass/*.rs");
    cases.compile_fail("ui/built/fail/*.rs");
}
