//! Families of test vectors, from this repository and from the folder that `VECTORS_DIR` names (default
//! `../shared/vectors` beside this crate).
//!
//! Families of our own are kept here and always run; where the folder has other rows of them, those run as well. The
//! others are read in place, and where they are missing the run says so.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;
use serde_json::value::RawValue;

/// Families whose files are kept in this repository, and where.
const KEPT_HERE: [(&str, &str); 7] = [
    ("attack/jwt_attack", "tests/vectors"),
    ("histories/metadata_histories", "tests/vectors"),
    ("http/requests", "tests/vectors"),
    ("jwks/jwks_docs", "tests/vectors"),
    ("supertokens-tokens/tokens", "tests/vectors"),
    ("metadata/update_vectors", "src/conformance/vectors"),
    ("metadata/hostile_inputs", "src/conformance/vectors"),
];

/// One row of a family: an element of a list, a line, or a whole file, whatever the family consists of.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The `id` or `name` that the row has, else its place: `#3`, or the path of its file.
    pub(crate) id: String,
    /// The row as it stands in the file.
    pub(crate) text: String,
    /// The folder of its file; files beside it, for example of keys, belong to this row.
    pub(crate) folder: PathBuf,
}

impl Row {
    /// The row as JSON; numbers past 64 bits are rounded.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("row {} is not JSON: {error}", self.id))
    }

    /// A member of the row that must be a string.
    pub(crate) fn text_of(&self, member: &str) -> String {
        match &self.value()[member] {
            Value::String(text) => text.clone(),
            other => panic!("row {}: {member} is not a string: {other}", self.id),
        }
    }

    /// A file that lies beside the file of this row.
    pub(crate) fn beside(&self, file: &str) -> String {
        let path = self.folder.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// The rows of a family, for example `wycheproof/ed25519_test` or `jose-cookbook/jws`; none, and a line that says so,
/// when its files are not there.
pub(crate) fn family(name: &str) -> Vec<Row> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let elsewhere = std::env::var_os("VECTORS_DIR").map_or_else(|| home.join("../shared/vectors"), PathBuf::from);
    let mut rows = Vec::new();
    let kept_here = KEPT_HERE.iter().find(|(family, _)| *family == name);
    if let Some((family, folder)) = kept_here {
        // The families of the stores lie flat beside the code that exports them.
        let flat = Path::new(family).file_name().map(Path::new);
        let stem = flat.filter(|_| folder.starts_with("src")).unwrap_or(Path::new(family));
        rows = read(&home.join(folder), stem).unwrap_or_else(|| panic!("{family} is missing in {folder}"));
    }
    match read(&elsewhere, Path::new(name)) {
        Some(more) => join(&mut rows, more),
        None if kept_here.is_some() => {}
        None => not_run(&format!("family {name}: folder {} missing", elsewhere.join(name).display())),
    }
    rows
}

/// Adds the rows that are not there yet. Two rows with one id but different texts are two rows.
fn join(rows: &mut Vec<Row>, more: Vec<Row>) {
    let known: HashSet<_> = rows.iter().map(|row| (row.id.clone(), row.text.clone())).collect();
    rows.extend(more.into_iter().filter(|row| !known.contains(&(row.id.clone(), row.text.clone()))));
}

/// Reads `ROOT/NAME.jsonl`, `.json` or `.txt`, or every file below the folder `ROOT/NAME`.
fn read(root: &Path, name: &Path) -> Option<Vec<Row>> {
    for extension in ["jsonl", "json", "txt"] {
        // Not `with_extension`: a name may hold a dot.
        let path = root.join(format!("{}.{extension}", name.display()));
        if path.is_file() {
            return Some(rows_of(&path, extension));
        }
    }
    let folder = root.join(name);
    folder.is_dir().then(|| files_below(&folder).iter().map(|file| whole_file(&folder, file)).collect())
}

fn rows_of(path: &Path, extension: &str) -> Vec<Row> {
    let content = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let texts: Vec<String> = match (extension, serde_json::from_str::<Vec<Box<RawValue>>>(&content)) {
        ("json", Ok(list)) => list.iter().map(|row| row.get().to_owned()).collect(),
        ("json", Err(_)) => vec![content],
        _ => content.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
    };
    let row = |(at, text): (usize, String)| Row { id: id_of(&text, at), text, folder: folder.clone() };
    texts.into_iter().enumerate().map(row).collect()
}

fn id_of(text: &str, at: usize) -> String {
    // Other members are skipped unread: a row may hold a number that no `Value` can.
    #[derive(Default, serde::Deserialize)]
    struct Named {
        id: Option<Value>,
        name: Option<String>,
    }
    match serde_json::from_str(text).unwrap_or_default() {
        Named { id: Some(Value::String(id)), .. } | Named { id: None, name: Some(id) } => id,
        Named { id: Some(id @ Value::Number(_)), .. } => id.to_string(),
        _ => format!("#{at}"),
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path())
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] })
        .collect();
    files.sort();
    files
}

