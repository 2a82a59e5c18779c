//! Suppression by comment: `# taskbot: allow CODE, CODE because REASON`.
//!
//! Comes in: the files, their trees, and everything that was found. Goes out: lints that such a comment covers are marked with
//! its reason; a comment that cannot be read, names no lint, gives no reason or covers nothing becomes a finding itself. On a
//! line of its own a comment covers the item that follows, or else the line that follows; at the end of a line, that line.
//! Errors are never suppressed, and neither is the remark that a suppression is unused.

use std::collections::BTreeMap;

use taskbot_grammar::{self as tree, Span, Token, TokenKind};
use taskbot_graph::Place;

use crate::diagnostic::*;
use crate::select::code;
use crate::{Compiled, Origin};

/// What a comment covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// The item with this number.
    Item(usize),
    /// The line with this number, from 0.
    Line(usize),
}

/// A code of a suppression, and whether it was needed.
#[derive(Debug)]
struct Allowed {
    code: &'static Code,
    /// Where it is written.
    span: Span,
    used: bool,
}

/// A comment that suppresses something.
#[derive(Debug)]
struct Suppression {
    comment: Span,
    /// All codes as they are written.
    codes: Vec<Span>,
    reason: String,
    scope: Option<Scope>,
    /// Those of the codes that are lints.
    allowed: Vec<Allowed>,
}

/// Marks what is suppressed, and adds what is wrong with the comments of one's own files.
pub(crate) fn apply(compiled: &Compiled, found: &mut Vec<Diagnostic>) {
    let files = compiled.files.iter().zip(&compiled.trees).zip(&compiled.origins).zip(0..);
    for (((file, tree), origin), at) in files {
        // Nearly every file has none.
        if *origin == Origin::Own && file.text.contains("taskbot:") {
            let unused = Page::new(at, &file.text, tree).apply(found);
            // A program with errors is not linted, so nobody knows what its comments suppress.
            if compiled.graph.is_some() {
                found.extend(unused);
            }
        }
    }
}

/// One file: its text, tokens, and the beginnings of its lines and items.
struct Page<'t> {
    file: u32,
    text: &'t str,
    tokens: Vec<Token>,
    lines: Vec<u32>,
    items: Vec<Span>,
}

impl<'t> Page<'t> {
    fn new(file: u32, text: &'t str, tree: &tree::File) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| Span::new(at.saturating_add(1), 0).start);
        Self {
            file,
            text,
            tokens: tree::tokens(text),
            lines: std::iter::once(0).chain(ends).collect(),
            items: tree.items.iter().map(|item| item.span).collect(),
        }
    }

