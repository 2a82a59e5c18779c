//! Documents and how they are set into lines.
//!
//! Comes in: words with the comments that stand at them, and a document of groups, each of which goes on one line or is broken
//! at all its places. Goes out: text. A comment is never lost and never swallows what follows: it ends its line, whatever the
//! document says. Linear: every part knows its width.

/// Columns that a line should not exceed.
pub(super) const WIDTH: usize = 100;
/// Columns of one step to the right.
const STEP: usize = 2;

/// A comment and how it stands.
#[derive(Clone, Debug)]
pub(super) struct Comment<'t> {
    /// With its mark, without blanks at its end.
    pub(super) text: &'t str,
    /// Where it stands.
    pub(super) stands: Stands,
    /// Whether an empty line stands before it.
    pub(super) blank_before: bool,
}

/// Where a comment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// Behind a word on its line.
    Behind,
    /// On a line of its own.
    Alone,
}

/// A word, number, string or sign, with its comments.
#[derive(Clone, Debug)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    /// Comments on lines of their own before it.
    pub(super) before: Vec<Comment<'t>>,
    /// The comment behind it on its line.
    pub(super) behind: Option<Comment<'t>>,
    /// Whether a line ends between the word before and this one.
    pub(super) begins_line: bool,
    /// Whether an empty line stands directly before it.
    pub(super) blank_before: bool,
}

impl Word<'_> {
    /// Whether an empty line stands before it and its comments.
    pub(super) fn is_set_off(&self) -> bool {
        self.before.first().map_or(self.blank_before, |comment| comment.blank_before)
    }
}

/// A part of a document.
#[derive(Debug)]
pub(super) struct Doc {
    kind: Kind,
    /// Columns on one line.
    width: usize,
    /// Columns before the first place where a line may end; all of them if there is none.
    head: usize,
    /// Whether a line may end in it.
    has_line: bool,
    /// Whether it holds a word.
    has_word: bool,
    comments: Comments,
}

/// Which comments a part holds: those at its edges need not break it.
#[derive(Clone, Copy, Debug, Default)]
struct Comments {
    before: bool,
    inside: bool,
    behind: bool,
}

#[derive(Debug)]
enum Kind {
    /// A word by its number.
    Word(usize),
    /// A closing bracket: its comments were set by `Closing`.
    Bracket(usize),
    /// The comments before a closing bracket.
    Closing(usize),
    Comma {
        word: Option<usize>,
        shown: Shown,
    },
    Space,
    /// A blank, or a new line where its group is broken.
    Line,
    /// Nothing, or a new line where its group is broken.
    Soft,
    /// As `Line`; an empty line before this word is kept.
    Member(usize),
    Seq(Vec<Doc>),
    Indent(Box<Doc>),
    Group(Box<Doc>),
    /// As many on a line as fit.
    Fill(Vec<Doc>),
}

/// Where a comma is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Between what stands on one line; lines need none.
    OnOneLine,
    /// At the end of a broken list.
    OnLines,
    Always,
    Never,
}

/// Whether a group is broken even if it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    IfNeeded,
    Always,
}

impl Doc {
    const fn plain(kind: Kind, width: usize) -> Self {
        let comments = Comments { before: false, inside: false, behind: false };
        Self { kind, width, head: width, has_line: false, has_word: false, comments }
    }

    pub(super) fn word(number: usize, word: &Word<'_>) -> Self {
        let comments =
            Comments { before: !word.before.is_empty(), inside: false, behind: word.behind.is_some() };
        let columns = word.text.chars().count();
        Self { comments, has_word: true, ..Self::plain(Kind::Word(number), columns) }
    }

    pub(super) fn bracket(number: usize, word: &Word<'_>) -> Self {
        let doc = Self::word(number, word);
        Self { kind: Kind::Bracket(number), comments: Comments { before: false, ..doc.comments }, ..doc }
    }

    pub(super) fn closing(number: usize, word: &Word<'_>) -> Self {
        let comments = Comments { inside: !word.before.is_empty(), ..Comments::default() };
        Self { comments, ..Self::plain(Kind::Closing(number), 0) }
    }

