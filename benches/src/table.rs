//! The table as Markdown.
//!
//! Comes in: figures. Goes out: text for people, with the machine and the command on top, the losses beside the wins; and the same text
//! put between two marks of a file.

use std::fmt::Write as _;
use std::fs;

use crate::measure::Figures;
use crate::targets::{lines, short};

const BEGIN: &str = "<!-- table:begin -->";
const END: &str = "<!-- table:end -->";

/// The whole table.
pub fn markdown(all: &[Figures], command: &str) -> String {
    let mut out = format!("{}\n\n    {command}\n\n", machine());
    out.push_str(
        "| variant | rules | matches | T µs | P µs | P/T | messages/s | judged µs | intake µs | p50 | p99 | p99.9 |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for f in all {
        let [p50, p99, p999] = f.percentiles_us;
        let intake = f.intake_us.map_or("-".to_owned(), |us| format!("{us:.2}"));
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.2} | {intake} | {p50:.2} | {p99:.2} | {p999:.2} |",
            f.variant.name(),
            short(f.rules),
            f.matches,
            f.matching_us,
            f.value_us,
            f.ratio(),
            1e6 / f.matching_us,
            f.judging_us,
        );
    }
    out.push_str(
        "\n| variant | rules | compile s | of that parsing s | build s | rules/s | load ms | load % | bytes a rule | with text |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for f in all {
        let [compile, build] = f.compile_s;
        let parse = f.parse_s;
        #[expect(clippy::cast_precision_loss, reason = "up to a million")]
        let rules = f.rules as f64;
        #[expect(clippy::cast_precision_loss, reason = "up to some hundred megabytes")]
        let with_text = f.artifact_bytes as f64 / rules;
        let _ = writeln!(
            out,
            "| {} | {} | {compile:.3} | {parse:.3} | {build:.3} | {:.0} | {:.2} | {:.2} | {:.0} | {with_text:.0} |",
            f.variant.name(),
            short(f.rules),
            rules / f.compile_all_s(),
            f.load_s * 1e3,
            100.0 * f.load_s / f.compile_all_s(),
            f.bytes_a_rule(),
        );
    }
    out.push_str("\n| target | floor | aim | measured | |\n| --- | --: | --: | --: | --- |\n");
    for line in lines(all) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} | {} |",
            line.what,
            line.floor,
            line.aim,
            line.figure,
            line.verdict()
        );
    }
    out
}

/// The machine in one line.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, one used.",
        model.map_or("a machine that names no processor", |(_, name)| name.trim())
    )
}

/// Puts a table between the marks of a text.
///
/// # Errors
/// The marks are not there.
pub fn put_between_marks(text: &str, table: &str) -> Result<String, String> {
    let wrong = || format!("no `{BEGIN}` with an `{END}` behind it");
    let (before, rest) = text.split_once(BEGIN).ok_or_else(wrong)?;
    let (_, after) = rest.split_once(END).ok_or_else(wrong)?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(put_between_marks(&text, "new\n").unwrap(), format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert!(put_between_marks("a", "new").is_err());
    }
}
