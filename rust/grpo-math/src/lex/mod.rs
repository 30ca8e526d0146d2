//! Text to tokens: LaTeX, Unicode mathematics and plain ASCII come out alike.

mod number;

use crate::expr::{Constant, Function, NamedSet, Number, Rel};
use crate::words;

/// The most tokens of one answer. What is longer is no answer to be compared as mathematics.
pub(crate) const MAX_TOKENS: usize = 3_000;

/// The most digits a number may be written with.
pub const MAX_DIGITS: usize = 10_000;

/// The largest power of ten of scientific notation, either way.
pub const MAX_EXPONENT: usize = 10_000;

/// How deep `\text{\mathbf{..}}` may nest.
const MAX_NESTING: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Number(Number),
    /// A one-letter variable.
    Letter(char),
    /// A Greek letter, by its command without the backslash.
    Greek(&'static str),
    /// A command without a known meaning: a symbol of that name.
    Named(&'a str),
    /// Two or more letters, or words: plain, or (flag) inside a text command.
    Word(&'a str, bool),
    Function(Function),
    Constant(Constant),
    Set(NamedSet),
    Rel(Rel),
    Currency(char),
    Open(Delimiter),
    Close(Delimiter),
    /// `[` and `]`, which may open or close either way.
    BracketLeft,
    BracketRight,
    /// `|`, `\vert`
    Bar,
    /// `\|`, `\Vert`
    Norm,
    Plus,
    Minus,
    PlusMinus,
    MinusPlus,
    Times,
    /// `\times`, which between vectors is another product than the dot.
    Cross,
    Slash,
    Caret,
    Underscore,
    Bang,
    Percent,
    Degree,
    Prime,
    Comma,
    Semicolon,
    Colon,
    /// A full stop that ends a sentence.
    Stop,
    /// A wide space, a dollar sign or a new line: may separate, without being punctuation.
    Gap,
    /// `\\\\`
    Break,
    Ampersand,
    Ellipsis,
    Cup,
    Cap,
    SetMinus,
    /// `\bmod`, `\mod`
    Mod,
    /// `\pmod`, or `(mod`
    PMod,
    /// Unicode superscript: the digits and sign it stands for.
    Superscript(i64),
    Subscript(u32),
    Not,
    And,
    Or,
    Command(Command),
    Begin(&'a str),
    End(&'a str),
    /// A character or command without a meaning here.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delimiter {
    Round,
    /// TeX grouping: `{ }`.
    Brace,
    /// `\{ \}`
    Curly,
    Angle,
    Floor,
    Ceil,
    /// `\lvert`, `\left|`
    Bar,
    /// `\lVert`, `\left\|`
    Norm,
    /// Unmatched by construction: `\left.`
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Frac,
    Sqrt,
    Binom,
    Choose,
    /// `{a \over b}`
    Over,
    Sum,
    Prod,
    Int,
    Lim,
    Log,
    Overline,
    /// `\vec`, `\overrightarrow`
    Vector,
    Hat,
    Bold,
    Dot,
    Angle,
    Triangle,
    Arc,
    Transpose,
    Complement,
    Partial,
    /// `\underset`, `\overset`, `\stackrel`: the first argument is decoration.
    Decorated,
    /// A decoration of which only the argument counts.
    Transparent,
}

/// Why a text cannot be read as tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LexError {
    TooLong,
}

/// Options that make a second reading of an ambiguous text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// `1,234` is two numbers.
    pub(crate) commas_separate: bool,
}

/// What the lexer has seen of an ambiguity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Digits were grouped by plain commas.
    pub(crate) grouped: bool,
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
    /// Round, square and curly brackets that are open: commas separate inside.
    depth: usize,
    nesting: usize,
    reading: Reading,
    seen: Seen,
}

/// The tokens of `text`.
pub(crate) fn tokens(text: &str, reading: Reading) -> Result<(Vec<Token<'_>>, Seen), LexError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::with_capacity(text.len().min(MAX_TOKENS) / 2 + 4),
        depth: 0,
        nesting: 0,
        reading,
        seen: Seen::default(),
    };
    lexer.run(text.len())?;
    Ok((lexer.tokens, lexer.seen))
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, token: Token<'a>) {
        self.tokens.push(token);
    }

    fn run(&mut self, end: usize) -> Result<(), LexError> {
        while self.at < end {
            if self.tokens.len() > MAX_TOKENS {
                return Err(LexError::TooLong);
            }
            let Some(c) = self.peek() else { break };
            let decimal_point =
                c == '.' && self.rest()[1..].starts_with(|d: char| d.is_ascii_digit());
            if c.is_ascii_digit() || decimal_point && !self.after_digit_or_dot() {
                self.number()?;
            } else if c == '\\' {
                self.command()?;
            } else if c.is_alphabetic() && !is_mathematical(c) {
                self.letters();
            } else {
                self.at += c.len_utf8();
                self.character(c);
            }
        }
        Ok(())
    }

    fn after_digit_or_dot(&self) -> bool {
        self.text[..self.at].ends_with(['.'])
    }

    /// One character that is no letter, digit or backslash; it is behind the position already.
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn character(&mut self, c: char) {
        let token = match c {
            '{' => Token::Open(Delimiter::Brace),
            '}' => Token::Close(Delimiter::Brace),
            '(' | '（' => {
                self.depth += 1;
                Token::Open(Delimiter::Round)
            }
            ')' | '）' => {
                self.depth = self.depth.saturating_sub(1);
                Token::Close(Delimiter::Round)
            }
            '[' | '［' => {
                self.depth += 1;
                Token::BracketLeft
            }
            ']' | '］' => {
                self.depth = self.depth.saturating_sub(1);
                Token::BracketRight
            }
            '⟨' | '〈' => Token::Open(Delimiter::Angle),
            '⟩' | '〉' => Token::Close(Delimiter::Angle),
            '⌊' => Token::Open(Delimiter::Floor),
            '⌋' => Token::Close(Delimiter::Floor),
            '⌈' => Token::Open(Delimiter::Ceil),
            '⌉' => Token::Close(Delimiter::Ceil),
            '|' | '∣' => Token::Bar,
            '‖' | '∥' => Token::Norm,
            '+' if self.rest().starts_with("/-") => {
                self.at += 2;
                Token::PlusMinus
            }
            '+' | '＋' => Token::Plus,
            '-' | '−' | '–' | '‐' | '‑' | '﹣' | '－' | '—' => Token::Minus,
            '±' => Token::PlusMinus,
            '∓' => Token::MinusPlus,
            '*' => return self.star(),
            '×' => Token::Cross,
            '·' | '⋅' | '∗' | '∙' | '•' | '⨯' => Token::Times,
            '/' | '÷' | '⁄' | '∕' => Token::Slash,
            '^' => Token::Caret,
            '_' => Token::Underscore,
            '!' if self.rest().starts_with('=') => {
                self.at += 1;
                Token::Rel(Rel::Ne)
            }
            '!' | '！' => Token::Bang,
            '%' | '％' => Token::Percent,
            '°' | 'º' | '˚' => Token::Degree,
            '\'' | '′' | '’' => Token::Prime,
            '″' => {
                self.push(Token::Prime);
                Token::Prime
            }
            ',' | '，' | '、' => Token::Comma,
            ';' | '；' => Token::Semicolon,
            ':' | '：' | '∶' => Token::Colon,
            '.' if self.rest().starts_with("..") => {
                while self.rest().starts_with('.') {
                    self.at += 1;
                }
                Token::Ellipsis
            }
            '.' | '。' => Token::Stop,
            '…' | '⋯' => Token::Ellipsis,
            '&' => Token::Ampersand,
            '=' | '＝' => self.equals(),
            '<' => self.less(),
            '>' => self.greater(),
            '＜' => Token::Rel(Rel::Lt),
            '＞' => Token::Rel(Rel::Gt),
            '≤' | '⩽' | '≦' => Token::Rel(Rel::Le),
            '≥' | '⩾' | '≧' => Token::Rel(Rel::Ge),
            '≠' => Token::Rel(Rel::Ne),
            '≈' | '≃' | '≅' => Token::Rel(Rel::Approx),
            '≡' => Token::Rel(Rel::Congruent(Box::new(crate::expr::Expr::integer(0)))),
            '∈' => Token::Rel(Rel::In),
            '∉' => Token::Rel(Rel::NotIn),
            '⊂' | '⊆' => Token::Rel(Rel::Subset),
            '⊃' | '⊇' => Token::Rel(Rel::Superset),
            '→' => Token::Rel(Rel::To),
            '⇒' => Token::Rel(Rel::Implies),
            '⇔' => Token::Rel(Rel::Iff),
            '⊥' => Token::Rel(Rel::Perpendicular),
            '∪' => Token::Cup,
            '∩' => Token::Cap,
            '∖' => Token::SetMinus,
            '∅' => Token::Set(NamedSet::Empty),
            'ℝ' => Token::Set(NamedSet::Reals),
            'ℤ' => Token::Set(NamedSet::Integers),
            'ℕ' => Token::Set(NamedSet::Naturals),
            'ℚ' => Token::Set(NamedSet::Rationals),
            'ℂ' => Token::Set(NamedSet::Complexes),
            '∞' => Token::Constant(Constant::Infinity),
            '√' => Token::Command(Command::Sqrt),
            '∛' => return self.root(3),
            '∜' => return self.root(4),
            '∑' => Token::Command(Command::Sum),
            '∏' => Token::Command(Command::Prod),
            '∫' => Token::Command(Command::Int),
            '∠' => Token::Command(Command::Angle),
            '△' => Token::Command(Command::Triangle),
            '¬' => Token::Not,
            '∧' => Token::And,
            '∨' => Token::Or,
            '$' | '\n' => Token::Gap,
            '€' | '£' | '¥' | '₹' | '￥' => Token::Currency(c),
            '¢' => Token::Word("cents", true),
            // `~~5~~` is struck out, and `~5` is about 5.
            '~' if self.rest().starts_with('~')
                || self.tokens.is_empty()
                    && self.rest().starts_with(|d: char| d.is_ascii_digit() || d == '-') =>
            {
                Token::Unknown
            }
            // The last one stands for what could not be decoded.
            '`' | '"' | '“' | '”' | '~' | '\u{fffd}' => return,
            c if c.is_whitespace() || is_invisible(c) => return,
            c => return self.unicode(c),
        };
        if token == Token::Gap && self.tokens.last().is_none_or(|last| *last == Token::Gap) {
            return;
        }
        self.push(token);
    }

    fn star(&mut self) {
        if self.rest().starts_with('*') {
            self.at += 1;
            // `x**2` is a power, `**5**` is bold.
            let operand_before = self.tokens.last().is_some_and(Token::ends_operand);
            let operand_after = self
                .rest()
                .starts_with(|c: char| c.is_alphanumeric() || c == '(' || c == '{' || c == '-');
            if operand_before && operand_after {
                self.push(Token::Caret);
            }
        } else {
            self.push(Token::Times);
        }
    }

    fn equals(&mut self) -> Token<'a> {
        if self.rest().starts_with('=') {
            self.at += 1;
        } else if self.rest().starts_with('>') {
            self.at += 1;
            return Token::Rel(Rel::Implies);
        } else if self.rest().starts_with('<') {
            self.at += 1;
            return Token::Rel(Rel::Le);
        }
        Token::Rel(Rel::Eq)
    }

    fn less(&mut self) -> Token<'a> {
        let rest = self.rest();
        for (text, rel) in [("=>", Rel::Iff), ("=", Rel::Le), (">", Rel::Ne)] {
            if rest.starts_with(text) {
                self.at += text.len();
                return Token::Rel(rel);
            }
        }
        Token::Rel(Rel::Lt)
    }

    fn greater(&mut self) -> Token<'a> {
        if self.rest().starts_with('=') {
            self.at += 1;
            return Token::Rel(Rel::Ge);
        }
        Token::Rel(Rel::Gt)
    }

    fn root(&mut self, degree: i64) {
        self.push(Token::Command(Command::Sqrt));
        self.push(Token::BracketLeft);
        self.push(Token::Number(Number::exact(degree.into())));
        self.push(Token::BracketRight);
    }

    /// Superscripts, subscripts, vulgar fractions, styled letters and digits.
    fn unicode(&mut self, c: char) {
        if let Some((top, bottom)) = vulgar_fraction(c) {
            // `1½` is a mixed number: the parser sees digits beside a fraction.
            self.push(Token::Command(Command::Frac));
            self.push(Token::Number(Number::exact(top.into())));
            self.push(Token::Number(Number::exact(bottom.into())));
            return;
        }
        if superscript(c).is_some() {
            return self.superscripts(c);
        }
        if let Some(digit) = subscript(c) {
            let mut value = digit;
            while let Some(next) = self.peek().and_then(subscript) {
                self.at += '₀'.len_utf8();
                value = value.saturating_mul(10).saturating_add(next);
            }
            return self.push(Token::Subscript(value));
        }
        if let Some(plain) = styled(c) {
            return self.letter(plain);
        }
        self.push(Token::Unknown);
    }

    fn superscripts(&mut self, first: char) {
        let mut negative = false;
        let mut value: i64 = 0;
        let mut next = Some(first);
        let mut letter = None;
        while let Some(c) = next {
            match superscript(c) {
                Some(Super::Digit(digit)) => value = value.saturating_mul(10).saturating_add(digit),
                Some(Super::Minus) => negative = true,
                Some(Super::Plus) => {}
                Some(Super::Letter(plain)) => letter = Some(plain),
                None => break,
            }
            if c != first || self.at < self.text.len() {
                next = self.peek().filter(|c| superscript(*c).is_some());
                if let Some(c) = next {
                    self.at += c.len_utf8();
                }
            } else {
                next = None;
            }
        }
        if let Some(plain) = letter {
            self.push(Token::Caret);
            return self.letter(plain);
        }
        self.push(Token::Superscript(if negative { -value } else { value }));
    }

    fn letter(&mut self, c: char) {
        let token = match greek(c) {
            Some("pi") => Token::Constant(Constant::Pi),
            Some(name) => Token::Greek(name),
            None => Token::Letter(c),
        };
        self.push(token);
    }

    /// A run of letters in plain text.
    fn letters(&mut self) {
        let rest = self.rest();
        let length = rest
            .char_indices()
            .find(|(_, c)| !c.is_alphabetic() || is_mathematical(*c))
            .map_or(rest.len(), |(at, _)| at);
        let run = &rest[..length];
        let mut chars = run.chars();
        let (first, second) = (chars.next(), chars.next());
        let Some(first) = first else { return };
        // A Greek letter or a letter of no cased script stands for itself: `πr`, `Δx`.
        if greek(first).is_some() {
            self.at += first.len_utf8();
            return self.letter(first);
        }
        if second.is_none() {
            self.at += length;
            return self.letter(first);
        }
        // A run ends where a Greek letter begins: `rπ`.
        let latin =
            run.char_indices().find(|(_, c)| greek(*c).is_some()).map_or(length, |(at, _)| at);
        let run = &run[..latin];
        self.at += latin;
        self.plain_word(run);
    }

    fn plain_word(&mut self, run: &'a str) {
        if run.chars().nth(1).is_none() {
            return run.chars().for_each(|c| self.letter(c));
        }
        if let Some(token) = plain_name(run) {
            return self.push(token);
        }
        if run == "cbrt" {
            return self.root(3);
        }
        if run.ends_with("frac") && self.rest().starts_with('{') {
            return self.push(Token::Command(Command::Frac));
        }
        // `(11,7)or(7,11)`, `x=1orx=2`
        let glued = self.tokens.last().is_some_and(Token::ends_operand);
        if let Some(tail) = run.strip_prefix("or")
            && glued
            && tail.len() == 1
        {
            self.push(Token::Or);
            return self.plain_word(tail);
        }
        // `sinx`, `sqrt3` (digits end the run), `2pir`
        for name in ["sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "ln", "log"] {
            if let Some(tail) = run.strip_prefix(name)
                && tail.len() == 1
                && let Some(token) = plain_name(name)
            {
                self.push(token);
                return self.plain_word(tail);
            }
        }
        self.push(Token::Word(run, false));
    }

    /// A backslash and what belongs to it.
    fn command(&mut self) -> Result<(), LexError> {
        self.at += 1;
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if length == 0 {
            self.escape();
            return Ok(());
        }
        let name = &rest[..length];
        self.at += length;
        self.named(name)
    }

    /// A backslash before something that is no letter.
    fn escape(&mut self) {
        let Some(c) = self.peek() else { return };
        // `\\frac`: a text that was escaped twice. `\\` before anything else is a line break.
        if c == '\\' {
            let after = &self.rest()[1..];
            let length = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            if length > 1 && known(&after[..length]) {
                return;
            }
            self.at += 1;
            self.push(Token::Break);
            // `\\[4pt]`
            if let Some(optional) = self.rest().strip_prefix('[')
                && let Some(end) = optional.find(']')
                && optional[..end].ends_with(|c: char| c.is_ascii_lowercase())
            {
                self.at += end + 2;
            }
            return;
        }
        self.at += c.len_utf8();
        match c {
            '{' => {
                self.depth += 1;
                self.push(Token::Open(Delimiter::Curly));
            }
            '}' => {
                self.depth = self.depth.saturating_sub(1);
                self.push(Token::Close(Delimiter::Curly));
            }
            '|' => self.push(Token::Norm),
            '%' => self.push(Token::Percent),
            '$' => self.push(Token::Currency('$')),
            '(' | ')' | '[' | ']' => self.character('$'),
            '&' => self.push(Token::And),
            // Thin spaces and ties leave no trace.
            _ => {}
        }
    }

    fn named(&mut self, name: &'a str) -> Result<(), LexError> {
        match name {
            "text" | "textbf" | "textit" | "textrm" | "textnormal" | "texttt" | "textsf"
            | "mbox" | "hbox" | "mathrm" | "mathit" | "mathsf" | "mathtt" | "rm" | "emph"
            | "textup" => {
                return self.words();
            }
            "operatorname" => self.operator_name(),
            "left" | "right" | "mleft" | "mright" | "bigl" | "bigr" | "Bigl" | "Bigr" | "biggl"
            | "biggr" | "Biggl" | "Biggr" | "big" | "Big" | "bigg" | "Bigg" | "middle" => {
                self.sized(name);
            }
            "begin" | "end" => {
                if let Some(environment) = self.argument() {
                    self.push(if name == "begin" {
                        Token::Begin(environment)
                    } else {
                        Token::End(environment)
                    });
                    if environment == "array" {
                        // The columns.
                        self.skip_spaces();
                        self.argument();
                    }
                }
            }
            "mathbb" | "Bbb" => {
                let set = self.argument().or_else(|| self.bare_argument());
                let token = set.map_or(Token::Unknown, |set| match set.trim() {
                    "R" => Token::Set(NamedSet::Reals),
                    "Z" => Token::Set(NamedSet::Integers),
                    "N" => Token::Set(NamedSet::Naturals),
                    "Q" => Token::Set(NamedSet::Rationals),
                    "C" => Token::Set(NamedSet::Complexes),
                    "P" => Token::Set(NamedSet::Primes),
                    other => other.chars().next().map_or(Token::Unknown, Token::Letter),
                });
                self.push(token);
            }
            "color" | "textcolor" | "label" | "tag" | "hspace" | "vspace" | "phantom"
            | "hphantom" | "vphantom" | "mspace" | "kern" => {
                self.skip_spaces();
                self.argument();
            }
            "xrightarrow" => self.push(Token::Rel(Rel::To)),
            _ => {
                if let Some(token) = command_token(name) {
                    if token == Token::Gap && self.tokens.is_empty() {
                        return Ok(());
                    }
                    self.push(token);
                } else if let Some(tail) = glued_space(name) {
                    // `\quadx`: a space command that ran into a letter.
                    self.at -= tail.len();
                    self.push(Token::Gap);
                } else if !silent(name) {
                    self.push(Token::Named(name));
                }
            }
        }
        Ok(())
    }

    /// The delimiter after `\left`, `\right` and their kin, told open from closed by the command.
    fn sized(&mut self, command: &str) {
        self.skip_spaces();
        let open = command.ends_with("left") || command.ends_with('l');
        let close = command.ends_with("right") || command.ends_with('r');
        let rest = self.rest();
        let (length, delimiter) = if rest.starts_with("\\|") {
            (2, Delimiter::Norm)
        } else if rest.starts_with("\\vert") {
            (5, Delimiter::Bar)
        } else if rest.starts_with("\\Vert") {
            (5, Delimiter::Norm)
        } else if rest.starts_with('|') {
            (1, Delimiter::Bar)
        } else if rest.starts_with('.') {
            (1, Delimiter::None)
        } else if rest.starts_with('<') || rest.starts_with('>') && close {
            (1, Delimiter::Angle)
        } else if rest.starts_with('{') && open {
            (1, Delimiter::Brace)
        } else {
            return;
        };
        self.at += length;
        if open {
            self.push(Token::Open(delimiter));
        } else if close {
            self.push(Token::Close(delimiter));
        } else if delimiter == Delimiter::Bar {
            self.push(Token::Bar);
        }
    }

    /// The argument of a text command. Numbers and single signs are read as mathematics; words
    /// stay together.
    fn words(&mut self) -> Result<(), LexError> {
        self.skip_spaces();
        let Some(inner) = self.argument() else { return Ok(()) };
        let start = self.at - inner.len() - 1;
        let mut trimmed = inner.trim();
        if let Some(after) = trimmed.strip_prefix(',')
            && !after.trim().is_empty()
        {
            self.push(Token::Comma);
            trimmed = after.trim();
        }
        let mut letters = 0;
        let mut longest = 0;
        for c in trimmed.chars() {
            letters = if c.is_alphabetic() { letters + 1 } else { 0 };
            longest = longest.max(letters);
        }
        let digits = trimmed.contains(|c: char| c.is_ascii_digit());
        let formula =
            trimmed.contains(['\\', '$', '=', '^', '{']) || longest < 2 && trimmed.len() > 1;
        if trimmed.is_empty() {
            return Ok(());
        }
        let compound = trimmed.contains(['/', '^', '·']) && crate::parse::is_unit(trimmed);
        if compound {
            self.push(Token::Word(trimmed, true));
            return Ok(());
        }
        if self.nesting < MAX_NESTING && (formula || digits) {
            let end = self.at;
            self.at = start;
            self.nesting += 1;
            let done = self.run(end - 1);
            self.nesting -= 1;
            self.at = end;
            return done;
        }
        match trimmed {
            "or" => self.push(Token::Or),
            "and" | "&" | "," => self.push(Token::And),
            "%" => self.push(Token::Percent),
            ";" => self.push(Token::Semicolon),
            "." => {}
            "not" => self.push(Token::Not),
            _ => self.quoted_word(trimmed),
        }
        Ok(())
    }

    /// One letter is a variable (`\mathrm{e}`), unless it is a unit after a value (`5\text{ m}`).
    fn quoted_word(&mut self, word: &'a str) {
        let mut chars = word.chars();
        let token = match (chars.next(), chars.next()) {
            (Some(letter), None) => {
                let after_value = self.tokens.last().is_some_and(|last| {
                    last.ends_operand()
                        || matches!(last, Token::Slash | Token::Times | Token::Cross | Token::Gap)
                });
                if after_value && !matches!(letter, 'e' | 'i') && words::units::unit(word).is_some()
                {
                    Token::Word(word, true)
                } else {
                    return self.letter(letter);
                }
            }
            _ => Token::Word(word, true),
        };
        self.push(token);
    }

    fn operator_name(&mut self) {
        if let Some(starred) = self.rest().strip_prefix('*') {
            self.at = self.text.len() - starred.len();
        }
        self.skip_spaces();
        let Some(name) = self.argument() else { return };
        match plain_name(name.trim()).or_else(|| command_token(name.trim())) {
            Some(token) => self.push(token),
            None => self.push(Token::Word(name.trim(), true)),
        }
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The balanced `{..}` at the position, which moves behind it. An unclosed one reaches to the
    /// end.
    fn argument(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let inner = rest.strip_prefix('{')?;
        let mut depth = 1_usize;
        let mut escaped = false;
        for (at, byte) in inner.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += at + 2;
                        return Some(&inner[..at]);
                    }
                }
                _ => {}
            }
        }
        // One brace is missing: pretend that the text ends with it.
        None
    }

    fn bare_argument(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        let c = self.peek()?;
        let start = self.at;
        self.at += c.len_utf8();
        Some(&self.text[start..self.at])
    }
}

