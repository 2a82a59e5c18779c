//! Text to tokens: the lossless lexer, and the split of a file into items.
//!
//! Comes in: the text of a .tb file. Goes out: every token with its place, white space and comments included (the tokens'
//! texts joined are the file), the items as ranges of bytes, and what could not be read. Runs in linear time, also on
//! hostile text: nesting is counted here, before any recursive parser sees it.

use std::ops::Range;

use logos::Logos;

use crate::tree::{Span, SyntaxError, SyntaxErrorKind};

/// Deepest nesting of brackets in one item; people stay under 10. A level costs the parser some 35 KB of stack in debug builds,
/// where threads have 2 MB.
pub const NESTING_LIMIT: usize = 32;

/// The kind of a token.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Blanks and line ends.
    #[regex(r"[ \t\r\n]+")]
    Space,
    /// `## ...`: documentation of what follows.
    #[regex(r"##[^\n]*", allow_greedy = true)]
    Doc,
    /// `# ...`
    #[regex(r"#([^#\n][^\n]*)?", allow_greedy = true)]
    Comment,
    /// A name or a keyword.
    #[regex(r"[A-Za-z][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")]
    Word,
    /// A whole number, number or duration.
    #[regex(r"-?[0-9]+(\.[0-9]+)?(ms|s|m|h|d)?")]
    Number,
    /// `r"..."` on one line, without escapes.
    #[regex(r#"r"[^"\n]*""#)]
    RawString,
    /// `"..."` on one line.
    #[regex(r#""(\\[^\n]|[^"\\\n])*""#)]
    String,
    /// `(`, `[` or `{`
    #[regex(r"[(\[{]")]
    Open,
    /// `)`, `]` or `}`
    #[regex(r"[)\]}]")]
    Close,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`, `=`
    #[regex(r"==|!=|<=|>=|<|>|=")]
    Operator,
    /// `.`, `,`, `:`, `?`, `_`
    #[regex(r"[.,:?_]")]
    Punctuation,
    /// Anything else.
    Error,
}

impl TokenKind {
    /// Whether it is only there for people: blanks and comments.
    pub const fn is_trivia(self) -> bool {
        matches!(self, Self::Space | Self::Doc | Self::Comment)
    }
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Span,
}

/// Words that begin an item.
pub const ITEM_KEYWORDS: [&str; 7] = ["enum", "event", "fact", "on", "record", "rule", "task"];
/// Words that begin an item only before what must follow them; elsewhere they are names.
pub const CONTEXTUAL_KEYWORDS: [&str; 3] = ["let", "test", "use"];

/// Fewer bytes than a token has in most files, blanks included.
const BYTES_A_TOKEN: usize = 3;

/// Fewer bytes than a word has in most files, with the blanks before it.
const BYTES_A_WORD: usize = 6;

/// Cuts text into tokens; neighbouring unreadable bytes are one error token.
pub fn tokens(text: &str) -> Vec<Token> {
    lexed(text, BYTES_A_TOKEN, |_| true)
}

/// The tokens that are not only there for people.
pub fn words(text: &str) -> Vec<Token> {
    lexed(text, BYTES_A_WORD, |kind| !kind.is_trivia())
}

fn lexed(text: &str, bytes_each: usize, wanted: impl Fn(TokenKind) -> bool) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(text.len().checked_div(bytes_each).unwrap_or_default());
    let mut lexer = TokenKind::lexer(text);
    while let Some(result) = lexer.next() {
        let range = lexer.span();
        let span = Span::new(range.start, range.end);
        match (result, out.last_mut()) {
            (Ok(kind), _) if !wanted(kind) => {}
            (Ok(kind), _) => out.push(Token { kind, span }),
            (Err(()), Some(last)) if last.kind == TokenKind::Error && last.span.end == span.start => {
                last.span.end = span.end;
            }
            (Err(()), _) => out.push(Token { kind: TokenKind::Error, span }),
        }
    }
    out
}

/// An item's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawItem {
    /// From its first to its last word.
    pub span: Span,
    /// Its words, by their places among all of them.
    pub words: Range<usize>,
}

/// Splits words into items at item keywords outside of brackets. Unreadable text, wrong brackets and text that
/// belongs to no item become errors; an item with such an error is left out.
pub fn items(text: &str, words: &[Token]) -> (Vec<RawItem>, Vec<SyntaxError>) {
    let mut errors = Vec::new();
    let groups = group(text, words);
    let mut out = Vec::with_capacity(groups.len());
    let mut open = Vec::new();
    for range in groups {
        let group = words.get(range.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let before = errors.len();
        open.clear();
        check_tokens(text, group, &mut open, &mut errors);
        let word = first.span.of(text);
        if errors.len() > before {
            continue;
        }
        if ITEM_KEYWORDS.contains(&word) || CONTEXTUAL_KEYWORDS.contains(&word) {
            out.push(RawItem { span: first.span.to(last.span), words: range });
        } else {
            errors.push(SyntaxError { span: first.span, kind: SyntaxErrorKind::NoItem(word.to_owned()) });
        }
    }
    (out, errors)
}

/// The names that declarations give to something, also those of declarations that cannot be read further on.
pub fn declared(text: &str) -> Vec<String> {
    let words = words(text);
    let name = |group: Range<usize>| {
        let (first, rest) = words.get(group)?.split_first()?;
        let declares = ["enum", "event", "let", "record", "task"].contains(&first.span.of(text));
        let parts = rest.iter().enumerate().take_while(|(at, token)| {
            if at % 2 == 0 { token.kind == TokenKind::Word } else { token.span.of(text) == "." }
        });
        declares.then(|| parts.map(|(_, token)| token.span.of(text)).collect())
    };
    group(text, &words).into_iter().filter_map(name).collect()
}

/// Runs of tokens that each begin an item. An item keyword begins one outside of brackets, except as a name (after a dot, before
/// a colon, after a declaration keyword) and except the `on` of `rule NAME on`. Inside of brackets one that stands at the
/// start of a line and looks like an item begins one too: the bracket before it was never closed.
fn group(text: &str, words: &[Token]) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut depth = 0usize;
    for (i, token) in words.iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Word => {
                let word = token.span.of(text);
                if !may_begin(word) || !ITEM_KEYWORDS.contains(&word) && !begins_by_context(text, words, i) {
                    continue;
                }
                let near = |n: Option<usize>| n.and_then(|n| words.get(n)).map_or("", |t| t.span.of(text));
                let previous = near(i.checked_sub(1));
                let next = near(i.checked_add(1));
                let is_name = previous == "." || matches!(next, ":" | "=" | ".");
                let named = starts.last() == i.checked_sub(1).as_ref()
                    && previous != "on"
                    && ITEM_KEYWORDS.contains(&previous);
                let of_rule = word == "on"
                    && starts.last() == i.checked_sub(2).as_ref()
                    && near(i.checked_sub(2)) == "rule";
                let at_line_start =
                    text.get(..token.span.start as usize).is_none_or(|t| t.is_empty() || t.ends_with('\n'));
                if !is_name && !named && !of_rule && (depth == 0 || at_line_start) {
                    starts.push(i);
                    depth = 0;
                }
            }
            _ => {}
        }
    }
    if starts.first() != Some(&0) && !words.is_empty() {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([words.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Whether a word begins an item somewhere: asked of every word of a file, and faster than a look into tables.
fn may_begin(word: &str) -> bool {
    matches!(word, "enum" | "event" | "fact" | "let" | "on" | "record" | "rule" | "task" | "test" | "use")
}

/// Whether a word is `let`, `test` or `use` before what must follow it, or at the start of a line.
fn begins_by_context(text: &str, words: &[Token], at: usize) -> bool {
    let token = |n: usize| at.checked_add(n).and_then(|at| words.get(at));
    let Some(word) = token(0) else { return false };
    let kind = |n: usize| token(n).map(|t| t.kind);
    let follows = match word.span.of(text) {
        "let" => kind(1) == Some(TokenKind::Word) && token(2).is_some_and(|t| t.span.of(text) == "="),
        "test" | "use" => kind(1) == Some(TokenKind::String),
        _ => return false,
    };
    follows || text.get(..word.span.start as usize).is_none_or(|t| t.is_empty() || t.ends_with('\n'))
}

/// Unreadable tokens and brackets that do not pair; `open` is empty before, and holds those that are still open.
fn check_tokens<'t>(
    text: &'t str,
    group: &[Token],
    open: &mut Vec<(Token, &'t str)>,
    errors: &mut Vec<SyntaxError>,
) {
    for token in group {
        if !matches!(token.kind, TokenKind::Error | TokenKind::Open | TokenKind::Close) {
            continue;
        }
        let word = token.span.of(text);
        match token.kind {
            TokenKind::Error => {
                let kind = if word.starts_with('"') {
                    SyntaxErrorKind::OpenString
                } else {
                    SyntaxErrorKind::Unreadable
                };
                errors.push(SyntaxError { span: token.span, kind });
                return;
            }
            TokenKind::Open => {
                if open.len() >= NESTING_LIMIT {
                    errors.push(SyntaxError { span: token.span, kind: SyntaxErrorKind::TooDeep });
                    return;
                }
                open.push((*token, word));
            }
            TokenKind::Close => match (open.pop(), word) {
                (Some((_, "(")), ")") | (Some((_, "[")), "]") | (Some((_, "{")), "}") => {}
                (other, _) => {
                    let kind = SyntaxErrorKind::WrongBracket(other.map(|(t, _)| t.span));
                    errors.push(SyntaxError { span: token.span, kind });
                    return;
                }
            },
            _ => {}
        }
    }
    if let Some((token, _)) = open.first() {
        errors.push(SyntaxError { span: token.span, kind: SyntaxErrorKind::Unclosed });
    }
}

/// The `##` lines directly before an item, without their marks: at the end of what stands between it and the word before.
pub fn doc_between(text: &str, from: u32, to: u32) -> String {
    let between = Span { start: from, end: to }.of(text);
    if !between.contains('#') {
        return String::new();
    }
    doc_before(between, &tokens(between), to.saturating_sub(from))
}

