//! `\boxed{..}`: the last balanced box of a text, or the last boxes that are one answer together.

use std::ops::Range;

use memchr::{memchr3, memmem};

use super::text;

/// The longest text between two boxes of one answer.
const MAX_GAP: usize = 96;

/// The longest text after the brace of a box that the end of the text cuts short.
const MAX_UNCLOSED: usize = 240;

/// The most boxes of one answer.
const MAX_RUN: usize = 32;

/// Words that set the box before them aside, or restate it in the box after them.
const BREAKS: &str = "\
    no not nope wrong actually instead wait rather but thus so therefore hence then is are was \
    equals equal gives giving which simplifies approximately about means namely final finally \
    answer answers result correct correction sorry oops hmm should i mean we get have however \
    check i e";

/// A box command of which the argument is known.
struct Framed {
    /// From the backslash to the closing brace.
    whole: Range<usize>,
    contents: Range<usize>,
}

/// A box command: where it starts, where its name ends.
struct Command {
    start: usize,
    after: usize,
    /// With its backslash doubled, as in JSON: braces are escaped by two as well.
    doubled: bool,
}

/// A brace that waits for its partner.
struct Brace {
    contents: usize,
    /// Where the command of the box starts, if it is the brace of one.
    command: Option<usize>,
}

/// The contents of the box that closes last, so of nested boxes the outer one; with the boxes
/// before it that belong to the same answer (`\boxed{1}` and `\boxed{2}`).
pub(super) fn last(text: &str) -> Option<Vec<Range<usize>>> {
    let boxes = all(text);
    let last = boxes.len().checked_sub(1)?;
    let mut run = last;
    while run > last.saturating_sub(MAX_RUN)
        && belongs(&text[boxes[run - 1].whole.end..boxes[run].whole.start])
    {
        run -= 1;
    }
    let boxes = &boxes[run..];
    if let Some(named) = named(text, boxes) {
        return Some(named);
    }
    let mut distinct: Vec<&Framed> = Vec::new();
    for framed in boxes.iter().rev() {
        let is_new =
            |other: &&Framed| text[other.contents.clone()] != text[framed.contents.clone()];
        if distinct.iter().all(is_new) {
            distinct.push(framed);
        }
    }
    Some(distinct.into_iter().rev().map(|framed| completed(text, framed)).collect())
}

/// Several boxes with their names, if each has one of its own: `x = \boxed{1}` and `y = \boxed{2}`.
fn named(text: &str, boxes: &[Framed]) -> Option<Vec<Range<usize>>> {
    let starts: Vec<usize> =
        boxes.iter().map(|framed| name(&text[..framed.whole.start])).collect::<Option<_>>()?;
    let ranges = || boxes.iter().zip(&starts).map(|(framed, start)| *start..framed.whole.end);
    let names: Vec<&str> = boxes
        .iter()
        .zip(&starts)
        .map(|(framed, start)| text[*start..framed.whole.start].trim_end_matches(['=', ' ']))
        .collect();
    let differ = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
    (names.len() > 1 && differ).then(|| ranges().collect())
}

/// Where the name begins that `before` ends with, equals sign included: `y_1 =`.
fn name(before: &str) -> Option<usize> {
    /// The longest subscript.
    const MAX_INDEX: usize = 6;
    let name = before.trim_end().strip_suffix('=')?.trim_end();
    let tail = text::floor(name, name.len().saturating_sub(MAX_INDEX));
    let letter = name[tail..].rfind('_').map_or(name, |at| &name[..tail + at]);
    let start = letter.len() - letter.chars().next_back().filter(|c| c.is_alphabetic())?.len_utf8();
    let is_name = !letter[..start].ends_with(|c: char| c.is_alphanumeric() || c == '\\');
    is_name.then_some(start)
}

/// Every closed box that is not inside another, in order; at the end of the text an open one too.
fn all(text: &str) -> Vec<Framed> {
    let finder = memmem::Finder::new(b"box");
    let mut scan =
        Scan { text, finder, at: 0, doubled: false, open: Vec::new(), found: Vec::new() };
    while let Some(name) = scan.next_name() {
        scan.read_command(name);
    }
    let from = scan.found.last().map_or(0, |last| last.whole.end);
    let mut found = scan.found;
    found.extend(unclosed(text, &scan.open, from));
    found
}