impl Token<'_> {
    /// Whether an operand may end here, so that `|` closes and `**` is a power.
    pub(crate) const fn ends_operand(&self) -> bool {
        matches!(
            self,
            Self::Number(_)
                | Self::Letter(_)
                | Self::Greek(_)
                | Self::Named(_)
                | Self::Constant(_)
                | Self::Set(_)
                | Self::Close(_)
                | Self::BracketRight
                | Self::Bang
                | Self::Percent
                | Self::Degree
                | Self::Prime
                | Self::Superscript(_)
                | Self::Subscript(_)
                | Self::Word(..)
        )
    }
}

/// The ASCII digit that a full-width or styled one stands for.
pub(crate) fn plain_digit(c: char) -> Option<char> {
    styled(c).filter(char::is_ascii_digit)
}

pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Letters by Unicode's count that are mathematical symbols here.
const fn is_mathematical(c: char) -> bool {
    matches!(c, 'ℝ' | 'ℤ' | 'ℕ' | 'ℚ' | 'ℂ' | 'º' | 'ⁿ' | 'ⁱ' | 'ª')
        || matches!(c, '\u{1d400}'..='\u{1d7ff}')
        || matches!(c, 'ₐ'..='ₜ')
}

enum Super {
    Digit(i64),
    Minus,
    Plus,
    Letter(char),
}

