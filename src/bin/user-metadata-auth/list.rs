use std::convert::Infallible;
use std::str::FromStr;

/// Values between commas, without white space around each.
#[derive(Clone, Debug)]
pub(crate) struct List(pub(crate) Vec<String>);

impl FromStr for List {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split(',').map(trimmed).filter(|member| !member.is_empty()).map(str::to_owned).collect()))
    }
}

/// A text without the white space that files of secrets have around it, and the mark that editors begin a file with.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}
