//! Where everything of a picture stands.
//!
//! Comes in: a picture. Goes out: a rectangle for each box and a line of points for each edge, in pixels. A layered drawing: boxes stand in
//! the columns of their kind; a line that passes a column gets a place in it; places are ordered by the mean of their neighbours
//! (barycentre) until fewer lines cross no more, then moved towards their neighbours as far as they do not touch. Lines back run
//! below everything, each in a lane of its own.

use super::picture::{Column, Edge, EdgeKind, Picture};

/// Width of a character of the fixed-width font, generous for most of them.
pub const CHAR_WIDTH: f64 = 7.3;
/// Height of a line of text.
pub const LINE_HEIGHT: f64 = 16.0;
/// Between a box's border and its text.
pub const PADDING: f64 = 8.0;
/// Around everything.
pub const MARGIN: f64 = 20.0;
/// Height of the headings.
pub const HEADING: f64 = 26.0;
const COLUMN_GAP: f64 = 64.0;
const BOX_GAP: f64 = 12.0;
const LINE_GAP: f64 = 6.0;
const LANE: f64 = 9.0;
/// Further room between two columns for many lines.
const MOST_ROOM: f64 = 120.0;
const SWEEPS: usize = 24;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rectangle {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// To the right.
    pub width: f64,
    /// Downwards.
    pub height: f64,
}

/// A line with the places it goes through, from left to right; lines back from right to left.
#[derive(Debug)]
pub struct Route {
    /// What it means.
    pub kind: EdgeKind,
    /// Points: beginning, then pairs (where it enters and leaves a column), end.
    pub points: Vec<(f64, f64)>,
}

/// Everything in its place.
#[derive(Debug)]
pub struct Layout {
    /// One for each box of the picture.
    pub boxes: Vec<Rectangle>,
    /// One for each edge of the picture.
    pub routes: Vec<Route>,
    /// Headings with the left edge of their columns.
    pub headings: Vec<(f64, Column)>,
    /// Of the whole picture.
    pub width: f64,
    /// Of the whole picture.
    pub height: f64,
}

/// Something that takes room in a column: a box, or a line that passes.
#[derive(Clone, Debug)]
struct Spot {
    column: usize,
    height: f64,
    gap: f64,
    left: Vec<usize>,
    right: Vec<usize>,
    /// Its middle.
    y: f64,
}

/// Lays a picture out.
pub fn layout(picture: &Picture) -> Layout {
    let used: Vec<Column> =
        Column::ALL.into_iter().filter(|column| picture.nodes.iter().any(|n| n.column == *column)).collect();
    let column_of = |column: Column| used.iter().position(|c| *c == column).unwrap_or(0);
    let mut spots: Vec<Spot> = picture
        .nodes
        .iter()
        .map(|node| Spot {
            column: column_of(node.column),
            height: PADDING + node.lines.len() as f64 * LINE_HEIGHT,
            gap: BOX_GAP,
            left: Vec::new(),
            right: Vec::new(),
            y: 0.0,
        })
        .collect();
    let ways: Vec<Vec<usize>> = picture.edges.iter().map(|edge| way(edge, &mut spots)).collect();
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); used.len()];
    for (at, spot) in spots.iter().enumerate() {
        if let Some(column) = columns.get_mut(spot.column) {
            column.push(at);
        }
    }
    order(&mut columns, &spots);
    settle(&columns, &mut spots);

    let widths: Vec<f64> = used.iter().map(|column| column_width(picture, *column)).collect();
    let lefts = lefts(picture, &used, &widths);
    let top = spots.iter().map(|s| s.y - s.height / 2.0).fold(f64::INFINITY, f64::min);
    let shift = MARGIN + HEADING - if top.is_finite() { top } else { 0.0 };
    spots.iter_mut().for_each(|spot| spot.y += shift);
    let bottom = spots.iter().map(|s| s.y + s.height / 2.0).fold(0.0, f64::max);
    let boxes: Vec<Rectangle> = picture
        .nodes
        .iter()
        .zip(&spots)
        .map(|(_, spot)| Rectangle {
            x: lefts.get(spot.column).copied().unwrap_or(0.0),
            y: spot.y - spot.height / 2.0,
            width: widths.get(spot.column).copied().unwrap_or(0.0),
            height: spot.height,
        })
        .collect();
    let right = boxes.iter().map(|b| b.x + b.width).fold(0.0, f64::max);
    let mut lanes = 0.0;
    let mut routes = Vec::with_capacity(picture.edges.len());
    for (edge, way) in picture.edges.iter().zip(&ways) {
        routes.push(match edge.kind {
            EdgeKind::Flow => forward(way, &spots, &lefts, &widths),
            EdgeKind::Emits => {
                lanes += 1.0;
                backward(edge, &boxes, bottom, lanes * LANE)
            }
        });
    }
    let lanes = if lanes > 0.0 { lanes * LANE + LANE } else { 0.0 };
    let headings = lefts.into_iter().zip(used).collect();
    Layout { boxes, routes, headings, width: right + lanes + MARGIN, height: bottom + lanes + MARGIN }
}