const fn superscript(c: char) -> Option<Super> {
    Some(match c {
        '⁰' => Super::Digit(0),
        '¹' => Super::Digit(1),
        '²' => Super::Digit(2),
        '³' => Super::Digit(3),
        '⁴' => Super::Digit(4),
        '⁵' => Super::Digit(5),
        '⁶' => Super::Digit(6),
        '⁷' => Super::Digit(7),
        '⁸' => Super::Digit(8),
        '⁹' => Super::Digit(9),
        '⁻' => Super::Minus,
        '⁺' => Super::Plus,
        'ⁿ' => Super::Letter('n'),
        'ⁱ' => Super::Letter('i'),
        _ => return None,
    })
}

const fn subscript(c: char) -> Option<u32> {
    match c {
        '₀'..='₉' => Some(c as u32 - '₀' as u32),
        _ => None,
    }
}

const fn vulgar_fraction(c: char) -> Option<(i64, i64)> {
    Some(match c {
        '½' => (1, 2),
        '⅓' => (1, 3),
        '⅔' => (2, 3),
        '¼' => (1, 4),
        '¾' => (3, 4),
        '⅕' => (1, 5),
        '⅖' => (2, 5),
        '⅗' => (3, 5),
        '⅘' => (4, 5),
        '⅙' => (1, 6),
        '⅚' => (5, 6),
        '⅐' => (1, 7),
        '⅛' => (1, 8),
        '⅜' => (3, 8),
        '⅝' => (5, 8),
        '⅞' => (7, 8),
        '⅑' => (1, 9),
        '⅒' => (1, 10),
        _ => return None,
    })
}

