//! Items to syntax tree, by pest.
//!
//! Comes in: the text of a file. Goes out: the tree of every item that could be read, and all syntax errors in the order of their
//! places. It never fails and never looks at what names mean. The pairs of pest end in this room: no other file sees them.
//!
//! Here: the way through a file, and names, strings and numbers. `rule`, `declaration`, `test` and `expression` read what
//! their names say. `quick` reads the rules that are as they should be from their tokens, without pest; it changes no result.

mod declaration;
mod expression;
mod quick;
mod rule;
mod test;

use std::borrow::Cow;

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::{Pair, Pairs};

use crate::token::{self, Token, TokenKind};
use crate::tree::*;
use crate::words::word;

pub(crate) mod pest_grammar {
    //! What `pest_derive` makes of the normative grammar.
    #[derive(pest_derive::Parser)]
    #[grammar = "../taskbot.pest"]
    pub(crate) struct ItemParser;
}

use pest_grammar::{ItemParser, Rule as R};

/// Steps that pest may take for one item: the largest real ones take some thousands, a list of 100 000 names about 4 million.
const CALL_LIMIT: usize = 5_000_000;
/// What a number that is too large is taken for, so that nobody complains about it twice.
const IN_ITS_PLACE: u8 = 1;

/// Reads a file. The tree holds every item without an error.
pub fn parse(text: &str) -> (File, Vec<SyntaxError>) {
    items(text, quick::rule)
}

/// The same by the normative grammar alone, which is slow: what `parse` is judged by.
pub fn parse_by_grammar(text: &str) -> (File, Vec<SyntaxError>) {
    items(text, |_, _| None)
}

/// Reads a file. A rule that `quick` cannot read is left to pest, like everything that is no rule.
fn items(text: &str, quick: fn(&str, &[Token]) -> Option<Rule>) -> (File, Vec<SyntaxError>) {
    let words = token::words(text);
    let (raw, mut errors) = token::items(text, &words);
    let mut file = File { items: Vec::with_capacity(raw.len()) };
    for item in raw {
        let before =
            item.words.start.checked_sub(1).and_then(|at| words.get(at)).map_or(0, |word| word.span.end);
        let kind = match quick(text, words.get(item.words).unwrap_or_default()) {
            Some(rule) => Some(ItemKind::Rule(rule)),
            None => by_pest(text, item.span, &mut errors),
        };
        if let Some(kind) = kind {
            let doc = token::doc_between(text, before, item.span.start);
            file.items.push(Item { span: item.span, doc, kind });
        }
    }
    errors.sort_by_key(|e| e.span);
    (file, errors)
}

/// The paths that a file uses: nothing else of it is parsed.
pub fn uses(text: &str) -> Vec<Name> {
    let (items, _) = token::items(text, &token::words(text));
    let used = items.into_iter().filter(|item| item.span.of(text).starts_with("use"));
    used.filter_map(|item| match by_pest(text, item.span, &mut Vec::new()) {
        Some(ItemKind::Use(path)) => Some(path),
        _ => None,
    })
    .collect()
}

/// One item as the normative grammar reads it.
fn by_pest(text: &str, item: Span, errors: &mut Vec<SyntaxError>) -> Option<ItemKind> {
    pest::set_call_limit(std::num::NonZeroUsize::new(CALL_LIMIT));
    let tokens = tokens_of(text, item);
    match ItemParser::parse(R::item, item.of(text)) {
        Ok(pairs) => {
            let mut reader = Reader { text, tokens: &tokens, base: item.start, errors: Vec::new() };
            let kind = pairs.into_iter().next().and_then(|pair| reader.item(pair));
            errors.append(&mut reader.errors);
            kind
        }
        Err(error) => {
            errors.push(reword(text, &tokens, item, error));
            None
        }
    }
}

/// The tokens of an item, which begins and ends with one.
fn tokens_of(text: &str, item: Span) -> Vec<Token> {
    let mut tokens = token::tokens(item.of(text));
    for token in &mut tokens {
        token.span.start = token.span.start.saturating_add(item.start);
        token.span.end = token.span.end.saturating_add(item.start);
    }
    tokens
}

