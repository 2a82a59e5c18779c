//! Rules straight from tokens: the fast way past pest.
//!
//! Comes in: the tokens of one item, without blanks and comments. Goes out: its rule, exactly as `rule` and `expression` would have
//! read it from pest's pairs; or nothing, and then the normative grammar judges. Nothing is the answer to everything unusual: what is
//! no rule, what is wrong, what is far too large. So no error is told here, and pest alone decides what is refused. That what is
//! accepted here is accepted there, as the same tree, is shown by tests on random texts.
//!
//! Functions follow the grammar's rules in name and order. A sign or keyword is known by its text: no other token has it.

mod place;

use std::borrow::Cow;

use super::{duration_ms, raw, unescaped};
use crate::keywords::RESERVED;
use crate::token::{NESTING_LIMIT, Token, TokenKind};
use crate::tree::*;

/// Words of the largest item that is read here: pest, which gives up after a number of steps, surely reads it as well.
const WORDS_LIMIT: usize = 10_000;

/// Bytes of the longest reserved word.
const RESERVED_BYTES_MAX: usize = 7;

/// The rule that these words are.
pub(super) fn rule(text: &str, words: &[Token]) -> Option<Rule> {
    if words.len() > WORDS_LIMIT {
        return None;
    }
    let mut quick = Quick { text, words, at: 0, word: "" };
    quick.go_to(0);
    let rule = quick.rule()?;
    (quick.at == words.len()).then_some(rule)
}

/// A place among the words of an item.
struct Quick<'t> {
    text: &'t str,
    words: &'t [Token],
    at: usize,
    /// The text of the word at this place; empty behind the last one.
    word: &'t str,
}

impl<'t> Quick<'t> {
    fn rule(&mut self) -> Option<Rule> {
        let name = if self.eat("rule") { Some(self.any_name()?) } else { None };
        self.want("on")?;
        let event = if self.is("topic") && self.kind(1) == Some(TokenKind::String) {
            self.next();
            Waits::Topic(self.string()?)
        } else {
            Waits::Event(self.event_name()?)
        };
        let condition = if self.eat("where") { Some(self.expr()?) } else { None };
        self.want("run")?;
        let calls = self.listed(Self::call)?;
        let mut axes = Vec::new();
        while self.eat("for") {
            let name = self.name()?;
            self.want("in")?;
            axes.push(AxisDecl { name, source: if self.is("[") { self.list()? } else { self.path()? } });
        }
        let except = if self.eat("except") { self.listed(Self::combination)? } else { Vec::new() };
        let mut clauses = Vec::new();
        while self.at < self.words.len() {
            clauses.push(self.clause()?);
        }
        Some(Rule { name, event, condition, calls, axes, except, clauses })
    }

