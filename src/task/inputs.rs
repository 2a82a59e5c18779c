//! Inputs of a task as they are typed, or as a file's name tells them.
//!
//! Comes in: `NAME=VALUE`, a manifest, the path of a file. Goes out: all inputs that the task takes, each once. Whether a value is
//! of its type is the runtime's business.

use std::path::Path;

use taskbot_graph::Nvr;
use taskbot_runtime::task::Manifest;

use crate::output::Failure;

/// An input, by name and text.
pub type Input = (String, String);

/// Reads what was typed.
pub fn parse(typed: &[String]) -> Result<Vec<Input>, Failure> {
    let one = |input: &String| {
        let (name, value) = input.split_once('=').ok_or_else(|| {
            Failure::new(format!("--input {input}: write NAME=VALUE, like package=curl-8.6.0-7.fc40"))
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    typed.iter().map(one).collect()
}

/// The inputs that the task takes, all that it needs and no other.
pub fn check(manifest: &Manifest, inputs: &[Input]) -> Result<(), Failure> {
    let known: Vec<&str> = manifest.inputs.iter().map(|input| input.name.as_str()).collect();
    let takes =
        if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
    if let Some((name, _)) = inputs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(Failure::new(format!("task {} has no input `{name}`: {takes}", manifest.name)));
    }
    if let Some((name, _)) = inputs
        .iter()
        .enumerate()
        .find(|(at, (name, _))| inputs.iter().take(*at).any(|(n, _)| n == name))
        .map(|(_, i)| i)
    {
        return Err(Failure::new(format!("--input {name} is given twice; an input has one value")));
    }
    let given = |name: &str| inputs.iter().any(|(given, _)| given == name);
    match manifest.inputs.iter().find(|input| input.default.is_none() && !given(&input.name)) {
        Some(missing) => {
            let (name, ty) = (&missing.name, &missing.type_name);
            Err(Failure::new(format!(
                "task {} needs the input `{name}`, of type {ty}: --input {name}=...",
                manifest.name
            )))
        }
        None => Ok(()),
    }
}

/// The inputs for one file: what was typed, and for inputs without a value what the name of an rpm file tells of their types.
pub fn of_file(manifest: &Manifest, typed: &[Input], file: &Path) -> Result<Vec<Input>, Failure> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let package = name.strip_suffix(".rpm").and_then(|rest| rest.rsplit_once('.'));
    let mut inputs = typed.to_vec();
    for input in &manifest.inputs {
        if input.default.is_some() || typed.iter().any(|(given, _)| *given == input.name) {
            continue;
        }
        let value = match (input.type_name.as_str(), package) {
            ("nvr", Some((nvr, _))) if Nvr::parse(nvr).is_some() => Some(nvr.to_owned()),
            ("arch", Some((_, arch))) => Some(arch.to_owned()),
            ("string", _) => Some(name.clone()),
            _ => None,
        };
        let value = value.ok_or_else(|| {
            Failure::new(format!(
                "the file name {name} tells no `{}` of type {}: name-version-release.arch.rpm would, or --input {}=...",
                input.name, input.type_name, input.name
            ))
        })?;
        inputs.push((input.name.clone(), value));
    }
    Ok(inputs)
}
