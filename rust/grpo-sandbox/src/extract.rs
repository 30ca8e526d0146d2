//! The program in a model's reply.

/// A programming language, by the names that models give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python.
    Python,
    /// C.
    C,
    /// C++.
    Cpp,
    /// JavaScript.
    JavaScript,
    /// Rust.
    Rust,
    /// Java.
    Java,
}

impl Language {
    /// The language of a name such as `py`, `Python3`, `c++17` or `main.rs`.
    pub fn from_name(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let plain = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        let plain = plain.rsplit('.').next().unwrap_or(plain);
        Some(match plain {
            "python" | "py" | "pypy" | "cpython" => Self::Python,
            "c" => Self::C,
            "cpp" | "c++" | "cc" | "cxx" => Self::Cpp,
            "javascript" | "js" | "mjs" | "node" | "nodejs" | "node.js" => Self::JavaScript,
            "rust" | "rs" => Self::Rust,
            "java" => Self::Java,
            _ => return None,
        })
    }
}

/// The program in a completion, or `None` if it has none. In this order:
///
/// 1. Reasoning is set aside: `<think>` to `</think>`, what stands before a `</think>` alone, and all that
///    follows a `<think>` which is never closed.
/// 2. If there is an `<answer>` with a program, nothing else counts.
/// 3. The last complete fenced block that is tagged with the language; without one, the last complete block
///    without a tag that looks like a program. Blocks of other languages, empty ones and interactive
///    sessions (`>>>`) do not count.
/// 4. A last block that was never closed, as where the completion was cut off.
/// 5. `[PYTHON]` and `<code>`.
/// 6. Without any fence: the lines from the first to the last that look like code.
///
/// ```
/// use grpo_sandbox::{Language, extract_program};
/// let reply = "First try:\n```python\nprint(1)\n```\nBetter:\n```python\nprint(2)\n```\nDone.";
/// assert_eq!(extract_program(reply, Language::Python).as_deref(), Some("print(2)\n"));
/// ```
pub fn extract_program(completion: &str, language: Language) -> Option<String> {
    let answer = without_reasoning(completion);
    let marked = last_between(&answer, "<answer>", "</answer>");
    marked.and_then(|marked| program_in(marked, language)).or_else(|| program_in(&answer, language))
}

fn program_in(text: &str, language: Language) -> Option<String> {
    let blocks = Blocks::of(text, language);
    let has_fence = blocks.seen;
    let fenced = blocks.tagged.or(blocks.untagged).or(blocks.unclosed);
    if fenced.is_some() {
        return fenced;
    }
    let wrapped = match language {
        Language::Python => last_between(text, "[PYTHON]", "[/PYTHON]"),
        _ => None,
    };
    if let Some(inside) = wrapped.or_else(|| last_between(text, "<code>", "</code>"))
        && looks_like_code(inside, language)
    {
        return Some(joined(inside.trim_matches(['\r', '\n']).lines()));
    }
    if has_fence { None } else { bare_program(text, language) }
}

// ---- reasoning ----------------------------------------------------------------------------------

const OPENING: [&str; 2] = ["<think>", "<thinking>"];
const CLOSING: [&str; 2] = ["</think>", "</thinking>"];

fn without_reasoning(text: &str) -> String {
    let mut kept = String::new();
    // Where the text that counts goes on; none inside of reasoning.
    let mut begin = Some(0);
    for (at, _) in text.match_indices('<') {
        if begin.is_some_and(|begin| at < begin) {
            continue;
        }
        let length = |tags: &[&str]| {
            tags.iter().find(|tag| text[at..].starts_with(**tag)).map(|tag| tag.len())
        };
        if let Some(from) = begin
            && length(&OPENING).is_some()
            && begins_line(&text[..at])
        {
            kept.push_str(&text[from..at]);
            begin = None;
        } else if let Some(length) = length(&CLOSING)
            && !text[..at].ends_with(['"', '\''])
        {
            if begin.is_some() {
                // Closed but not opened: the prompt's template had opened it.
                kept.clear();
            } else {
                kept.push('\n');
            }
            begin = Some(at + length);
        }
    }
    if let Some(from) = begin {
        kept.push_str(&text[from..]);
    }
    kept
}

/// Whether nothing but white space or another tag stands before; elsewhere `<think>` may be text that a
/// program prints.
fn begins_line(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with(['\n', '>'])
}

fn last_between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let end = text.rfind(close)?;
    let begin = text[..end].rfind(open)? + open.len();
    Some(&text[begin..end])
}

// ---- fences -------------------------------------------------------------------------------------

/// The last block of each kind.
#[derive(Default)]
struct Blocks {
    tagged: Option<String>,
    untagged: Option<String>,
    unclosed: Option<String>,
    /// Whether there is a fence at all.
    seen: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Absent,
    Wanted,
    Other,
}

#[derive(Clone, Copy)]
struct Fence {
    indent: usize,
    mark: u8,
    length: usize,
    tag: Tag,
}