/// The left edge of each column: the more lines end at it, the more room they have before it; lines back rise before the events and
/// sink behind the tasks.
fn lefts(picture: &Picture, used: &[Column], widths: &[f64]) -> Vec<f64> {
    let back = picture.edges.iter().filter(|edge| edge.kind == EdgeKind::Emits).count() as f64;
    let ends = |column: Column| {
        let into = |edge: &&Edge| picture.nodes.get(edge.to).is_some_and(|node| node.column == column);
        picture.edges.iter().filter(into).count() as f64
    };
    let mut lefts = Vec::with_capacity(widths.len());
    let mut x = MARGIN;
    for (column, width) in used.iter().zip(widths) {
        if !lefts.is_empty() {
            let lanes = if matches!(column, Column::Event | Column::Emitted) { back * LANE } else { 0.0 };
            x += COLUMN_GAP + lanes + ends(*column).min(MOST_ROOM);
        }
        lefts.push(x);
        x += width;
    }
    lefts
}

/// The spots that an edge goes through, with new ones in the columns that it passes.
fn way(edge: &Edge, spots: &mut Vec<Spot>) -> Vec<usize> {
    let column = |spots: &[Spot], at: usize| spots.get(at).map_or(0, |spot| spot.column);
    if edge.kind == EdgeKind::Emits {
        return vec![edge.from, edge.to];
    }
    let (first, last) = (column(spots, edge.from), column(spots, edge.to));
    let mut way = vec![edge.from];
    for passed in first.saturating_add(1)..last {
        way.push(spots.len());
        spots.push(Spot {
            column: passed,
            height: 1.0,
            gap: LINE_GAP,
            left: Vec::new(),
            right: Vec::new(),
            y: 0.0,
        });
    }
    way.push(edge.to);
    for pair in way.windows(2) {
        let &[from, to] = pair else { continue };
        if let Some(spot) = spots.get_mut(from) {
            spot.right.push(to);
        }
        if let Some(spot) = spots.get_mut(to) {
            spot.left.push(from);
        }
    }
    way
}

fn column_width(picture: &Picture, column: Column) -> f64 {
    let nodes = picture.nodes.iter().filter(|node| node.column == column);
    let chars = nodes.flat_map(|node| &node.lines).map(|line| cells(line)).max().unwrap_or(0);
    let heading = column.heading().chars().count();
    chars.max(heading) as f64 * CHAR_WIDTH + 2.0 * PADDING
}

/// Characters of a fixed-width font that a text takes: what is not ASCII may be twice as wide.
pub fn cells(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() || c == '…' { 1 } else { 2 }).sum()
}

