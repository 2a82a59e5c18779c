//! Tests beside rules: the message given, the facts set, what is expected.

use pest::iterators::Pair;

use super::pest_grammar::Rule as R;
use super::{Reader, significant};
use crate::tree::*;

impl Reader<'_> {
    pub(super) fn test<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p, R>>) -> Option<Test> {
        let name = self.name(inner.next()?)?;
        let mut given = significant(inner.next()?);
        let event = self.name(given.next()?)?;
        let mut next = given.next()?;
        let mut topic = None;
        if next.as_rule() == R::of_topic {
            topic = Some(self.name(significant(next).next()?)?);
            next = given.next()?;
        }
        let message = match next.as_rule() {
            R::from => Given::File(self.name(significant(next).next()?)?),
            _ => Given::Json(Name { span: self.span(&next), text: self.json(next)?.into() }),
        };
        let (mut facts, mut expects) = (Vec::new(), Vec::new());
        for part in inner {
            match part.as_rule() {
                R::with => facts.push(self.with(part)?),
                _ => expects.push(self.expect(part)?),
            }
        }
        Some(Test { name, event, topic, given: message, facts, expects })
    }

    fn with(&mut self, pair: Pair<'_, R>) -> Option<WithFact> {
        let absent = pair.clone().into_inner().any(|p| p.as_rule() == R::kw_absent);
        let mut inner = significant(pair);
        let path = self.expr(inner.next()?)?;
        let (mut key, mut value) = (None, None);
        for part in inner {
            match part.as_rule() {
                R::for_key => key = Some(self.name(significant(part).next()?)?),
                _ => value = Some(self.expr(part)?),
            }
        }
        (absent || value.is_some()).then_some(WithFact { path, key, value })
    }

    fn expect(&mut self, pair: Pair<'_, R>) -> Option<Expect> {
        let span = self.span(&pair);
        let what = significant(pair).next()?;
        let marked = |mark| what.clone().into_inner().any(|p| p.as_rule() == mark);
        let kind = match what.as_rule() {
            R::nothing if marked(R::kw_else) => ExpectKind::NothingElse,
            R::nothing => ExpectKind::Nothing,
            R::quarantine => ExpectKind::Quarantine,
            _ => {
                let none = marked(R::kw_no);
                let call = what.into_inner().find(|p| p.as_rule() == R::call)?;
                let call = self.call(call)?;
                if none { ExpectKind::NoRun(call) } else { ExpectKind::Run(call) }
            }
        };
        Some(Expect { span, kind })
    }

    /// A literal body as JSON text: names are quoted, everything else stays as written.
    fn json(&mut self, pair: Pair<'_, R>) -> Option<String> {
        let joined = |parts: Vec<String>, open, close| format!("{open}{}{close}", parts.join(","));
        Some(match pair.as_rule() {
            R::json_object => {
                let members = pair.into_inner().map(|member| {
                    let mut inner = member.into_inner();
                    let name = inner.next()?;
                    let quoted = match name.as_rule() {
                        R::string => name.as_str().to_owned(),
                        _ => format!("\"{}\"", name.as_str()),
                    };
                    Some(format!("{quoted}:{}", self.json(inner.next()?)?))
                });
                joined(members.collect::<Option<_>>()?, '{', '}')
            }
            R::json_array => {
                joined(pair.into_inner().map(|p| self.json(p)).collect::<Option<_>>()?, '[', ']')
            }
            _ => pair.as_str().to_owned(),
        })
    }
}
