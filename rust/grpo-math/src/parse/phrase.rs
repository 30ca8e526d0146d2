//! Words where a value stands.

use super::{Context, Parsed, Parser};
use crate::expr::{Expr, Rel};
use crate::lex::Token;
use crate::words;

impl Parser<'_> {
    /// An item of nothing but words: a text answer, a number in words, a named set.
    pub(super) fn words_only(&mut self) -> Option<Expr> {
        let mut at = self.at;
        let mut phrase = String::new();
        let mut is_word = false;
        while let Some(token) = self.tokens.get(at) {
            match token {
                Token::Word(word, quoted) => {
                    is_word |= *quoted || word.chars().count() > 2;
                    push_word(&mut phrase, word);
                }
                Token::Letter(letter) => push_word(&mut phrase, letter.encode_utf8(&mut [0; 4])),
                Token::Minus if !phrase.is_empty() => phrase.push('-'),
                Token::Prime if !phrase.is_empty() => phrase.push('\''),
                Token::Not if !phrase.is_empty() => push_word(&mut phrase, "not"),
                // "one hundred and five"
                Token::And
                    if words::numbers::spelled_out(&phrase).is_some()
                        && matches!(self.tokens.get(at + 1), Some(Token::Word(word, _))
                            if words::numbers::is_number_word(word.split('-').next().unwrap_or(""))) =>
                {
                    push_word(&mut phrase, "and");
                }
                _ => break,
            }
            at += 1;
        }
        let ends = matches!(
            self.tokens.get(at),
            None | Some(
                Token::Comma
                    | Token::Semicolon
                    | Token::And
                    | Token::Or
                    | Token::Gap
                    | Token::Break
                    | Token::Stop
                    | Token::Close(_)
                    | Token::BracketRight
                    | Token::Ampersand
                    | Token::End(_)
            )
        );
        if !is_word || !ends {
            return None;
        }
        let expr = super::text::phrase(&phrase)?;
        self.at = at;
        Some(expr)
    }

    /// "all real numbers except 2": a set in words without some values.
    pub(super) fn set_with_exceptions(&mut self) -> Parsed<Option<Expr>> {
        let mut at = self.at;
        let mut phrase = String::new();
        while let Some(token) = self.tokens.get(at) {
            match token {
                Token::Word(word, _) => push_word(&mut phrase, word),
                Token::Letter(letter) => push_word(&mut phrase, letter.encode_utf8(&mut [0; 4])),
                _ => break,
            }
            at += 1;
        }
        let phrase = phrase.trim_end_matches(" for");
        let Some(set) = ["except", "excluding", "other than", "but not"]
            .iter()
            .find_map(|word| phrase.strip_suffix(word))
            .and_then(|set| words::text::meaning(set.trim()))
        else {
            return Ok(None);
        };
        let words::text::Meaning::Set(set) = set else { return Ok(None) };
        self.at = at;
        let values = self.nested(Context::Other, Self::bracketed)?;
        let value = |item: Expr| match item {
            Expr::Relation(mut members, rels) if rels == [Rel::Eq] && members.len() == 2 => {
                members.swap_remove(1)
            }
            item => item,
        };
        let values = values.into_iter().map(value).collect();
        Ok(Some(Expr::Difference(Box::new((Expr::NamedSet(set), Expr::Set(values))))))
    }
}

pub(super) fn push_word(phrase: &mut String, word: &str) {
    if !phrase.is_empty() && !phrase.ends_with(['-', '\'']) {
        phrase.push(' ');
    }
    phrase.push_str(word.trim());
}