/// Orders each column by the mean place of the neighbours, to and fro, and keeps the order with the fewest crossings.
fn order(columns: &mut Vec<Vec<usize>>, spots: &[Spot]) {
    let mut best = (crossings(columns, spots), columns.clone());
    for sweep in 0..SWEEPS {
        let to_the_right = sweep % 2 == 0;
        let mut indices: Vec<usize> = (0..columns.len()).collect();
        if !to_the_right {
            indices.reverse();
        }
        for at in indices {
            let ranks = ranks(columns, spots.len());
            let Some(column) = columns.get_mut(at) else { continue };
            let key = |spot: &usize| {
                let own = ranks.get(*spot).copied().unwrap_or(0) as f64;
                let Some(about) = spots.get(*spot) else { return own };
                let near = if to_the_right { &about.left } else { &about.right };
                mean(near.iter().filter_map(|n| ranks.get(*n)).map(|rank| *rank as f64)).unwrap_or(own)
            };
            column.sort_by(|a, b| key(a).total_cmp(&key(b)));
        }
        let crossed = crossings(columns, spots);
        if crossed < best.0 {
            best = (crossed, columns.clone());
        }
    }
    *columns = best.1;
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, number) = values.fold((0.0, 0.0), |(sum, number), value| (sum + value, number + 1.0));
    (number > 0.0).then(|| sum / number)
}

/// Place of each spot within its column.
fn ranks(columns: &[Vec<usize>], spots: usize) -> Vec<usize> {
    let mut ranks = vec![0; spots];
    for column in columns {
        for (rank, spot) in column.iter().enumerate() {
            if let Some(place) = ranks.get_mut(*spot) {
                *place = rank;
            }
        }
    }
    ranks
}

/// Pairs of lines that cross between two columns.
fn crossings(columns: &[Vec<usize>], spots: &[Spot]) -> usize {
    let ranks = ranks(columns, spots.len());
    let rank = |spot: usize| ranks.get(spot).copied().unwrap_or(0);
    let mut crossed: usize = 0;
    for column in columns {
        let mut ends: Vec<usize> = Vec::new();
        for spot in column {
            let mut right: Vec<usize> =
                spots.get(*spot).map(|s| s.right.iter().map(|to| rank(*to)).collect()).unwrap_or_default();
            right.sort_unstable();
            for to in &right {
                crossed = crossed.saturating_add(ends.iter().filter(|end| *end > to).count());
            }
            ends.extend(right);
        }
    }
    crossed
}

/// Moves the spots of each column towards their neighbours, in their order and without touching.
fn settle(columns: &[Vec<usize>], spots: &mut [Spot]) {
    for column in columns {
        stack(column, spots, |_, _| 0.0);
    }
    for sweep in 0..SWEEPS {
        let to_the_right = sweep % 2 == 0;
        let near = move |spots: &[Spot], at: usize| {
            let Some(spot) = spots.get(at) else { return 0.0 };
            let one_side = if to_the_right { &spot.left } else { &spot.right };
            mean(one_side.iter().filter_map(|n| spots.get(*n)).map(|n| n.y)).unwrap_or(spot.y)
        };
        let mut order: Vec<&Vec<usize>> = columns.iter().collect();
        if !to_the_right {
            order.reverse();
        }
        order.into_iter().for_each(|column| stack(column, spots, near));
    }
}

/// Places one column as near to what is wanted as the order and the heights allow: the least sum of squares (pool adjacent
/// violators).
fn stack(column: &[usize], spots: &mut [Spot], wanted: impl Fn(&[Spot], usize) -> f64) {
    // Each spot's distance from the first one if all are packed; blocks of (mean shift, spots in it).
    let mut offsets = Vec::with_capacity(column.len());
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    let mut below: Option<(f64, f64, f64)> = None;
    for spot in column {
        let Some(about) = spots.get(*spot) else { continue };
        let offset = below
            .map_or(0.0, |(at, height, gap)| at + height / 2.0 + gap.max(about.gap) + about.height / 2.0);
        below = Some((offset, about.height, about.gap));
        offsets.push((*spot, offset));
        blocks.push((wanted(spots, *spot) - offset, 1.0));
        while let &[.., (above, many), (last, few)] = blocks.as_slice() {
            if above <= last {
                break;
            }
            blocks.pop();
            blocks.pop();
            blocks.push(((above * many + last * few) / (many + few), many + few));
        }
    }
    let mut shifts = blocks.iter().flat_map(|(shift, many)| std::iter::repeat_n(*shift, *many as usize));
    for (spot, offset) in offsets {
        if let (Some(spot), Some(shift)) = (spots.get_mut(spot), shifts.next()) {
            spot.y = offset + shift;
        }
    }
}