/// The plain letter or digit of the Mathematical Alphanumeric Symbols block.
fn styled(c: char) -> Option<char> {
    let code = u32::from(c);
    let latin = |offset: u32| {
        let letter = offset % 52;
        char::from_u32(if letter < 26 { 'A' as u32 + letter } else { 'a' as u32 + letter - 26 })
    };
    match code {
        0x1d400..=0x1d6a3 => latin(code - 0x1d400),
        0x1d7ce..=0x1d7ff => char::from_u32('0' as u32 + (code - 0x1d7ce) % 10),
        0xff10..=0xff19 => char::from_u32('0' as u32 + code - 0xff10),
        _ => None,
    }
}

const fn greek(c: char) -> Option<&'static str> {
    Some(match c {
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'δ' => "delta",
        'ε' | 'ϵ' => "epsilon",
        'ζ' => "zeta",
        'η' => "eta",
        'θ' | 'ϑ' => "theta",
        'ι' => "iota",
        'κ' => "kappa",
        'λ' => "lambda",
        'μ' | 'µ' => "mu",
        'ν' => "nu",
        'ξ' => "xi",
        'π' => "pi",
        'ρ' | 'ϱ' => "rho",
        'σ' | 'ς' => "sigma",
        'τ' => "tau",
        'υ' => "upsilon",
        'φ' | 'ϕ' => "phi",
        'χ' => "chi",
        'ψ' => "psi",
        'ω' => "omega",
        'Γ' => "Gamma",
        'Δ' => "Delta",
        'Θ' => "Theta",
        'Λ' => "Lambda",
        'Ξ' => "Xi",
        'Π' => "Pi",
        'Σ' => "Sigma",
        'Φ' => "Phi",
        'Ψ' => "Psi",
        'Ω' => "Omega",
        'ℓ' => "ell",
        _ => return None,
    })
}