    /// One or more, with commas between them.
    fn listed<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = vec![each(self)?];
        while self.eat(",") {
            all.push(each(self)?);
        }
        Some(all)
    }

    /// Any number of them, probably about so many, before a closing bracket, with a comma behind the last one or none.
    fn bracketed<T>(
        &mut self,
        close: &str,
        about: usize,
        mut each: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut all = Vec::with_capacity(about);
        while !self.eat(close) {
            all.push(each(self)?);
            if !self.eat(",") {
                self.want(close)?;
                break;
            }
        }
        Some(all)
    }

    fn call(&mut self) -> Option<Call> {
        let task = self.event_name()?;
        let arguments = if self.eat("(") { self.arguments()? } else { Vec::new() };
        Some(Call { task, arguments })
    }

    /// Behind the opening bracket.
    fn arguments(&mut self) -> Option<Vec<(Name, Expr)>> {
        self.bracketed(")", 0, |quick| {
            let name = quick.any_name()?;
            quick.want(":")?;
            Some((name, quick.expr()?))
        })
    }

    fn combination(&mut self) -> Option<(Span, Vec<Option<Expr>>)> {
        let start = self.start();
        self.want("(")?;
        let values = self.listed(|quick| {
            if quick.is("_") {
                quick.ends_alone()?;
                quick.next();
                return Some(None);
            }
            quick.operand().map(Some)
        })?;
        self.want(")")?;
        Some((self.since(start), values))
    }

    fn clause(&mut self) -> Option<Clause> {
        let start = self.start();
        let (word, _) = self.of_kind(TokenKind::Word)?;
        let kind = match word {
            "once" => {
                self.want("per")?;
                let key = self.listed(Self::path)?;
                self.want("within")?;
                ClauseKind::Once { key, within_ms: self.duration()? }
            }
            "after" => {
                let for_ms = self.duration()?;
                self.want("quiet")?;
                self.want("per")?;
                ClauseKind::Quiet { for_ms, key: self.listed(Self::path)? }
            }
            "at" => {
                self.want("most")?;
                let runs = self.int()?;
                self.want("per")?;
                ClauseKind::AtMost { runs, per_ms: self.duration()? }
            }
            "superseding" => {
                self.want("per")?;
                ClauseKind::Superseding { key: self.listed(Self::path)? }
            }
            "limit" => {
                let runs = self.int()?;
                self.want("in")?;
                self.want("group")?;
                ClauseKind::Group { runs, name: self.any_name()? }
            }
            "priority" => ClauseKind::Priority(self.any_name()?),
            "timeout" => ClauseKind::Timeout(self.duration()?),
            "may" => {
                self.want("loop")?;
                ClauseKind::MayLoop
            }
            _ => return None,
        };
        Some(Clause { span: self.since(start), kind })
    }

    fn expr(&mut self) -> Option<Expr> {
        // Most of what stands in lists: it goes no further, whatever could follow a value.
        if self.kind(0) == Some(TokenKind::String) && matches!(self.ahead(1), "," | "]" | ")") {
            return self.primary();
        }
        self.joined("or", Self::and_expr, ExprKind::Or)
    }

    fn and_expr(&mut self) -> Option<Expr> {
        self.joined("and", Self::not_expr, ExprKind::And)
    }

    /// One operand alone, or several joined by this word, flat.
    fn joined(
        &mut self,
        by: &str,
        each: fn(&mut Self) -> Option<Expr>,
        join: fn(Vec<Expr>) -> ExprKind,
    ) -> Option<Expr> {
        let start = self.start();
        let first = each(self)?;
        if !self.is(by) {
            return Some(first);
        }
        let mut parts = vec![first];
        while self.eat(by) {
            parts.push(each(self)?);
        }
        Some(Expr { span: self.since(start), kind: join(parts) })
    }

    fn not_expr(&mut self) -> Option<Expr> {
        let start = self.start();
        let first = self.at;
        while self.eat("not") {}
        let negations = self.at.saturating_sub(first);
        if negations > NESTING_LIMIT {
            return None;
        }
        let inner = self.comparison()?;
        let span = self.since(start);
        Some((0..negations).fold(inner, |e, _| Expr { span, kind: ExprKind::Not(Box::new(e)) }))
    }

    fn comparison(&mut self) -> Option<Expr> {
        let start = self.start();
        if self.eat("has") {
            let operand = Box::new(self.operand()?);
            return Some(Expr { span: self.since(start), kind: ExprKind::Has(operand) });
        }
        let left = self.operand()?;
        let is_negated = self.eat("not");
        let relation = self.word;
        let of = match (self.kind(0), relation) {
            (Some(TokenKind::Operator), _) if !is_negated => self.compare(left)?,
            (_, "in") => {
                self.next();
                ExprKind::In(Box::new(left), Box::new(self.operand()?))
            }
            (_, "like") => {
                self.next();
                ExprKind::Like(Box::new(left), self.string()?)
            }
            (_, "matches") => {
                self.next();
                ExprKind::Matches(Box::new(left), self.pattern()?)
            }
            (_, "is") if !is_negated => {
                self.next();
                let missing = if self.eat("null") { Missing::Null } else { Missing::Absent };
                if missing == Missing::Absent {
                    self.want("absent")?;
                }
                ExprKind::Is(Box::new(left), missing)
            }
            _ if is_negated => return None,
            _ => return Some(left),
        };
        let span = self.since(start);
        let compared = Expr { span, kind: of };
        Some(if is_negated { Expr { span, kind: ExprKind::Not(Box::new(compared)) } } else { compared })
    }

    fn compare(&mut self, left: Expr) -> Option<ExprKind> {
        let op = match self.word {
            "==" => CompareOp::Equal,
            "!=" => CompareOp::NotEqual,
            "<" => CompareOp::Less,
            "<=" => CompareOp::LessOrEqual,
            ">" => CompareOp::Greater,
            ">=" => CompareOp::GreaterOrEqual,
            _ => return None,
        };
        self.next();
        Some(ExprKind::Compare(op, Box::new(left), Box::new(self.operand()?)))
    }

    fn operand(&mut self) -> Option<Expr> {
        let first = self.primary()?;
        if !self.is("else") {
            return Some(first);
        }
        let mut parts = vec![first];
        while self.eat("else") {
            parts.push(self.primary()?);
        }
        if parts.len() > NESTING_LIMIT {
            return None;
        }
        let mut right = parts.pop()?;
        while let Some(left) = parts.pop() {
            let span = left.span.to(right.span);
            right = Expr { span, kind: ExprKind::Else(Box::new(left), Box::new(right)) };
        }
        Some(right)
    }

    fn primary(&mut self) -> Option<Expr> {
        let start = self.start();
        let kind = match self.kind(0)? {
            TokenKind::String => ExprKind::Text(self.unquoted()?.0.into()),
            TokenKind::Number => self.number()?,
            TokenKind::Open if self.is("[") => return self.list(),
            TokenKind::Open if self.eat("(") => return self.group(start),
            TokenKind::Word => match self.word {
                truth @ ("true" | "false") => {
                    self.next();
                    ExprKind::Bool(truth == "true")
                }
                "any" | "all" | "none" => {
                    let quantifier = self.quantifier()?;
                    self.want("(")?;
                    let kind = self.quantified(quantifier)?;
                    self.want(")")?;
                    kind
                }
                "count" if self.ahead(1) == "(" && self.ahead(3) == "in" => self.count()?,
                _ => return self.applied(),
            },
            _ => return None,
        };
        Some(Expr { span: self.since(start), kind })
    }

    /// Behind the opening bracket, which stands at `start`.
    fn group(&mut self, start: u32) -> Option<Expr> {
        let quantified = matches!(self.word, "any" | "all" | "none") && self.ahead(1) != "(";
        let inner = if quantified {
            let quantifier = self.quantifier()?;
            let kind = self.quantified(quantifier)?;
            self.want(")")?;
            Expr { span: self.since(start), kind }
        } else {
            let inner = self.expr()?;
            self.want(")")?;
            inner
        };
        Some(inner)
    }

    fn quantifier(&mut self) -> Option<Quantifier> {
        let quantifier = match self.word {
            "any" => Quantifier::Any,
            "all" => Quantifier::All,
            "none" => Quantifier::None,
            _ => return None,
        };
        self.next();
        Some(quantifier)
    }

    fn quantified(&mut self, quantifier: Quantifier) -> Option<ExprKind> {
        let (name, list) = self.element()?;
        self.want("where")?;
        let condition = Box::new(self.expr()?);
        Some(ExprKind::Quantified { quantifier, name, list, condition })
    }

    fn count(&mut self) -> Option<ExprKind> {
        self.want("count")?;
        self.want("(")?;
        let (name, list) = self.element()?;
        let condition = if self.eat("where") { Some(Box::new(self.expr()?)) } else { None };
        self.want(")")?;
        Some(ExprKind::Count { name, list, condition })
    }

    /// `NAME in PATH`
    fn element(&mut self) -> Option<(Name, Box<Expr>)> {
        let name = self.name()?;
        self.want("in")?;
        Some((name, Box::new(self.path()?)))
    }

    fn list(&mut self) -> Option<Expr> {
        let start = self.start();
        self.want("[")?;
        let rest = self.words.get(self.at..).unwrap_or_default();
        let most = rest.iter().take_while(|word| word.kind != TokenKind::Close).count().div_ceil(2);
        let values = self.bracketed("]", most, Self::expr)?;
        Some(Expr { span: self.since(start), kind: ExprKind::List(values) })
    }

    fn applied(&mut self) -> Option<Expr> {
        let path = self.path()?;
        if !self.eat("(") {
            return Some(path);
        }
        let arguments = self.arguments()?;
        let ExprKind::Path(names) = &path.kind else { return None };
        let text = names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".");
        let kind = ExprKind::Apply(Name { text: text.into(), span: path.span }, arguments);
        Some(Expr { span: self.since(path.span.start), kind })
    }

    fn path(&mut self) -> Option<Expr> {
        let start = self.start();
        let mut names = Names::new();
        names.push(self.name()?);
        while self.eat(".") {
            let name = if self.kind(0) == Some(TokenKind::String) { self.string() } else { self.any_name() };
            names.push(name?);
        }
        Some(Expr { span: self.since(start), kind: ExprKind::Path(names) })
    }

    /// Dotted words without blanks.
    fn event_name(&mut self) -> Option<Name> {
        let (_, first) = self.of_kind(TokenKind::Word)?;
        let mut span = first;
        while self.is(".") {
            let dot = self.start();
            self.next();
            let (_, word) = self.of_kind(TokenKind::Word)?;
            if dot != span.end || word.start != dot.saturating_add(1) {
                return None;
            }
            span = span.to(word);
        }
        Some(Name { text: span.of(self.text).into(), span })
    }

    fn name(&mut self) -> Option<Name> {
        let word = self.word;
        let is_reserved = word.len() <= RESERVED_BYTES_MAX && RESERVED.contains(&word);
        if is_reserved { None } else { self.any_name() }
    }

    fn any_name(&mut self) -> Option<Name> {
        let (text, span) = self.of_kind(TokenKind::Word)?;
        Some(Name { text: text.into(), span })
    }

    fn string(&mut self) -> Option<Name> {
        let (text, span) = self.unquoted()?;
        Some(Name { text: text.into(), span })
    }

    fn unquoted(&mut self) -> Option<(Cow<'t, str>, Span)> {
        let (written, span) = self.of_kind(TokenKind::String)?;
        Some((unescaped(written).ok()?, span))
    }

    fn pattern(&mut self) -> Option<Name> {
        if self.kind(0) == Some(TokenKind::String) {
            return self.string();
        }
        let (written, span) = self.of_kind(TokenKind::RawString)?;
        Some(Name { text: raw(written).into(), span })
    }

    fn number(&mut self) -> Option<ExprKind> {
        self.ends_alone()?;
        let (written, _) = self.of_kind(TokenKind::Number)?;
        Some(match written {
            _ if written.ends_with(|c: char| c.is_ascii_alphabetic()) => {
                ExprKind::Duration(duration_ms(written)?)
            }
            _ if written.contains('.') => ExprKind::Float(written.parse().ok()?),
            _ => ExprKind::Int(written.parse().ok()?),
        })
    }

    fn duration(&mut self) -> Option<u64> {
        if let ExprKind::Duration(ms) = self.number()? { Some(ms) } else { None }
    }

    fn int(&mut self) -> Option<i64> {
        if let ExprKind::Int(int) = self.number()? { Some(int) } else { None }
    }
}
