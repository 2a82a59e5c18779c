//! Items to documents: where each construct of the grammar may be broken.
//!
//! Comes in: the pairs of one item and the words of its file. Goes out: a document of all its words, in their order; only commas
//! between members come and go. One rule decides for rules, bodies and axes: what was written on one line stays there if it
//! fits, what was broken before one of its parts is broken before all of them.

use pest::iterators::Pair;

use super::layout::{Break, Doc, Shown, Word};
use crate::parse::pest_grammar::Rule as R;

/// A construct, or one word.
#[derive(Debug)]
struct Node {
    rule: Option<R>,
    /// Its first word.
    first: usize,
    kids: Vec<Node>,
}

/// Builds the documents of one file.
#[derive(Debug)]
pub(super) struct Builder<'t, 'w> {
    words: &'w [Word<'t>],
    /// First bytes of the words in the file.
    starts: &'w [u32],
}

impl<'t, 'w> Builder<'t, 'w> {
    pub(super) const fn new(words: &'w [Word<'t>], starts: &'w [u32]) -> Self {
        Self { words, starts }
    }

    /// The document of an item, whose text begins at a byte of the file, and its first word.
    pub(super) fn item(&self, pair: &Pair<'_, R>, base: u32) -> (Doc, usize) {
        let node = self.read(pair, base);
        (self.doc(&node), node.first)
    }

    fn word_at(&self, byte: usize, base: u32) -> usize {
        let byte = u32::try_from(byte).unwrap_or(u32::MAX).saturating_add(base);
        self.starts.partition_point(|start| *start < byte)
    }

    fn read(&self, pair: &Pair<'_, R>, base: u32) -> Node {
        let leaf = |first| Node { rule: None, first, kids: Vec::new() };
        let span = pair.as_span();
        let (first, end) = (self.word_at(span.start(), base), self.word_at(span.end(), base));
        let mut kids = Vec::new();
        if end.saturating_sub(first) > 1 {
            let mut next = first;
            for inner in pair.clone().into_inner() {
                let inner_span = inner.as_span();
                kids.extend((next..self.word_at(inner_span.start(), base)).map(leaf));
                next = self.word_at(inner_span.end(), base);
                if inner.as_rule() != R::EOI && inner_span.start() < inner_span.end() {
                    kids.push(self.read(&inner, base));
                }
            }
            kids.extend((next..end).map(leaf));
        }
        Node { rule: Some(pair.as_rule()), first, kids }
    }

    fn text(&self, number: usize) -> &'t str {
        self.words.get(number).map_or("", |word| word.text)
    }

    fn begins_line(&self, node: &Node) -> bool {
        self.words.get(node.first).is_some_and(|word| word.begins_line)
    }

    fn broken_before<'n>(&self, parts: impl IntoIterator<Item = &'n Node>) -> Break {
        if parts.into_iter().any(|part| self.begins_line(part)) { Break::Always } else { Break::IfNeeded }
    }

    fn is(&self, node: &Node, text: &str) -> bool {
        node.kids.is_empty() && self.text(node.first) == text
    }

    fn word(&self, number: usize) -> Doc {
        self.words.get(number).map_or_else(Doc::space, |word| Doc::word(number, word))
    }

    /// A comma; one with documentation before it is like any word.
    fn comma(&self, written: Option<usize>, shown: Shown) -> Doc {
        let Some((number, word)) = written.and_then(|n| Some((n, self.words.get(n)?))) else {
            return Doc::comma(None, shown);
        };
        let before = number.checked_sub(1).and_then(|n| self.words.get(n));
        if before.is_some_and(|before| super::is_documented(before, word)) {
            return Doc::word(number, word);
        }
        Doc::comma(Some((number, word)), shown)
    }

    fn doc(&self, node: &Node) -> Doc {
        if node.kids.is_empty() {
            return self.word(node.first);
        }
        let kids = &node.kids;
        match node.rule {
            Some(R::rule) => self.rule(kids),
            Some(R::test) => self.test(kids),
            Some(
                R::event
                | R::record
                | R::enumeration
                | R::fact
                | R::task
                | R::dialect
                | R::shape
                | R::record_value
                | R::json_object,
            ) => self.body(node),
            Some(R::list | R::json_array | R::arguments) => self.list(node),
            Some(R::expr | R::and_expr) => self.chain(kids),
            Some(R::group | R::called | R::count) => self.parentheses(kids),
            Some(R::topics | R::emits | R::keys | R::happening | R::except | R::combination) => {
                self.listed(kids)
            }
            _ => Doc::seq(self.joined(kids)),
        }
    }

    /// `topic "a", "b"`: broken after each comma, all but the first to the right of it.
    fn listed(&self, kids: &[Node]) -> Doc {
        let first = kids.iter().position(|kid| self.is(kid, ",")).map_or(kids.len(), |n| n.saturating_add(1));
        let (head, rest) = kids.split_at(first);
        let mut parts = self.joined(head);
        if !rest.is_empty() {
            let mut lines = vec![Doc::line()];
            lines.extend(self.joined(rest));
            parts.push(Doc::indent(lines));
        }
        Doc::group(parts, Break::IfNeeded)
    }

    /// One after the other with blanks where the language writes them.
    fn joined(&self, kids: &[Node]) -> Vec<Doc> {
        let mut parts = Vec::new();
        let mut left = "";
        for (n, kid) in kids.iter().enumerate() {
            let right = self.text(kid.first);
            let glued = n == 0
                || matches!(left, "(" | "[" | ".")
                || matches!(right, ")" | "]" | "," | "." | "?" | ":")
                || kid.rule == Some(R::arguments);
            if !glued {
                let may_break = left == "," || kid.rule == Some(R::where_part);
                parts.push(if may_break { Doc::line() } else { Doc::space() });
            }
            let is_comma = self.is(kid, ",");
            parts.push(if is_comma { self.comma(Some(kid.first), Shown::Always) } else { self.doc(kid) });
            left = if kid.kids.is_empty() { right } else { "" };
        }
        parts
    }

    fn rule(&self, kids: &[Node]) -> Doc {
        let at = |sought: R| kids.iter().position(|kid| kid.rule == Some(sought));
        let run = at(R::kw_run).unwrap_or(0);
        let head_end = at(R::where_part).unwrap_or(run);
        let is_tail = |kid: &Node| !matches!(kid.rule, None | Some(R::kw_run | R::call));
        let tail = kids.iter().skip(run).position(is_tail).map_or(kids.len(), |n| run.saturating_add(n));
        let is_matrix = |kid: &&Node| matches!(kid.rule, Some(R::axis | R::except));
        let part = |from: usize, to: usize| kids.get(from..to).unwrap_or_default();
        let matrix: Vec<&Node> = part(tail, kids.len()).iter().take_while(is_matrix).collect();
        let clauses = part(tail.saturating_add(matrix.len()), kids.len());

        let mut runs = vec![self.listed(part(run, tail))];
        for axis in &matrix {
            runs.extend([Doc::line(), self.doc(axis)]);
        }
        let mut parts = Vec::new();
        for condition in part(head_end, run) {
            parts.extend([Doc::line(), self.doc(condition)]);
        }
        parts.extend([Doc::line(), Doc::group(runs, self.broken_before(matrix.iter().copied()))]);
        for clause in clauses {
            parts.extend([Doc::line(), self.doc(clause)]);
        }
        let broken = self.broken_before(part(head_end, run.saturating_add(1)).iter().chain(clauses));
        let mut head = self.joined(part(0, head_end));
        head.push(Doc::indent(parts));
        Doc::group(head, broken)
    }

    /// A test is broken before each of its parts.
    fn test(&self, kids: &[Node]) -> Doc {
        let (name, rest) = kids.split_at(kids.len().min(2));
        let lines = rest.iter().flat_map(|kid| [Doc::member(kid.first), self.doc(kid)]).collect();
        let mut parts = self.joined(name);
        parts.push(Doc::indent(lines));
        Doc::group(parts, Break::Always)
    }

    /// `a and b`, broken before each operator.
    fn chain(&self, kids: &[Node]) -> Doc {
        let mut parts: Vec<Doc> = kids.first().map(|kid| self.doc(kid)).into_iter().collect();
        let mut rest = Vec::new();
        for pair in kids.get(1..).unwrap_or_default().chunks(2) {
            rest.push(Doc::line());
            rest.extend(self.joined(pair));
        }
        parts.push(Doc::indent(rest));
        Doc::group(parts, Break::IfNeeded)
    }

    /// `(a or b)`, `(any x in list where a)`, `count(x in list)`
    fn parentheses(&self, kids: &[Node]) -> Doc {
        let open = kids.iter().position(|kid| self.is(kid, "(")).unwrap_or(0);
        let last = kids.len().saturating_sub(1);
        let mut parts: Vec<Doc> = kids.iter().take(open.saturating_add(1)).map(|kid| self.doc(kid)).collect();
        let inner = kids.get(open.saturating_add(1)..last).unwrap_or_default();
        self.enclose(&mut parts, self.joined(inner), kids.get(last), &Doc::soft);
        Doc::group(parts, Break::IfNeeded)
    }

    /// Puts parts between brackets, of which the opening one is there.
    fn enclose(&self, parts: &mut Vec<Doc>, inner: Vec<Doc>, close: Option<&Node>, end: &dyn Fn() -> Doc) {
        let Some((number, word)) = close.and_then(|node| Some((node.first, self.words.get(node.first)?)))
        else {
            return;
        };
        let is_empty = inner.is_empty();
        let mut lines = Vec::new();
        if !is_empty {
            lines.push(end());
            lines.extend(inner);
        }
        lines.push(Doc::closing(number, word));
        parts.push(Doc::indent(lines));
        parts.push(if is_empty { Doc::soft() } else { end() });
        parts.push(Doc::bracket(number, word));
    }

    /// Elements or arguments: on one line, else filled lines of elements, or a line for each argument or object.
    fn list(&self, node: &Node) -> Doc {
        let [open, inner @ .., close] = node.kids.as_slice() else { return self.word(node.first) };
        let elements: Vec<&[Node]> = inner.split_inclusive(|kid| self.is(kid, ",")).collect();
        let at_end = if node.rule == Some(R::json_array) { Shown::Never } else { Shown::OnLines };
        let is_object = |kid: &Node| kid.rule == Some(R::json_object);
        let mut parts = vec![self.word(open.first)];
        if let [[only, comma @ ..]] = elements.as_slice()
            && is_object(only)
        {
            let comma = self.comma(comma.first().map(|comma| comma.first), Shown::Never);
            parts.extend([self.doc(only), comma, self.word(close.first)]);
            return Doc::seq(parts);
        }
        let count = elements.len();
        let docs: Vec<Doc> = elements
            .iter()
            .enumerate()
            .filter_map(|(n, element)| {
                let (first, comma) = (element.first()?, element.get(1).map(|comma| comma.first));
                let shown = if n.saturating_add(1) == count { at_end } else { Shown::Always };
                Some(Doc::seq(vec![self.doc(first), self.comma(comma, shown)]))
            })
            .collect();
        let by_line = node.rule == Some(R::arguments) || inner.iter().any(is_object);
        let inside = if docs.is_empty() {
            Vec::new()
        } else if by_line {
            let lines = docs.into_iter().flat_map(|doc| [Doc::line(), doc]).skip(1);
            lines.collect()
        } else {
            vec![Doc::fill(docs)]
        };
        self.enclose(&mut parts, inside, Some(close), &Doc::soft);
        Doc::group(parts, Break::IfNeeded)
    }

    /// What stands in braces, with what stands before them.
    fn body(&self, node: &Node) -> Doc {
        let kids = &node.kids;
        let open = kids.iter().position(|kid| self.is(kid, "{")).unwrap_or(0);
        let last = kids.len().saturating_sub(1);
        let inner = kids.get(open.saturating_add(1)..last).unwrap_or_default();
        let is_fact = node.rule == Some(R::fact);
        let members: Vec<(&[Node], Option<usize>)> =
            if is_fact { vec![(inner, None)] } else { self.members(inner) };
        let broken = self.broken_before(members.iter().filter_map(|(member, _)| member.first()));
        let count = members.len();
        let docs = members.iter().enumerate().filter_map(|(n, (member, comma))| {
            let shown = separator(node.rule, member, n.saturating_add(1) == count);
            let mut parts = match member {
                [one] if comma.is_none() => vec![self.doc(one)],
                parts => self.joined(parts),
            };
            parts.push(self.comma(*comma, shown));
            Some((member.first()?.first, Doc::seq(parts)))
        });
        let inside = if node.rule == Some(R::enumeration) {
            let values: Vec<Doc> = docs.map(|(_, doc)| doc).collect();
            if values.is_empty() { values } else { vec![Doc::fill(values)] }
        } else {
            docs.flat_map(|(first, doc)| [Doc::member(first), doc]).skip(1).collect()
        };
        let mut parts = self.joined(kids.get(..=open).unwrap_or_default());
        self.enclose(&mut parts, inside, kids.get(last), &Doc::line);
        Doc::group(parts, broken)
    }

    /// The members of a body, each with the comma behind it, wherever the grammar puts that.
    fn members<'n>(&self, inner: &'n [Node]) -> Vec<(&'n [Node], Option<usize>)> {
        let mut members: Vec<(&[Node], Option<usize>)> = Vec::new();
        for kid in inner {
            match (kid.kids.split_last(), members.last_mut()) {
                (None, Some((_, comma))) if self.is(kid, ",") => *comma = Some(kid.first),
                (Some((comma, parts)), _) if self.is(comma, ",") => members.push((parts, Some(comma.first))),
                _ => members.push((std::slice::from_ref(kid), None)),
            }
        }
        members
    }
}

/// Where a comma stands behind a member of a body.
fn separator(body: Option<R>, member: &[Node], is_last: bool) -> Shown {
    let is_field = member.len() > 1 || member.iter().any(|kid| matches!(kid.rule, Some(R::field | R::param)));
    match body {
        Some(R::record_value) if is_last => Shown::OnLines,
        Some(R::record_value) => Shown::Always,
        Some(R::json_object) if !is_last => Shown::Always,
        Some(R::shape | R::record | R::task) if is_field && !is_last => Shown::OnOneLine,
        _ => Shown::Never,
    }
}
