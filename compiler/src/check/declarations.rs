//! Enums, records, facts and tasks: the declarations that rules and events build on.
//!
//! Comes in: their trees. Goes out: their entries in the program. Records are ordered so that each refers only to records
//! before it: reading one always ends.

use std::collections::BTreeSet;

use taskbot_grammar::{self as tree, Optional, StaticText, TypeKind};
use taskbot_graph::{EnumDef, FactDef, FieldDef, Param, Place, Presence, RecordDef, TaskDef, Type, Value};

use super::Checker;
use super::view::{Root, View};

use crate::diagnostic::{
    Diagnostic, TB0201, TB0203, TB0204, TB0208, TB0309, TB0404, TB0405, TB0406, TB0408, TB0501, TB0507,
};
use crate::names::Placed;
use crate::typed::{TypedExpr, TypedKind};
use crate::{ManifestInput, Needed, Origin};

const BUILT_IN: [(&str, Type); 8] = [
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("float", Type::Float),
    ("string", Type::String),
    ("evr", Type::Evr),
    ("nvr", Type::Nvr),
    ("time", Type::Time),
    ("duration", Type::Duration),
];

impl Checker<'_, '_> {
    pub(super) fn enums(&mut self) {
        self.types = BUILT_IN.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
        for (name, placed) in &self.names.enums {
            let mut values: Vec<String> = Vec::new();
            let mut seen = BTreeSet::new();
            for value in &placed.node.values {
                if !seen.insert(value.text.as_str()) {
                    let message = format!("`{}` stands twice in enum `{name}`", value.text);
                    self.report(&TB0208, placed.place(value.span), message, "the second time");
                } else {
                    values.push(value.text.to_string());
                }
            }
            let id = u32::try_from(self.program.enums.len()).unwrap_or(u32::MAX);
            self.program.enums.push(EnumDef { name: name.clone(), values });
            self.types.insert(name.clone(), Type::Enum(id));
        }
    }

    pub(super) fn records(&mut self) {
        let mut open = Vec::new();
        let mut done = BTreeSet::new();
        let names: Vec<String> = self.names.records.keys().cloned().collect();
        for name in names {
            self.record(&name, &mut open, &mut done);
        }
    }

    /// Declares a record after those that its fields hold.
    fn record(&mut self, name: &str, open: &mut Vec<String>, done: &mut BTreeSet<String>) {
        let Some(placed) = self.names.records.get(name).copied() else { return };
        if open.iter().any(|o| o == name) {
            let message = format!("record `{name}` holds itself: {} -> {name}", open.join(" -> "));
            self.report(&TB0501, placed.place(placed.node.name.span), message, "this record").help =
                Some("hold a list of identities (strings) instead".into());
            return;
        }
        if !done.insert(name.to_owned()) {
            return;
        }
        open.push(name.to_owned());
        for field in &placed.node.fields {
            if let Some(held) = innermost(&field.ty) {
                self.record(held, open, done);
            }
        }
        open.pop();
        let mut fields: Vec<FieldDef> = Vec::new();
        for field in &placed.node.fields {
            if let Some((ty, presence)) = self.type_of(&placed, &field.ty) {
                fields.push(FieldDef { name: field.name.text.to_string(), ty, presence });
            }
        }
        let mut identity = Vec::new();
        for part in &placed.node.identity {
            match fields.iter().position(|f| f.name == part.text) {
                Some(at) => identity.push(u32::try_from(at).unwrap_or(u32::MAX)),
                None => {
                    let message = format!("record `{name}` has no field `{}`", part.text);
                    let diagnostic =
                        Diagnostic::new(&TB0203, placed.place(part.span), message, "unknown field")
                            .did_you_mean(&part.text, fields.iter().map(|f| f.name.as_str()));
                    self.push(diagnostic);
                }
            }
        }
        let id = u32::try_from(self.program.records.len()).unwrap_or(u32::MAX);
        self.program.records.push(RecordDef { name: name.to_owned(), fields, identity });
        self.types.insert(name.to_owned(), Type::Record(id));
    }