fn whole_file(root: &Path, file: &Path) -> Row {
    let id = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Row { id, text, folder: file.parent().unwrap_or(root).to_owned() }
}

/// Says that something is not run: at once, and in the file that `NOT_RUN_FILE` names, which the test command prints
/// last.
pub(crate) fn not_run(what: &str) {
    let line = format!("NOT RUN: {what}");
    say(&line);
    // Tests of one process run side by side; processes run one after the other.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock();
    if let Some(path) = std::env::var_os("NOT_RUN_FILE") {
        let path = Path::new(&path);
        let said = fs::read_to_string(path).unwrap_or_default();
        if !said.lines().any(|earlier| earlier == line) {
            let file = fs::OpenOptions::new().create(true).append(true).open(path);
            let written = file.and_then(|mut file| writeln!(file, "{line}"));
            written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

/// Writes a line that the test harness does not swallow.
pub(crate) fn say(line: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The outcomes of the rows of one family, all as expected: counted. Give it to [`say`] at the end.
#[derive(Debug)]
pub(crate) struct Tally {
    family: String,
    accepted: usize,
    refused: usize,
    policy: Vec<String>,
}

impl Tally {
    pub(crate) fn of(family: &str) -> Self {
        Self { family: family.to_owned(), accepted: 0, refused: 0, policy: Vec::new() }
    }

    pub(crate) fn accepted(&mut self) {
        self.accepted += 1;
    }

    pub(crate) fn refused(&mut self) {
        self.refused += 1;
    }

    /// A row where either answer can be defended, with ours.
    pub(crate) fn policy(&mut self, row: &Row, answer: &str) {
        self.policy.push(format!("{}: {answer}", row.id));
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { family, accepted, refused, policy } = self;
        let rows = accepted + refused + policy.len();
        write!(f, "vectors: {family} {rows} rows, {accepted} accepted, {refused} refused, {} policy", policy.len())?;
        policy.iter().try_for_each(|answer| write!(f, "\n  policy: {answer}"))
    }
}

mod tests {
    use super::*;

    #[test]
    fn families_of_our_own_are_here() {
        for (name, _) in KEPT_HERE {
            let rows = family(name);
            assert!(rows.len() >= 32, "{name}");
            assert!(rows.iter().all(|row| row.value().is_object() && !row.text_of("id").is_empty()), "{name}");
        }
        let keys = family("attack/jwt_attack")[0].beside("jwt_attack_keys.json");
        assert!(keys.starts_with('{'));
    }

    #[test]
    fn rows_are_elements_lines_and_files() {
        let folder = std::env::temp_dir().join(format!("rows-{}", std::process::id()));
        fs::create_dir_all(folder.join("files/deep")).expect("a folder");
        for (file, content) in [
            ("list.json", r#"[{"id":7,"n":1e400},{"name":"x"},[]]"#),
            ("object.json", r#"{"name":"whole"}"#),
            ("lines.jsonl", "{\"id\":\"a\"}\n\n{\"id\":\"b\"}\n"),
            ("words.txt", "one\ntwo\n"),
            ("files/deep/1.2.json", "{}"),
        ] {
            fs::write(folder.join(file), content).expect("a file");
        }
        let rows = |name: &str| read(&folder, Path::new(name)).map(|rows| rows.into_iter().map(|row| row.id).collect());
        let ids = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(rows("list"), ids(&["7", "x", "#2"]));
        assert_eq!(rows("object"), ids(&["whole"]));
        assert_eq!(rows("lines"), ids(&["a", "b"]));
        assert_eq!(rows("words"), ids(&["#0", "#1"]));
        assert_eq!(rows("files"), ids(&["deep/1.2.json"]));
        assert_eq!(rows("missing"), None);
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn rows_of_two_places_are_joined_by_id_and_text() {
        let row = |id: &str, text: &str| Row { id: id.to_owned(), text: text.to_owned(), folder: PathBuf::new() };
        let mut rows = vec![row("a", "1"), row("b", "2")];
        join(&mut rows, vec![row("b", "2"), row("b", "3"), row("c", "4")]);
        let joined: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.text.as_str())).collect();
        assert_eq!(joined, [("a", "1"), ("b", "2"), ("b", "3"), ("c", "4")]);
    }

    #[test]
    fn a_tally_counts() {
        let mut tally = Tally::of("family/one");
        tally.accepted();
        tally.refused();
        tally.refused();
        let row = Row { id: "x".to_owned(), text: String::new(), folder: PathBuf::new() };
        tally.policy(&row, "refused");
        let text = "vectors: family/one 4 rows, 1 accepted, 2 refused, 1 policy\n  policy: x: refused";
        assert_eq!(tally.to_string(), text);
        assert!(format!("{tally:?}").contains("family/one"));
    }
}
