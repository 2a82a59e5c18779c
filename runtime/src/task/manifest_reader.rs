//! From the text of a `task.toml` to a `Manifest`, strictly.
//!
//! Comes in: text. Goes out: the manifest, or every problem with its line. An unknown key is a problem that names
//! the closest known one, because a misspelt key that is ignored is a task that does something else than its author
//! reads. It never reads a file.

use std::path::{Component, Path};
use std::time::Duration;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use toml::de::{DeTable, DeValue};

use super::format::ResultFormat;
use super::manifest::{
    Command, Destructive, Environment, EnvironmentKind, Exit, Input, Manifest, Network, Package, Problem,
    ResultSource, SubjectTemplate,
};
use super::plan::{check_value, environment_name};
use super::toml_section::{Reader, Section, close};
use crate::limits;

/// Every key of the contract by its section; `docs/tasks.md` documents exactly these.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "contract",
            "task",
            "inputs",
            "subject",
            "prepare",
            "fetch",
            "run",
            "environment",
            "results",
            "artifacts",
            "events",
            "cleanup",
            "retry",
        ],
    ),
    ("task", &["name", "namespace", "summary", "owner"]),
    ("inputs.*", &["type", "default"]),
    ("subject", &["type", "item"]),
    ("prepare", &["packages", "run", "timeout"]),
    ("prepare.packages.*", &["name", "tool", "apt", "dnf"]),
    ("fetch", &["koji", "arches", "url", "sha256", "repo", "packages", "compose", "image", "site", "into"]),
    ("run", &["command", "timeout", "exit"]),
    ("run.exit", &["pass", "fail", "skip"]),
    ("environment", &["kind", "image", "memory", "cpus", "disk", "network", "destructive"]),
    ("results", &["from", "testcases"]),
    ("artifacts", &["keep", "max_size"]),
    ("events", &["emits"]),
    ("cleanup", &["run", "timeout"]),
    ("retry", &["infrastructure"]),
];

const CONTRACT: u64 = 1;

const KINDS: &[(&str, EnvironmentKind)] = &[
    ("sandbox", EnvironmentKind::Sandbox),
    ("container", EnvironmentKind::Container),
    ("vm", EnvironmentKind::Vm),
    ("cloud", EnvironmentKind::Cloud),
    ("iso-install", EnvironmentKind::IsoInstall),
];

pub(super) fn parse(text: &str) -> Result<Manifest, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, problems: Vec::new() };
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.problem(at, error.message().to_owned());
    }
    let manifest = if reader.problems.is_empty() { reader.manifest(root.get_ref()) } else { None };
    match manifest {
        Some(manifest) if reader.problems.is_empty() => Ok(manifest),
        _ => {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(reader.problems)
        }
    }
}

