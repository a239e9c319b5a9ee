//! Random choices that come out alike on every machine.

use fastrand::Rng;

/// Random choices, the same for the same seed.
///
/// The generator is `fastrand`'s (wyrand), which the crate uses already. Only its `u32` is
/// asked, since what it makes of a `usize` depends on the machine's width. Another version of
/// the generator, or of Ringfence, may draw something else.
#[derive(Debug, Clone)]
pub struct Draw(Rng);

impl Draw {
    /// Choices that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Choices for one of many that share a seed. Neighbours have nothing in common: the
    /// number is spread over all bits first (the finalizer of SplitMix64).
    pub fn numbered(seed: u64, number: u64) -> Self {
        let mut bits = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::new(bits ^ (bits >> 31))
    }

    /// A number below `end`, which is at least 1 and at most `u32::MAX`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u32::try_from(end).unwrap_or(u32::MAX).max(1);
        self.0.u32(..end) as usize
    }

    /// A number from `first` to `last`.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of a list that has at least one.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of them; `None` where there is none.
    pub fn choose<T>(&mut self, from: impl IntoIterator<Item = T>) -> Option<T> {
        let mut all: Vec<T> = from.into_iter().collect();
        if all.is_empty() { None } else { Some(all.swap_remove(self.below(all.len()))) }
    }

    /// Absent, empty, or one to `most` items. Absent and empty come `seldom` times in a hundred
    /// each.
    pub(super) fn list<T>(
        &mut self,
        seldom: usize,
        most: usize,
        mut item: impl FnMut(&mut Self) -> T,
    ) -> Option<Vec<T>> {
        match self.below(100) {
            absent if absent < seldom => None,
            empty if empty < 2 * seldom => Some(Vec::new()),
            _ => Some((0..self.between(1, most)).map(|_| item(self)).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is drawn is pinned: where another version of the generator draws otherwise, this
    /// says so before a user finds that a seed means something else.
    #[test]
    fn what_is_drawn_is_pinned() {
        let mut draw = Draw::numbered(1, 0);
        let drawn: Vec<usize> = (0..8).map(|_| draw.below(1000)).collect();
        assert_eq!(drawn, PINNED);
        let mut next = Draw::numbered(1, 1);
        assert_ne!((0..8).map(|_| next.below(1000)).collect::<Vec<_>>(), drawn);
    }

    const PINNED: [usize; 8] = [918, 459, 64, 659, 847, 53, 838, 735];
}
