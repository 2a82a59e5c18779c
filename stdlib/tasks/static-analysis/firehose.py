"""What analyzers found, in the XML of firehose (https://github.com/fedora-static-analysis/firehose)."""

import re
from typing import NamedTuple
from xml.etree import ElementTree

# What XML 1.0 cannot hold at all, not even escaped.
UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Finding(NamedTuple):
    file: str
    line: int
    column: int
    test: str
    message: str
    severity: str
    cwe: int


def write(path, tool, version, findings, failures):
    """One analysis: its findings, and {file: why it could not be looked at}."""
    analysis = ElementTree.Element("analysis")
    metadata = ElementTree.SubElement(analysis, "metadata")
    ElementTree.SubElement(metadata, "generator", name=tool, version=version)
    results = ElementTree.SubElement(analysis, "results")
    for finding in sorted(findings):
        issue = ElementTree.SubElement(results, "issue", {"test-id": fit(finding.test)})
        if finding.cwe:
            issue.set("cwe", str(finding.cwe))
        if finding.severity:
            issue.set("severity", finding.severity)
        ElementTree.SubElement(issue, "message").text = fit(finding.message)
        place = ElementTree.SubElement(issue, "location")
        ElementTree.SubElement(place, "file", {"given-path": fit(finding.file)})
        ElementTree.SubElement(place, "point", line=str(finding.line), column=str(finding.column))
    for file, why in sorted(failures.items()):
        failure = ElementTree.SubElement(results, "failure", {"failure-id": "not-analysed"})
        place = ElementTree.SubElement(failure, "location")
        ElementTree.SubElement(place, "file", {"given-path": fit(file)})
        ElementTree.SubElement(place, "point", line="0", column="0")
        ElementTree.SubElement(failure, "message").text = fit(f"{file}: {why}")
    ElementTree.ElementTree(analysis).write(path, encoding="utf-8", xml_declaration=True)


def fit(text):
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
