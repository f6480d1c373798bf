//! The table "Why 401?" has every kind of refusal and every reason that the code can give, and no other.

use std::collections::BTreeSet;
use std::fs;

use syn::visit::{self, Visit};
use syn::{
    Expr, ExprCall, ExprMethodCall, Ident, ItemConst, ItemFn, ItemMod, LitStr, Local, Pat, ReturnType, Signature, Type,
};

use crate::{root, rust_files};

/// Functions and methods that take the words of a refusal.
const REFUSE: [&str; 6] = ["because", "malformed", "error", "with_reason", "refusal", "Missing"];

/// The files in which sessions are refused.
const REFUSING: [&str; 3] = ["src/session", "src/authenticator", "src/forward_auth"];

/// The words of refusals in one file: what the functions above are given, and what a function or a constant is that other
/// words come from.
#[derive(Default)]
struct Reasons {
    found: BTreeSet<String>,
    /// Whether all texts are words of a refusal here.
    inside: bool,
}

impl Reasons {
    fn inside(&mut self, is_inside: bool, visit: impl FnOnce(&mut Self)) {
        let before = self.inside;
        self.inside |= is_inside;
        visit(self);
        self.inside = before;
    }
}

fn refuses(name: &Ident) -> bool {
    REFUSE.iter().any(|refuse| name == refuse)
}

fn gives_static_str(signature: &Signature) -> bool {
    // What the client is told, and not why.
    if signature.ident == "message" {
        return false;
    }
    let ReturnType::Type(_, given) = &signature.output else { return false };
    is_static_str(given)
}

fn is_static_str(given: &Type) -> bool {
    let Type::Reference(reference) = given else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.is_ident("str") && reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident == "static")
}

impl<'ast> Visit<'ast> for Reasons {
    /// Docs are texts, too.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.inside(gives_static_str(&item.sig), |reasons| visit::visit_item_fn(reasons, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.inside(gives_static_str(&item.sig), |reasons| visit::visit_impl_item_fn(reasons, item));
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        self.inside(is_static_str(&item.ty), |reasons| visit::visit_item_const(reasons, item));
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let Expr::Path(path) = &*call.func else { return visit::visit_expr_call(self, call) };
        let refuses = path.path.segments.last().is_some_and(|last| refuses(&last.ident));
        self.inside(refuses, |reasons| visit::visit_expr_call(reasons, call));
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.inside(refuses(&call.method), |reasons| visit::visit_expr_method_call(reasons, call));
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let named = matches!(&local.pat, Pat::Ident(pattern) if pattern.ident == "reason");
        self.inside(named, |reasons| visit::visit_local(reasons, local));
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        // Names of claims and algorithms are one word, and no reason is.
        if self.inside && text.value().contains(' ') {
            self.found.insert(text.value());
        }
    }
}

/// The reasons in the code, and the kinds.
fn in_the_code() -> (BTreeSet<String>, BTreeSet<String>) {
    let mut reasons = Reasons::default();
    let mut kinds = BTreeSet::new();
    for path in REFUSING.into_iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let parsed = syn::parse_file(&fs::read_to_string(&path).expect("a text")).expect("it compiles");
        reasons.visit_file(&parsed);
        for item in &parsed.items {
            if let syn::Item::Enum(item) = item
                && item.ident == "AuthErrorKind"
            {
                kinds.extend(item.variants.iter().map(|variant| variant.ident.to_string()));
            }
        }
    }
    (reasons.found, kinds)
}

/// The reasons in the table, and the text of its first column.
fn in_the_table() -> (BTreeSet<String>, String) {
    let table = fs::read_to_string(root().join("src/session/why_401.md")).expect("a text");
    let rows: Vec<Vec<&str>> =
        table.lines().filter(|line| line.starts_with('|')).map(|line| line.split('|').collect()).collect();
    let told = rows.iter().flat_map(|row| row[2].split('"').skip(1).step_by(2)).map(str::to_owned);
    for row in &rows {
        assert!(row.len() == 5 && !row[3].trim().is_empty(), "a remedy is missing: {row:?}");
    }
    (told.collect(), rows.iter().map(|row| row[1]).collect())
}

#[test]
fn every_refusal_is_explained() {
    let ((reasons, kinds), (told, explained)) = (in_the_code(), in_the_table());
    assert!(reasons.len() > 50 && kinds.len() >= 15, "{} reasons and {} kinds", reasons.len(), kinds.len());
    let untold: Vec<_> = reasons.difference(&told).collect();
    assert!(untold.is_empty(), "src/session/why_401.md does not say what to do about {untold:#?}");
    let unknown: Vec<_> = told.difference(&reasons).collect();
    assert!(unknown.is_empty(), "src/session/why_401.md has reasons that nothing gives: {unknown:#?}");
    let missing: Vec<_> = kinds.iter().filter(|kind| !explained.contains(&format!("`{kind}`"))).collect();
    assert!(missing.is_empty(), "src/session/why_401.md has no row for {missing:?}");
}