impl Blocks {
    fn of(text: &str, language: Language) -> Self {
        let mut blocks = Self::default();
        let mut open: Option<(Fence, Vec<&str>)> = None;
        for line in text.lines() {
            match &mut open {
                None => {
                    if let Some(fence) = Fence::opening(line, language) {
                        blocks.seen = true;
                        open = Some((fence, Vec::new()));
                    }
                }
                Some((fence, lines)) => {
                    if fence.is_closed_by(line) {
                        blocks.add(*fence, lines, language);
                        open = None;
                    } else if let Some(next) = fence.restart(line, language) {
                        // The block before was given up.
                        open = Some((next, Vec::new()));
                    } else {
                        lines.push(line);
                    }
                }
            }
        }
        if let Some((fence, lines)) = open {
            blocks.add_unclosed(fence, lines, language);
        }
        blocks
    }

    fn add(&mut self, fence: Fence, lines: &[&str], language: Language) {
        let program = fence.dedent(lines);
        if fence.tag == Tag::Other || !is_program(&program) {
            return;
        }
        if fence.tag == Tag::Wanted {
            self.tagged = Some(program);
        } else if looks_like_code(&program, language) {
            self.untagged = Some(program);
        }
    }

    fn add_unclosed(&mut self, fence: Fence, mut lines: Vec<&str>, language: Language) {
        let run = char::from(fence.mark).to_string().repeat(fence.length);
        // The closing fence may stand behind the last line of code.
        if let Some(last) = lines.iter().position(|line| line.trim_end().ends_with(&run)) {
            lines.truncate(last + 1);
            let line = lines[last].trim_end();
            lines[last] = &line[..line.len() - run.len()];
        }
        let program = fence.dedent(&lines);
        let counts = fence.tag == Tag::Wanted
            || (fence.tag == Tag::Absent && looks_like_code(&program, language));
        if counts && is_program(&program) {
            self.unclosed = Some(program);
        }
    }
}

impl Fence {
    fn opening(line: &str, language: Language) -> Option<Self> {
        Self::at_start(line, language).or_else(|| Self::after_text(line, language))
    }

    /// A fence after white space and the mark of a list's item.
    fn at_start(line: &str, language: Language) -> Option<Self> {
        let content = after_list_mark(line.trim_start_matches([' ', '\t']));
        let mark = *content.as_bytes().first().filter(|&&mark| matches!(mark, b'`' | b'~'))?;
        let info = content.trim_start_matches(char::from(mark));
        let length = content.len() - info.len();
        if length < 3 || (mark == b'`' && info.contains('`')) {
            return None;
        }
        let indent = line.len() - content.len();
        Some(Self { indent, mark, length, tag: tag_of(info, language) })
    }

    /// `Here it is: ```python`, with the language that is asked for.
    fn after_text(line: &str, language: Language) -> Option<Self> {
        let (_, after) = line.split_once("```")?;
        let info = after.trim_start_matches('`');
        let length = 3 + after.len() - info.len();
        let fence = Self { indent: 0, mark: b'`', length, tag: tag_of(info, language) };
        let is_tag = fence.tag == Tag::Wanted && info.split_whitespace().count() == 1;
        (is_tag && !info.contains('`')).then_some(fence)
    }

    fn is_closed_by(self, line: &str) -> bool {
        let content = line.trim_start_matches([' ', '\t']);
        let after = content.trim_start_matches(char::from(self.mark));
        // Tags may follow at once: `</answer>`, `<|im_end|>`.
        content.len() - after.len() >= self.length
            && (after.trim().is_empty() || after.starts_with('<'))
            && line.len() - content.len() <= self.indent + 3
    }

    /// A fence with the wanted tag inside an open block, no deeper than that block's own.
    fn restart(self, line: &str, language: Language) -> Option<Self> {
        let fence = Self::at_start(line, language)?;
        let same = fence.mark == self.mark && fence.length == self.length;
        (same && fence.tag == Tag::Wanted && fence.indent <= self.indent).then_some(fence)
    }

    /// The lines without the fence's own indentation, as far as all of them have it.
    fn dedent(self, lines: &[&str]) -> String {
        let indents = lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len());
        let cut = indents.min().unwrap_or(0).min(self.indent);
        joined(lines.iter().map(|line| line.get(cut..).unwrap_or("")))
    }
}

fn after_list_mark(content: &str) -> &str {
    let digits = content.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = content.len() - digits.len();
    let marked = match number {
        0 => content.strip_prefix(['-', '*', '+']),
        1..=9 => digits.strip_prefix(['.', ')']),
        _ => None,
    };
    match marked {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start_matches([' ', '\t']),
        _ => content,
    }
}