impl Reader<'_> {
    fn manifest(&mut self, root: &DeTable<'_>) -> Option<Manifest> {
        let top = Section { name: "", at: 0, table: Some(root) };
        self.check_keys(top);
        if let Some(contract) = self.whole(top, "contract", u64::MAX)
            && contract != CONTRACT
        {
            let message =
                format!("contract {contract} is not known here, this taskbot reads contract {CONTRACT}");
            self.problem(root.get("contract").map_or(0, |v| v.span().start), message);
            return None;
        }
        let inputs = self.inputs(top);
        let task = self.section(top, "task");
        let name = self.word(task, "name").unwrap_or_else(|| "task".into());
        let namespace = self.word(task, "namespace").unwrap_or_default();
        let prepare = self.section(top, "prepare");
        let run = self.section(top, "run");
        let command = self.command(run, "command", limits::RUN_TIMEOUT_DEFAULT, &inputs);
        if command.is_none() && run.get("command").is_none() {
            let message = "`run.command` is missing: say what to run, `[run]` `command = [\"./run\"]`".into();
            self.problem(run.at, message);
        }
        let results = self.section(top, "results");
        let artifacts = self.section(top, "artifacts");
        let cleanup = self.section(top, "cleanup");
        let events = self.section(top, "events");
        let retry = self.section(top, "retry");
        Some(Manifest {
            name,
            namespace,
            summary: self.string(task, "summary").unwrap_or_default(),
            owner: self.string(task, "owner").unwrap_or_default(),
            subject: self.subject(top, &inputs),
            packages: self.packages(prepare),
            prepare: self.command(prepare, "run", limits::PREPARE_TIMEOUT_DEFAULT, &inputs),
            fetches: self.fetches(top, &inputs),
            exit: self.exit(run),
            environment: self.environment(top),
            results_from: self.results_from(results),
            testcases: self.strings(results, "testcases").unwrap_or_default(),
            keep: self.keep(artifacts)?,
            artifacts_max_bytes: self.size(artifacts, "max_size").unwrap_or(limits::ARTIFACTS_BYTES_DEFAULT),
            emits: self.strings(events, "emits").unwrap_or_default(),
            cleanup: self.command(cleanup, "run", limits::CLEANUP_TIMEOUT_DEFAULT, &inputs),
            infrastructure_retries: self
                .whole(retry, "infrastructure", limits::INFRASTRUCTURE_RETRIES_MAX.into())
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(limits::INFRASTRUCTURE_RETRIES_DEFAULT),
            run: command?,
            inputs,
        })
    }

    fn inputs(&mut self, top: Section<'_>) -> Vec<Input> {
        let Some(table) = self.table(top, "inputs") else { return Vec::new() };
        let mut inputs: Vec<(usize, Input)> = Vec::new();
        for (name, value) in table {
            let at = name.span().start;
            let name = name.get_ref().to_string();
            let DeValue::Table(fields) = value.get_ref() else {
                self.problem(at, format!("input `{name}` must be a table: `{name} = {{ type = \"nvr\" }}`"));
                continue;
            };
            let section = Section { name: "inputs.*", at, table: Some(fields) };
            self.check_keys(section);
            if !is_input_name(&name) {
                let message = format!("input `{name}`: a name is a letter, then letters, digits, `-`, `_`");
                self.problem(at, message);
                continue;
            }
            let Some(type_name) = self.string(section, "type") else {
                if section.get("type").is_none() {
                    self.problem(at, format!("input `{name}` has no `type`, such as \"nvr\" or \"string\""));
                }
                continue;
            };
            if !is_type_name(&type_name) {
                self.problem(at, format!("input `{name}`: `{type_name}` is not the name of a type"));
                continue;
            }
            let default = self.default(section, &name, &type_name);
            inputs.push((at, Input { name, type_name, default }));
        }
        inputs.sort_by_key(|(at, _)| *at);
        for (i, (at, input)) in inputs.iter().enumerate() {
            let variable = environment_name(&input.name);
            if inputs.iter().take(i).any(|(_, other)| environment_name(&other.name) == variable) {
                let message = format!("input `{}`: another input also becomes {variable}", input.name);
                self.problem(*at, message);
            }
        }
        inputs.into_iter().map(|(_, input)| input).collect()
    }

    fn default(&mut self, section: Section<'_>, name: &str, type_name: &str) -> Option<String> {
        let value = section.get("default")?;
        let text = match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            DeValue::Array(items) => items
                .iter()
                .map(|item| item.get_ref().as_str())
                .collect::<Option<Vec<_>>>()
                .and_then(|items| serde_json::to_string(&items).ok()),
            _ => None,
        };
        let checked = match text {
            Some(text) => check_value(type_name, &text).map(|()| text),
            None => Err("must be a string, a whole number, a bool or a list of strings".into()),
        };
        checked
            .map_err(|why| self.problem(value.span().start, format!("default of input `{name}`: {why}")))
            .ok()
    }

    fn subject(&mut self, top: Section<'_>, inputs: &[Input]) -> Option<SubjectTemplate> {
        let subject = self.section(top, "subject");
        subject.table?;
        let item_type = self.string(subject, "type");
        let item = self.template(subject, "item", inputs);
        match (item_type, item) {
            (Some(item_type), Some(item)) => Some(SubjectTemplate { item_type, item }),
            _ => {
                self.problem(subject.at, "[subject] needs both `type` and `item`".into());
                None
            }
        }
    }

    fn packages(&mut self, prepare: Section<'_>) -> Vec<Package> {
        let mut packages = Vec::new();
        let Some(value) = prepare.get("packages") else { return packages };
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(value.span().start, "`prepare.packages` must be a list: [\"rpmlint\"]".into());
            return packages;
        };
        for item in items {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(name) => packages.push(Package {
                    name: name.to_string(),
                    tool: name.to_string(),
                    apt: None,
                    dnf: None,
                }),
                DeValue::Table(table) => {
                    let section = Section { name: "prepare.packages.*", at, table: Some(table) };
                    self.check_keys(section);
                    let Some(name) = self.string(section, "name") else {
                        self.problem(at, "a package needs its `name`".into());
                        continue;
                    };
                    let tool = self.string(section, "tool").unwrap_or_else(|| name.clone());
                    let apt = self.string(section, "apt");
                    packages.push(Package { name, tool, apt, dnf: self.string(section, "dnf") });
                }
                _ => self
                    .problem(at, "a package is its name, or `{ name = \"gcc-c++\", tool = \"g++\" }`".into()),
            }
        }
        for package in &packages {
            let names = [Some(&package.name), package.apt.as_ref(), package.dnf.as_ref()];
            let bad = names.into_iter().flatten().find(|name| !is_package_name(name));
            if let Some(bad) = bad {
                self.problem(value.span().start, format!("`{bad}` is not the name of a package"));
            }
        }
        packages
    }

    fn exit(&mut self, run: Section<'_>) -> Exit {
        let section = self.section(run, "run.exit");
        let mut taken: Vec<i32> = Vec::new();
        let mut read = |reader: &mut Self, key: &str| {
            let codes = reader.exit_codes(section, key)?;
            if let Some(twice) = codes.iter().find(|code| taken.contains(code)) {
                reader.problem(section.at, format!("`run.exit`: {twice} cannot mean two things"));
            }
            taken.extend(&codes);
            Some(codes)
        };
        let (pass, fail, skip) = (read(self, "pass"), read(self, "fail"), read(self, "skip"));
        let default = |code: i32| if taken.contains(&code) { Vec::new() } else { vec![code] };
        Exit {
            pass: pass.unwrap_or_else(|| default(0)),
            fail: fail.unwrap_or_else(|| default(1)),
            skip: skip.unwrap_or_else(|| default(77)),
        }
    }

    fn exit_codes(&mut self, section: Section<'_>, key: &str) -> Option<Vec<i32>> {
        let value = section.get(key)?;
        let codes = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| exit_code(item.get_ref())).collect(),
            _ => None,
        };
        if codes.is_none() {
            let message = format!("`run.exit.{key}` must be a list of exit codes, 0 to 255");
            self.problem(value.span().start, message);
        }
        codes
    }

    fn environment(&mut self, top: Section<'_>) -> Environment {
        let section = self.section(top, "environment");
        let said = self.string(section, "kind").unwrap_or_else(|| "sandbox".into());
        let kind = KINDS.iter().find(|(name, _)| *name == said).map(|(_, kind)| *kind);
        if kind.is_none() {
            let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "`environment.kind`: {said:?} is none of {}{}",
                names.join(", "),
                close(&said, &names)
            );
            self.problem(section.at, message);
        }
        let kind = kind.unwrap_or(EnvironmentKind::Sandbox);
        let yes = |flag: Option<bool>| flag == Some(true);
        let destructive =
            if yes(self.truth(section, "destructive")) { Destructive::Yes } else { Destructive::No };
        let shared = matches!(kind, EnvironmentKind::Sandbox | EnvironmentKind::Container);
        if destructive == Destructive::Yes && shared {
            let message = "a destructive task needs a machine of its own: `kind` vm, cloud or iso-install";
            self.problem(section.at, message.into());
        }
        Environment {
            kind,
            image: self.string(section, "image"),
            memory_bytes: self.size(section, "memory"),
            cpus: self.whole(section, "cpus", 1024).and_then(|n| u32::try_from(n).ok()),
            disk_bytes: self.size(section, "disk"),
            network: if yes(self.truth(section, "network")) { Network::Granted } else { Network::None },
            destructive,
        }
    }

    fn results_from(&mut self, section: Section<'_>) -> Vec<ResultSource> {
        let mut sources = Vec::new();
        for said in self.strings(section, "from").unwrap_or_default() {
            let at = section.get("from").map_or(section.at, |value| value.span().start);
            let (name, pattern) = said.split_once(':').unwrap_or(("results", &said));
            let Some((_, format)) = ResultFormat::NAMED.iter().find(|(known, _)| *known == name) else {
                let hint = close(name, &ResultFormat::NAMED.map(|(known, _)| known));
                self.problem(at, format!("`results.from`: unknown format {name:?}{hint}"));
                continue;
            };
            match (format, file_pattern(pattern)) {
                (ResultFormat::Tap, _) if pattern == "-" => sources.push(ResultSource::TapLog),
                (format, Ok(glob)) => {
                    let pattern = glob.compile_matcher();
                    sources.push(ResultSource::Files { format: *format, pattern });
                }
                (_, Err(why)) => self.problem(at, format!("`results.from`: {said:?}: {why}")),
            }
        }
        sources
    }

    fn keep(&mut self, section: Section<'_>) -> Option<GlobSet> {
        let patterns = self.strings(section, "keep").unwrap_or_else(|| vec!["**".into()]);
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            match file_pattern(pattern) {
                Ok(glob) => {
                    set.add(glob);
                }
                Err(why) => self.problem(section.at, format!("`artifacts.keep`: {pattern:?}: {why}")),
            }
        }
        set.build().map_err(|why| self.problem(section.at, format!("`artifacts.keep`: {why}"))).ok()
    }

    fn command(
        &mut self,
        section: Section<'_>,
        key: &str,
        default: Duration,
        inputs: &[Input],
    ) -> Option<Command> {
        let timeout = self.duration(section, "timeout").unwrap_or(default);
        let argv = self.strings(section, key)?;
        let at = section.get(key).map_or(section.at, |value| value.span().start);
        if argv.first().is_none_or(String::is_empty) {
            self.problem(at, format!("`{}` must name a program, [\"./run\"]", section.path(key)));
            return None;
        }
        for input in inputs {
            if argv.iter().any(|argument| argument.contains(&format!("{{{}}}", input.name))) {
                let message = format!(
                    "`{}`: values never reach a command line; read ${} from the environment",
                    section.path(key),
                    environment_name(&input.name)
                );
                self.problem(at, message);
            }
        }
        Some(Command { argv, timeout })
    }
}