/// The one name of a Greek command and of its variant.
fn greek_command(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 34] = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
        "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
        "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega", "ell",
        "hbar",
    ];
    let plain = name.strip_prefix("var").unwrap_or(name);
    NAMES.into_iter().find(|known| *known == plain)
}

/// Functions and constants by the name that both LaTeX and plain text use.
pub(crate) fn function(name: &str) -> Option<Function> {
    Some(match name {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" | "tg" => Function::Tan,
        "cot" | "ctg" | "cotg" => Function::Cot,
        "sec" => Function::Sec,
        "csc" | "cosec" => Function::Csc,
        "arcsin" | "asin" => Function::Asin,
        "arccos" | "acos" => Function::Acos,
        "arctan" | "atan" | "arctg" => Function::Atan,
        "arccot" | "acot" | "arcctg" => Function::Acot,
        "arcsec" | "asec" => Function::Asec,
        "arccsc" | "acsc" => Function::Acsc,
        "sinh" | "sh" => Function::Sinh,
        "cosh" | "ch" => Function::Cosh,
        "tanh" | "th" => Function::Tanh,
        "coth" => Function::Coth,
        "arcsinh" | "asinh" | "arsinh" => Function::Asinh,
        "arccosh" | "acosh" | "arcosh" => Function::Acosh,
        "arctanh" | "atanh" | "artanh" => Function::Atanh,
        "ln" => Function::Ln,
        "exp" => Function::Exp,
        "floor" => Function::Floor,
        "ceil" | "ceiling" => Function::Ceil,
        "abs" => Function::Abs,
        "sgn" | "sign" | "signum" => Function::Sign,
        "gcd" => Function::Gcd,
        "lcm" => Function::Lcm,
        "max" => Function::Max,
        "min" => Function::Min,
        "det" => Function::Det,
        "arg" => Function::Arg,
        "Re" => Function::Re,
        "Im" => Function::Im,
        "frac" => Function::Frac,
        _ => return None,
    })
}

