//! The pages of the index: one run, and the newest runs.
//!
//! Comes in: a notice with its files, or the list of runs. Goes out: HTML that is whole in itself: no script, nothing loaded from
//! elsewhere, readable on a phone and in the dark. Every text is escaped where it is put in; the pages allow nothing but their own
//! style, should one ever be forgotten.

use std::fmt::Write as _;

use super::index::{Entry, Kept};
use super::notice::Notice;
use crate::limits;
use crate::task::{Outcome, TaskResult};

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--dim:#666;
  --ok:#1a7f37;--bad:#c62828;--look:#9a6700;--info:#4a6da7}
@media(prefers-color-scheme:dark){:root{--dim:#aaa;--ok:#5fd07a;--bad:#ff7b72;--look:#e3b341;--info:#8fb4ef}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem}
h1{font-size:1.35rem;line-height:1.3;overflow-wrap:anywhere;margin:.5rem 0}
h2{font-size:1.05rem;margin:2rem 0 .5rem}
a{color:inherit}
.dim{color:var(--dim)}
ul{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
li{padding:.6rem .2rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.row{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline}
.row>.grow{flex:1 1 16rem;min-width:0}
.badge{font-size:.78rem;font-weight:600;padding:.05rem .5rem;border-radius:1rem;border:1px solid;white-space:nowrap}
.PASSED{color:var(--ok)}
.FAILED,.infrastructure-error{color:var(--bad)}
.NEEDS_INSPECTION,.cancelled{color:var(--look)}
.INFO,.finished{color:var(--info)}
code,pre{font:.85rem/1.45 ui-monospace,monospace}
pre{overflow-x:auto;background:var(--soft);padding:.6rem;border-radius:.4rem;margin:.4rem 0}
dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.2rem 1rem;margin:.8rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--dim)}
";

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title)
    )
}

