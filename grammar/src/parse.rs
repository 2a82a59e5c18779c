//! Items to syntax tree, by pest.
//!
//! Comes in: the text of a file. Goes out: the tree of every item that could be read, and all syntax errors in the order of their
//! places. It never fails and never looks at what names mean. The pairs of pest end here: no other file sees them.

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

/// Reads a file. The tree holds every item without an error.
pub fn parse(text: &str) -> (File, Vec<SyntaxError>) {
    pest::set_call_limit(std::num::NonZeroUsize::new(CALL_LIMIT));
    let tokens = token::tokens(text);
    let (raw, mut errors) = token::items(text, &tokens);
    let mut file = File::default();
    for item in raw {
        match ItemParser::parse(R::item, item.span.of(text)) {
            Ok(pairs) => {
                let mut reader = Reader { text, tokens: &tokens, base: item.span.start, errors: Vec::new() };
                if let Some(kind) = pairs.into_iter().next().and_then(|pair| reader.item(pair)) {
                    let doc = token::doc_before(text, &tokens, item.span.start);
                    file.items.push(Item { span: item.span, doc, kind });
                }
                errors.append(&mut reader.errors);
            }
            Err(error) => errors.push(reword(text, &tokens, item.span, error)),
        }
    }
    errors.sort_by_key(|e| e.span);
    (file, errors)
}

/// What pest could not read, in the words of the language: the token found, and what could stand there.
fn reword(text: &str, tokens: &[Token], item: Span, error: pest::error::Error<R>) -> SyntaxError {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => {
            item.start.saturating_add(Span::new(at, at).start)
        }
    };
    let found = tokens
        .iter()
        .filter(|t| !matches!(t.kind, TokenKind::Space | TokenKind::Comment | TokenKind::Doc))
        .find(|t| t.span.end > at && t.span.start < item.end);
    let ErrorVariant::ParsingError { positives, .. } = error.variant else {
        return SyntaxError { span: item, kind: SyntaxErrorKind::TooLarge };
    };
    let mut expected: Vec<&'static str> = positives.into_iter().filter_map(word).collect();
    expected.sort_unstable();
    expected.dedup();
    let span = found.map_or(Span { start: item.end.saturating_sub(1), end: item.end }, |t| t.span);
    let found = found.map_or(String::new(), |t| t.span.of(text).to_owned());
    SyntaxError { span, kind: SyntaxErrorKind::Unexpected { found, expected } }
}

