//! Reading a path of a JSON tree as its declared type, by walking it.

use serde_json::Value as Json;
use taskbot_graph::{Evr, Nvr, Path, Presence, Root, Type, Value, parse_time};

use super::{Cell, Scene, misfit};

impl Scene<'_> {
    /// Reads a path by walking the JSON tree.
    pub(super) fn path(&self, path: &Path) -> Cell {
        let root = if path.root == Root::Subject { self.row } else { Some(self.body) };
        let Some(root) = root else { return Cell::Absent };
        if path.root == Root::Raw {
            return match walk(root, &path.steps, &path.lists, 0) {
                Found::Null => Cell::Null,
                Found::One(json) => self.read(json, &path.ty).map_or(Cell::Absent, Cell::Is),
                _ => Cell::Absent,
            };
        }
        let required = path.presence == Presence::Required;
        match walk(root, &path.steps, &path.lists, 0) {
            Found::Wrong => misfit(),
            Found::Absent | Found::Null if required => misfit(),
            Found::Absent => Cell::Absent,
            Found::Null => Cell::Null,
            Found::One(json) => self.read(json, &path.ty).map_or_else(misfit, Cell::Is),
            Found::Many(found) => {
                let Type::List(item) = &path.ty else { return misfit() };
                let mut values = Vec::new();
                for at in found {
                    match at {
                        Found::One(json) => match self.read(json, item) {
                            Some(value) => values.push(value),
                            None => return misfit(),
                        },
                        Found::Wrong => return misfit(),
                        _ if required => return misfit(),
                        _ => {}
                    }
                }
                Cell::Is(Value::List(values.into()))
            }
        }
    }

    fn read(&self, json: &Json, ty: &Type) -> Option<Value> {
        Some(match (ty, json) {
            (Type::Bool, Json::Bool(b)) => Value::Bool(*b),
            (Type::Int, Json::Number(n)) => Value::Int(n.as_i64()?),
            (Type::Float, Json::Number(n)) => Value::Float(n.as_f64()?),
            (Type::String | Type::Enum(_), Json::String(t)) => Value::Text(t.as_str().into()),
            (Type::Evr, Json::String(t)) => Value::Evr(Evr::parse(t)?.into()),
            (Type::Nvr, Json::String(t)) => Value::Nvr(Nvr::parse(t)?.into()),
            (Type::Time, Json::String(t)) => Value::Time(parse_time(t)?),
            (Type::Time, Json::Number(n)) => Value::Time((n.as_f64()? * 1000.0) as i64),
            (Type::Duration, Json::Number(n)) => Value::Duration((n.as_f64()? * 1000.0) as i64),
            (Type::Anything, json) => Value::Text(json.to_string().into()),
            (Type::List(item), Json::Array(items)) => Value::List(
                items.iter().map(|json| self.read(json, item)).collect::<Option<Vec<_>>>()?.into(),
            ),
            (Type::Record(id), Json::Object(members)) => {
                let mut values = Vec::new();
                for field in &self.program.records[*id as usize].fields {
                    match members.get(&field.name) {
                        None | Some(Json::Null) if field.presence == Presence::Optional => values.push(None),
                        None | Some(Json::Null) => return None,
                        Some(json) => values.push(Some(self.read(json, &field.ty)?)),
                    }
                }
                Value::Record(*id, values.into())
            }
            _ => return None,
        })
    }
}

enum Found<'j> {
    Absent,
    Null,
    Wrong,
    One(&'j Json),
    Many(Vec<Found<'j>>),
}

fn walk<'j>(at: &'j Json, steps: &[String], lists: &[u32], depth: u32) -> Found<'j> {
    if lists.contains(&depth) {
        return match at {
            Json::Array(items) => {
                let below: Vec<u32> = lists.iter().copied().filter(|l| *l != depth).collect();
                let mut all = Vec::new();
                for item in items {
                    match walk(item, steps, &below, depth) {
                        Found::Many(more) => all.extend(more),
                        one => all.push(one),
                    }
                }
                Found::Many(all)
            }
            Json::Null => Found::Absent,
            _ => Found::Wrong,
        };
    }
    let Some((step, rest)) = steps.split_first() else {
        return if at.is_null() { Found::Null } else { Found::One(at) };
    };
    match at {
        Json::Object(members) => {
            members.get(step).map_or(Found::Absent, |below| walk(below, rest, lists, depth + 1))
        }
        Json::Null => Found::Absent,
        _ => Found::Wrong,
    }
}
