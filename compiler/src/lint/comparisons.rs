//! What conditions compare with literals: the one walk that the lints on literals share.
//!
//! Comes in: one's own rules, as trees and typed. Goes out: each rule with both, and each comparison of a value with literals: what
//! is compared, with what, where the literals stand and whether a `let` names them. Tree and typed program have the same form but
//! for lets, which are looked into. A let's literals are listed once for each kind of value that they are compared with.

use std::collections::{BTreeMap, HashSet};

use taskbot_grammar::{self as tree, CompareOp as TreeOp, Expr, ExprKind, ItemKind, Let};
use taskbot_graph::{Part, Place, Root, Type};

use super::{place, trees};
use crate::typed::{TypedExpr, TypedKind, TypedRule};
use crate::{Compiled, Origin};

/// One of one's own rules.
pub(crate) struct Site<'c> {
    /// The file that holds it.
    pub(crate) file: u32,
    /// Its tree.
    pub(crate) tree: &'c tree::Rule,
    /// What it means.
    pub(crate) typed: &'c TypedRule,
}

/// How something is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `in [...]`
    OneOf,
    /// `like`
    Glob,
    /// `matches`
    Regex,
    /// `for x in [...]`
    Axis,
}

/// Where literals stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// In the rule itself.
    Rule,
    /// In a `let`: they have a name.
    Let,
}

/// What is compared, as far as lints care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The name of a build's package.
    PackageName,
    /// A whole name-version-release, or what a raw topic calls a package.
    Package,
    /// A value of an enum: its literals are checked.
    Enum(u32),
    /// Other text.
    Text,
    /// No text.
    Other,
}

/// A text literal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Literal<'c> {
    /// Its text.
    pub(crate) text: &'c str,
    /// Where it stands, quotes included.
    pub(crate) place: Place,
    /// Whether it stands in a let.
    pub(crate) written: Written,
}

/// A value that is compared with text literals.
pub(crate) struct Comparison<'c> {
    /// What is compared.
    pub(crate) subject: Subject,
    /// Its type.
    pub(crate) ty: &'c Type,
    /// Its name as written, in words; empty for what has none.
    pub(crate) words: Vec<&'c str>,
    /// Behind it.
    pub(crate) operand_end: u32,
    /// How it is compared.
    pub(crate) relation: Relation,
    /// With what; for an axis, the values of its list.
    pub(crate) literals: Vec<Literal<'c>>,
    /// The whole comparison; of a list, the list.
    pub(crate) place: Place,
}

impl Comparison<'_> {
    /// Between the value and a literal behind it, from this operator on: what a better comparison takes the place of.
    pub(crate) fn operator(&self, source: &str, operator: &str, literal: Literal<'_>) -> Option<Place> {
        if literal.place.file != self.place.file {
            return None;
        }
        let between = source.get(self.operand_end as usize..literal.place.start as usize)?;
        let at = u32::try_from(between.rfind(operator)?).ok()?;
        // The word may stand in a comment as well.
        (!between.contains('#'))
            .then(|| Place { start: self.operand_end.saturating_add(at), ..literal.place })
    }
}

/// One's own rules in order.
pub(super) fn sites(compiled: &Compiled) -> Vec<Site<'_>> {
    let files = compiled.trees.iter().zip(0..);
    let trees = files.flat_map(|(tree, file)| {
        let rules = tree.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Rule(rule) => Some(rule),
            _ => None,
        });
        rules.map(move |rule| (file, rule))
    });
    // A program with a graph has no wrong rule, so each tree has its typed rule, in the same order.
    let sites = trees.zip(&compiled.program.rules).map(|((file, tree), typed)| Site { file, tree, typed });
    sites.filter(|site| compiled.origins.get(site.file as usize) == Some(&Origin::Own)).collect()
}

