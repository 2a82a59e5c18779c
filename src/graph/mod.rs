//! `taskbot graph FILES`: the decision graph as a picture.
//!
//! Comes in: rules. Goes out: an SVG picture, or the text that graphviz draws one from: topics -> events -> conditions, each drawn
//! once however many rules share it -> rules -> tasks, and the events that tasks emit, as edges back. `picture` says what is drawn,
//! `layout` where, `svg` and `dot` write it. No rule is judged here.

mod dot;
mod layout;
mod picture;
mod svg;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::names::rules_are_there;
use crate::output::{self, FINDINGS, Failure, Paint};
use crate::{check, compile, rules};

/// Draw rules: which topics are which events, which conditions rules share, what runs
///
/// From left to right: topics, events, conditions, rules, tasks. A condition that several rules share is drawn once. An event that a
/// task emits leads back to it with a dashed line. A pointer that rests on a box shows its place in the source.
///
///   taskbot graph rules.tb -o rules.svg
///
///   taskbot graph rules.tb --rule kernel --format dot | dot -Tpdf -o kernel.pdf
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Graph {
    /// Rule files, or directories of .tb files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only this rule and what belongs to it.
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// How it is drawn; a file's ending .dot says it too.
    #[arg(long, value_enum)]
    format: Option<Drawing>,
    /// Where to write it, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Drawing {
    /// A picture for browsers.
    Svg,
    /// Text for graphviz.
    Dot,
}

impl Graph {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let compiled = rules::load(&self.files)?;
        let Some(graph) = &compiled.graph else {
            check::print_findings(&compiled, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            return Ok(ExitCode::from(FINDINGS));
        };
        rules_are_there(graph, &self.rule)?;
        let picture = picture::picture(&compiled, graph, &self.rule);
        if picture.nodes.is_empty() {
            return Err(Failure::new("there is no rule to draw: these files hold declarations only"));
        }
        let text = match self.drawing() {
            Drawing::Svg => svg::svg(&picture),
            Drawing::Dot => dot::dot(&picture),
        };
        match &self.output {
            None => output::line(text.trim_end()),
            Some(path) => compile::write(path, text.as_bytes())
                .map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn drawing(&self) -> Drawing {
        let named_dot = || {
            let ending = self.output.as_ref().and_then(|path| path.extension());
            ending.is_some_and(|ending| ending == "dot" || ending == "gv")
        };
        self.format.unwrap_or_else(|| if named_dot() { Drawing::Dot } else { Drawing::Svg })
    }
}
