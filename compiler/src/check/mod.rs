//! Types: from names to the typed program.
//!
//! Comes in: the declarations and rules by name. Goes out: the typed program, and everything that is wrong with it. Order:
//! lets, enums, records, facts, tasks, events, rules, tests; what is wrong in one is left out of the next, so that one mistake is told
//! once. It never looks at messages and emits no code.

mod before;
mod clauses;
mod declarations;
mod events;
mod expressions;
mod lets;
mod lists;
mod paths;
mod rules;
mod shape;
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hashbrown::HashMap;
use smol_str::SmolStr;
use taskbot_grammar::Let;
use taskbot_graph::{Place, TaskDef, Type};

pub(crate) use before::{Before, Checked};

use crate::Manifest;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::Shared;
use crate::names::{Names, Table};
use crate::typed::{Program, TypedEvent, TypedExpr};

/// What checking gives.
pub(crate) struct Typed {
    pub(crate) program: Program,
    /// Lets that something reads.
    pub(crate) used_lets: BTreeSet<String>,
    /// How each rule of the program was checked.
    pub(crate) checked: Vec<Checked>,
    /// What its rules need that others need as well.
    pub(crate) shared: Shared,
}

/// Checks a whole program, but for the rules that were checked before.
pub(crate) fn check(
    names: &Names<'_>,
    manifests: &[Manifest],
    before: Before,
    diagnostics: &mut Vec<Diagnostic>,
) -> Typed {
    let mut checker = Checker {
        names,
        manifests,
        diagnostics,
        program: Program::default(),
        types: BTreeMap::new(),
        facts: BTreeMap::new(),
        groups: BTreeMap::new(),
        waited_for: HashMap::new(),
        topics: HashMap::new(),
        run: HashMap::new(),
        lets: Table::default(),
        broken_lets: BTreeSet::new(),
        used_lets: BTreeSet::new(),
    };
    checker.lets();
    checker.enums();
    checker.records();
    checker.facts();
    checker.tasks();
    checker.events();
    let (checked, shared) = checker.rules(before);
    checker.tests();
    Typed { program: checker.program, used_lets: checker.used_lets, checked, shared }
}

/// What is known so far.
struct Checker<'c, 't> {
    names: &'c Names<'t>,
    manifests: &'c [Manifest],
    diagnostics: &'c mut Vec<Diagnostic>,
    program: Program,
    /// Enums and records by name.
    types: BTreeMap<String, Type>,
    /// Facts by (name of the type, name): place in the program, and the key as an expression over the value bound last.
    facts: BTreeMap<(String, String), (usize, TypedExpr)>,
    /// The limit of each group, and where it stands first.
    groups: BTreeMap<String, (u32, Place)>,
    /// Events that rules wait for, with their places in the program: shared by all of these rules.
    waited_for: HashMap<SmolStr, (usize, Rc<TypedEvent>)>,
    /// Topics that no event declares and rules wait for, in the same way.
    topics: HashMap<SmolStr, (usize, Rc<TypedEvent>)>,
    /// Tasks that rules run, in the same way.
    run: HashMap<SmolStr, (usize, Rc<TaskDef>)>,
    /// Lets without those that stand for themselves, so that looking into them ends.
    lets: Table<'t, Let>,
    /// Lets that stand for themselves: told once.
    broken_lets: BTreeSet<String>,
    /// Lets that something reads.
    used_lets: BTreeSet<String>,
}

impl Checker<'_, '_> {
    fn report(
        &mut self,
        code: &'static Code,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        let at = self.diagnostics.len();
        self.diagnostics.push(Diagnostic::new(code, place, message, label));
        #[expect(clippy::indexing_slicing, reason = "pushed at this place one line above")]
        &mut self.diagnostics[at]
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The name of a type as the language writes it.
    fn type_name(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "bool".into(),
            Type::Int => "int".into(),
            Type::Float => "float".into(),
            Type::String => "string".into(),
            Type::Evr => "evr".into(),
            Type::Nvr => "nvr".into(),
            Type::Time => "time".into(),
            Type::Duration => "duration".into(),
            Type::Anything => "anything".into(),
            Type::Enum(id) => self.program.enums.get(*id as usize).map_or(String::new(), |e| e.name.clone()),
            Type::Record(id) => {
                self.program.records.get(*id as usize).map_or(String::new(), |r| r.name.clone())
            }
            Type::List(item) => format!("[{}]", self.type_name(item)),
        }
    }
}
