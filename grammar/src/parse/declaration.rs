//! Declarations: events with their dialects, tasks, fields and types.

use pest::iterators::Pair;

use super::pest_grammar::Rule as R;
use super::{Reader, significant};
use crate::tree::*;

impl Reader<'_> {
    pub(super) fn event<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Event> {
        let name = self.name(inner.next()?)?;
        let (mut values, mut dialects, mut deprecated) = (Vec::new(), Vec::new(), None);
        for member in inner {
            let doc = self.doc(&member);
            match member.as_rule() {
                R::dialect => {
                    dialects.push(self.dialect(doc, significant(member))?);
                    continue;
                }
                R::deprecated => {
                    deprecated = Some(self.name(significant(member).next()?)?);
                    continue;
                }
                _ => {}
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
        Some(Event { name, values, dialects, deprecated })
    }

    pub(super) fn dialect<'p>(
        &mut self,
        doc: String,
        mut inner: impl Iterator<Item = Pair<'p, R>>,
    ) -> Option<Dialect> {
        let mut dialect = Dialect {
            name: self.name(inner.next()?)?,
            doc,
            topics: Vec::new(),
            conditions: Vec::new(),
            body: Vec::new(),
            subjects: None,
            happening: None,
            values: Vec::new(),
            deprecated: None,
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
                R::deprecated => dialect.deprecated = Some(self.name(inner.next()?)?),
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

    pub(super) fn task<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Task> {
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
                    let url = self.static_text(inner.next()?)?;
                    task.repository =
                        Some((url, inner.next().map_or(Some(None), |p| self.static_text(p).map(Some))?));
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

    pub(super) fn field(&mut self, pair: Pair<'_, R>) -> Option<Field> {
        let doc = self.doc(&pair);
        let mut inner = significant(pair);
        Some(Field { doc, name: self.name(inner.next()?)?, ty: self.ty(inner.next()?)? })
    }

    pub(super) fn ty(&mut self, pair: Pair<'_, R>) -> Option<TypeExpr> {
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

    /// A literal, or a path that the checker refuses.
    fn static_text(&mut self, pair: Pair<'_, R>) -> Option<StaticText> {
        Some(match pair.as_rule() {
            R::string => StaticText::Literal(self.name(pair)?),
            _ => StaticText::Path(self.expr(pair)?),
        })
    }
}
