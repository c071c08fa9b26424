//! Codes in words: what a stable code of `reliability.md` 4 or a rule of `domain.md` 12 means and what to do.
//! Owns choosing the sentence; the sentences are `sentence.{code}` in the tables of `locale`.
//!
//! A rule gives its sentence in English, with the values that it is about. English pages show that one; pages in
//! another language show the code's own sentence and, behind it, the values: what the rule put into quotation marks,
//! else the dates, divisions and credit codes that it names.

use crate::locale::Locale;

/// Values repeated behind a sentence.
const VALUES_MAX: usize = 3;
/// Characters of one of them.
const VALUE_CHARACTERS_MAX: usize = 80;

impl Locale {
    /// What a code means, in this language. `message` is what the rule said, in English; empty where only the code came.
    pub fn sentence(self, code: &str, message: &str) -> String {
        let message = message.trim();
        if self == Self::English && !message.is_empty() {
            return as_sentence(message);
        }
        let Some(sentence) = self.lookup(&format!("sentence.{code}")) else {
            return match self.lookup(&format!("problem.{code}.title")) {
                Some(title) => title.to_owned(),
                None => self.fill("sentence.unknown", &[code]),
            };
        };
        let values = values(message);
        if values.is_empty() {
            sentence.to_owned()
        } else {
            format!("{sentence}（{}）", values.join("、"))
        }
    }
}

/// With a capital at its beginning and a full stop at its end.
fn as_sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(characters).collect();
    if !sentence.ends_with(['.', '?', '!', '。', '？']) {
        sentence.push('.');
    }
    sentence
}

/// What a message is about.
fn values(message: &str) -> Vec<String> {
    let mut found: Vec<String> = message.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    if found.is_empty() {
        let words = message.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'));
        found = words
            .filter(|word| is_reference(word))
            .map(str::to_owned)
            .collect();
    }
    found.retain(|value| !value.trim().is_empty());
    found.dedup();
    found.truncate(VALUES_MAX);
    for value in &mut found {
        if value.chars().count() > VALUE_CHARACTERS_MAX {
            *value = value.chars().take(VALUE_CHARACTERS_MAX).chain(['…']).collect();
        }
    }
    found
}

/// A date, the six digits of a division or the eighteen characters of a credit code.
fn is_reference(word: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<usize> = word.split('-').map(str::len).collect();
    match parts.as_slice() {
        [4, 2] | [4, 2, 2] => word.split('-').all(digits),
        [6] => digits(word),
        [18] => word.starts_with(|first: char| first.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