/// The `##` lines directly before a place, without their marks.
pub fn doc_before(text: &str, tokens: &[Token], start: u32) -> String {
    let end = tokens.partition_point(|t| t.span.start < start);
    let mut lines: Vec<&str> = tokens
        .get(..end)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|t| matches!(t.kind, TokenKind::Space | TokenKind::Doc))
        .filter(|t| t.kind == TokenKind::Doc)
        .map(|t| t.span.of(text).trim_start_matches('#').trim())
        .collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item_texts(text: &str) -> Vec<&str> {
        items(text, &words(text)).0.iter().map(|i| i.span.of(text)).collect()
    }

    #[test]
    fn every_word_that_begins_an_item_may_begin_one() {
        for word in ITEM_KEYWORDS.into_iter().chain(CONTEXTUAL_KEYWORDS) {
            assert!(may_begin(word), "{word}");
        }
    }

    #[test]
    fn words_are_tokens() {
        let text = "## doc\non a.b # c\n\twhere x == \"é\" $ $$ \"open run t";
        let all = tokens(text).into_iter().filter(|token| !token.kind.is_trivia());
        assert_eq!(words(text), all.collect::<Vec<_>>());
    }

    #[test]
    fn tokens_are_lossless() {
        let text = "## doc\non a.b # c\n\twhere x == \"é\" run t \u{1F600} -5 24h";
        let joined: String = tokens(text).iter().map(|t| t.span.of(text)).collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn items_split_at_keywords_outside_brackets() {
        let text = "on a run b on c where d.on == 1 run e\nrule f on g run h\ntask on { rule: nvr }\nfact nvr.lang: l { key on }";
        assert_eq!(item_texts(text).len(), 5, "{:?}", item_texts(text));
    }

    #[test]
    fn an_open_bracket_costs_one_item() {
        let text = "event a {\n  x: int\n\non b run c\n";
        let (items, errors) = items(text, &words(text));
        assert_eq!(items.len(), 1);
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn nesting_is_bounded_in_linear_time() {
        let text = format!("on a where {}1 run b", "(".repeat(100_000));
        let (items, errors) = items(&text, &words(&text));
        assert!(items.is_empty());
        assert_eq!(errors.iter().map(|e| e.kind.clone()).collect::<Vec<_>>(), [SyntaxErrorKind::TooDeep]);
    }
}
