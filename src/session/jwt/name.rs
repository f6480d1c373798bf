/// Tells whether a text can name a tenant or a session: it says something, and forges no line of a log.
pub(super) fn is_name(text: &str) -> bool {
    let printable = text.bytes().fold(true, |printable, byte| printable & byte.is_ascii_graphic());
    !text.is_empty() && (printable || !text.chars().any(char::is_control))
}
