//! What came of tests as JUnit XML, for the many tools that show it.
//!
//! Comes in: tests with their problems. Goes out: one `testsuite` for each file, one `testcase` for each test. It holds no
//! times, so that the same tests give the same bytes.

use std::collections::BTreeMap;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use taskbot_compiler::Compiled;

use super::Ended;
use super::report::problem_lines;
use crate::output::shown;
use crate::render::{self, Spot};

/// The document.
pub fn document(compiled: &Compiled, ended: &[Ended<'_>]) -> std::io::Result<String> {
    let mut suites: BTreeMap<String, Vec<(Spot, &Ended<'_>)>> = BTreeMap::new();
    for one in ended {
        let spot = render::spot(&compiled.files, one.test.place);
        suites.entry(spot.file.clone()).or_default().push((spot, one));
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("testsuites").write_inner_content(|writer| {
        for (file, tests) in &suites {
            let failed = tests.iter().filter(|(_, one)| !one.problems.is_empty()).count();
            writer
                .create_element("testsuite")
                .with_attributes([
                    ("name", xml_text(file).as_str()),
                    ("tests", tests.len().to_string().as_str()),
                    ("failures", failed.to_string().as_str()),
                ])
                .write_inner_content(|writer| {
                    tests.iter().try_for_each(|(spot, one)| case(writer, spot, one))
                })?;
        }
        Ok(())
    })?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn case(writer: &mut Writer<Vec<u8>>, spot: &Spot, one: &Ended<'_>) -> std::io::Result<()> {
    let (class, name, file) = (xml_text(&one.test.event), xml_text(&one.test.name), xml_text(&spot.file));
    let line = spot.line.to_string();
    let element = writer.create_element("testcase").with_attributes([
        ("classname", class.as_str()),
        ("name", name.as_str()),
        ("file", file.as_str()),
        ("line", line.as_str()),
    ]);
    if one.problems.is_empty() {
        return element.write_empty().map(drop);
    }
    let lines: Vec<String> =
        one.problems.iter().flat_map(problem_lines).map(|line| xml_text(&line)).collect();
    element
        .write_inner_content(|writer| {
            let first = lines.first().map_or("", String::as_str);
            let failure = writer.create_element("failure").with_attribute(("message", first));
            failure.write_text_content(BytesText::new(&lines.join("\n"))).map(drop)
        })
        .map(drop)
}

/// Escaped as for a terminal, and without the two characters that XML has no form for.
fn xml_text(text: &str) -> String {
    shown(&text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
}
