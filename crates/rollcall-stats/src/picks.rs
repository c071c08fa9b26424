//! The choice between conflicting values, tried in full: every combination of the values that a rule asks for comes up
//! once. Owns the counting through; what a combination comes to is computed in `establishment`.

use std::borrow::Cow;

use rollcall_core::fact::Disputed;

/// Combinations of conflicting values that are tried; beyond, everything counts as possible.
pub(crate) const COMBINATIONS_MAX: usize = 64;

/// Picks one of several conflicting values; run again and again, every combination comes up once.
#[derive(Debug, Default)]
pub(crate) struct Picks {
    picked: Vec<(usize, usize)>,
    next: usize,
}

impl Picks {
    pub(crate) fn pick(&mut self, among: usize) -> usize {
        if among < 2 {
            return 0;
        }
        if self.next == self.picked.len() {
            self.picked.push((0, among));
        }
        self.next += 1;
        self.picked[self.next - 1].0
    }

    pub(crate) fn one<T: Clone>(&mut self, values: &[T]) -> Option<T> {
        let index = self.pick(values.len());
        values.get(index).cloned()
    }

    /// The entries with one reading of each that is disputed.
    pub(crate) fn entries<'a, T: Clone + PartialEq>(
        &mut self,
        entries: &'a [T],
        disputed: &[Disputed<T>],
    ) -> Cow<'a, [T]> {
        if disputed.is_empty() {
            return Cow::Borrowed(entries);
        }
        let mut entries = entries.to_vec();
        for disputed in disputed {
            disputed.put(&mut entries, self.pick(disputed.readings()));
        }
        Cow::Owned(entries)
    }

    /// Moves on to the next combination; false when there is none.
    pub(crate) fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((picked, among)) = self.picked.pop() {
            if picked + 1 < among {
                self.picked.push((picked + 1, among));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_comes_up_once_though_the_questions_differ() {
        let mut picks = Picks::default();
        let mut seen = Vec::new();
        loop {
            let first = picks.one(&[1, 2]);
            // Asked only where the first pick makes it matter.
            let second = first
                .filter(|first| *first == 2)
                .and_then(|_| picks.one(&[7, 8, 9]));
            seen.push((first, second, picks.one(&[5])));
            if !picks.advance() {
                break;
            }
        }
        let expected = [(1, None), (2, Some(7)), (2, Some(8)), (2, Some(9))];
        assert_eq!(
            seen,
            expected.map(|(first, second)| (Some(first), second, Some(5)))
        );
    }
}