/// Every comparison of the rules.
pub(super) fn find<'c>(compiled: &'c Compiled, sites: &[Site<'c>]) -> Vec<Comparison<'c>> {
    let lets = trees::lets(compiled);
    let mut walk = Walk { lets, listed: HashSet::new(), found: Vec::new() };
    for site in sites {
        if let (Some(tree), Some(typed)) = (&site.tree.condition, &site.typed.condition) {
            walk.condition(At { file: site.file, written: Written::Rule, expr: tree }, typed);
        }
        for (axis, (_, list)) in site.tree.axes.iter().zip(&site.typed.axes) {
            let at = At { file: site.file, written: Written::Rule, expr: &axis.source };
            walk.list(Relation::Axis, list, Vec::new(), axis.name.span.end, at);
        }
    }
    walk.found
}

/// An expression's tree and where it stands.
#[derive(Clone, Copy)]
struct At<'c> {
    file: u32,
    written: Written,
    expr: &'c Expr,
}

impl<'c> At<'c> {
    fn below(self, expr: &'c Expr) -> Self {
        Self { expr, ..self }
    }

    fn place(self) -> Place {
        place(self.file, self.expr.span)
    }
}

struct Walk<'c> {
    lets: BTreeMap<&'c str, (u32, &'c Let)>,
    /// Literals of lets that are listed already, and for what.
    listed: HashSet<(u32, u32, Relation, Subject)>,
    found: Vec<Comparison<'c>>,
}

