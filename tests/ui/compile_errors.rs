//! Invalid code fails to compile, with the expected messages.

/// Errors that `cargo check` reports.
#[test]
fn invalid_code_fails_cargo_check() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}

/// Errors in generic code that depend on a user's type. The compiler reports them during code
/// generation.
///
/// These cases are separate. A passing case makes trybuild build each case alone, which takes
/// seconds for each.
#[test]
fn invalid_generic_code_fails_cargo_build() {
    let cases = trybuild::TestCases::new();
    cases.pass("built/pass/*.rs");
    cases.compile_fail("built/fail/*.rs");
}
