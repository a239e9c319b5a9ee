//! What is known of a CNI, and in which cells it shows.

use super::Reading;
use crate::cluster::{Known, Seen, Sighting};
use crate::scenario::field::Field;

/// What may become of cells, by the words of a policy.
const OF_CELLS: [(&str, Seen); 2] = [("allow", Seen::Allow), ("deny", Seen::Deny)];

/// Where the API leaves it open, also what becomes of connections that were there before.
const LEFT_OPEN: [(&str, Seen); 4] =
    [OF_CELLS[0], OF_CELLS[1], ("survive", Seen::Survive), ("cut", Seen::Cut)];

impl Reading<'_> {
    pub(super) fn deviation(&mut self, field: Field<'_>) -> Option<Known> {
        self.known(field, &OF_CELLS)
    }

    pub(super) fn choice(&mut self, field: Field<'_>) -> Option<Known> {
        self.known(field, &LEFT_OPEN)
    }

    fn known(&mut self, field: Field<'_>, outcomes: &[(&str, Seen)]) -> Option<Known> {
        let object = self.reader.object(field, &["id", "feature", "what", "seen", "link"])?;
        Some(Known {
            id: self.required(&object, "id"),
            feature: self.required(&object, "feature"),
            what: self.required(&object, "what"),
            seen: self.items(&object, "seen", |reading, item| reading.sighting(item, outcomes)),
            link: self.required(&object, "link"),
        })
    }

    fn sighting(&mut self, field: Field<'_>, outcomes: &[(&str, Seen)]) -> Option<Sighting> {
        let object = self.reader.object(field, &["scenario", "cells", "outcome"])?;
        let outcome = match object.get("outcome") {
            Some(field) => {
                let (words, values): (Vec<_>, Vec<_>) = outcomes.iter().copied().unzip();
                self.word(field, "an outcome", &words, &values)
            }
            None => {
                self.missing(&object, "outcome");
                None
            }
        };
        Some(Sighting {
            scenario: self.required(&object, "scenario"),
            cells: self.required(&object, "cells"),
            outcome: outcome?,
        })
    }
}
