//! Conditions and values.

use pest::iterators::Pair;

use super::pest_grammar::Rule as R;
use super::{Reader, significant};
use crate::token;
use crate::tree::*;

impl Reader<'_> {
    pub(super) fn expr(&mut self, pair: Pair<'_, R>) -> Option<Expr> {
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
            R::called => return self.quantified(span, pair),
            R::count => return self.count(span, pair),
            R::applied => {
                let mut inner = significant(pair);
                let path = self.expr(inner.next()?)?;
                let Some(arguments) = inner.next() else { return Some(path) };
                let ExprKind::Path(names) = &path.kind else { return None };
                let text = names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".");
                ExprKind::Apply(Name { text: text.into(), span: path.span }, self.arguments(arguments)?)
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
        let Some(mut tail) = inner.next() else { return Some(left) };
        let is_negated = tail.as_rule() == R::negated;
        if is_negated {
            tail = significant(tail).next()?;
        }
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
            R::matches => ExprKind::Matches(left, self.pattern(&parts.next()?)),
            _ => ExprKind::Is(left, if missing_null { Missing::Null } else { Missing::Absent }),
        };
        let compared = Expr { span, kind };
        Some(if is_negated { Expr { span, kind: ExprKind::Not(Box::new(compared)) } } else { compared })
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

    fn count(&mut self, span: Span, pair: Pair<'_, R>) -> Option<Expr> {
        let mut inner = significant(pair);
        let name = self.name(inner.next()?)?;
        let list = Box::new(self.expr(inner.next()?)?);
        let condition = match inner.next() {
            Some(part) => Some(Box::new(self.expr(significant(part).next()?)?)),
            None => None,
        };
        Some(Expr { span, kind: ExprKind::Count { name, list, condition } })
    }

    /// A whole number of 64 bits.
    pub(super) fn int(&mut self, pair: &Pair<'_, R>) -> i64 {
        pair.as_str().parse().unwrap_or_else(|_| {
            self.errors.push(SyntaxError { span: self.span(pair), kind: SyntaxErrorKind::NumberTooLarge });
            super::IN_ITS_PLACE.into()
        })
    }

    fn literal(&mut self, pair: Pair<'_, R>) -> Option<Expr> {
        let span = self.span(&pair);
        let value = pair.into_inner().next()?;
        let kind = match value.as_rule() {
            R::kw_true => ExprKind::Bool(true),
            R::kw_false => ExprKind::Bool(false),
            R::string => ExprKind::Text(self.string(&value).into()),
            R::duration => ExprKind::Duration(self.duration(&value)),
            R::float => ExprKind::Float(value.as_str().parse().ok()?),
            _ => ExprKind::Int(self.int(&value)),
        };
        Some(Expr { span, kind })
    }
}
