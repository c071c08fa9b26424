//! Packed documents in a few large pages instead of a piece of memory each.
//! Owns where each one's bytes are; a page of which more than half is out of date is emptied and used again.

/// Bytes of a page; a longer document has a page of its own.
const PAGE_LEN: usize = 1 << 20;
/// Bits of a place that count within a page.
const OFFSET_BITS: u32 = 20;
/// Nothing kept.
const NOWHERE: u32 = u32::MAX;
/// Number and length before the bytes.
const HEAD_LEN: usize = 8;

/// One page.
#[derive(Debug, Clone, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Bytes of what was replaced.
    stale: usize,
}

/// Bytes by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arena {
    pages: Vec<Page>,
    free: Vec<u32>,
    /// Page and offset by number, or [`NOWHERE`].
    places: Vec<u32>,
    /// The page that is filled.
    open: u32,
}

impl Arena {
    /// The bytes of a number; empty where there are none.
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        match self.places.get(number as usize) {
            None | Some(&NOWHERE) => &[],
            Some(place) => {
                let (page, start) = parts(*place);
                let (_, len) = head(&self.pages[page].bytes[start..]);
                &self.pages[page].bytes[start + HEAD_LEN..][..len]
            }
        }
    }

    /// Keeps bytes for a number in the place of those before.
    pub(crate) fn put(&mut self, number: u32, bytes: &[u8]) {
        let index = number as usize;
        if self.places.len() <= index {
            let more = index + 1 - self.places.len();
            super::block::grow(&mut self.places, more);
            self.places.resize(index + 1, NOWHERE);
        }
        let mut emptied = None;
        if self.places[index] != NOWHERE {
            let (page, start) = parts(self.places[index]);
            let known = &mut self.pages[page];
            let (_, len) = head(&known.bytes[start..]);
            if len == bytes.len() {
                known.bytes[start + HEAD_LEN..][..len].copy_from_slice(bytes);
                return;
            }
            known.stale += HEAD_LEN + len;
            self.places[index] = NOWHERE;
            if known.stale * 2 > known.bytes.len() && page != self.open as usize {
                emptied = Some(page);
            }
        }
        self.append(number, bytes);
        if let Some(page) = emptied {
            self.empty(page);
        }
    }

    fn append(&mut self, number: u32, bytes: &[u8]) {
        let needed = HEAD_LEN + bytes.len();
        let has_room = self
            .pages
            .get(self.open as usize)
            .is_some_and(|page| page.bytes.len() + needed <= PAGE_LEN);
        if !has_room {
            self.open = self.free.pop().unwrap_or_else(|| {
                self.pages.push(Page::default());
                self.pages.len() as u32 - 1
            });
            self.pages[self.open as usize]
                .bytes
                .reserve_exact(needed.max(PAGE_LEN));
        }
        let page = &mut self.pages[self.open as usize].bytes;
        self.places[number as usize] = (self.open << OFFSET_BITS) | page.len() as u32;
        page.extend(number.to_le_bytes());
        page.extend((bytes.len() as u32).to_le_bytes());
        page.extend(bytes);
    }

    /// Moves what is current of a page to others.
    fn empty(&mut self, page: usize) {
        let bytes = std::mem::take(&mut self.pages[page]).bytes;
        let mut start = 0;
        while start < bytes.len() {
            let (number, len) = head(&bytes[start..]);
            if parts(self.places[number as usize]) == (page, start) {
                self.append(number, &bytes[start + HEAD_LEN..][..len]);
            }
            start += HEAD_LEN + len;
        }
        self.free.push(page as u32);
    }
}

fn parts(place: u32) -> (usize, usize) {
    (
        (place >> OFFSET_BITS) as usize,
        (place & ((1 << OFFSET_BITS) - 1)) as usize,
    )
}

fn head(bytes: &[u8]) -> (u32, usize) {
    let read = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (read(0), read(4) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_bytes_give_their_room_back() {
        let mut arena = Arena::default();
        let bytes = |number: u32, round: u32| vec![(number + round) as u8; (number % 90 + round) as usize];
        for round in 0..40 {
            for number in 0..30_000 {
                arena.put(number, &bytes(number, round));
            }
            for number in [0, 1, 89, 29_999] {
                assert_eq!(arena.get(number), bytes(number, round));
            }
        }
        let held: usize = arena.pages.iter().map(|page| page.bytes.capacity()).sum();
        assert!(held < 10 * PAGE_LEN, "{held}");
        let long = vec![7; 3 * PAGE_LEN];
        arena.put(5, &long);
        arena.put(6, &[1]);
        assert_eq!(
            (arena.get(5), arena.get(6), arena.get(40_000)),
            (&long[..], &[1][..], &[][..])
        );
    }
}