fn exit_code(value: &DeValue<'_>) -> Option<i32> {
    match value {
        DeValue::Integer(number) => u8::from_str_radix(number.as_str(), number.radix()).ok().map(i32::from),
        _ => None,
    }
}

fn file_pattern(pattern: &str) -> Result<Glob, String> {
    let below = Path::new(pattern).components().all(|c| matches!(c, Component::Normal(_)));
    if pattern.is_empty() || !below {
        return Err("must be a pattern below the artifact directory, no `..`".into());
    }
    GlobBuilder::new(pattern).literal_separator(true).build().map_err(|e| e.to_string())
}

fn is_input_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn is_type_name(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    is_input_name(inner)
}

fn is_package_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::KEYS;

    #[test]
    fn the_documentation_has_exactly_the_keys_that_are_read() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tasks.md");
        let page = std::fs::read_to_string(page).unwrap();
        let table = page.split("## task.toml").nth(1).unwrap().split("\n## ").next().unwrap();
        let documented: BTreeSet<String> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(key, _)| key.to_owned())
            .collect();
        let sections: Vec<&str> = KEYS.iter().map(|(name, _)| name.trim_end_matches(".*")).collect();
        let read: BTreeSet<String> = KEYS
            .iter()
            .flat_map(|(section, keys)| {
                keys.iter().map(move |key| {
                    if section.is_empty() { (*key).to_owned() } else { format!("{section}.{key}") }
                })
            })
            .filter(|key| !sections.contains(&key.as_str()) || key == "prepare.packages")
            .collect();
        assert_eq!(documented, read);
    }
}