/// A word of plain text that is mathematics.
fn plain_name<'a>(name: &str) -> Option<Token<'a>> {
    if name != "frac"
        && !matches!(name, "sh" | "ch" | "th" | "arg" | "sign" | "Re" | "Im")
        && let Some(function) = function(name)
    {
        return Some(Token::Function(function));
    }
    Some(match name {
        "sqrt" => Token::Command(Command::Sqrt),
        "log" | "lg" => Token::Command(Command::Log),
        "pi" | "Pi" => Token::Constant(Constant::Pi),
        "inf" | "infty" | "infinity" | "Infinity" | "oo" => Token::Constant(Constant::Infinity),
        "or" | "OR" => Token::Or,
        "and" | "AND" => Token::And,
        "not" | "NOT" => Token::Not,
        "mod" => Token::Mod,
        "percent" | "pct" | "percentage" => Token::Percent,
        "cup" | "U" => Token::Cup,
        _ => return greek_command(name).filter(|name| name.len() > 2).map(Token::Greek),
    })
}

/// What a LaTeX command without special syntax stands for.
#[expect(clippy::too_many_lines, reason = "a table")]
fn command_token<'a>(name: &str) -> Option<Token<'a>> {
    if name != "frac"
        && let Some(function) = function(name)
    {
        return Some(Token::Function(function));
    }
    if let Some(greek) = greek_command(name) {
        return Some(Token::Greek(greek));
    }
    Some(match name {
        "frac" | "dfrac" | "tfrac" | "cfrac" | "sfrac" | "nicefrac" | "flatfrac" => {
            Token::Command(Command::Frac)
        }
        "sqrt" | "surd" => Token::Command(Command::Sqrt),
        "binom" | "dbinom" | "tbinom" => Token::Command(Command::Binom),
        "choose" => Token::Command(Command::Choose),
        "sum" => Token::Command(Command::Sum),
        "prod" => Token::Command(Command::Prod),
        "int" | "smallint" => Token::Command(Command::Int),
        "lim" => Token::Command(Command::Lim),
        "log" | "lg" => Token::Command(Command::Log),
        "overline" | "bar" | "widebar" => Token::Command(Command::Overline),
        "vec" | "overrightarrow" => Token::Command(Command::Vector),
        "hat" | "widehat" => Token::Command(Command::Hat),
        "mathbf" | "bf" | "boldsymbol" | "bm" | "pmb" => Token::Command(Command::Bold),
        "dot" => Token::Command(Command::Dot),
        "angle" | "measuredangle" => Token::Command(Command::Angle),
        "triangle" | "bigtriangleup" => Token::Command(Command::Triangle),
        "frown" | "overarc" | "wideparen" | "overparen" => Token::Command(Command::Arc),
        "intercal" | "top" => Token::Command(Command::Transpose),
        "complement" => Token::Command(Command::Complement),
        "partial" => Token::Command(Command::Partial),
        "underset" | "overset" | "stackrel" => Token::Command(Command::Decorated),
        "boxed" | "fbox" | "underline" | "mathcal" | "mathfrak" | "mathscr" | "tilde"
        | "widetilde" | "ensuremath" | "underbrace" | "overbrace" | "variable" | "framebox"
        | "mathop" | "mathord" | "mathbin" => Token::Command(Command::Transparent),
        "pi" => Token::Constant(Constant::Pi),
        "infty" | "infinity" => Token::Constant(Constant::Infinity),
        "imath" => Token::Letter('i'),
        "jmath" => Token::Letter('j'),
        "R" | "Reals" | "reals" | "real" => Token::Set(NamedSet::Reals),
        "Z" => Token::Set(NamedSet::Integers),
        "N" => Token::Set(NamedSet::Naturals),
        "Q" => Token::Set(NamedSet::Rationals),
        "C" => Token::Set(NamedSet::Complexes),
        "emptyset" | "varnothing" | "O" => Token::Set(NamedSet::Empty),
        "times" => Token::Cross,
        "cdot" | "ast" | "bullet" | "cdotp" => Token::Times,
        "div" => Token::Slash,
        "pm" | "plusmn" => Token::PlusMinus,
        "mp" => Token::MinusPlus,
        "cup" | "bigcup" => Token::Cup,
        "cap" | "bigcap" => Token::Cap,
        "setminus" | "backslash" | "smallsetminus" => Token::SetMinus,
        "le" | "leq" | "leqslant" | "leqq" => Token::Rel(Rel::Le),
        "ge" | "geq" | "geqslant" | "geqq" => Token::Rel(Rel::Ge),
        "lt" => Token::Rel(Rel::Lt),
        "gt" => Token::Rel(Rel::Gt),
        "ne" | "neq" => Token::Rel(Rel::Ne),
        "approx" | "simeq" | "doteq" | "thickapprox" => Token::Rel(Rel::Approx),
        "equiv" | "cong" => Token::Rel(Rel::Congruent(Box::new(crate::expr::Expr::integer(0)))),
        "in" | "isin" => Token::Rel(Rel::In),
        "notin" => Token::Rel(Rel::NotIn),
        "subset" | "subseteq" | "subsetneq" => Token::Rel(Rel::Subset),
        "supset" | "supseteq" => Token::Rel(Rel::Superset),
        "parallel" => Token::Rel(Rel::Parallel),
        "perp" => Token::Rel(Rel::Perpendicular),
        "sim" => Token::Rel(Rel::Similar),
        "implies" | "Rightarrow" | "Longrightarrow" => Token::Rel(Rel::Implies),
        "iff" | "Leftrightarrow" | "Longleftrightarrow" => Token::Rel(Rel::Iff),
        "to" | "rightarrow" | "longrightarrow" | "mapsto" => Token::Rel(Rel::To),
        "mid" | "vert" => Token::Bar,
        "Vert" => Token::Norm,
        "lvert" => Token::Open(Delimiter::Bar),
        "rvert" => Token::Close(Delimiter::Bar),
        "lVert" => Token::Open(Delimiter::Norm),
        "rVert" => Token::Close(Delimiter::Norm),
        "langle" => Token::Open(Delimiter::Angle),
        "rangle" => Token::Close(Delimiter::Angle),
        "lfloor" | "llcorner" => Token::Open(Delimiter::Floor),
        "rfloor" | "lrcorner" => Token::Close(Delimiter::Floor),
        "lceil" | "ulcorner" => Token::Open(Delimiter::Ceil),
        "rceil" | "urcorner" => Token::Close(Delimiter::Ceil),
        "lbrace" => Token::Open(Delimiter::Curly),
        "rbrace" => Token::Close(Delimiter::Curly),
        "lbrack" => Token::BracketLeft,
        "rbrack" => Token::BracketRight,
        "lgroup" | "lparen" => Token::Open(Delimiter::Round),
        "rgroup" | "rparen" => Token::Close(Delimiter::Round),
        "colon" | "ratio" => Token::Colon,
        "circ" | "degree" | "textdegree" => Token::Degree,
        "prime" => Token::Prime,
        "percent" => Token::Percent,
        "ldots" | "dots" | "cdots" | "dotsc" | "dotsb" | "vdots" | "ddots" | "dotso" => {
            Token::Ellipsis
        }
        "quad" | "qquad" | "newline" | "par" | "cr" => Token::Gap,
        "bmod" | "mod" => Token::Mod,
        "pmod" | "pod" => Token::PMod,
        "land" | "wedge" | "And" => Token::And,
        "lor" | "vee" => Token::Or,
        "lnot" | "neg" => Token::Not,
        // What is struck out is not said.
        "cancel" | "bcancel" | "xcancel" | "sout" | "st" | "not" => Token::Unknown,
        "over" => Token::Command(Command::Over),
        "textdollar" => Token::Currency('$'),
        "pounds" => Token::Currency('£'),
        "euro" => Token::Currency('€'),
        _ => return None,
    })
}

