//! `[[fetch]]` of a `task.toml`: what a task downloads.
//!
//! Comes in: the table of the file. Goes out: downloads whose templates name known inputs. Each is of exactly one
//! kind, and keys of another kind are problems. It never downloads anything.

use std::path::{Component, Path, PathBuf};

use toml::de::DeValue;

use super::manifest::{Fetch, FetchFrom, Input};
use super::toml_section::{Reader, Section};

impl Reader<'_> {
    pub(super) fn fetches(&mut self, top: Section<'_>, inputs: &[Input]) -> Vec<Fetch> {
        let Some(value) = top.get("fetch") else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(value.span().start, "downloads are a list of tables: write `[[fetch]]`".into());
            return Vec::new();
        };
        let mut fetches = Vec::new();
        for item in items {
            let at = item.span().start;
            let DeValue::Table(table) = item.get_ref() else {
                self.problem(at, "downloads are a list of tables: write `[[fetch]]`".into());
                continue;
            };
            let section = Section { name: "fetch", at, table: Some(table) };
            self.check_keys(section);
            let into = self.string(section, "into").unwrap_or_else(|| ".".into());
            if !Path::new(&into).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
                let message = format!("`fetch.into`: {into:?} must be a folder below the downloads, no `..`");
                self.problem(at, message);
            }
            if let Some(from) = self.fetch_from(section, inputs) {
                fetches.push(Fetch { from, into: PathBuf::from(into) });
            }
        }
        fetches
    }

    fn fetch_from(&mut self, section: Section<'_>, inputs: &[Input]) -> Option<FetchFrom> {
        const KINDS: [(&str, &[&str]); 5] = [
            ("koji", &["koji", "arches", "into"]),
            ("url", &["url", "sha256", "into"]),
            ("repo", &["repo", "packages", "arches", "into"]),
            ("compose", &["compose", "image", "arches", "into"]),
            ("site", &["site", "into"]),
        ];
        let mut said = KINDS.iter().filter(|(kind, _)| section.get(kind).is_some());
        let (Some((kind, keys)), None) = (said.next(), said.next()) else {
            let message = "[[fetch]] needs exactly one of `koji`, `url`, `repo`, `compose`, `site`".into();
            self.problem(section.at, message);
            return None;
        };
        for (key, _) in section.table? {
            let other = KINDS.iter().any(|(_, known)| known.contains(&key.get_ref().as_ref()));
            if other && !keys.contains(&key.get_ref().as_ref()) {
                let message = format!("`fetch.{}` does not go with `fetch.{kind}`", key.get_ref());
                self.problem(key.span().start, message);
            }
        }
        match *kind {
            "koji" => Some(FetchFrom::Koji {
                build: self.template(section, "koji", inputs)?,
                arches: self.templates(section, "arches", inputs).unwrap_or_default(),
            }),
            "url" => {
                let url = self.string(section, "url")?;
                let sha256 = self.string(section, "sha256").unwrap_or_default();
                if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    let message = "`fetch.url` needs `sha256`: 64 lower-case hexadecimal digits".into();
                    self.problem(section.at, message);
                }
                Some(FetchFrom::Url { url, sha256 })
            }
            "repo" => Some(FetchFrom::Repo {
                repo: self.string(section, "repo")?,
                packages: self.templates(section, "packages", inputs).unwrap_or_default(),
                arches: self.templates(section, "arches", inputs).unwrap_or_default(),
            }),
            "site" => Some(FetchFrom::Site { name: self.word(section, "site")? }),
            _ => Some(FetchFrom::Compose {
                compose: self.template(section, "compose", inputs)?,
                image: self.string(section, "image").unwrap_or_default(),
                arches: self.templates(section, "arches", inputs).unwrap_or_default(),
            }),
        }
    }
}