/// Turns the pairs of one item into the tree. A missing child cannot be: the grammar gave it; `None` then only ends the item.
struct Reader<'t> {
    text: &'t str,
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
            _ => return None,
        })
    }

    fn rule<'p>(&mut self, inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Rule> {
        let mut rule = Rule {
            name: None,
            event: Name { text: String::new(), span: Span::default() },
            condition: None,
            calls: Vec::new(),
            axes: Vec::new(),
            except: Vec::new(),
        };
        for part in inner {
            match part.as_rule() {
                R::any_name => rule.name = Some(self.name(part)?),
                R::event_name => rule.event = self.name(part)?,
                R::where_part => rule.condition = Some(self.expr(significant(part).next()?)?),
                R::call => {
                    let mut inner = significant(part);
                    let task = self.name(inner.next()?)?;
                    let arguments = inner.next().map_or(Some(Vec::new()), |p| self.arguments(p))?;
                    rule.calls.push(Call { task, arguments });
                }
                R::axis => {
                    let mut inner = significant(part);
                    rule.axes.push(AxisDecl {
                        name: self.name(inner.next()?)?,
                        source: self.expr(inner.next()?)?,
                    });
                }
                _ => {
                    for combination in significant(part) {
                        let span = self.span(&combination);
                        let values = significant(combination)
                            .map(|p| {
                                if p.as_rule() == R::any_value { Some(None) } else { self.expr(p).map(Some) }
                            })
                            .collect::<Option<_>>()?;
                        rule.except.push((span, values));
                    }
                }
            }
        }
        Some(rule)
    }

    fn event<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Event> {
        let name = self.name(inner.next()?)?;
        let (mut values, mut dialects) = (Vec::new(), Vec::new());
        for member in inner {
            let doc = self.doc(&member);
            if member.as_rule() == R::dialect {
                dialects.push(self.dialect(doc, significant(member))?);
                continue;
            }
            let varies = member.clone().into_inner().next().is_some_and(|p| p.as_rule() == R::kw_each);
            let mut inner = significant(member);
            values.push(ValueDecl {
                doc,
                varies: if varies { Varies::Subject } else { Varies::Message },
                name: self.name(inner.next()?)?,
                ty: self.ty(inner.next()?)?,
            });
        }
        Some(Event { name, values, dialects })
    }

    fn dialect<'p>(&mut self, doc: String, mut inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Dialect> {
        let mut dialect = Dialect {
            name: self.name(inner.next()?)?,
            doc,
            topics: Vec::new(),
            conditions: Vec::new(),
            body: Vec::new(),
            subjects: None,
            happening: None,
            values: Vec::new(),
        };
        for part in inner {
            let span = self.span(&part);
            let kind = part.as_rule();
            let mut inner = significant(part);
            match kind {
                R::topics => {
                    for topic in inner {
                        dialect.topics.push(self.name(topic)?);
                    }
                }
                R::where_part => dialect.conditions.push(self.expr(inner.next()?)?),
                R::body => {
                    for field in significant(inner.next()?) {
                        dialect.body.push(self.field(field)?);
                    }
                }
                R::subjects => {
                    dialect.subjects = Some((self.name(inner.next()?)?, self.expr(inner.next()?)?))
                }
                R::happening => {
                    let (mut key, mut within_ms) = (Vec::new(), 0);
                    for p in inner {
                        match p.as_rule() {
                            R::duration => within_ms = self.duration(&p),
                            _ => key.push(self.expr(p)?),
                        }
                    }
                    dialect.happening = Some(HappeningDecl { span, key, within_ms });
                }
                _ => {
                    let name = self.name(inner.next()?)?;
                    let right = inner.next()?;
                    let value = if right.as_rule() == R::record_value {
                        ValueExpr::Record(self.span(&right), self.arguments(right)?)
                    } else {
                        ValueExpr::Expr(self.expr(right)?)
                    };
                    dialect.values.push((name, value));
                }
            }
        }
        Some(dialect)
    }

    fn task<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Task> {
        let mut task =
            Task { name: self.name(inner.next()?)?, params: Vec::new(), repository: None, emits: Vec::new() };
        for member in inner {
            let doc = self.doc(&member);
            let kind = member.as_rule();
            let mut inner = significant(member);
            match kind {
                R::param => task.params.push(ParamDecl {
                    doc,
                    name: self.name(inner.next()?)?,
                    ty: self.ty(inner.next()?)?,
                    default: inner.next().map_or(Some(None), |p| self.expr(p).map(Some))?,
                }),
                R::repository => {
                    let url = self.name(inner.next()?)?;
                    task.repository =
                        Some((url, inner.next().map_or(Some(None), |p| self.name(p).map(Some))?));
                }
                _ => {
                    for event in inner {
                        task.emits.push(self.name(event)?);
                    }
                }
            }
        }
        Some(task)
    }

    fn field(&mut self, pair: Pair<'_, R>) -> Option<Field> {
        let doc = self.doc(&pair);
        let mut inner = significant(pair);
        Some(Field { doc, name: self.name(inner.next()?)?, ty: self.ty(inner.next()?)? })
    }

    fn ty(&mut self, pair: Pair<'_, R>) -> Option<TypeExpr> {
        let span = self.span(&pair);
        let mut inner = significant(pair);
        let base = inner.next()?;
        let kind = match base.as_rule() {
            R::list_type => TypeKind::List(Box::new(self.ty(significant(base).next()?)?)),
            R::shape => TypeKind::Shape(significant(base).map(|f| self.field(f)).collect::<Option<_>>()?),
            _ => TypeKind::Named(base.as_str().to_owned()),
        };
        let optional = if inner.next().is_some() { Optional::Yes } else { Optional::No };
        Some(TypeExpr { span, kind, optional })
    }

    /// A word, dotted words or a string, as a name.
    fn name(&mut self, pair: Pair<'_, R>) -> Option<Name> {
        let span = self.span(&pair);
        let text = if pair.as_rule() == R::string { self.string(&pair) } else { pair.as_str().to_owned() };
        Some(Name { text, span })
    }

    fn arguments(&mut self, pair: Pair<'_, R>) -> Option<Vec<(Name, Expr)>> {
        significant(pair)
            .map(|argument| {
                let mut inner = significant(argument);
                Some((self.name(inner.next()?)?, self.expr(inner.next()?)?))
            })
            .collect()
    }

    fn string(&mut self, pair: &Pair<'_, R>) -> String {
        let raw = pair.as_str();
        let raw = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        let mut out = String::with_capacity(raw.len());
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            let escaped = if c == '\\' { chars.next() } else { None };
            match escaped {
                None => out.push(c),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(c @ ('"' | '\\')) => out.push(c),
                Some(_) => {
                    self.errors.push(SyntaxError { span: self.span(pair), kind: SyntaxErrorKind::BadEscape })
                }
            }
        }
        out
    }

    fn duration(&mut self, pair: &Pair<'_, R>) -> u64 {
        let text = pair.as_str();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match text.get(digits.len()..) {
            Some("ms") => 1,
            Some("s") => 1_000,
            Some("m") => 60_000,
            Some("h") => 3_600_000,
            _ => 86_400_000,
        };
        let value = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        value.unwrap_or_else(|| {
            self.errors.push(SyntaxError { span: self.span(pair), kind: SyntaxErrorKind::NumberTooLarge });
            0
        })
    }

    fn expr(&mut self, pair: Pair<'_, R>) -> Option<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            R::expr => return self.joined(pair, ExprKind::Or),
            R::and_expr => return self.joined(pair, ExprKind::And),
            R::not_expr => {
                let negations = pair.clone().into_inner().filter(|p| p.as_rule() == R::kw_not).count();
                self.chain(span, negations)?;
                let inner = self.expr(significant(pair).next()?)?;
                return Some(
                    (0..negations).fold(inner, |e, _| Expr { span, kind: ExprKind::Not(Box::new(e)) }),
                );
            }
            R::comparison => return self.comparison(pair),
            R::operand => {
                let mut parts = significant(pair).map(|p| self.expr(p)).collect::<Option<Vec<_>>>()?;
                self.chain(span, parts.len())?;
                let mut right = parts.pop()?;
                while let Some(left) = parts.pop() {
                    let span = left.span.to(right.span);
                    right = Expr { span, kind: ExprKind::Else(Box::new(left), Box::new(right)) };
                }
                return Some(right);
            }
            R::group => {
                let inner = significant(pair).next()?;
                return if inner.as_rule() == R::quantified {
                    self.quantified(span, inner)
                } else {
                    self.expr(inner)
                };
            }
            R::applied => {
                let mut inner = significant(pair);
                let path = self.expr(inner.next()?)?;
                let Some(arguments) = inner.next() else { return Some(path) };
                let name = Name { text: path.span.of(self.text).to_owned(), span: path.span };
                ExprKind::Apply(name, self.arguments(arguments)?)
            }
            R::path => ExprKind::Path(significant(pair).map(|p| self.name(p)).collect::<Option<_>>()?),
            R::list => ExprKind::List(significant(pair).map(|p| self.expr(p)).collect::<Option<_>>()?),
            R::literal => return self.literal(pair),
            _ => return None,
        };
        Some(Expr { span, kind })
    }

    /// Chains that nest in the tree are bounded like brackets.
    fn chain(&mut self, span: Span, length: usize) -> Option<()> {
        if length > token::NESTING_LIMIT {
            self.errors.push(SyntaxError { span, kind: SyntaxErrorKind::TooDeep });
            return None;
        }
        Some(())
    }

    /// One operand alone, or several joined by `and` or `or`, flat.
    fn joined(&mut self, pair: Pair<'_, R>, join: fn(Vec<Expr>) -> ExprKind) -> Option<Expr> {
        let span = self.span(&pair);
        let mut parts = significant(pair).map(|p| self.expr(p)).collect::<Option<Vec<_>>>()?;
        if parts.len() == 1 { parts.pop() } else { Some(Expr { span, kind: join(parts) }) }
    }

    fn comparison(&mut self, pair: Pair<'_, R>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut inner = significant(pair);
        let first = inner.next()?;
        if first.as_rule() == R::has {
            let operand = self.expr(significant(first).next()?)?;
            return Some(Expr { span, kind: ExprKind::Has(Box::new(operand)) });
        }
        let left = self.expr(first)?;
        let Some(tail) = inner.next() else { return Some(left) };
        let left = Box::new(left);
        let relation = tail.as_rule();
        let missing_null = tail.clone().into_inner().any(|p| p.as_rule() == R::kw_null);
        let mut parts = significant(tail);
        let kind = match relation {
            R::compare => {
                let op = match parts.next()?.as_str() {
                    "==" => CompareOp::Equal,
                    "!=" => CompareOp::NotEqual,
                    "<" => CompareOp::Less,
                    "<=" => CompareOp::LessOrEqual,
                    ">" => CompareOp::Greater,
                    _ => CompareOp::GreaterOrEqual,
                };
                ExprKind::Compare(op, left, Box::new(self.expr(parts.next()?)?))
            }
            R::within => ExprKind::In(left, Box::new(self.expr(parts.next()?)?)),
            R::like => ExprKind::Like(left, self.name(parts.next()?)?),
            _ => ExprKind::Is(left, if missing_null { Missing::Null } else { Missing::Absent }),
        };
        Some(Expr { span, kind })
    }

    fn quantified(&mut self, span: Span, pair: Pair<'_, R>) -> Option<Expr> {
        let mut inner = significant(pair);
        let quantifier = match inner.next()?.as_str() {
            "any" => Quantifier::Any,
            "all" => Quantifier::All,
            _ => Quantifier::None,
        };
        let name = self.name(inner.next()?)?;
        let list = Box::new(self.expr(inner.next()?)?);
        let condition = Box::new(self.expr(significant(inner.next()?).next()?)?);
        Some(Expr { span, kind: ExprKind::Quantified { quantifier, name, list, condition } })
    }

    fn literal(&mut self, pair: Pair<'_, R>) -> Option<Expr> {
        let span = self.span(&pair);
        let value = pair.into_inner().next()?;
        let kind = match value.as_rule() {
            R::kw_true => ExprKind::Bool(true),
            R::kw_false => ExprKind::Bool(false),
            R::string => ExprKind::Text(self.string(&value)),
            R::duration => ExprKind::Duration(self.duration(&value)),
            R::float => ExprKind::Float(value.as_str().parse().ok()?),
            _ => ExprKind::Int(value.as_str().parse().unwrap_or_else(|_| {
                self.errors.push(SyntaxError { span, kind: SyntaxErrorKind::NumberTooLarge });
                0
            })),
        };
        Some(Expr { span, kind })
    }
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
        )
    })
}

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
