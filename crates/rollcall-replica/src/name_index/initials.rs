//! The letters with which characters begin in pinyin, each by any of its readings, and the search for some in a row.
//! Owns how a set of letters becomes a small number, so that a search is one step a character whatever is typed.

use std::collections::HashMap;

use pinyin::ToPinyinMulti;

/// Longest run of letters that is looked for: one bit each.
const LETTERS_MAX: usize = 64;

/// The sets of letters with which the characters of some names begin, numbered as they are met.
#[derive(Default)]
pub(super) struct LetterSets {
    /// Each one bit a letter.
    sets: Vec<u32>,
    numbers: HashMap<u32, u16>,
}

impl LetterSets {
    fn number(&mut self, letters: u32) -> u16 {
        *self.numbers.entry(letters).or_insert_with(|| {
            self.sets.push(letters);
            u16::try_from(self.sets.len() - 1)
                .expect("there are fewer sets than characters with several readings")
        })
    }
}

/// The initials of some names: the number of a set of letters for each character. Names are apart by a character that
/// begins with none.
pub(super) struct Initials(Box<[u16]>);

impl Initials {
    /// Of names in lines; one that is there twice is kept once.
    pub(super) fn of(names: &str, sets: &mut LetterSets) -> Self {
        let lines: Vec<&str> = names.split('\n').collect();
        let mut numbers = Vec::with_capacity(names.len() / 2);
        for (index, line) in lines.iter().enumerate() {
            if !lines[..index].contains(line) {
                numbers.extend(line.chars().map(|character| sets.number(letters(character))));
                numbers.push(sets.number(0));
            }
        }
        Self(numbers.into())
    }
}

/// Letters that are looked for as initials.
pub(super) struct Wanted {
    /// By set of letters: at which places of what is wanted one of them stands, as bits.
    places: Vec<u64>,
    /// The last place.
    last: u64,
}

impl Wanted {
    /// What was typed, where it may be initials: letters only, and at most [`LETTERS_MAX`].
    pub(super) fn of(text: &str, sets: &LetterSets) -> Option<Self> {
        let wanted = text.chars().map(letter).collect::<Option<Vec<u32>>>()?;
        if wanted.is_empty() || wanted.len() > LETTERS_MAX {
            return None;
        }
        let of_set = |set: &u32| {
            let held = wanted
                .iter()
                .enumerate()
                .filter(|(_, letter)| *set & **letter != 0);
            held.fold(0, |places, (place, _)| places | (1 << place))
        };
        Some(Self {
            places: sets.sets.iter().map(of_set).collect(),
            last: 1 << (wanted.len() - 1),
        })
    }

    /// Whether some characters in a row begin with these letters in turn.
    pub(super) fn are_in(&self, initials: &Initials) -> bool {
        // Bit n: the characters up to this one begin with the first n + 1 letters.
        let mut begun = 0_u64;
        initials.0.iter().any(|set| {
            begun = ((begun << 1) | 1) & self.places[usize::from(*set)];
            begun & self.last != 0
        })
    }
}

/// The letters with which a character may begin, one bit each.
fn letters(character: char) -> u32 {
    if character.is_ascii() {
        return letter(character).unwrap_or(0);
    }
    let readings = character.to_pinyin_multi();
    readings
        .into_iter()
        .flatten()
        .filter_map(|reading| letter(reading.plain().chars().next()?))
        .fold(0, |all, letter| all | letter)
}

/// The bit of an ASCII letter.
fn letter(character: char) -> Option<u32> {
    let lower = character.to_ascii_lowercase();
    lower
        .is_ascii_lowercase()
        .then(|| 1 << (u32::from(lower) - u32::from('a')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every run of characters, compared letter by letter.
    fn found_one_by_one(text: &str, names: &str) -> bool {
        let held: Vec<u32> = names.chars().map(letters).collect();
        let wanted: Vec<u32> = text.chars().filter_map(letter).collect();
        held.windows(wanted.len())
            .any(|run| run.iter().zip(&wanted).all(|(held, letter)| held & letter != 0))
    }

    #[test]
    fn letters_are_found_where_every_run_compared_one_by_one_has_them() {
        let mut sets = LetterSets::default();
        let names = [
            "长安乐器学校\n重庆银行协会\n长安乐器学校",
            "西湖区小草幼儿园\nab重c",
            "",
            "aaaaab",
        ];
        let initials = names.map(|names| Initials::of(names, &mut sets));
        for text in [
            "c", "z", "ca", "za", "calq", "cayqxx", "xcyey", "abcc", "abzc", "aab", "aaab", "aaaaaab", "xx",
            "xxc", "q",
        ] {
            let wanted = Wanted::of(text, &sets).expect("letters");
            for (names, initials) in names.iter().zip(&initials) {
                assert_eq!(
                    wanted.are_in(initials),
                    found_one_by_one(text, names),
                    "{text} in {names}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_run_of_letters_is_not_looked_for() {
        let sets = LetterSets::default();
        for text in ["", "a1", "小", &"a".repeat(LETTERS_MAX + 1)] {
            assert!(Wanted::of(text, &sets).is_none(), "{text}");
        }
        let mut sets = LetterSets::default();
        let long = Initials::of(&"a".repeat(LETTERS_MAX), &mut sets);
        let wanted = Wanted::of(&"a".repeat(LETTERS_MAX), &sets).expect("letters");
        assert!(wanted.are_in(&long));
        assert!(!wanted.are_in(&Initials::of(&"a".repeat(LETTERS_MAX - 1), &mut sets)));
    }
}
