//! What the types forbid: each file in `fail` must not compile, for the reason in the file beside it. After a change
//! of the compiler's words, `TRYBUILD=overwrite cargo test --test ui` writes these anew.

mod control;

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
