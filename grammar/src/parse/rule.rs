//! Rules: what they wait for, what they run, and their clauses.

use pest::iterators::Pair;
use smol_str::SmolStr;

use super::pest_grammar::Rule as R;
use super::{Reader, significant};
use crate::tree::*;

impl Reader<'_> {
    pub(super) fn rule<'p>(&mut self, inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Rule> {
        let mut rule = Rule {
            name: None,
            event: Waits::Event(Name { text: SmolStr::default(), span: Span::default() }),
            condition: None,
            calls: Vec::new(),
            axes: Vec::new(),
            except: Vec::new(),
            clauses: Vec::new(),
        };
        for part in inner {
            match part.as_rule() {
                R::any_name => rule.name = Some(self.name(part)?),
                R::event_name => rule.event = Waits::Event(self.name(part)?),
                R::raw_topic => rule.event = Waits::Topic(self.name(significant(part).next()?)?),
                R::where_part => rule.condition = Some(self.expr(significant(part).next()?)?),
                R::call => rule.calls.push(self.call(part)?),
                R::axis => {
                    let mut inner = significant(part);
                    rule.axes.push(AxisDecl {
                        name: self.name(inner.next()?)?,
                        source: self.expr(inner.next()?)?,
                    });
                }
                R::except => {
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
                _ => rule.clauses.push(self.clause(part)?),
            }
        }
        Some(rule)
    }

    /// `TASK(name: value)`
    pub(super) fn call(&mut self, pair: Pair<'_, R>) -> Option<Call> {
        let mut inner = significant(pair);
        let task = self.name(inner.next()?)?;
        let arguments = inner.next().map_or(Some(Vec::new()), |p| self.arguments(p))?;
        Some(Call { task, arguments })
    }

    fn clause(&mut self, pair: Pair<'_, R>) -> Option<Clause> {
        let span = self.span(&pair);
        let which = pair.as_rule();
        let (mut key, mut duration_ms, mut runs, mut name) = (Vec::new(), 0, 0, None);
        for part in significant(pair) {
            match part.as_rule() {
                R::keys => key = significant(part).map(|p| self.expr(p)).collect::<Option<_>>()?,
                R::duration => duration_ms = self.duration(&part),
                R::int => runs = self.int(&part),
                R::any_name => name = Some(self.name(part)?),
                _ => {}
            }
        }
        let kind = match which {
            R::once => ClauseKind::Once { key, within_ms: duration_ms },
            R::quiet => ClauseKind::Quiet { for_ms: duration_ms, key },
            R::at_most => ClauseKind::AtMost { runs, per_ms: duration_ms },
            R::superseding => ClauseKind::Superseding { key },
            R::group_limit => ClauseKind::Group { runs, name: name? },
            R::priority => ClauseKind::Priority(name?),
            R::timeout => ClauseKind::Timeout(duration_ms),
            _ => ClauseKind::MayLoop,
        };
        Some(Clause { span, kind })
    }
}