    pub(super) fn comma(written: Option<(usize, &Word<'_>)>, shown: Shown) -> Self {
        let has_comment = written.is_some_and(|(_, w)| !w.before.is_empty() || w.behind.is_some());
        let comments = Comments { behind: has_comment, ..Comments::default() };
        let width = usize::from(matches!(shown, Shown::OnOneLine | Shown::Always));
        let kind = Kind::Comma { word: written.map(|(number, _)| number), shown };
        Self { comments, has_word: has_comment, ..Self::plain(kind, width) }
    }

    pub(super) const fn space() -> Self {
        Self::plain(Kind::Space, 1)
    }

    pub(super) fn line() -> Self {
        Self { has_line: true, head: 0, ..Self::plain(Kind::Line, 1) }
    }

    pub(super) fn soft() -> Self {
        Self { has_line: true, ..Self::plain(Kind::Soft, 0) }
    }

    /// The end of a line before a member, of which this is the first word.
    pub(super) fn member(first: usize) -> Self {
        Self { has_line: true, head: 0, ..Self::plain(Kind::Member(first), 1) }
    }

    fn of_parts(parts: &[Self]) -> Self {
        let mut sum = Self::plain(Kind::Space, 0);
        for part in parts {
            if !sum.has_line {
                sum.head = sum.head.saturating_add(part.head);
            }
            sum.width = sum.width.saturating_add(part.width);
            sum.has_line |= part.has_line;
            sum.comments.inside |= part.comments.inside;
            if part.has_word {
                if sum.has_word {
                    sum.comments.inside |= sum.comments.behind || part.comments.before;
                } else {
                    sum.comments.before = part.comments.before;
                }
                sum.comments.behind = part.comments.behind;
                sum.has_word = true;
            }
        }
        sum
    }

    pub(super) fn seq(parts: Vec<Self>) -> Self {
        let sum = Self::of_parts(&parts);
        Self { kind: Kind::Seq(parts), ..sum }
    }

    pub(super) fn indent(parts: Vec<Self>) -> Self {
        let inner = Self::seq(parts);
        let Self { width, head, has_line, has_word, comments, .. } = inner;
        Self { kind: Kind::Indent(Box::new(inner)), width, head, has_line, has_word, comments }
    }

    pub(super) fn group(parts: Vec<Self>, broken: Break) -> Self {
        let mut inner = Self::seq(parts);
        inner.comments.inside |= broken == Break::Always;
        let Self { width, head, has_line, has_word, comments, .. } = inner;
        Self { kind: Kind::Group(Box::new(inner)), width, head, has_line, has_word, comments }
    }

    pub(super) fn fill(parts: Vec<Self>) -> Self {
        let mut sum = Self::of_parts(&parts);
        sum.width = sum.width.saturating_add(parts.len().saturating_sub(1));
        if parts.len() > 1 {
            sum.has_line = true;
            sum.head = parts.first().map_or(0, |part| part.head);
        }
        Self { kind: Kind::Fill(parts), ..sum }
    }
}

/// Whether the lines of the group around are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    OneLine,
    Lines,
}

/// Sets documents into lines.
#[derive(Debug)]
pub(super) struct Printer<'t, 'w> {
    words: &'w [Word<'t>],
    out: String,
    column: usize,
    /// Columns before the text of this line.
    indent: usize,
    needs_blank: bool,
    /// Comments that the line's end will bring, and the columns before them if they get lines of their own.
    pending: Vec<(&'w Comment<'t>, usize)>,
}

