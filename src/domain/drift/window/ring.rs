//! The latest panes, in places that they take turns at.

/// Panes by their number since 1970, each at the place number mod places.
#[derive(Debug, Clone)]
pub(in crate::domain::drift) struct Ring<P> {
    places: u8,
    /// Empty until there is a pane.
    panes: Vec<Slot<P>>,
}

#[derive(Debug, Clone)]
struct Slot<P> {
    index: i64,
    pane: P,
}

/// The number of no pane.
const NONE: i64 = i64::MIN;

impl<P: Default + Clone> Ring<P> {
    /// No pane yet.
    pub fn new(places: u8) -> Ring<P> {
        Ring { places, panes: Vec::new() }
    }

    /// The pane of this number. Whatever other pane is at its place is forgotten: one that the window
    /// has left, or one that a clock which was ahead has made.
    pub fn pane(&mut self, index: i64) -> &mut P {
        if self.panes.is_empty() {
            self.panes.reserve_exact(usize::from(self.places));
            self.panes.resize(usize::from(self.places), Slot { index: NONE, pane: P::default() });
        }
        let place = self.place(index);
        let slot = &mut self.panes[place];
        if slot.index != index {
            *slot = Slot { index, pane: P::default() };
        }
        &mut slot.pane
    }

    /// Forgets one pane.
    pub fn forget(&mut self, index: i64) {
        let place = self.place(index);
        if let Some(slot) = self.panes.get_mut(place).filter(|slot| slot.index == index) {
            *slot = Slot { index: NONE, pane: P::default() };
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.panes.clear();
    }

    /// Those there are of the `count` panes up to the latest one, in the order of time.
    pub fn covered(&self, latest: i64, count: i64) -> impl Iterator<Item = &P> {
        let at = move |index| self.panes.get(self.place(index)).filter(|slot| slot.index == index);
        (latest - count + 1..=latest).filter_map(at).map(|slot| &slot.pane)
    }

    /// Bytes on the heap.
    pub fn heap(&self) -> usize {
        self.panes.capacity() * size_of::<Slot<P>>()
    }

    fn place(&self, index: i64) -> usize {
        // below 256
        index.rem_euclid(i64::from(self.places)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_take_turns() {
        let mut ring = Ring::<u32>::new(3);
        assert_eq!((ring.heap(), ring.covered(0, 3).count()), (0, 0));
        for index in -2..=1 {
            *ring.pane(index) = index.unsigned_abs() as u32 + 10;
        }
        let covered = |ring: &Ring<u32>, latest| ring.covered(latest, 2).copied().collect::<Vec<_>>();
        assert_eq!(covered(&ring, 1), [10, 11]);
        assert_eq!(covered(&ring, 0), [11, 10]);
        assert_eq!((covered(&ring, -1), covered(&ring, 4)), (vec![11], vec![]));
        ring.forget(4);
        ring.forget(0);
        assert_eq!(covered(&ring, 1), [11]);
        assert_eq!(ring.heap(), 3 * size_of::<Slot<u32>>());
        ring.clear();
        assert!(covered(&ring, 1).is_empty());
        assert_eq!(*ring.pane(1), 0);
    }
}
