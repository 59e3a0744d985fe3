//! What verbs print: whatever stands in files and names, a terminal shows it and never obeys it.

use std::io::{self, StdoutLock, Write};

/// Standard output without control characters, but for line feeds and tabs.
pub(crate) fn out() -> Plain<StdoutLock<'static>> {
    Plain(io::stdout().lock())
}

/// Says on standard error why a verb has failed.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to be told that nobody can be told.
    let _ = writeln!(Plain(io::stderr().lock()), "tve: {error:#}");
}

/// Text of somebody else as it may stand in the middle of a line.
pub(crate) fn in_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\t', "\\t")
}

/// Writes `\u{1b}` for an escape, and so for every other character that a terminal might obey.
pub(crate) struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    /// A piece may not end within a character; what the formatter hands over never does.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shown = String::with_capacity(bytes.len());
        for c in String::from_utf8_lossy(bytes).chars() {
            if is_obeyed(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
        }
        self.0.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, and those that turn the direction of a line.
fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_that_a_terminal_obeys_is_printed_and_every_other_is() {
        let mut out = Plain(Vec::new());
        let nasty = "\x1b[2J\r\x07\u{9b}31m\u{202e}\u{7f}\0";
        write!(out, "zwölf °C\t{nasty}\n{}", in_line("a\nb")).unwrap();
        let text = String::from_utf8(out.0).unwrap();
        assert!(!text.chars().any(is_obeyed), "{text:?}");
        assert!(text.starts_with("zwölf °C\t\\u{1b}[2J\\u{d}"), "{text}");
        assert!(text.ends_with("\\u{0}\na\\nb"), "{text}");
    }
}
