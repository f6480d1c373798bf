//! Which file uses which: between the rooms of `src` imports point one way, and between its files there are no circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

use crate::{root, rust_files};

/// What each room of `src` may use of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("user_id", &[]),
    ("json", &[]),
    ("metadata", &["json"]),
    ("store_error", &["metadata"]),
    ("config_error", &["store_error"]),
    ("tls", &["config_error"]),
    ("session", &["config_error", "json", "tls", "user_id"]),
    ("store", &["config_error", "metadata", "store_error", "tls", "user_id"]),
    ("blocking", &["config_error", "metadata", "store", "user_id"]),
    ("handle", &["metadata", "store", "user_id"]),
    ("problem", &["metadata", "session", "store_error"]),
    ("authenticator", &["handle", "metadata", "problem", "session", "store", "user_id"]),
    ("layer", &["authenticator", "handle", "problem", "session", "store"]),
    ("endpoints", &["authenticator", "handle", "layer", "metadata", "problem", "session", "store"]),
    ("forward_auth", &["authenticator", "problem", "session", "user_id"]),
    (
        "adapter",
        &["authenticator", "endpoints", "handle", "layer", "metadata", "problem", "session", "store", "user_id"],
    ),
    ("conformance", &["handle", "metadata", "session", "store", "user_id"]),
];

/// The names of modules from the root of the crate down, and behind them perhaps that of an item.
type Names = Vec<String>;

/// What a file of the crate names of the others.
#[derive(Default)]
struct File {
    module: Names,
    /// Each use of something else, as the file writes it.
    named: Vec<Names>,
    /// What it re-exports: the name here, and where that is from.
    reexports: Vec<(String, Names)>,
    /// The first names of all paths in its code, to tell what is re-exported and used as well.
    first_names: BTreeSet<String>,
}

/// The files of the crate by their place below `src`.
struct House {
    files: BTreeMap<String, File>,
    modules: BTreeMap<Names, String>,
}

impl House {
    fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in rust_files(source) {
            let place = path.strip_prefix(source).expect("below src").to_string_lossy().into_owned();
            // Programs are other crates, which see what is public.
            if !place.starts_with("bin/") {
                let text = fs::read_to_string(&path).expect("a text");
                files.insert(place.clone(), File::parse(&place, &text));
            }
        }
        Self::of(files)
    }

    fn of(files: BTreeMap<String, File>) -> Self {
        let modules = files.iter().map(|(place, file)| (file.module.clone(), place.clone())).collect();
        Self { files, modules }
    }

    /// The path from the root of what a file names; `None`: it is of another crate, or of the file itself.
    fn path_from_root(&self, module: &Names, named: &[String]) -> Option<Names> {
        match named.first()?.as_str() {
            "crate" => Some(named[1..].to_vec()),
            "self" => Some([module, &named[1..]].concat()),
            "super" => {
                let ups = named.iter().take_while(|name| *name == "super").count();
                Some([&module[..module.len().checked_sub(ups)?], &named[ups..]].concat())
            }
            child => {
                let inside = [module, &named[..1]].concat();
                let known = !child.is_empty() && self.modules.contains_key(&inside);
                known.then(|| [module, named].concat())
            }
        }
    }

    /// The file in which something is defined, through re-exports.
    fn defining(&self, names: &Names) -> Option<&str> {
        let mut names = names.clone();
        // More re-exports in a row than anybody writes.
        for _ in 0..10 {
            let depth = (0..=names.len()).rev().find(|depth| self.modules.contains_key(&names[..*depth]))?;
            let place = &self.modules[&names[..depth]];
            let file = &self.files[place];
            let reexport = names.get(depth).and_then(|name| file.reexports.iter().find(|(here, _)| here == name));
            let Some((_, from)) = reexport else { return Some(place) };
            let Some(from) = self.path_from_root(&file.module, from) else { return Some(place) };
            names = [&from[..], &names[depth + 1..]].concat();
        }
        None
    }

    /// The files that each file uses.
    fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let uses = |(place, file): (&'_ String, &File)| {
            let reexported = file.reexports.iter().filter(|(here, _)| file.first_names.contains(here));
            let named = file.named.iter().chain(reexported.map(|(_, from)| from));
            let used = named.filter_map(|named| self.defining(&self.path_from_root(&file.module, named)?));
            used.filter(|used| used != place).map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let known = |name: &str| self.files.get_key_value(name).map(|(place, _)| place.as_str());
        let uses = self.files.iter().map(|entry| (entry.0.as_str(), uses(entry)));
        uses.map(|(place, used)| (place, used.iter().filter_map(|used| known(used)).collect())).collect()
    }

    /// The sets of files of which each uses every other, by way of others or not.
    fn circles(&self) -> Vec<Vec<&str>> {
        let uses = self.uses();
        let reached: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|place| (*place, reach(&uses, place))).collect();
        let mut circles: Vec<Vec<&str>> = Vec::new();
        for (place, others) in &reached {
            if others.contains(place) && !circles.iter().any(|circle| circle.contains(place)) {
                circles.push(others.iter().copied().filter(|other| reached[other].contains(place)).collect());
            }
        }
        circles
    }

    /// The uses of rooms that a room must not use.
    fn wrong_ways(&self, may_use: &BTreeMap<&str, &[&str]>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (place, file) in &self.files {
            // The root is the paved path for users: it re-exports, and nothing inside comes by way of it.
            let Some(room) = file.module.first() else { continue };
            let allowed = may_use.get(room.as_str()).unwrap_or_else(|| panic!("{room} has no place in the house"));
            for named in &file.named {
                let Some(names) = self.path_from_root(&file.module, named) else { continue };
                let root = names.first().filter(|name| !self.modules.contains_key(&vec![(*name).clone()]));
                let defined = root.and_then(|_| self.defining(&names)).map(room_of);
                let used = defined.as_deref().or(names.first().map(String::as_str)).unwrap_or_default();
                if used != room && !allowed.contains(&used) {
                    wrong.push(format!("{place} uses {}", named.join("::")));
                }
            }
        }
        wrong
    }
}

