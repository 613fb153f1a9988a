//! Every refusal of the derives has a snapshot of what it says; everything allowed compiles and works.
//!
//! `TRYBUILD=overwrite cargo test -p platform-core-macros` writes the snapshots anew.

#[test]
fn every_refusal_says_what_is_wrong_and_how_to_mend_it() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/entity/*.rs");
    cases.compile_fail("tests/ui/fields/*.rs");
    cases.compile_fail("tests/ui/event/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