/// What pest could not read, in the words of the language: the token found, and what could stand there.
fn reword(text: &str, tokens: &[Token], item: Span, error: pest::error::Error<R>) -> SyntaxError {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => {
            item.start.saturating_add(Span::new(at, at).start)
        }
    };
    let from = tokens.partition_point(|t| t.span.end <= at);
    let mut rest = tokens
        .get(from..)
        .unwrap_or_default()
        .iter()
        .filter(|t| !t.kind.is_trivia())
        .take_while(|t| t.span.start < item.end);
    let mut found = rest.next();
    let ErrorVariant::ParsingError { positives, .. } = error.variant else {
        return SyntaxError { span: item, kind: SyntaxErrorKind::TooLarge };
    };
    let mut expected: Vec<&'static str> = positives.into_iter().filter_map(word).collect();
    expected.sort_unstable();
    expected.dedup();
    // A sign is no rule of the grammar, so what lacks it is said to begin wrongly: say where the sign belongs.
    let lacks = match (expected.as_slice(), found.map(|t| t.span.of(text))) {
        (["`name: value`"], Some(_)) => Some((0, "`:`")),
        (_, Some("let")) if expected.contains(&"`let`") => Some((1, "`=`")),
        (_, Some("enum" | "record" | "task")) if expected.contains(&"`enum`") => Some((1, "`{`")),
        _ => None,
    };
    if let Some((behind, sign)) = lacks
        && found.is_some_and(|t| t.kind == TokenKind::Word)
    {
        found = rest.nth(behind);
        expected = vec![sign];
    }
    let span = found.map_or(Span { start: item.end.saturating_sub(1), end: item.end }, |t| t.span);
    let found = found.map_or(String::new(), |t| t.span.of(text).to_owned());
    SyntaxError { span, kind: SyntaxErrorKind::Unexpected { found, expected } }
}

/// Turns the pairs of one item into the tree. A missing child cannot be: the grammar gave it; `None` then only ends the item.
struct Reader<'t> {
    text: &'t str,
    /// Those of the item.
    tokens: &'t [Token],
    base: u32,
    errors: Vec<SyntaxError>,
}

impl Reader<'_> {
    /// Where a pair stands, without the blanks and comments that pest takes along before an optional part that is not there.
    fn span(&self, pair: &Pair<'_, R>) -> Span {
        let span = pair.as_span();
        let local = Span::new(span.start(), span.end());
        let start = self.base.saturating_add(local.start);
        let mut end = self.base.saturating_add(local.end);
        let ends_by = |end: u32| self.tokens.partition_point(|t| t.span.end <= end);
        for token in self.tokens.get(..ends_by(end)).unwrap_or_default().iter().rev() {
            if token.span.end != end || token.span.start < start || !token.kind.is_trivia() {
                break;
            }
            end = token.span.start;
        }
        Span { start, end }
    }

    fn doc(&self, pair: &Pair<'_, R>) -> String {
        token::doc_before(self.text, self.tokens, self.span(pair).start)
    }

    fn item(&mut self, pair: Pair<'_, R>) -> Option<ItemKind> {
        let kind = pair.as_rule();
        let mut inner = significant(pair);
        Some(match kind {
            R::rule => ItemKind::Rule(self.rule(inner)?),
            R::event => ItemKind::Event(self.event(inner)?),
            R::record => {
                let name = self.name(inner.next()?)?;
                let (mut fields, mut identity) = (Vec::new(), Vec::new());
                for member in inner {
                    match member.as_rule() {
                        R::field => fields.push(self.field(member)?),
                        _ => identity = significant(member).map(|p| self.name(p)).collect::<Option<_>>()?,
                    }
                }
                ItemKind::Record(Record { name, fields, identity })
            }
            R::enumeration => {
                let name = self.name(inner.next()?)?;
                ItemKind::Enum(Enum { name, values: inner.map(|p| self.name(p)).collect::<Option<_>>()? })
            }
            R::fact => ItemKind::Fact(Fact {
                on: self.name(inner.next()?)?,
                name: self.name(inner.next()?)?,
                ty: self.ty(inner.next()?)?,
                key: self.expr(inner.next()?)?,
            }),
            R::task => ItemKind::Task(self.task(inner)?),
            R::binding => {
                ItemKind::Let(Let { name: self.name(inner.next()?)?, value: self.expr(inner.next()?)? })
            }
            R::import => ItemKind::Use(self.name(inner.next()?)?),
            R::test => ItemKind::Test(self.test(inner)?),
            _ => return None,
        })
    }

    /// A word, dotted words or a string, as a name.
    fn name(&mut self, pair: Pair<'_, R>) -> Option<Name> {
        let span = self.span(&pair);
        let text =
            if pair.as_rule() == R::string { self.string(&pair) } else { Cow::Borrowed(pair.as_str()) };
        Some(Name { text: text.into(), span })
    }

    fn arguments(&mut self, pair: Pair<'_, R>) -> Option<Vec<(Name, Expr)>> {
        significant(pair)
            .map(|argument| {
                let mut inner = significant(argument);
                Some((self.name(inner.next()?)?, self.expr(inner.next()?)?))
            })
            .collect()
    }

    /// What stands in `r"..."`, as it stands there; else a string with its escapes resolved.
    fn pattern(&mut self, pair: &Pair<'_, R>) -> Name {
        let span = self.span(pair);
        let text = match pair.as_rule() {
            R::raw_string => Cow::Borrowed(raw(pair.as_str())),
            _ => self.string(pair),
        };
        Name { text: text.into(), span }
    }

    fn string<'p>(&mut self, pair: &Pair<'p, R>) -> Cow<'p, str> {
        unescaped(pair.as_str()).unwrap_or_else(|BadEscapes { count, rest }| {
            let error = SyntaxError { span: self.span(pair), kind: SyntaxErrorKind::BadEscape };
            self.errors.extend(std::iter::repeat_n(error, count));
            Cow::Owned(rest)
        })
    }

    fn duration(&mut self, pair: &Pair<'_, R>) -> u64 {
        duration_ms(pair.as_str()).unwrap_or_else(|| {
            self.errors.push(SyntaxError { span: self.span(pair), kind: SyntaxErrorKind::NumberTooLarge });
            IN_ITS_PLACE.into()
        })
    }
}

