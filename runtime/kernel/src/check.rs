//! Whether a trace that can be read can also be followed here and now: it is compiled against the manifests, and its patterns are looked up
//! among those of the other traces. It changes nothing.

use crate::compile;
use crate::text::trace::{Places, Trace};
use crate::text::{Diagnostic, Place};
use crate::world::World;

/// What keeps a trace from being followed, or makes it follow otherwise than when it was made.
#[must_use]
pub fn trace(world: &World, trace: &Trace, places: &Places) -> Vec<Diagnostic> {
    let mut found = compile::check_trace(&world.devices, trace, places);
    for (part, digest) in &trace.manifests {
        if part.contains('.') && world.digests.get(part) != Some(digest) {
            let message = format!("{part} changed in the manifest since this trace was made");
            found.push(Diagnostic::warning(Place { line: 1, column: 1 }, message));
        }
    }
    for (pattern, other) in world.traces.twins(trace) {
        let place = places.patterns.get(pattern).copied().unwrap_or_default();
        let message = format!(
            "{other} has this pattern, too, and does something else, so a goal that fits is asked about; remove one of the two"
        );
        found.push(Diagnostic::error(place, message));
    }
    found.sort_by_key(|diagnostic| diagnostic.place);
    found
}