    /// Gives what is not needed; the rest is found.
    fn apply(&self, found: &mut Vec<Diagnostic>) -> Vec<Diagnostic> {
        let mut suppressions = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            if let Some(directive) = directive(*token, self.text) {
                suppressions.extend(self.read(at, token.span, directive, found));
            }
        }
        let mut covered: BTreeMap<(Scope, &str), (usize, usize)> = BTreeMap::new();
        for (which, suppression) in suppressions.iter().enumerate() {
            for (nth, allowed) in suppression.allowed.iter().enumerate() {
                if let Some(scope) = suppression.scope {
                    covered.entry((scope, allowed.code.id)).or_insert((which, nth));
                }
            }
        }
        for diagnostic in found.iter_mut().filter(|d| d.primary.place.file == self.file) {
            let start = diagnostic.primary.place.start;
            let scopes = [Some(Scope::Line(self.line(start))), self.item(start).map(Scope::Item)];
            let covering = |scope: Option<Scope>| covered.get(&(scope?, diagnostic.code.id)).copied();
            let Some((which, nth)) = scopes.into_iter().find_map(covering) else { continue };
            let Some(suppression) = suppressions.get_mut(which) else { continue };
            diagnostic.suppressed = Some(suppression.reason.clone());
            if let Some(allowed) = suppression.allowed.get_mut(nth) {
                allowed.used = true;
            }
        }
        suppressions.iter().filter_map(|suppression| self.unused(suppression)).collect()
    }

    /// Reads a directive; what is wrong with it is found.
    fn read(
        &self,
        at: usize,
        comment: Span,
        directive: Span,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Suppression> {
        let (codes, reason) = match parts(self.text, directive) {
            Ok(parts) => parts,
            Err(wrong) => {
                let message = match wrong {
                    Wrong::Form => "this suppression cannot be read",
                    Wrong::NoReason => "this suppression gives no reason",
                };
                let diagnostic =
                    Diagnostic::new(wrong.code(), self.place(comment), message, "suppresses nothing");
                found.push(diagnostic.help("write `# taskbot: allow CODE because REASON`"));
                return None;
            }
        };
        let mut allowed = Vec::new();
        for span in &codes {
            let (place, written) = (self.place(*span), span.of(self.text));
            match code(written) {
                Ok(code) if code.is_lint() && *code != TB0694 => {
                    allowed.push(Allowed { code, span: *span, used: false });
                }
                Ok(code) => {
                    let message = format!("{} {} cannot be suppressed", code.id, code.name);
                    let diagnostic = Diagnostic::new(&TB0693, place, message, "suppresses nothing");
                    found.push(diagnostic.help("mend what it finds, and remove it here"));
                }
                Err(unknown) => {
                    let message = format!("there is no diagnostic `{written}`");
                    let diagnostic = Diagnostic::new(&TB0692, place, message, "unknown code");
                    found.push(match unknown.close {
                        Some(close) => diagnostic.help(format!("did you mean `{close}`?")).suggest(
                            place,
                            close,
                            Safety::Unsafe,
                        ),
                        None => diagnostic.help("docs/diagnostics.md lists them all"),
                    });
                }
            }
        }
        Some(Suppression { comment, codes, reason, scope: self.scope(at, comment), allowed })
    }

    /// What the comment at a token covers: nothing if nothing follows.
    fn scope(&self, at: usize, comment: Span) -> Option<Scope> {
        if !self.before(comment.start).trim().is_empty() {
            return Some(Scope::Line(self.line(comment.start)));
        }
        let next = self.tokens.get(at..)?.iter().find(|token| !token.kind.is_trivia())?.span.start;
        Some(match self.items.binary_search_by_key(&next, |item| item.start) {
            Ok(item) => Scope::Item(item),
            Err(_) => Scope::Line(self.line(next)),
        })
    }

    /// The finding that a suppression, or a part of it, was not needed, with what to remove.
    fn unused(&self, suppression: &Suppression) -> Option<Diagnostic> {
        let list = |spans: &[Span]| spans.iter().map(|s| s.of(self.text)).collect::<Vec<_>>().join(", ");
        let unused: Vec<Span> = suppression.allowed.iter().filter(|a| !a.used).map(|a| a.span).collect();
        let kept: Vec<Span> = suppression.codes.iter().copied().filter(|s| !unused.contains(s)).collect();
        let (first, last) = (suppression.codes.first()?, suppression.codes.last()?);
        if unused.is_empty() {
            return None;
        }
        let message = format!("`allow {}` suppresses nothing", list(&unused));
        let diagnostic = Diagnostic::new(&TB0694, self.place(suppression.comment), message, "not needed");
        Some(if kept.is_empty() {
            let whole = self.place(self.removal(suppression.comment));
            diagnostic.help("remove it").suggest(whole, "", Safety::Safe)
        } else {
            let help = format!("leave `{}`", list(&kept));
            diagnostic.help(help).suggest(self.place(first.to(*last)), list(&kept), Safety::Safe)
        })
    }

    /// What to remove with a comment: its line, or the blanks before it.
    fn removal(&self, comment: Span) -> Span {
        let before = self.before(comment.start);
        let kept = before.trim_end();
        let start = comment.start.saturating_sub(Span::new(before.len().saturating_sub(kept.len()), 0).start);
        let behind = self.text.get(comment.end as usize..).unwrap_or_default();
        let end = if kept.is_empty() && behind.starts_with('\n') {
            comment.end.saturating_add(1)
        } else if comment.of(self.text).ends_with('\r') {
            comment.end.saturating_sub(1)
        } else {
            comment.end
        };
        Span { start, end }
    }

    /// The text of the line before a place.
    fn before(&self, start: u32) -> &'t str {
        let line = self.lines.get(self.line(start)).copied().unwrap_or_default();
        Span { start: line, end: start }.of(self.text)
    }

    /// Number of the line of a place, from 0.
    fn line(&self, start: u32) -> usize {
        self.lines.partition_point(|line| *line <= start).saturating_sub(1)
    }

    /// Number of the item that a place is in.
    fn item(&self, start: u32) -> Option<usize> {
        let at = self.items.partition_point(|item| item.start <= start).checked_sub(1)?;
        self.items.get(at).is_some_and(|item| start < item.end).then_some(at)
    }

    fn place(&self, span: Span) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }
}