/// What can be reached from a file by uses.
fn reach<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = uses[from].iter().copied().collect();
    while let Some(place) = open.pop() {
        if reached.insert(place) {
            open.extend(&uses[place]);
        }
    }
    reached
}

fn room_of(place: &str) -> String {
    place.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
}

impl File {
    fn parse(place: &str, text: &str) -> Self {
        let mut module: Names = place.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        let mut file = Self { module, ..Self::default() };
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{place}: {error}"));
        parsed.items.iter().for_each(|item| file.visit_item(item));
        file
    }

    fn add(&mut self, names: Names) {
        self.first_names.extend(names.first().cloned());
        if names.len() > 1 {
            self.named.push(names);
        }
    }

    /// The paths in what a macro is given or made of.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut names = Names::new();
        let mut colons = 0;
        let mut dollar = false;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut names));
                    }
                    // `$crate` is what users of a macro see.
                    let name = if dollar { "$".to_owned() } else { name.to_string() };
                    names.push(name);
                    (colons, dollar) = (0, false);
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.add(std::mem::take(&mut names));
                    dollar = matches!(&other, TokenTree::Punct(mark) if mark.as_char() == '$');
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream());
                    }
                }
            }
        }
        self.add(names);
    }
}

impl<'ast> Visit<'ast> for File {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // What is inside counts as of the file, one step further down.
        let Some((_, items)) = &item.content else { return };
        self.module.push(item.ident.to_string());
        let before = self.named.len();
        items.iter().for_each(|item| self.visit_item(item));
        let inside = self.module.clone();
        self.module.pop();
        for named in &mut self.named[before..] {
            let ups = named.iter().take_while(|name| *name == "super").count();
            if ups > 0 && ups <= inside.len() {
                *named = [&["crate".to_owned()], &inside[..inside.len() - ups], &named[ups..]].concat();
            }
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut paths = Vec::new();
        flatten(&item.tree, &Names::new(), &mut paths);
        for (here, names) in paths {
            match item.vis {
                Visibility::Inherited => self.named.push(names),
                _ => self.reexports.push((here, names)),
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.read_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("test")
        || (attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                let tokens = list.tokens.to_string();
                tokens == "test" || tokens.starts_with("all (test") || tokens == "doctest"
            }))
}

/// The names that a `use` brings, with where each is from.
fn flatten(tree: &UseTree, before: &Names, paths: &mut Vec<(String, Names)>) {
    let with = |name: String| [&before[..], &[name]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(path.ident.to_string()), paths),
        UseTree::Name(name) if name.ident == "self" => {
            paths.push((before.last().cloned().unwrap_or_default(), before.clone()));
        }
        UseTree::Name(name) => paths.push((name.ident.to_string(), with(name.ident.to_string()))),
        UseTree::Rename(name) => paths.push((name.rename.to_string(), with(name.ident.to_string()))),
        UseTree::Glob(_) => paths.push(("*".to_owned(), before.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, paths)),
    }
}