impl<'c> Walk<'c> {
    /// What a let stands for; anything else as it is. Lets hold no circle: that was checked.
    fn named(&self, mut at: At<'c>) -> At<'c> {
        while let ExprKind::Path(names) = &at.expr.kind
            && let [one] = names.as_slice()
            && let Some((file, named)) = self.lets.get(one.text.as_str())
        {
            at = At { file: *file, written: Written::Let, expr: &named.value };
        }
        at
    }

    fn condition(&mut self, at: At<'c>, typed: &'c TypedExpr) {
        let at = match &typed.kind {
            // A value of the event, whatever lets there are.
            TypedKind::EventValue(_) | TypedKind::Bound(_) | TypedKind::Path(_) => return,
            _ => self.named(at),
        };
        match (&at.expr.kind, &typed.kind) {
            (ExprKind::And(trees), TypedKind::And(parts)) | (ExprKind::Or(trees), TypedKind::Or(parts)) => {
                for (tree, part) in trees.iter().zip(parts) {
                    self.condition(at.below(tree), part);
                }
            }
            (ExprKind::Not(tree), TypedKind::Not(of)) => self.condition(at.below(tree), of),
            (ExprKind::Compare(op, left, right), TypedKind::Compare(_, a, b)) => {
                self.condition(at.below(left), a);
                self.condition(at.below(right), b);
                let relation = match op {
                    TreeOp::Equal => Relation::Equal,
                    TreeOp::NotEqual => Relation::NotEqual,
                    _ => return,
                };
                if matches!(b.kind, TypedKind::Const(_)) {
                    self.one(relation, at, (left, a), at.below(right));
                } else if matches!(a.kind, TypedKind::Const(_)) {
                    self.one(relation, at, (right, b), at.below(left));
                }
            }
            (ExprKind::In(left, right), TypedKind::In(of, _)) => {
                let words = self.words(at.below(left));
                self.list(Relation::OneOf, of, words, left.span.end, at.below(right));
            }
            (ExprKind::In(left, right), TypedKind::InList(of, list))
                if matches!(of.kind, TypedKind::Const(_)) =>
            {
                self.one(Relation::Equal, at, (right, list), at.below(left));
            }
            (ExprKind::Like(left, name), TypedKind::Like(of, _)) => {
                self.pattern(Relation::Glob, at, (left, of), name);
            }
            (ExprKind::Matches(left, name), TypedKind::Matches(of, _)) => {
                self.pattern(Relation::Regex, at, (left, of), name);
            }
            (ExprKind::Quantified { condition, .. }, TypedKind::Quantified(_, _, typed))
            | (ExprKind::Count { condition: Some(condition), .. }, TypedKind::Count(_, Some(typed))) => {
                self.condition(at.below(condition), typed);
            }
            _ => {}
        }
    }

    /// A comparison with one value.
    fn one(&mut self, relation: Relation, at: At<'c>, of: (&'c Expr, &'c TypedExpr), literal: At<'c>) {
        let literals = self.literal(literal).into_iter().collect();
        let words = self.words(at.below(of.0));
        self.add(relation, of.1, words, of.0.span.end, literals, at.place());
    }

    fn pattern(
        &mut self,
        relation: Relation,
        at: At<'c>,
        of: (&'c Expr, &'c TypedExpr),
        pattern: &'c tree::Name,
    ) {
        let literal =
            Literal { text: &pattern.text, place: place(at.file, pattern.span), written: at.written };
        let words = self.words(at.below(of.0));
        self.add(relation, of.1, words, of.0.span.end, vec![literal], at.place());
    }

    fn list(
        &mut self,
        relation: Relation,
        of: &'c TypedExpr,
        words: Vec<&'c str>,
        operand_end: u32,
        list: At<'c>,
    ) {
        let list = self.named(list);
        let ExprKind::List(items) = &list.expr.kind else { return };
        if list.written == Written::Let && !self.is_new(list.place(), relation, subject(of, &words)) {
            return;
        }
        let literals = items.iter().filter_map(|item| self.literal(list.below(item))).collect();
        self.add(relation, of, words, operand_end, literals, list.place());
    }

    /// Whether nothing of this kind was compared with this let yet.
    fn is_new(&mut self, at: Place, relation: Relation, subject: Subject) -> bool {
        self.listed.insert((at.file, at.start, relation, subject))
    }

    fn add(
        &mut self,
        relation: Relation,
        of: &'c TypedExpr,
        words: Vec<&'c str>,
        operand_end: u32,
        literals: Vec<Literal<'c>>,
        place: Place,
    ) {
        if literals.is_empty() {
            return;
        }
        let (subject, ty) = (subject(of, &words), &of.ty);
        self.found.push(Comparison { subject, ty, words, operand_end, relation, literals, place });
    }

    fn literal(&self, at: At<'c>) -> Option<Literal<'c>> {
        let at = self.named(at);
        let ExprKind::Text(text) = &at.expr.kind else { return None };
        Some(Literal { text, place: at.place(), written: at.written })
    }

    /// The words of a path, lets resolved; of `a else b` those of `a`.
    fn words(&self, at: At<'c>) -> Vec<&'c str> {
        match &self.named(at).expr.kind {
            ExprKind::Path(names) => names.iter().map(|name| name.text.as_str()).collect(),
            ExprKind::Else(first, _) => self.words(at.below(first)),
            _ => Vec::new(),
        }
    }
}

fn subject(of: &TypedExpr, words: &[&str]) -> Subject {
    let item = if let Type::List(item) = &of.ty { item } else { &of.ty };
    match (&of.kind, item) {
        (TypedKind::Part(_, Part::Name), _) => Subject::PackageName,
        (_, Type::Nvr) => Subject::Package,
        (TypedKind::Path(path), Type::String) if path.root == Root::Raw && names_package(words) => {
            Subject::Package
        }
        (TypedKind::EventValue(_), Type::String) if names_package(words) => Subject::Package,
        (_, Type::Enum(id)) => Subject::Enum(*id),
        (_, Type::String) => Subject::Text,
        _ => Subject::Other,
    }
}

/// Whether a path that has no type of its own speaks of a package by name: `body.package_name`, `body.build.nvr`.
fn names_package(words: &[&str]) -> bool {
    let speaks = |word: &str| ["package", "pkg", "nvr"].iter().any(|w| word.contains(w));
    match words {
        [.., of, "name"] => speaks(of) || *of == "build",
        [.., last] => speaks(last),
        [] => false,
    }
}