/// What follows `taskbot:` in a comment; of a line of documentation only if it tries to allow something.
fn directive(token: Token, text: &str) -> Option<Span> {
    let comment = token.span.of(text);
    let (marks, body) = match token.kind {
        TokenKind::Comment => (1, comment.strip_prefix('#')?),
        TokenKind::Doc => (0, comment.trim_start_matches('#')),
        _ => return None,
    };
    let directive = body.trim_start().strip_prefix("taskbot:")?;
    let wanted = marks == 1 || directive.trim_start().starts_with("allow");
    let start = (token.span.end as usize).saturating_sub(directive.len());
    // Documentation is shown to people: what it holds is no directive, and cannot be read as one.
    let start = if marks == 1 { start } else { token.span.end as usize };
    wanted.then(|| Span::new(start, token.span.end as usize))
}

/// Why a directive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Form,
    NoReason,
}

impl Wrong {
    fn code(self) -> &'static Code {
        match self {
            Self::Form => &TB0690,
            Self::NoReason => &TB0691,
        }
    }
}

/// The codes and the reason of `allow CODE, CODE because REASON`.
fn parts(text: &str, directive: Span) -> Result<(Vec<Span>, String), Wrong> {
    let words = words(text, directive);
    let [allow, rest @ ..] = words.as_slice() else { return Err(Wrong::Form) };
    if allow.of(text) != "allow" || rest.is_empty() {
        return Err(Wrong::Form);
    }
    let because = rest.iter().position(|word| word.of(text) == "because");
    let (codes, reason) = rest.split_at(because.unwrap_or(rest.len()));
    if codes.is_empty() {
        return Err(Wrong::Form);
    }
    let [_because, from, ..] = reason else { return Err(Wrong::NoReason) };
    let reason = Span { start: from.start, end: directive.end }.of(text).trim_end();
    let mut spans = Vec::new();
    for (nth, word) in codes.iter().enumerate() {
        // Words are joined by commas: `A, B` or `A,B`.
        let is_last = nth.saturating_add(1) == codes.len();
        if word.of(text).ends_with(',') == is_last {
            return Err(Wrong::Form);
        }
        let mut start = word.start as usize;
        for code in word.of(text).trim_end_matches(',').split(',') {
            spans.push(Span::new(start, start.saturating_add(code.len())));
            start = start.saturating_add(code.len()).saturating_add(1);
        }
    }
    let is_code = |span: &Span| {
        let code = span.of(text);
        !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if spans.iter().all(is_code) { Ok((spans, reason.to_owned())) } else { Err(Wrong::Form) }
}

/// Places of the words of a text.
fn words(text: &str, of: Span) -> Vec<Span> {
    let mut at = of.start as usize;
    let mut words = Vec::new();
    for word in of.of(text).split_inclusive(char::is_whitespace) {
        let trimmed = word.trim_end();
        if !trimmed.is_empty() {
            words.push(Span::new(at, at.saturating_add(trimmed.len())));
        }
        at = at.saturating_add(word.len());
    }
    words
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::{Domains, Levels, SourceText, compile, findings, select};

    const RULE: &str = "on koji.build.completed run rpmlint\n";
    const OTHER: &str = "on bodhi.update.testing run rpmlint\n";

    fn all(text: &str) -> Vec<Diagnostic> {
        let compiled = compile(&[SourceText { path: "own.tb".into(), text: text.into() }], &[]);
        findings(&compiled, &Domains::default())
    }

    fn shown(text: &str) -> Vec<Diagnostic> {
        select(&all(text), &Levels::default()).shown
    }

    fn found(text: &str) -> Vec<(&'static str, String)> {
        let quoted = |place: Place| text[place.start as usize..place.end as usize].to_owned();
        shown(text).iter().map(|d| (d.code.id, quoted(d.primary.place))).collect()
    }

    fn ids(text: &str) -> Vec<&'static str> {
        found(text).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn a_directive_has_one_form() {
        for wrong in [
            "# taskbot: allow",
            "# taskbot: alow TB0690 because x",
            "# taskbot: allow because x",
            "# taskbot: allow TB0690, because x",
            "# taskbot: allow TB0690 TB0691 because x",
            "# taskbot: allow ,TB0690 because x",
            "# taskbot: allow (TB0690) because x",
            "## taskbot: allow TB0690 because x",
            "#taskbot:",
        ] {
            assert_eq!(found(&format!("{wrong}\n{RULE}")), [("TB0690", wrong.to_owned())], "{wrong}");
        }
        for unfounded in
            ["# taskbot: allow TB0690", "# taskbot: allow TB0690 because ", "#taskbot: allow a the tag is b"]
        {
            let comment = unfounded.to_owned();
            assert_eq!(found(&format!("{unfounded}\n{RULE}")), [("TB0691", comment)], "{unfounded}");
        }
        for prose in ["# what taskbot: allow does", "## Whatever taskbot: does", "# taskbot allows this"] {
            assert_eq!(ids(&format!("{prose}\n{RULE}")), [""; 0], "{prose}");
        }
    }

    #[test]
    fn only_lints_that_exist_can_be_suppressed() {
        let text = format!("# taskbot: allow TB0203, unkown-code,TB0694 because é\n{RULE}");
        let wanted = [("TB0693", "TB0203"), ("TB0692", "unkown-code"), ("TB0693", "TB0694")];
        assert_eq!(found(&text), wanted.map(|(id, text)| (id, text.to_owned())));
        assert_eq!(shown(&text)[1].help.as_deref(), Some("did you mean `unknown-code`?"));
        let error = "# taskbot: allow unknown-task because soon\non koji.build.completed run soon\n";
        assert_eq!(ids(error), ["TB0693", "TB0202"]);
    }

    /// A suppression of something that a later version knows, which is a lint in this one.
    const LATER: &str = "# taskbot: allow TB0999 because later versions know it";
    const ALLOW: &str = "# taskbot: allow unknown-code because it is for a later version";

    #[test]
    fn a_comment_covers_the_line_or_the_item_that_follows() {
        assert_eq!(ids(&format!("{LATER}\n{RULE}")), ["TB0692"]);
        let item = format!("{ALLOW}\n\n## doc\non koji.build.completed\n  {LATER}\n  run rpmlint\n");
        assert_eq!(ids(&item), [""; 0]);
        assert_eq!(
            all(&item).iter().find_map(|d| d.suppressed.as_deref()),
            Some("it is for a later version")
        );
        let next_item =
            format!("{RULE}{ALLOW}\n{OTHER}rule c on koji.build.completed\n{LATER}\nrun static-analysis");
        assert_eq!(ids(&next_item), ["TB0694", "TB0692"]);
        assert_eq!(ids(&format!("{RULE}{ALLOW}\n")), ["TB0694"], "nothing follows");
    }

    /// What is left of a text after the safe suggestions.
    fn mended(text: &str) -> String {
        let mut mended = text.to_owned();
        for diagnostic in shown(text).iter().rev() {
            let suggestion = diagnostic.suggestion.as_ref().filter(|s| s.safety == Safety::Safe).unwrap();
            let Place { start, end, .. } = suggestion.place;
            mended.replace_range(start as usize..end as usize, &suggestion.text);
        }
        mended
    }

    #[test]
    fn an_unused_suppression_can_be_removed_safely() {
        assert_eq!(mended(&format!("{RULE}  {ALLOW}\n{OTHER}")), format!("{RULE}{OTHER}"));
        let (trailing, rule) = (format!("{} é {ALLOW}\r\n", "# x"), RULE.trim_end());
        assert_eq!(mended(&format!("{rule}  {ALLOW}\r\n{trailing}")), format!("{rule}\r\n{trailing}"));
        assert_eq!(mended(&format!("{rule}\n{ALLOW}")), format!("{rule}\n"));
    }

    #[test]
    fn an_unused_part_of_a_suppression_can_be_removed_safely() {
        let text = "# taskbot: allow TB0690, unknown-code because a later version knows more\n\
                    on koji.build.completed\n  # taskbot: allow TB0999 because new\n  run rpmlint\n";
        assert_eq!(found(text).len(), 1);
        assert_eq!(mended(text), text.replace("TB0690, ", ""));
    }

    #[test]
    fn a_program_with_errors_has_no_unused_suppressions() {
        let comment = "# taskbot: allow unused-let because it is shared\n";
        assert_eq!(ids(&format!("{comment}{RULE}")), ["TB0694"]);
        assert_eq!(ids(&format!("{comment}on koji.build.completed run rmplint\n")), ["TB0202"]);
        assert_eq!(ids(&format!("{comment}let kernels = [\"kernel\"]\n{RULE}")), [""; 0]);
    }

    #[test]
    fn two_suppressions_of_one_thing_are_one_too_many() {
        let text = format!("{ALLOW}\n{ALLOW}\non koji.build.completed\n  {LATER}\n  run rpmlint\n");
        assert_eq!(ids(&text), ["TB0694"]);
    }
}