/// Commands that leave no trace.
fn silent(name: &str) -> bool {
    matches!(
        name,
        "displaystyle"
            | "textstyle"
            | "scriptstyle"
            | "limits"
            | "nolimits"
            | "noindent"
            | "it"
            | "small"
            | "large"
            | "Large"
            | "huge"
            | "Huge"
            | "tiny"
            | "hfill"
            | "nonumber"
            | "notag"
            | "allowbreak"
            | "nobreak"
            | "null"
            | "thinspace"
            | "enspace"
            | "space"
            | "negthinspace"
            | "cal"
            | "centering"
            | "hline"
            | "relax"
            | "strut"
            | "sf"
            | "tt"
    )
}

/// Whether a name is a command that this lexer understands, for texts that were escaped twice.
fn known(name: &str) -> bool {
    command_token(name).is_some()
        || matches!(
            name,
            "text"
                | "textbf"
                | "mathrm"
                | "left"
                | "right"
                | "begin"
                | "end"
                | "mathbb"
                | "boxed"
                | "operatorname"
                | "mbox"
                | "displaystyle"
        )
}

/// What follows the space command at the start of an unknown name.
fn glued_space(name: &str) -> Option<&str> {
    name.strip_prefix("qquad").or_else(|| name.strip_prefix("quad"))
}