    /// A type as written, outside of a body.
    pub(super) fn type_of<T>(
        &mut self,
        placed: &Placed<'_, T>,
        ty: &tree::TypeExpr,
    ) -> Option<(Type, Presence)> {
        let presence = if ty.optional == Optional::Yes { Presence::Optional } else { Presence::Required };
        let found = match &ty.kind {
            TypeKind::Named(name) => self.named_type(placed.place(ty.span), name)?,
            TypeKind::List(item) => Type::List(Box::new(self.type_of(placed, item)?.0)),
            TypeKind::Shape(_) => {
                self.report(
                    &TB0507,
                    placed.place(ty.span),
                    "a shape stands outside of a body",
                    "not possible here",
                )
                .help = Some("declare it as a `record` and write its name here".into());
                return None;
            }
        };
        Some((found, presence))
    }

    pub(super) fn named_type(&mut self, place: Place, name: &str) -> Option<Type> {
        if let Some(ty) = self.types.get(name) {
            return Some(ty.clone());
        }
        if self.names.records.contains_key(name) {
            // Declared, but wrong: that was told at its declaration.
            return None;
        }
        let diagnostic =
            Diagnostic::new(&TB0204, place, format!("there is no type `{name}`"), "unknown type")
                .did_you_mean(name, self.types.keys().map(String::as_str));
        self.push(diagnostic);
        None
    }

    pub(super) fn facts(&mut self) {
        for (name, placed) in &self.names.facts {
            let fact = placed.node;
            let on = self.named_type(placed.place(fact.on.span), &fact.on.text);
            let answer = self.type_of(placed, &fact.ty);
            let (Some(on), Some((ty, presence))) = (on, answer) else { continue };
            let mut view = View::new(placed.file, Root::Value(on));
            let Some(key) = self.expr(&mut view, &fact.key, None) else { continue };
            if !self.present(&key) {
                continue;
            }
            let at = self.program.facts.len();
            self.program.facts.push(FactDef { name: name.clone(), ty, presence });
            self.facts.insert((fact.on.text.to_string(), fact.name.text.to_string()), (at, key));
        }
    }

    pub(super) fn tasks(&mut self) {
        for (name, placed) in &self.names.tasks {
            let mut params = Vec::new();
            for param in &placed.node.params {
                let Some((ty, presence)) = self.type_of(placed, &param.ty) else { continue };
                if params.iter().any(|p: &Param| p.name == param.name.text) {
                    let message = format!("task `{name}` has two inputs `{}`", param.name.text);
                    self.report(&TB0208, placed.place(param.name.span), message, "the second one");
                    continue;
                }
                if let Type::Record(id) = innermost_type(&ty)
                    && self.program.records.get(*id as usize).is_some_and(|r| r.identity.is_empty())
                {
                    let message = format!(
                        "`{}` is no argument: record `{}` has no identity",
                        param.name.text,
                        self.type_name(&ty)
                    );
                    self.report(&TB0406, placed.place(param.ty.span), message, "a record without identity")
                        .help = Some("add `identity FIELD` to the record".into());
                }
                let mut view = View::new(placed.file, Root::Nothing);
                let default = param.default.as_ref().and_then(|d| self.expr(&mut view, d, Some(&ty)));
                let default = default.and_then(|default| self.default_value(default, &ty));
                let type_name = self.type_name(&ty);
                params.push(Param { name: param.name.text.to_string(), ty, type_name, presence, default });
            }
            let (repository, reference) = match (&placed.node.repository, placed.origin) {
                (Some((url, at)), _) => {
                    let url = self.static_text(placed, url);
                    let at = at.as_ref().map(|at| self.static_text(placed, at));
                    let (Some(url), Some(at)) = (url, at.map_or(Some(None), |at| at.map(Some))) else {
                        continue;
                    };
                    self.repository_url(placed.place(url.span), &url.text);
                    if let Some(at) = at {
                        self.git_reference(placed.place(at.span), &at.text);
                    }
                    (url.text.to_string(), at.map(|n| n.text.to_string()))
                }
                (None, Origin::Standard) => (format!("standard:{name}"), None),
                (None, Origin::Own) => {
                    let place = placed.place(placed.node.name.span);
                    self.report(
                        &TB0405,
                        place,
                        format!("task `{name}` has no repository"),
                        "declared here",
                    )
                    .help = Some("add `repository \"https://...\"` to its body".into());
                    continue;
                }
            };
            for event in &placed.node.emits {
                self.known_event(placed.place(event.span), &event.text);
            }
            let emits = placed.node.emits.iter().map(|e| e.text.to_string()).collect();
            let task = TaskDef { name: name.clone(), repository, reference, params, emits };
            self.compare_manifest(placed, &task);
            self.program.tasks.push(task);
        }
    }