impl<'t, 'w> Printer<'t, 'w> {
    pub(super) const fn new(words: &'w [Word<'t>]) -> Self {
        Self { words, out: String::new(), column: 0, indent: 0, needs_blank: false, pending: Vec::new() }
    }

    /// An item, from the beginning of a line on.
    pub(super) fn item(&mut self, doc: &Doc, first: usize) {
        if !self.out.is_empty() {
            let set_off = self.words.get(first).is_some_and(Word::is_set_off);
            self.end_line(0, set_off);
        }
        self.print(doc, 0, 0, Mode::Lines);
    }

    /// The comments at the end of the file, and the end of its last line.
    pub(super) fn finish(mut self, tail: &'w [Comment<'t>]) -> String {
        for comment in tail {
            if !self.out.is_empty() {
                self.end_line(0, comment.blank_before);
            }
            self.write(comment.text);
        }
        if !self.out.is_empty() {
            self.end_line(0, false);
        }
        self.out
    }

    fn write(&mut self, text: &str) {
        if self.column == 0 {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
            self.column = self.indent;
        } else if self.needs_blank {
            self.out.push(' ');
            self.column = self.column.saturating_add(1);
        }
        self.needs_blank = false;
        self.out.push_str(text);
        self.column = self.column.saturating_add(text.chars().count());
    }

    /// Ends the line, with the comments that wait for it; with an empty line behind it if it is set off.
    fn end_line(&mut self, indent: usize, set_off: bool) {
        for (n, (comment, columns)) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            if n > 0 || comment.stands == Stands::Alone {
                self.out.push('\n');
                self.column = 0;
                self.indent = columns;
            }
            self.needs_blank = true;
            self.write(comment.text);
        }
        self.out.push_str(if set_off { "\n\n" } else { "\n" });
        self.column = 0;
        self.indent = indent;
        self.needs_blank = false;
    }

    fn word(&mut self, number: usize, indent: usize) {
        let Some(word) = self.words.get(number) else { return };
        let indent = if self.column == 0 { self.indent } else { indent };
        if self.column > 0 && !(self.pending.is_empty() && word.before.is_empty()) {
            self.end_line(indent, false);
        }
        for (n, comment) in word.before.iter().enumerate() {
            if n > 0 {
                self.end_line(indent, comment.blank_before);
            }
            self.write(comment.text);
        }
        if !word.before.is_empty() {
            self.end_line(indent, word.blank_before);
        }
        self.bracket(number, indent);
    }

    fn bracket(&mut self, number: usize, indent: usize) {
        let Some(word) = self.words.get(number) else { return };
        if self.column > 0 && !self.pending.is_empty() {
            self.end_line(indent, false);
        }
        self.write(word.text);
        self.pending.extend(word.behind.iter().map(|comment| (comment, indent)));
    }

    /// Columns that must follow on the line behind a part.
    fn columns_behind(rest: &[Doc], behind: usize) -> usize {
        let mut sum = 0usize;
        for doc in rest {
            sum = sum.saturating_add(doc.head);
            if doc.has_line {
                return sum;
            }
        }
        sum.saturating_add(behind)
    }

    fn print(&mut self, doc: &Doc, indent: usize, behind: usize, mode: Mode) {
        match &doc.kind {
            Kind::Word(number) => self.word(*number, indent),
            Kind::Bracket(number) => self.bracket(*number, indent),
            Kind::Closing(number) => {
                for comment in self.words.get(*number).into_iter().flat_map(|word| &word.before) {
                    self.end_line(indent, comment.blank_before);
                    self.write(comment.text);
                }
            }
            Kind::Comma { word, shown } => self.comma(*word, *shown, indent, mode),
            Kind::Space => self.needs_blank = true,
            Kind::Line | Kind::Member(_) if mode == Mode::OneLine => self.needs_blank = true,
            Kind::Line => self.end_line(indent, false),
            Kind::Soft if mode == Mode::OneLine => {}
            Kind::Soft => self.end_line(indent, false),
            Kind::Member(first) => {
                let set_off = self.words.get(*first).is_some_and(Word::is_set_off);
                self.end_line(indent, set_off);
            }
            Kind::Seq(parts) => {
                for (n, part) in parts.iter().enumerate() {
                    let rest = parts.get(n.saturating_add(1)..).unwrap_or_default();
                    // On one line the group around has seen to it that all fits.
                    let behind = if mode == Mode::OneLine { 0 } else { Self::columns_behind(rest, behind) };
                    self.print(part, indent, behind, mode);
                }
            }
            Kind::Indent(inner) => self.print(inner, indent.saturating_add(STEP), behind, mode),
            Kind::Group(inner) => {
                let begins_line = self.column == 0 || inner.comments.before || !self.pending.is_empty();
                let begins = if self.column == 0 {
                    self.indent
                } else if begins_line {
                    indent
                } else {
                    self.column
                };
                let blank = usize::from(self.needs_blank);
                let columns = begins.saturating_add(blank).saturating_add(inner.width).saturating_add(behind);
                let joined = mode == Mode::OneLine || (!inner.comments.inside && columns <= WIDTH);
                self.print(inner, indent, behind, if joined { Mode::OneLine } else { Mode::Lines });
            }
            Kind::Fill(parts) => self.fill(parts, indent, mode),
        }
    }

    fn comma(&mut self, number: Option<usize>, shown: Shown, indent: usize, mode: Mode) {
        let is_shown = match shown {
            Shown::Always => true,
            Shown::Never => false,
            Shown::OnOneLine => mode == Mode::OneLine,
            Shown::OnLines => mode == Mode::Lines,
        };
        if is_shown {
            self.needs_blank = false;
            self.write(",");
        }
        let word = number.and_then(|number| self.words.get(number));
        let comments = word.into_iter().flat_map(|word| word.before.iter().chain(&word.behind));
        self.pending.extend(comments.map(|comment| (comment, indent)));
    }

    /// A part with comment lines before it stands alone.
    fn fill(&mut self, parts: &[Doc], indent: usize, mode: Mode) {
        let mut stood_alone = false;
        for (n, part) in parts.iter().enumerate() {
            let alone = part.comments.before;
            if n > 0 {
                let columns = self.column.saturating_add(1).saturating_add(part.width);
                let has_room = columns <= WIDTH && !part.comments.inside;
                let goes_on = self.pending.is_empty() && !alone && !stood_alone;
                if mode == Mode::OneLine || (has_room && goes_on) {
                    self.needs_blank = true;
                } else {
                    self.end_line(indent, false);
                }
            }
            stood_alone = alone;
            // A part may hold a list that is broken by itself, never a comma that depends on this one.
            self.print(part, indent, 1, mode);
        }
    }
}