/// What stands between the quotes of `r"..."`.
fn raw(written: &str) -> &str {
    written.get(2..written.len().saturating_sub(1)).unwrap_or_default()
}

/// Escapes that the language does not have.
struct BadEscapes {
    count: usize,
    /// The string without them.
    rest: String,
}

/// What stands between the quotes of `"..."`, with its escapes resolved.
fn unescaped(written: &str) -> Result<Cow<'_, str>, BadEscapes> {
    let raw = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
    if !raw.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let (mut rest, mut count) = (String::with_capacity(raw.len()), 0_usize);
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match escaped {
            None => rest.push(c),
            Some('n') => rest.push('\n'),
            Some('t') => rest.push('\t'),
            Some(c @ ('"' | '\\')) => rest.push(c),
            Some(_) => count = count.saturating_add(1),
        }
    }
    if count == 0 { Ok(Cow::Owned(rest)) } else { Err(BadEscapes { count, rest }) }
}

/// The milliseconds of a duration like `24h`; none beyond 64 bits, or if it is none.
fn duration_ms(written: &str) -> Option<u64> {
    let digits = written.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match written.get(digits.len()..) {
        Some("ms") => 1,
        Some("s") => 1_000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        _ => 86_400_000,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// The children of a pair without its keywords and end mark.
fn significant(pair: Pair<'_, R>) -> impl Iterator<Item = Pair<'_, R>> {
    let inner: Pairs<'_, R> = pair.into_inner();
    inner.filter(|p| {
        !matches!(
            p.as_rule(),
            R::EOI
                | R::kw_rule
                | R::kw_on
                | R::kw_where
                | R::kw_run
                | R::kw_for
                | R::kw_in
                | R::kw_except
                | R::kw_event
                | R::kw_each
                | R::kw_dialect
                | R::kw_topic
                | R::kw_body
                | R::kw_happening
                | R::kw_within
                | R::kw_record
                | R::kw_identity
                | R::kw_else
                | R::kw_enum
                | R::kw_fact
                | R::kw_key
                | R::kw_task
                | R::kw_repository
                | R::kw_at
                | R::kw_emits
                | R::kw_has
                | R::kw_like
                | R::kw_is
                | R::kw_null
                | R::kw_absent
                | R::kw_not
                | R::kw_or
                | R::kw_and
                | R::kw_matches
                | R::kw_count
                | R::kw_once
                | R::kw_per
                | R::kw_after
                | R::kw_quiet
                | R::kw_most
                | R::kw_superseding
                | R::kw_limit
                | R::kw_group
                | R::kw_priority
                | R::kw_timeout
                | R::kw_may
                | R::kw_loop
                | R::kw_let
                | R::kw_use
                | R::kw_test
                | R::kw_given
                | R::kw_from
                | R::kw_with
                | R::kw_expect
                | R::kw_nothing
                | R::kw_quarantine
                | R::kw_deprecated
        )
    })
}

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
mod quick_tests;
#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests")]
    use super::*;

    fn one(text: &str) -> ItemKind {
        let (file, errors) = parse(text);
        assert_eq!(errors, [], "{text}");
        let [item] = file.items.as_slice() else { panic!("{} items in {text}", file.items.len()) };
        item.kind.clone()
    }

    fn condition(text: &str) -> String {
        let ItemKind::Rule(rule) = one(&format!("on e where {text} run t")) else { panic!("no rule") };
        sketch(&rule.condition.unwrap_or_else(|| panic!("no condition")))
    }

    #[test]
    fn places_hold_no_blanks_or_comments_at_their_end() {
        let text = "on e where a.b == 1 # why\n  run t";
        let ItemKind::Rule(rule) = one(text) else { panic!("no rule") };
        assert_eq!(rule.condition.map(|c| c.span.of(text)), Some("a.b == 1"));
    }

    #[test]
    fn what_is_called_has_a_name_without_blanks() {
        for text in ["a.b(n: c)", "a . b (n: c)", "a. # why\n b(n: c)"] {
            assert!(condition(text).starts_with("Apply(Name { text: \"a.b\""), "{text}");
        }
    }

    /// The structure of an expression in brackets.
    fn sketch(expr: &Expr) -> String {
        let all = |es: &[Expr], by: &str| format!("({})", es.iter().map(sketch).collect::<Vec<_>>().join(by));
        match &expr.kind {
            ExprKind::Path(names) => names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join("."),
            ExprKind::And(es) => all(es, " and "),
            ExprKind::Or(es) => all(es, " or "),
            ExprKind::Not(e) => format!("!{}", sketch(e)),
            ExprKind::Else(a, b) => format!("({} else {})", sketch(a), sketch(b)),
            ExprKind::Compare(_, a, b) => format!("({} ? {})", sketch(a), sketch(b)),
            ExprKind::In(a, b) => format!("({} in {})", sketch(a), sketch(b)),
            ExprKind::List(es) => all(es, ","),
            ExprKind::Has(e) => format!("has {}", sketch(e)),
            ExprKind::Quantified { list, condition, .. } => {
                format!("Q({} | {})", sketch(list), sketch(condition))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn binding_is_else_comparison_not_and_or() {
        assert_eq!(condition("a or b and not c == d else e"), "(a or (b and !(c ? (d else e))))");
        assert_eq!(condition("not not a and has b.c"), "(!!a and has b.c)");
        assert_eq!(condition("(any b in x.y where b.z in [C, D])"), "Q(x.y | (b.z in (C,D)))");
        assert_eq!(condition("(a or b) and c"), "((a or b) and c)");
    }

    #[test]
    fn a_sign_is_missed_where_it_belongs() {
        for (text, at) in
            [("on a run b(c = 1)", "="), ("let a [1]", "["), ("let a b = 1", "b"), ("enum a low", "low")]
        {
            let (_, errors) = parse(text);
            assert_eq!(errors.iter().map(|e| e.span.of(text)).collect::<Vec<_>>(), [at], "{text}");
        }
    }

    #[test]
    fn many_errors_take_linear_time() {
        let text = "on a where b = 1 run c\n".repeat(20_000);
        assert_eq!(parse(&text).1.len(), 20_000);
    }

    #[test]
    fn a_number_that_is_too_large_is_one_error() {
        let (file, errors) = parse("on a run b at most 99999999999999999999 per 99999999999999999999d");
        assert_eq!(errors.len(), 2);
        let [Item { kind: ItemKind::Rule(rule), .. }] = file.items.as_slice() else { panic!("no rule") };
        assert!(!format!("{rule:?}").contains("(0"), "{rule:?}");
    }

    #[test]
    fn not_may_stand_before_a_relation() {
        assert_eq!(condition("a not in [B]"), condition("not a in [B]"));
        assert_eq!(condition("a not in [B] and c"), "(!(a in (B)) and c)");
        for relation in ["like \"x*\"", "matches r\"^x\""] {
            assert!(condition(&format!("a not {relation}")).starts_with('!'), "{relation}");
        }
        assert_eq!(parse("on e where a not == b run t").1.len(), 1);
    }

    #[test]
    fn keywords_are_names_after_a_dot() {
        assert_eq!(condition("koji.task.in == on-call"), "(koji.task.in ? on-call)");
    }

    #[test]
    fn the_seven_rules_shape() {
        let ItemKind::Rule(rule) = one(
            "on a.b\n  where p.n in [\"x\", \"y\"]\n  run t(q: p), u for c in [X, Y] for d in p.as except (X, _)",
        ) else {
            panic!("no rule")
        };
        assert_eq!((rule.calls.len(), rule.axes.len(), rule.except.len()), (2, 2, 1));
    }

    #[test]
    fn an_error_names_the_token_found_and_costs_one_item() {
        let text = "on a where run b\n\non c run d";
        let (file, errors) = parse(text);
        assert_eq!(file.items.len(), 1);
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!(error.span.of(text), "run");
        assert!(
            matches!(&error.kind, SyntaxErrorKind::Unexpected { found, .. } if found == "run"),
            "{error:?}"
        );
    }

    #[test]
    fn hostile_text_ends() {
        for text in [
            "not ".repeat(20_000),
            "a else ".repeat(20_000),
            "x.".repeat(50_000),
            "\"".repeat(9_999),
            "\u{0}".into(),
        ] {
            let _ = parse(&format!("on e where {text}x run t"));
            let _ = parse(&text);
        }
    }
}