/// The page of one run, in its folder.
pub(super) fn of_run(notice: &Notice, files: &[Kept]) -> String {
    let run = &notice.run;
    let mut body = format!(
        "<p><a href=\"../index.html\">all runs</a></p>\n<h1>{}</h1>\n<p class=\"row\">{} <span class=\"dim\">run {} · {}</span></p>\n",
        escaped(&run.run.run),
        badge(&run.run.state, &run.run.state),
        run.run.id,
        escaped(&run.run.changed_at.to_string())
    );
    let mut facts = vec![("Task", run.run.task.clone()), ("Repository", run.repository.clone())];
    facts.extend(run.commit.clone().map(|commit| ("Commit", commit)));
    facts.extend(
        run.arguments.iter().map(|argument| ("Argument", format!("{} = {}", argument.name, argument.text))),
    );
    facts.extend(run.reasons.iter().map(|reason| {
        ("Asked for by", format!("rule {}, message {} on {}", reason.rule, reason.message, reason.topic))
    }));
    facts.extend(run.run.note.clone().map(|note| ("Note", note)));
    body.push_str("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(body, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    body.push_str("</dl>\n");
    let _ = writeln!(body, "<h2>Results</h2>\n{}", counted(run.results.len(), "result"));
    list(&mut body, run.results.iter().take(limits::INDEX_RESULTS).map(|result| told(result, files)));
    if run.results.len() > limits::INDEX_RESULTS {
        let _ = writeln!(body, "<p>All of them are in <a href=\"index.json\">index.json</a>.</p>");
    }
    let _ = writeln!(body, "<h2>Files</h2>\n{}", counted(files.len(), "file"));
    list(&mut body, files.iter().take(limits::INDEX_RESULTS).map(kept));
    body.push_str("<h2>Steps</h2>\n");
    list(
        &mut body,
        run.steps.iter().map(|step| {
            let detail = step
                .detail
                .as_deref()
                .map_or(String::new(), |detail| format!(" <span class=\"dim\">{}</span>", escaped(detail)));
            format!(
                "{}. {} <span class=\"dim\">{}</span>{detail}",
                step.attempt,
                escaped(&step.step),
                escaped(&step.state)
            )
        }),
    );
    body.push_str("<p class=\"dim\">The same for programs: <a href=\"index.json\">index.json</a></p>\n");
    page(&run.run.run, &body)
}

/// The page with the newest runs.
pub(super) fn of_all(runs: &[Entry]) -> String {
    let mut body = format!("<h1>Runs</h1>\n{}", counted(runs.len(), "run"));
    list(
        &mut body,
        runs.iter().map(|entry| {
            let outcomes =
                entry.outcomes.iter().map(|(outcome, count)| badge(outcome, &format!("{count} {outcome}")));
            let mut badges: String = outcomes.collect::<Vec<_>>().join(" ");
            if entry.state != "finished" || badges.is_empty() {
                badges = format!("{} {badges}", badge(&entry.state, &entry.state));
            }
            format!(
                "<div class=\"row\"><a class=\"grow\" href=\"{}/index.html\">{}</a> {badges}</div>\
             <div class=\"dim\">run {} · {} · {}</div>",
                entry.run,
                escaped(&entry.what),
                entry.run,
                escaped(&entry.changed_at),
                plural(entry.files, "file")
            )
        }),
    );
    body.push_str("<p class=\"dim\">The same for programs: <a href=\"index.json\">index.json</a></p>\n");
    page("Runs", &body)
}

fn told(result: &TaskResult, files: &[Kept]) -> String {
    let word = outcome(result.outcome);
    let mut text = format!(
        "<div class=\"row\"><span class=\"grow\">{} <span class=\"dim\">{}</span></span> {}</div>",
        escaped(&result.testcase),
        escaped(&result.item),
        badge(word, word)
    );
    if !result.note.is_empty() {
        let _ = write!(text, "<div>{}</div>", escaped(&result.note));
    }
    for path in &result.artifacts {
        let href = files.iter().find(|file| file.path == *path).and_then(|file| file.href.as_deref());
        if let Some(href) = href {
            let _ = write!(text, "<div><a href=\"{}\">{}</a></div>", escaped(href), escaped(path));
        }
    }
    if !result.data.is_empty()
        && let Ok(data) = serde_json::to_string_pretty(&result.data)
    {
        let _ = write!(text, "<details><summary>Data</summary><pre>{}</pre></details>", escaped(&data));
    }
    text
}

fn kept(file: &Kept) -> String {
    let name = match &file.href {
        Some(href) => format!("<a class=\"grow\" href=\"{}\">{}</a>", escaped(href), escaped(&file.path)),
        None => {
            format!("<span class=\"grow\">{} <span class=\"dim\">(gone)</span></span>", escaped(&file.path))
        }
    };
    format!(
        "<div class=\"row\">{name} <span>{}</span></div><div class=\"dim\"><code>sha256 {}</code></div>",
        size(file.size_bytes),
        escaped(&file.sha256)
    )
}

fn list(body: &mut String, items: impl Iterator<Item = String>) {
    body.push_str("<ul>\n");
    for item in items {
        let _ = writeln!(body, "<li>{item}</li>");
    }
    body.push_str("</ul>\n");
}

fn badge(class: &str, text: &str) -> String {
    format!("<span class=\"badge {}\">{}</span>", escaped(class), escaped(text))
}

fn counted(count: usize, noun: &str) -> String {
    format!("<p class=\"dim\">{}</p>\n", plural(count, noun))
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// An outcome as JSON spells it.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "PASSED",
        Outcome::Info => "INFO",
        Outcome::Failed => "FAILED",
        Outcome::NeedsInspection => "NEEDS_INSPECTION",
    }
}

/// A size as people read it.
fn size(bytes: i64) -> String {
    let mut scaled = bytes;
    let mut rest = 0;
    let mut unit = "bytes";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if scaled < 1024 {
            break;
        }
        rest = scaled % 1024 * 10 / 1024;
        scaled /= 1024;
        unit = next;
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{scaled}.{rest} {unit}") }
}

/// A relative path as a link writes it.
pub(crate) fn url_path(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::notice::tests::{notice, result};
    use super::*;

    #[test]
    fn no_text_of_a_task_or_message_becomes_markup() {
        let evil = "</pre><script>alert('x')</script>\" onload=\"y";
        let data = serde_json::json!({ evil: evil });
        let mut notice =
            notice(vec![TaskResult { item: evil.into(), ..result(evil, Outcome::Failed, evil, data) }]);
        notice.run.run.run = evil.into();
        notice.run.run.state = evil.into();
        notice.run.run.note = Some(evil.into());
        notice.run.repository = evil.into();
        let file = Kept { path: evil.into(), size_bytes: 1, sha256: evil.into(), href: Some(url_path(evil)) };
        let html = of_run(&notice, &[file]);
        assert!(
            !html.contains("<script") && !html.contains("\" onload") && !html.contains("</pre><script"),
            "{html}"
        );
        assert_eq!(html.matches("&lt;script&gt;").count(), 13);
    }

    #[test]
    fn sizes_are_readable() {
        let sizes = [0, 1023, 1024, 1536, 5 << 30].map(size);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "5.0 GiB"]);
    }
}