fn forward(way: &[usize], spots: &[Spot], lefts: &[f64], widths: &[f64]) -> Route {
    let last = way.len().saturating_sub(1);
    let mut points = Vec::new();
    for (step, spot) in way.iter().enumerate() {
        let Some(spot) = spots.get(*spot) else { continue };
        let left = lefts.get(spot.column).copied().unwrap_or(0.0);
        let right = left + widths.get(spot.column).copied().unwrap_or(0.0);
        if step > 0 {
            points.push((left, spot.y));
        }
        if step < last {
            points.push((right, spot.y));
        }
    }
    Route { kind: EdgeKind::Flow, points }
}

/// Behind the task down, below everything to the left, before the event up and into it.
fn backward(edge: &Edge, boxes: &[Rectangle], bottom: f64, lane: f64) -> Route {
    let of = |at: usize| boxes.get(at).copied().unwrap_or_default();
    let (task, event) = (of(edge.from), of(edge.to));
    let (from, to) = (task.y + task.height * 0.7, event.y + event.height * 0.7);
    let before = event.x - 2.0 * LANE - lane;
    let behind = task.x + task.width + LANE + lane;
    let points = vec![
        (task.x + task.width, from),
        (behind, from),
        (behind, bottom + lane),
        (before, bottom + lane),
        (before, to),
        (event.x, to),
    ];
    Route { kind: EdgeKind::Emits, points }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::graph::picture::Node;

    fn picture(columns: &[(Column, usize)], edges: &[(usize, usize)]) -> Picture {
        let mut picture = Picture::default();
        for (column, number) in columns {
            for n in 0..*number {
                let lines = vec![format!("box {n}"); n % 3 + 1];
                picture.nodes.push(Node { column: *column, lines, title: Vec::new() });
            }
        }
        let edge = |(from, to): &(usize, usize)| Edge { from: *from, to: *to, kind: EdgeKind::Flow };
        picture.edges = edges.iter().map(edge).collect();
        picture
    }

    #[test]
    fn boxes_never_touch_and_stay_in_their_columns() {
        let edges: Vec<(usize, usize)> =
            (0..50).flat_map(|n| [(n % 7, 7 + n), (7 + n, 57 + n % 5)]).collect();
        let picture = picture(&[(Column::Event, 7), (Column::Rule, 50), (Column::Task, 5)], &edges);
        let layout = layout(&picture);
        for (at, a) in layout.boxes.iter().enumerate() {
            assert!(a.x >= MARGIN && a.y >= MARGIN && a.x + a.width <= layout.width, "{a:?}");
            assert!(a.y + a.height <= layout.height, "{a:?}");
            for b in &layout.boxes[at + 1..] {
                let apart = a.x + a.width < b.x
                    || b.x + b.width < a.x
                    || a.y + a.height < b.y
                    || b.y + b.height < a.y;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn crossed_lines_are_uncrossed() {
        let picture = picture(&[(Column::Event, 3), (Column::Task, 3)], &[(0, 5), (1, 4), (2, 3)]);
        let boxes = layout(&picture).boxes;
        let order = |from: usize| {
            let mut order = [from, from + 1, from + 2];
            order.sort_by(|a, b| boxes[*a].y.total_cmp(&boxes[*b].y));
            order.map(|at| at - from)
        };
        assert_eq!(order(0).map(|event| 2 - event), order(3));
    }

    #[test]
    fn a_line_passes_between_the_boxes_of_a_column() {
        let columns = [(Column::Event, 1), (Column::Condition, 4), (Column::Rule, 1)];
        let mut edges: Vec<(usize, usize)> = (1..5).flat_map(|c| [(0, c), (c, 5)]).collect();
        edges.push((0, 5));
        let layout = layout(&picture(&columns, &edges));
        let route = layout.routes.last().unwrap();
        assert_eq!(route.points.len(), 4);
        let y = route.points[1].1;
        for passed in &layout.boxes[1..5] {
            assert!(y < passed.y || passed.y + passed.height < y, "{y} {passed:?}");
        }
    }
}
