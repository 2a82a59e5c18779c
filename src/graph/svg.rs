//! A picture as SVG: one file, no scripts, no fonts of its own.
//!
//! Comes in: a picture. Goes out: the text of the file. Every text of a rule file is escaped, and squeezed into its box where a
//! browser's font is wider than expected.

use std::fmt::Write as _;

use super::layout::{CHAR_WIDTH, HEADING, LINE_HEIGHT, MARGIN, PADDING, Rectangle, Route, cells, layout};
use super::picture::{EdgeKind, Node, Picture};

const STYLE: &str = "text{font:12px 'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace;fill:#1b1f24;white-space:pre}\
.h{fill:#5b6570;font-weight:bold}rect.b{stroke:#7b8794;rx:5px}rect.s{stroke:#1b1f24;stroke-width:2px}\
path{fill:none;stroke:#7b8794;stroke-width:1.2px}path.e{stroke:#8a3ffc;stroke-dasharray:5 4}\
g:hover>rect{stroke:#d6336c}";

/// Draws it.
pub fn svg(picture: &Picture) -> String {
    let layout = layout(picture);
    let (width, height) = (layout.width.ceil(), layout.height.ceil());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n\
         <defs>{}{}</defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        arrow("flow", "#7b8794"),
        arrow("emits", "#8a3ffc")
    );
    for (x, column) in &layout.headings {
        text(&mut out, "h", (*x, MARGIN + HEADING / 2.0), column.heading());
    }
    for route in &layout.routes {
        path(&mut out, route);
    }
    for (at, (node, rectangle)) in picture.nodes.iter().zip(&layout.boxes).enumerate() {
        draw(&mut out, node, *rectangle, is_shared(picture, at));
    }
    out.push_str("</svg>\n");
    out
}

fn arrow(id: &str, colour: &str) -> String {
    format!(
        "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" style=\"fill:{colour};stroke:none\"/></marker>"
    )
}

/// A condition that several rules share has a thick border.
fn is_shared(picture: &Picture, node: usize) -> bool {
    let is_condition = picture.nodes.get(node).is_some_and(|n| n.column == super::picture::Column::Condition);
    is_condition && picture.edges.iter().filter(|edge| edge.from == node).count() > 1
}

fn draw(out: &mut String, node: &Node, at: Rectangle, shared: bool) {
    let title: Vec<String> = node.title.iter().map(|line| escaped(line)).collect();
    let class = if shared { "b s" } else { "b" };
    let _ = write!(
        out,
        "<g><title>{}</title><rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
        title.join("\n"),
        at.x,
        at.y,
        at.width,
        at.height,
        node.column.colour()
    );
    for (line, shown) in node.lines.iter().enumerate() {
        let y = at.y + PADDING / 2.0 + LINE_HEIGHT * (line as f64 + 0.75);
        text(out, if line == 0 { "t" } else { "m" }, (at.x + PADDING, y), shown);
    }
    out.push_str("</g>\n");
}

fn text(out: &mut String, class: &str, (x, y): (f64, f64), shown: &str) {
    // The length holds a wider font within the box; what is not ASCII has no sure width.
    let length = cells(shown) as f64 * CHAR_WIDTH;
    let fit = if shown.is_ascii() {
        format!(" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"")
    } else {
        String::new()
    };
    let _ = write!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{fit}>{}</text>", escaped(shown));
}

/// Between columns a curve, through a column a straight line; lines back have corners.
fn path(out: &mut String, route: &Route) {
    let mut way = String::new();
    let mut before: Option<(f64, f64)> = None;
    for (at, (x, y)) in route.points.iter().copied().enumerate() {
        let _ = match before {
            None => write!(way, "M{x:.1} {y:.1}"),
            Some((from_x, from_y)) if route.kind == EdgeKind::Flow && at % 2 == 1 => {
                let middle = (from_x + x) / 2.0;
                write!(way, "C{middle:.1} {from_y:.1} {middle:.1} {y:.1} {x:.1} {y:.1}")
            }
            Some(_) => write!(way, "L{x:.1} {y:.1}"),
        };
        before = Some((x, y));
    }
    let (class, marker) = match route.kind {
        EdgeKind::Flow => ("f", "flow"),
        EdgeKind::Emits => ("e", "emits"),
    };
    let _ = writeln!(out, "<path class=\"{class}\" marker-end=\"url(#{marker})\" d=\"{way}\"/>");
}

/// Text for XML: also without what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_rule_becomes_markup() {
        assert_eq!(escaped("a<b>&\"'\u{0}\u{ffff}"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}");
    }
}