    /// A default's constant, of the input's type.
    fn default_value(&mut self, default: TypedExpr, ty: &Type) -> Option<Value> {
        if default.ty != *ty {
            self.mismatch(&default, ty);
            return None;
        }
        match default.kind {
            TypedKind::Const(value) => Some(value),
            TypedKind::List(values) => Some(Value::List(values.into())),
            _ => None,
        }
    }

    /// Only what can be cloned without a shell, a key or a helper program.
    fn repository_url(&mut self, place: Place, url: &str) {
        let known = ["https://", "file:///", "/", "standard:"].iter().any(|start| url.starts_with(start));
        if !known || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.report(&TB0408, place, format!("{url:?} is no repository that can be cloned"), "here")
                .help =
                Some("write https://..., file:///... or an absolute path; ssh is not supported".into());
        }
    }

    /// A branch, tag or commit, and nothing that git would read as something else.
    fn git_reference(&mut self, place: Place, reference: &str) {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
        if reference.is_empty()
            || reference.starts_with('-')
            || reference.contains("..")
            || reference.contains(odd)
        {
            let message = format!("{reference:?} is no branch, tag or commit");
            self.report(&TB0408, place, message, "here").help =
                Some("write a name as git has it, best a full commit".into());
        }
    }

    /// A literal; anything else would let a message choose what is executed.
    fn static_text<'n>(
        &mut self,
        placed: &Placed<'_, tree::Task>,
        text: &'n StaticText,
    ) -> Option<&'n tree::Name> {
        match text {
            StaticText::Literal(name) => Some(name),
            StaticText::Path(path) => {
                let message = "a repository and its commit are literals, never values of a message";
                self.report(&TB0309, placed.place(path.span), message, "not a literal").help =
                    Some("declare one task for each repository, and choose between them with rules".into());
                None
            }
        }
    }

    pub(super) fn known_event(&mut self, place: Place, name: &str) {
        if !self.names.events.contains_key(name) {
            let diagnostic =
                Diagnostic::new(&TB0201, place, format!("there is no event `{name}`"), "unknown event")
                    .did_you_mean(name, self.names.events.keys().map(String::as_str));
            self.push(diagnostic);
        }
    }

    /// Where the manifest is at hand, the declaration decides and a manifest that differs is refused.
    fn compare_manifest(&mut self, placed: &Placed<'_, tree::Task>, task: &TaskDef) {
        let of_standard = |m: &&crate::Manifest| task.repository == format!("standard:{}", m.task);
        let Some(manifest) = self.manifests.iter().find(of_standard) else { return };
        let declared = |name: &str| task.params.iter().find(|p| p.name == name).map(|p| p.type_name.as_str());
        let mut differences: Vec<String> = Vec::new();
        for ManifestInput { name, ty, needed } in &manifest.inputs {
            match declared(name) {
                None if *needed == Needed::No => {}
                None => differences.push(format!("its manifest also takes `{name}: {ty}`")),
                Some(other) if other != ty => {
                    differences.push(format!("`{name}` is {ty} in its manifest, {other} here"))
                }
                Some(_) => {}
            }
        }
        for param in &task.params {
            if !manifest.inputs.iter().any(|input| input.name == param.name) {
                differences.push(format!("its manifest does not take `{}`", param.name));
            }
        }
        if !differences.is_empty() {
            let message = format!("task `{}` and its manifest differ: {}", task.name, differences.join("; "));
            self.report(&TB0404, placed.place(placed.node.name.span), message, "declared here").help =
                Some("make the [inputs] of its task.toml equal to this declaration".into());
        }
    }
}

/// The name of the type that a field holds, through lists.
fn innermost(ty: &tree::TypeExpr) -> Option<&str> {
    match &ty.kind {
        TypeKind::Named(name) => Some(name),
        TypeKind::List(item) => innermost(item),
        TypeKind::Shape(_) => None,
    }
}

/// What a list holds in the end; the type itself if it is none.
fn innermost_type(ty: &Type) -> &Type {
    if let Type::List(item) = ty { innermost_type(item) } else { ty }
}