fn tag_of(info: &str, language: Language) -> Tag {
    let info = info.trim().trim_start_matches(['{', '.']);
    if info.is_empty() {
        return Tag::Absent;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+#_-./".contains(c);
    let name = info.split(|c| !is_name(c)).next().unwrap_or("");
    if Language::from_name(name) == Some(language) { Tag::Wanted } else { Tag::Other }
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Neither empty nor an interactive session.
fn is_program(text: &str) -> bool {
    let text = text.trim_start();
    !text.is_empty() && !text.starts_with(">>>")
}

// ---- code without a fence -----------------------------------------------------------------------

fn looks_like_code(text: &str, language: Language) -> bool {
    // A function's body alone is code as well, but only where a fence says so.
    let is_body = |line: &str| language == Language::Python && line.starts_with("return ");
    let is_code = |line: &str| begins_code(line, language) || is_body(line);
    is_program(text) && text.lines().map(str::trim).any(is_code)
}

fn bare_program(text: &str, language: Language) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| {
        begins_code(line, language) && !line.starts_with('#') || line.starts_with("#include")
    })?;
    // Comments above the first statement belong to it.
    let above = lines[..first].iter().rev().take_while(|line| line.starts_with("# ")).count();
    let last = lines.iter().rposition(|line| continues_code(line, language))?;
    Some(joined(lines[first - above..=last.max(first)].iter().copied()))
}

fn continues_code(line: &str, language: Language) -> bool {
    let content = line.trim();
    let is_indented = line.len() > content.len() && line.starts_with([' ', '\t']);
    let closes = content.starts_with([')', ']', '}'])
        || content.starts_with("\"\"\"")
        || content.starts_with("'''");
    match language {
        _ if content.is_empty() => false,
        Language::Python => is_indented || closes || begins_code(line, language),
        _ => content.ends_with(['}', ';']) || begins_code(line, language),
    }
}

/// Whether a line begins as no sentence does.
fn begins_code(line: &str, language: Language) -> bool {
    match language {
        Language::Python => begins_python(line),
        Language::C | Language::Cpp => {
            line.starts_with("#include")
                || line.starts_with("using namespace ")
                || line.starts_with("int main")
        }
        Language::JavaScript => {
            let words =
                ["const ", "let ", "var ", "function ", "async function ", "console.", "process."];
            words.iter().any(|word| line.starts_with(word)) && line.contains(['=', '(', '{'])
        }
        Language::Rust => {
            let words = ["use ", "fn ", "pub fn ", "struct ", "impl ", "mod ", "#!["];
            words.iter().any(|word| line.starts_with(word)) && line.contains([';', '{', '('])
        }
        Language::Java => {
            let words = ["import ", "public ", "class ", "final class ", "package "];
            words.iter().any(|word| line.starts_with(word)) && line.trim_end().ends_with([';', '{'])
        }
    }
}

fn begins_python(line: &str) -> bool {
    let line = line.trim_end();
    let (word, rest) = split_name(line);
    let ends_block = line.ends_with(':') || line.contains("):") || line.contains(": #");
    match word {
        "" => {
            line.starts_with('#') || (line.starts_with('@') && !split_name(&line[1..]).0.is_empty())
        }
        "import" => is_name_list(rest),
        "from" => rest.split_once(" import ").is_some_and(|(module, _)| is_dotted(module.trim())),
        "def" => rest.contains('('),
        "class" => ends_block || line.ends_with("pass"),
        "async" => rest.trim_start().starts_with("def ") || rest.trim_start().starts_with("with "),
        "if" | "while" | "with" => {
            line.contains(':') && (ends_block || line.contains(": ")) && looks_logical(rest)
        }
        "for" => rest.contains(" in ") && line.contains(':'),
        "try" => rest.trim() == ":",
        "assert" | "raise" | "return" | "global" | "del" | "lambda" => false,
        _ => is_assignment(rest) || is_call(line),
    }
}

/// Code has an operator, a call or a single name where a sentence has many words.
fn looks_logical(condition: &str) -> bool {
    condition.contains(['=', '<', '>', '(', '[', '_', '%'])
        || condition.split_whitespace().count() <= 2
}

fn is_name_list(text: &str) -> bool {
    let text = text.split(['#', ';']).next().unwrap_or("");
    text.split(',').all(|item| {
        let mut words = item.split_whitespace();
        let module = words.next().is_some_and(is_dotted);
        module
            && match (words.next(), words.next(), words.next()) {
                (None, _, _) => true,
                (Some("as"), Some(alias), None) => is_dotted(alias),
                _ => false,
            }
    })
}

fn is_dotted(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

/// The part of an assignment after its first name: `, b = ...`, `[0] = ...`, `.x += ...`, `: int = ...`.
fn is_assignment(rest: &str) -> bool {
    let Some((target, value)) = rest.split_once('=') else {
        return false;
    };
    let target = target.trim_end_matches(['+', '-', '*', '/', '%', '&', '|', '^', '<', '>', '@']);
    let is_target = |c: char| c.is_alphanumeric() || "_.,[]()'\"*+-: ".contains(c);
    let is_spaced =
        target.trim().is_empty() || target.trim_start().starts_with([',', '[', '.', ':']);
    is_spaced && target.chars().all(is_target) && !value.trim().is_empty()
}

/// `name(...)` or `name.method(...)`, over all of the line or left open at its end.
fn is_call(line: &str) -> bool {
    let Some((name, _)) = line.split_once('(') else {
        return false;
    };
    is_dotted(name) && (line.ends_with([')', '(', ',', '[', '{']))
}

fn split_name(line: &str) -> (&str, &str) {
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(line.len());
    line.split_at(end)
}
