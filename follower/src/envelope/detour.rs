//! A way around zones, where the straight one is barred: the shortest path over the corners around the zones (Lozano-Perez and Wesley 1979),
//! found by Dijkstra's algorithm. Whole numbers, no allocation, the same points on every machine, and at most `(16 * zones + 1)^2` paths looked
//! at. What it returns is a proposal: the gate checks every leg of it again. This file must not know commands or devices.

use super::{Breach, Envelope, ZONES_MAX};
use crate::leg::LEG_TOLERANCE;
use crate::value::{Point, distance};

/// Points that a way around may lead over.
pub const VIA_MAX: usize = 6;
/// Four corners on four heights around a zone.
const CORNERS: usize = 16;
/// The corners of all zones, and the end.
const NODES_MAX: usize = ZONES_MAX * CORNERS + 1;
/// A leg ends within its tolerance, and the next one starts there: corners keep further away than that from their zone.
const CLEARANCE: i64 = LEG_TOLERANCE + 5_000;
/// A corner more is worth so many micrometres of way.
const CORNER_COST: u64 = 1_000;

/// The points that a way leads over before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Route {
    points: [Point; VIA_MAX],
    count: usize,
}

impl Route {
    /// A route over these points, or `None` for too many.
    #[must_use]
    pub fn of(points: &[Point]) -> Option<Route> {
        let mut route = Route::default();
        route.points.get_mut(..points.len())?.copy_from_slice(points);
        route.count = points.len();
        Some(route)
    }

    /// The points, in order.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        self.points.get(..self.count).unwrap_or_default()
    }
}

impl Envelope {
    /// The way around from `from` to `to`, where the straight one touches a zone, detours are allowed and one is found.
    #[must_use]
    pub fn detour(&self, from: Point, to: Point) -> Option<Route> {
        let barred = matches!(self.check_path(from, to), Err(Breach::KeepOut { .. }));
        if self.detours && barred {
            Search {
                envelope: self,
                from,
                to,
            }
            .route()
        } else {
            None
        }
    }
}

struct Search<'a> {
    envelope: &'a Envelope,
    from: Point,
    to: Point,
}

impl Search<'_> {
    fn route(&self) -> Option<Route> {
        let end = self.envelope.keep_out.len() * CORNERS;
        // The cost of the cheapest way from the start that is known, and the node before; `NODES_MAX` is the start.
        let mut best = [(u64::MAX, NODES_MAX); NODES_MAX];
        let mut done = [false; NODES_MAX];
        let (mut node, mut cost, mut at) = (NODES_MAX, 0, self.from);
        while node != end {
            for next in (0..=end).filter(|next| !done[*next]) {
                let Some(point) = self.point(next) else { continue };
                let Some(length) = distance(at, point) else { continue };
                let total = cost + length.unsigned_abs() + CORNER_COST;
                if total < best[next].0 && self.is_clear(node, at, next, point) {
                    best[next] = (total, node);
                }
            }
            let open = (0..=end).filter(|next| !done[*next] && best[*next].0 < u64::MAX);
            node = open.min_by_key(|next| best[*next].0)?;
            done[node] = true;
            cost = best[node].0;
            at = self.point(node)?;
        }
        self.trace(&best, end)
    }

    fn trace(&self, best: &[(u64, usize); NODES_MAX], end: usize) -> Option<Route> {
        let mut points = [Point::default(); VIA_MAX];
        let (mut free, mut node) = (VIA_MAX, best[end].1);
        while node != NODES_MAX {
            free = free.checked_sub(1)?;
            points[free] = self.point(node)?;
            node = best[node].1;
        }
        Route::of(&points[free..])
    }

    /// The point of a node: the end, or a corner around a zone on the heights of the start, the end, and just below and above the zone.
    fn point(&self, node: usize) -> Option<Point> {
        let zone = self.envelope.keep_out.get(node / CORNERS);
        let Some(zone) = zone else { return Some(self.to) };
        let (min, max) = zone
            .grown(self.envelope.margin.max(0).saturating_add(CLEARANCE))?
            .extent()?;
        let heights = [self.from[2], self.to[2], min[2], max[2]];
        let corner = node % CORNERS;
        Some([
            if corner & 1 == 0 { min[0] } else { max[0] },
            if corner & 2 == 0 { min[1] } else { max[1] },
            heights[corner >> 2],
        ])
    }

    /// Whether the way from one node to the next is free. Between corners, so wide that a leg which begins a little beside one is free as well.
    fn is_clear(&self, node: usize, at: Point, next: usize, point: Point) -> bool {
        let outer = node == NODES_MAX || next == self.envelope.keep_out.len() * CORNERS;
        let aside = if outer { 0 } else { LEG_TOLERANCE };
        let wide = self.envelope.margin.max(0).saturating_add(aside);
        self.envelope.check_path(at, point).is_ok() && self.envelope.check_zones(at, point, wide).is_ok()
    }
}