/// One forward pass with a stack of open braces, which looks at nothing outside boxes: linear even
/// on a reply that is nothing but `\boxed{\boxed{\boxed{`.
struct Scan<'a> {
    text: &'a str,
    finder: memmem::Finder<'static>,
    at: usize,
    /// Whether the last box command had its backslash doubled.
    doubled: bool,
    open: Vec<Brace>,
    found: Vec<Framed>,
}

impl Scan<'_> {
    /// Where the next "box" is that may name a command; inside a box, opens and closes braces on the
    /// way to it.
    fn next_name(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        loop {
            if self.open.is_empty() {
                return self.finder.find(&bytes[self.at..]).map(|at| self.at + at);
            }
            self.at += memchr3(b'\\', b'{', b'}', &bytes[self.at..])?;
            match bytes[self.at] {
                b'{' => {
                    self.at += 1;
                    self.open.push(Brace { contents: self.at, command: None });
                }
                b'}' => {
                    self.close();
                    self.at += 1;
                }
                _ => {
                    let run = bytes[self.at..].iter().take_while(|b| **b == b'\\').count();
                    self.at += run;
                    let escaped = self.doubled || run % 2 == 1;
                    match &bytes[self.at..] {
                        [b'{' | b'}', ..] => self.at += usize::from(escaped),
                        [b'b', b'o', b'x', ..] => return Some(self.at),
                        [b'f', b'b', b'o', b'x', ..] => return Some(self.at + 1),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Reads the argument of a command, if the "box" at `name` is part of one.
    fn read_command(&mut self, name: usize) {
        let Some(command) = command(self.text, name) else {
            self.at = name + 1;
            return;
        };
        self.doubled = command.doubled;
        self.at = command.after;
        let argument = text::skip(self.text, command.after, char::is_whitespace);
        if self.text[argument..].starts_with('{') {
            self.at = argument + 1;
            self.open.push(Brace { contents: self.at, command: Some(command.start) });
        } else if let Some(contents) = bare(self.text, command.after) {
            self.at = contents.end;
            self.push(command.start..contents.end, contents);
        }
    }

    /// Closes the innermost brace.
    fn close(&mut self) {
        if let Some(Brace { contents, command: Some(start) }) = self.open.pop() {
            self.push(start..self.at + 1, contents..self.at);
        }
    }

    /// Adds a box, in place of those inside it.
    fn push(&mut self, whole: Range<usize>, contents: Range<usize>) {
        while self.found.last().is_some_and(|inner| inner.whole.start > whole.start) {
            self.found.pop();
        }
        self.found.push(Framed { whole, contents: text::trim(self.text, contents) });
    }
}

/// The box command whose name holds the "box" at `at`.
fn command(text: &str, at: usize) -> Option<Command> {
    let bytes = text.as_bytes();
    let (head, after) = match (&bytes[..at], bytes.get(at..at + 5)) {
        ([.., b'\\'], Some(b"boxed")) => (at, at + 5),
        ([.., b'\\', b'f'], _) if bytes[at..].starts_with(b"box") => (at - 1, at + 3),
        ([.., b], Some(b"boxed")) if b.is_ascii_alphanumeric() => return None,
        // The backslash is lost now and then.
        (_, Some(b"boxed")) if bytes.get(at + 5) == Some(&b'{') => {
            return Some(Command { start: at, after: at + 5, doubled: false });
        }
        _ => return None,
    };
    let run = bytes[..head].iter().rev().take_while(|b| **b == b'\\').count();
    let doubled = run % 2 == 0;
    let letter_follows = bytes.get(after).is_some_and(u8::is_ascii_alphabetic);
    let start = head - if doubled { 2 } else { 1 };
    (!letter_follows).then_some(Command { start, after, doubled })
}

/// The argument of `\boxed 5` or `\boxed\frac12$`: up to white space, a dollar sign or a brace that
/// closes.
fn bare(text: &str, after: usize) -> Option<Range<usize>> {
    let start = text::skip(text, after, |c| matches!(c, ' ' | '\t'));
    let mut depth = 0_usize;
    let mut backslash = false;
    let length = text[start..].find(|c: char| {
        let ends = match c {
            '{' => {
                depth += 1;
                false
            }
            '}' if depth == 0 => true,
            '}' => {
                depth -= 1;
                false
            }
            ')' | ']' => backslash,
            c => c.is_whitespace() || c == '$',
        };
        backslash = c == '\\';
        ends
    });
    let argument = &text[start..start + length.unwrap_or(text.len() - start)];
    let argument = argument.trim_end_matches(['.', ',', ';', ':', '!', '\\']);
    (!argument.is_empty()).then_some(start..start + argument.len())
}

/// The box that the end of the text leaves open, if it is the last thing there.
fn unclosed(text: &str, open: &[Brace], from: usize) -> Option<Framed> {
    let (start, contents) = open.iter().find_map(|brace| {
        let start = brace.command?;
        let is_last = start >= from && text.len() - brace.contents <= MAX_UNCLOSED;
        is_last.then_some((start, brace.contents))
    })?;
    let rest = &text[contents..];
    let end = rest.find(['$']).or_else(|| rest.find("\\)")).or_else(|| rest.find("\\]"));
    let contents = text::trim(text, contents..contents + end.unwrap_or(rest.len()));
    let is_value = !contents.is_empty() && !text[contents.clone()].contains("\n\n");
    is_value.then_some(Framed { whole: start..text.len(), contents })
}

/// Whether two boxes with `gap` between them are one answer.
fn belongs(gap: &str) -> bool {
    if gap.len() > MAX_GAP || gap.contains(['?', '!', '<', '>', '≈', '#']) {
        return false;
    }
    let mut prose = 0;
    for (_, word) in text::words(gap) {
        if text::is_listed(BREAKS, word) {
            return false;
        }
        prose += usize::from(text::is_prose(word));
    }
    let commands = gap.split('\\').skip(1).map(text::first_word);
    let mut quiet = commands.filter(|name| !name.is_empty()).map(|name| {
        matches!(name, "text" | "textbf" | "mathrm" | "mbox" | "quad" | "qquad" | "land" | "lor")
    });
    prose <= 3
        && quiet.all(|quiet| quiet)
        && !(prose > 0 && (gap.contains("\n\n") || gap.contains(". ") || gap.contains(".\n")))
        && names(gap)
}

/// Whether each equals sign of a gap follows a name (`, y = `), and nothing else has digits.
fn names(gap: &str) -> bool {
    let mut parts = gap.split('=');
    let last = parts.next_back().unwrap_or_default();
    // "3 papers and": a digit stands only in a name (`x_1`) or a label (`(2)`).
    let label = |part: &str| {
        part.char_indices().filter(|(_, c)| c.is_ascii_digit()).all(|(at, _)| {
            let before = part[..at].trim_end_matches(|c: char| c.is_ascii_digit() || c == '{');
            before.ends_with(|c: char| c == '_' || c == '(' || c.is_ascii_alphabetic())
        })
    };
    label(last)
        && parts.all(|part| {
            label(part)
                && part.trim_end().ends_with(|c: char| c.is_alphanumeric() || ")}".contains(c))
                && part.contains(|c: char| c.is_alphabetic())
        })
}

/// What a box says, with the percent sign that follows it.
fn completed(text: &str, framed: &Framed) -> Range<usize> {
    let contents = &text[framed.contents.clone()];
    let is_plain = contents.ends_with(|c: char| c.is_ascii_digit() || c == '}');
    match text::percent_end(text, framed.whole.end).filter(|_| is_plain) {
        Some(end) => {
            let dollar = text[..framed.whole.start].ends_with('$');
            let closes = text[framed.whole.end..end].contains('$');
            framed.whole.start - usize::from(dollar && closes)..end
        }
        None => framed.contents.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::last;

    fn found(text: &str) -> Vec<&str> {
        last(text).unwrap_or_default().into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn one_box() {
        assert_eq!(found(r"So $\boxed{72}$."), ["72"]);
        assert_eq!(found(r"\boxed { \frac{3}{4} }"), [r"\frac{3}{4}"]);
        assert_eq!(found(r"\fbox{5}"), ["5"]);
        assert_eq!(found(r"$\boxed 57$."), ["57"]);
        assert_eq!(found(r"\(\boxed\frac12\)"), [r"\frac12"]);
        assert_eq!(found(r"\boxed{\boxed{12}}"), [r"\boxed{12}"]);
        assert_eq!(found(r"\boxed{\}1}"), [r"\}1"]);
        assert_eq!(found(r"$boxed{5}$"), ["5"]);
        assert_eq!(found(r"\boxed{}"), [""]);
        assert_eq!(
            found("\\boxed{\n\\begin{pmatrix} 0 \\\\ 1 \\end{pmatrix}\n}."),
            ["\\begin{pmatrix} 0 \\\\ 1 \\end{pmatrix}"]
        );
        assert_eq!(found("a box, \\boxedx{5}, sandboxed{5}"), [""; 0]);
    }

    #[test]
    fn escaped_as_in_json() {
        assert_eq!(
            found(r"\\boxed{\\left( 3, \\frac{1}{2} \\right)}.$"),
            [r"\\left( 3, \\frac{1}{2} \\right)"]
        );
        assert_eq!(found(r"\\boxed{\\{1\\}} \\n"), [r"\\{1\\}"]);
        assert_eq!(found(r"x \\\boxed{\\{1}}"), [r"\\{1}"]);
    }

    #[test]
    fn boxes_of_one_answer() {
        assert_eq!(found(r"\boxed{1} papers and \boxed{2} bins"), ["1", "2"]);
        assert_eq!(found(r"\boxed{5}\boxed{6}"), ["5", "6"]);
        assert_eq!(found(r"$\boxed{5}$, $\boxed{6}$, and $\boxed{7}$"), ["5", "6", "7"]);
        assert_eq!(
            found(r"\boxed{(3,3)} \text{ for part (a) and } \boxed{(1,1)}"),
            ["(3,3)", "(1,1)"]
        );
        assert_eq!(
            found(r"$y_1 = \boxed{a} \) and \( y_{2} = \boxed{b}"),
            [r"y_1 = \boxed{a}", r"y_{2} = \boxed{b}"]
        );
        assert_eq!(found(r"x = \boxed{2}, y = \boxed{2}"), [r"x = \boxed{2}", r"y = \boxed{2}"]);
        assert_eq!(found(r"$x = \boxed{2}$ or $x = \boxed{3}$"), ["2", "3"]);
        assert_eq!(found(r"\boxed{5} \quad \boxed{5}"), ["5"]);
    }

    #[test]
    fn boxes_of_two_answers() {
        assert_eq!(found(r"\boxed{1} no no no no no \boxed{2}"), ["2"]);
        assert_eq!(found(r"\boxed{4}? No: \boxed{5}"), ["5"]);
        assert_eq!(found(r"\boxed{4}, or rather \boxed{5}"), ["5"]);
        assert_eq!(found(r"\boxed{4} = \boxed{5}"), ["5"]);
        assert_eq!(found("\\boxed{4}\n\n**Final Answer**\n\\boxed{5}"), ["5"]);
        assert_eq!(found(r"\boxed{4}. The total is \boxed{5}"), ["5"]);
        assert_eq!(found(r"\boxed{4} \cdot 3 \boxed{5}"), ["5"]);
        let far = format!(r"\boxed{{4}} {} \boxed{{5}}", "x ".repeat(80));
        assert_eq!(found(&far), ["5"]);
    }

    #[test]
    fn percent_after_a_box() {
        assert_eq!(found(r"\boxed{28}\%"), [r"\boxed{28}\%"]);
        assert_eq!(found(r"is $\boxed{28}$ percent."), [r"$\boxed{28}$ percent"]);
        assert_eq!(found(r"\boxed{28}\text{ percent}"), [r"\boxed{28}\text{ percent}"]);
        assert_eq!(found(r"\boxed{28\%}%"), [r"28\%"]);
        assert_eq!(found(r"\boxed{28} percentage points"), ["28"]);
        assert_eq!(found(r"\boxed{28} apples"), ["28"]);
    }

    #[test]
    fn unclosed() {
        assert_eq!(found(r"so \boxed{5"), ["5"]);
        assert_eq!(found(r"so $\boxed{\frac{1}{2}$."), [r"\frac{1}{2}"]);
        assert_eq!(found(&format!(r"\boxed{{5 {}", "and so on ".repeat(40))), [""; 0]);
        assert_eq!(found(r"\boxed{5 \boxed{6}"), ["6"]);
        assert_eq!(found(r"\boxed{4} then \boxed{5"), ["5"]);
    }
}
