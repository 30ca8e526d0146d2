//! One spelling for what LaTeX, Markdown and Unicode spell in many ways.

/// Two spaces: a separation over which digits never group (`1 234` is a number, `1$ $234` is none).
const GAP: &str = "  ";

/// Commands that only change how their argument looks; it is kept between double quotes, so that
/// the reader can tell `5\text{ m}` (a unit) from `5m` (a product).
const TEXT: [&str; 12] = [
    "text",
    "textbf",
    "textit",
    "textrm",
    "textnormal",
    "texttt",
    "mathrm",
    "mathbf",
    "mathit",
    "mathsf",
    "mbox",
    "operatorname",
];

/// Commands that leave no trace.
const SILENT: [&str; 12] = [
    "left",
    "right",
    "displaystyle",
    "textstyle",
    "limits",
    "bf",
    "rm",
    "big",
    "Big",
    "bigl",
    "bigr",
    "boldsymbol",
];

/// What an open brace will have to write when it closes.
enum Group {
    Brace,
    Quote,
    Box,
}

/// Drops wrappers (`$..$`, `\(..\)`, `**..**`, `\boxed{..}`), currency signs and decoration, turns
/// spacing into spaces, and writes `\frac`, `*`, `/`, `-`, `%`, `°` and `,` one way each.
///
/// In the result `"` only ever delimits the argument of a text command.
pub(crate) fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut groups = Vec::new();
    let mut quotes = 0_usize;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = rest;
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = command(rest, &mut out, &mut groups, &mut quotes),
            '{' if at.starts_with("{,}") => {
                out.push(',');
                rest = &at["{,}".len()..];
            }
            '{' => {
                groups.push(Group::Brace);
                out.push('{');
            }
            '}' => match groups.pop() {
                Some(Group::Quote) => {
                    quotes -= 1;
                    out.push(if quotes == 0 { '"' } else { ' ' });
                }
                Some(Group::Box) => out.push_str(GAP),
                Some(Group::Brace) | None => out.push('}'),
            },
            '*' if rest.starts_with('*') => {
                rest = &rest[1..];
                out.push_str(GAP);
            }
            '$' | '€' | '£' | '¥' | '₹' | '`' | '\n' => out.push_str(GAP),
            '~' if rest.starts_with('~') => {
                rest = &rest[1..];
                out.push_str("~~"); // struck out, not a TeX space
            }
            // "~5" is about 5; elsewhere a tie is a space.
            '~' if out.len() <= GAP.len() && out.trim().is_empty() && !rest.starts_with(' ') => {
                out.push('~');
            }
            '"' | '“' | '”' | '~' => out.push(' '),
            '\u{200b}' | '\u{2060}' | '\u{feff}' => {}
            '−' | '–' | '‐' | '‑' | '﹣' => out.push('-'),
            '×' | '·' | '⋅' => out.push('*'),
            '÷' | '⁄' | '∕' => out.push('/'),
            '％' => out.push('%'),
            '，' => out.push(','),
            '。' => out.push('.'),
            '½' => out.push_str(" 1/2"),
            '⅓' => out.push_str(" 1/3"),
            '⅔' => out.push_str(" 2/3"),
            '¼' => out.push_str(" 1/4"),
            '¾' => out.push_str(" 3/4"),
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The form in which text answers are compared: spaces only between words, no quotes, no final
/// punctuation, and no capitals unless it is a formula (`X` is not `x` in `X^2`).
pub(crate) fn text_form(normalized: &str, ignore_case: bool) -> String {
    let text = normalized.trim_matches(|c: char| matches!(c, ' ' | '"' | '.' | ',' | ';' | ':'));
    let formula = text.contains(['\\', '^', '_', '=', '+', '*', '/', '<', '>']);
    let mut out = String::with_capacity(text.len());
    let mut spaced = false;
    for c in text.chars() {
        if matches!(c, ' ' | '"') {
            spaced = true;
            continue;
        }
        if spaced && c.is_alphanumeric() && out.ends_with(char::is_alphanumeric) {
            out.push(' ');
        }
        spaced = false;
        if formula || !ignore_case {
            out.push(c);
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// Reads the command after a backslash and returns what follows it.
fn command<'a>(
    rest: &'a str,
    out: &mut String,
    groups: &mut Vec<Group>,
    quotes: &mut usize,
) -> &'a str {
    let name = &rest[..rest.bytes().take_while(u8::is_ascii_alphabetic).count()];
    if name.is_empty() {
        return escape(rest, out);
    }
    let after = &rest[name.len()..];
    let argument = after.trim_start_matches(' ').strip_prefix('{');
    match (name, argument) {
        ("boxed" | "fbox", Some(argument)) => {
            groups.push(Group::Box);
            out.push_str(GAP);
            return argument;
        }
        (name, Some(argument)) if TEXT.contains(&name) => {
            groups.push(Group::Quote);
            out.push(if *quotes == 0 { '"' } else { ' ' });
            *quotes += 1;
            return argument;
        }
        ("dfrac" | "tfrac" | "cfrac" | "frac", _) => out.push_str("\\frac"),
        ("quad" | "qquad" | "boxed" | "fbox", _) => out.push_str(GAP),
        ("times" | "cdot" | "ast", _) => out.push('*'),
        ("div", _) => out.push('/'),
        ("degree", _) => out.push('°'),
        ("neq", _) => out.push_str("\\ne"),
        ("leq", _) => out.push_str("\\le"),
        ("geq", _) => out.push_str("\\ge"),
        (name, _) if SILENT.contains(&name) || TEXT.contains(&name) => {}
        (name, _) => {
            out.push('\\');
            out.push_str(name);
        }
    }
    after
}

/// A backslash before something that is no letter.
fn escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(c) = rest.chars().next() else {
        return rest;
    };
    match c {
        ',' | ';' | ':' | ' ' => out.push(' '),
        '!' => return rest[1..].trim_start_matches(' '), // `11,\! 111`
        '(' | ')' | '[' | ']' | '\\' | '$' => out.push_str(GAP),
        '{' | '}' => out.extend(['\\', c]),
        '%' | '#' | '&' | '_' => out.push(c),
        _ => return rest, // a stray backslash
    }
    &rest[c.len_utf8()..]
}
