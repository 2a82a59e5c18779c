//! What came of one run, for people and for programs.
//!
//! Comes in: a run that is over. Goes out: tables, or a JSON document. Text of tasks is escaped.

use serde_json::{Value, json};
use taskbot_runtime::steps::LocalRun;

use crate::output::{self, Paint, Table, shown};

/// For people.
pub fn print(run: &LocalRun, paint: Paint) {
    let mut table = Table::new(&["STEP", "TOOK", "STATE"]);
    for step in &run.steps {
        let state = match &step.outcome {
            Ok(detail) => detail.clone().unwrap_or_else(|| "done".into()),
            Err(failure) => failure.message.clone(),
        };
        table.row(&[&step.step.to_string(), &format!("{:.1} s", step.took.as_secs_f64()), &state]);
    }
    table.print(paint);
    output::line("");
    if !run.results.is_empty() {
        let mut table = Table::new(&["OUTCOME", "TESTCASE", "ITEM", "NOTE"]);
        for result in &run.results {
            table.row(&[&output::outcome(result.outcome), &result.testcase, &result.item, &result.note]);
        }
        table.print(paint);
    }
    if let Some(failure) = run.failure() {
        output::line(format!("{} {}", paint.yellow("infrastructure error:"), shown(&failure.message)));
    }
    if !run.artifacts.is_empty() {
        output::line(format!(
            "{} kept in {}",
            output::count(run.artifacts.len(), "file"),
            run.artifact_dir.display()
        ));
    }
}

/// For programs.
pub fn document(run: &LocalRun) -> Value {
    let steps: Vec<Value> = run
        .steps
        .iter()
        .map(|s| {
            let (detail, failure) = match &s.outcome {
                Ok(detail) => (detail.as_ref(), None),
                Err(failure) => (None, Some(&failure.message)),
            };
            json!({ "step": s.step, "seconds": s.took.as_secs_f64(), "detail": detail, "failure": failure })
        })
        .collect();
    let artifacts: Vec<String> =
        run.artifacts.iter().map(|a| run.artifact_dir.join(&a.path).display().to_string()).collect();
    let failure = run.failure().map(|f| &f.message);
    json!({ "steps": steps, "results": run.results, "artifacts": artifacts, "infrastructure_error": failure })
}