#[test]
fn imports_point_one_way() {
    let house = House::read(&root().join("src"));
    let uses: usize = house.uses().values().map(BTreeSet::len).sum();
    assert!(uses > 300, "the rule looked at {uses} imports only");
    let wrong = house.wrong_ways(&MAY_USE.iter().copied().collect());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rooms_have_no_circles() {
    let may_use: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(room, used)| (*room, used.iter().copied().collect())).collect();
    for room in may_use.keys() {
        assert!(!reach(&may_use, room).contains(room), "{room} may use itself by way of others");
    }
}

#[test]
fn files_have_no_circles() {
    let house = House::read(&root().join("src"));
    let uses = house.uses();
    let mut steps = Vec::new();
    for circle in house.circles() {
        for place in &circle {
            let back: Vec<_> = uses[place].iter().filter(|used| circle.contains(used)).collect();
            steps.push(format!("{place} uses {back:?}"));
        }
    }
    assert!(steps.is_empty(), "{steps:#?}");
}

/// The rules themselves, on houses that break them.
mod rules {
    use super::*;

    fn house(files: &[(&str, &str)]) -> House {
        House::of(files.iter().map(|(place, text)| ((*place).to_owned(), File::parse(place, text))).collect())
    }

    fn circles(files: &[(&str, &str)]) -> usize {
        house(files).circles().len()
    }

    #[test]
    fn a_circle_is_seen_however_it_is_written() {
        for (a, b) in [
            ("use super::b::B;", "use crate::room::a::A;"),
            ("fn f() { super::b::g() }", "fn g() -> super::a::A { loop {} }"),
            ("use super::B;", "use super::{self as up, a};"),
            ("use super::{c::C, b::{self, B}};", "fn f() { assert!(crate::room::a::T) }"),
            ("impl super::b::T for A {}", "type X = Vec<super::a::A>;"),
        ] {
            let files = [("lib.rs", "mod room;"), ("room/mod.rs", "pub use b::B;"), ("room/a.rs", a), ("room/b.rs", b)];
            assert_eq!(circles(&files), 1, "{a} {b}");
        }
    }

    #[test]
    fn a_room_and_its_file_are_a_circle_if_each_uses_the_other() {
        let child = ("room/a.rs", "use super::here;");
        let with = |text| circles(&[("lib.rs", "mod room;"), ("room/mod.rs", text), child]);
        assert_eq!(with("mod a; pub use a::A; pub fn here() {}"), 0);
        assert_eq!(with("mod a; pub use a::A; pub fn here() -> A { loop {} }"), 1);
        assert_eq!(with("mod a; use a::A; pub fn here() {}"), 1);
        assert_eq!(with("mod a; pub fn here() { a::f() }"), 1);
        assert_eq!(with("mod a; pub fn here() {} #[cfg(test)] mod tests { use super::a::A; }"), 0);
    }

    #[test]
    fn a_wrong_way_is_seen_through_the_root() {
        let may_use: BTreeMap<&str, &[&str]> = [("low", &[][..]), ("high", &["low"][..])].into();
        let wrong = |low: &str, high: &str| {
            let root = ("lib.rs", "mod low; mod high; pub use high::High; pub use low::Low;");
            house(&[root, ("low.rs", low), ("high.rs", high)]).wrong_ways(&may_use).len()
        };
        assert_eq!(wrong("", "use crate::Low; use crate::low::Low as L; use std::fmt;"), 0);
        assert_eq!(wrong("use crate::High;", ""), 1);
        assert_eq!(wrong("use crate::high::High;", ""), 1);
        assert_eq!(wrong("fn f() { super::high::f() }", ""), 1);
        assert_eq!(wrong("m!(crate::high::f());", ""), 1);
        assert_eq!(wrong("macro_rules! m { () => { $crate::high::f() } }", ""), 0);
    }
}
