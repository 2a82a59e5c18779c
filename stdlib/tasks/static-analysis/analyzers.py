"""The analyzers, each on one C file.

A tool takes a file and the folders of headers; it gives its findings, why it could not look at the file (or None), and its own output.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from firehose import Finding

# of cppcheck: what it says of itself and not of the code
CPPCHECK_FAILURES = {"syntaxError", "internalAstError", "internalError", "cppcheckError", "preprocessorErrorDirective", "unknownMacro"}
CPPCHECK_HEADERS = 50


class Analyzer:
    def __init__(self, name, version, analyse):
        self.name, self.version, self.analyse = name, version, analyse


def installed():
    """Those that are on this machine."""
    return [tool for tool in (gcc(), clang(), cppcheck()) if tool]


def execute(command, seconds):
    """Standard output, standard error and the exit code; no exit code: it took too long."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "", f"took longer than {seconds:.0f} seconds", None
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode


def first_line(command):
    return (execute(command, 60)[0].splitlines() or [""])[0]


def flags(file, headers):
    return ["-D_GNU_SOURCE", f"-I{file.parent}", *(f"-I{path}" for path in headers)]


# gcc -----------------------------------------------------------------------------------------------------------------


def gcc():
    """gcc 10 to 15 writes its own JSON; SARIF came with 13."""
    if not shutil.which("gcc"):
        return None
    for output_format, read in (("json", gcc_json), ("sarif-stderr", gcc_sarif)):
        probe = ["gcc", "-fanalyzer", f"-fdiagnostics-format={output_format}", "-x", "c", "-c", "-o", os.devnull, os.devnull]
        if execute(probe, 60)[2] == 0:
            command = ["gcc", "-O1", "-fanalyzer", "-c", "-o", os.devnull, f"-fdiagnostics-format={output_format}"]
            return Analyzer("gcc", first_line(["gcc", "-dumpfullversion"]), lambda *given: run_gcc(command, read, *given))
    return None


def run_gcc(command, read, file, headers, seconds):
    _, text, code = execute([*command, *flags(file, headers), str(file)], seconds)
    if code is None:
        return [], text, ""
    try:
        # a line for people may follow ("compilation terminated.")
        start = min(i for i in (text.find("["), text.find("{")) if i >= 0)
        output, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return [], f"unreadable output: {text[:200]!r}", ""
    findings, failure = [], None
    for severity, option, *place, message, cwe in read(output):
        if severity in ("error", "fatal error") and not failure:
            failure = f"does not compile alone: {message}"
        if option.startswith("-Wanalyzer-"):
            findings.append(Finding(*place, option.removeprefix("-Wanalyzer-"), message, severity, cwe))
    if code != 0 and not failure:
        failure = f"gcc ended with exit code {code}"
    return findings, failure, output


def gcc_json(output):
    for diagnostic in output:
        place = (diagnostic.get("locations") or [{}])[0].get("caret", {})
        yield (
            diagnostic.get("kind", ""),
            diagnostic.get("option", ""),
            place.get("file", ""),
            place.get("line", 0),
            place.get("column", 0),
            diagnostic.get("message", ""),
            diagnostic.get("metadata", {}).get("cwe", 0),
        )


def gcc_sarif(output):
    for result in output["runs"][0].get("results", []):
        cwe = [taxon.get("id", "") for taxon in result.get("taxa", [])]
        cwe = int(cwe[0]) if cwe and cwe[0].isdigit() else 0
        yield result.get("level", ""), result.get("ruleId", ""), *sarif_place(result), sarif_message(result), cwe


def sarif_place(result):
    place = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    region = place.get("region", {})
    uri = place.get("artifactLocation", {}).get("uri", "")
    return uri.removeprefix("file://"), region.get("startLine", 0), region.get("startColumn", 0)


def sarif_message(result):
    return result.get("message", {}).get("text", "")


# clang ---------------------------------------------------------------------------------------------------------------


def clang():
    # Debian has names with versions; the newest comes first
    folders = os.environ["PATH"].split(os.pathsep)
    names = {path.name for folder in folders for path in Path(folder).glob("clang-[0-9]*") if path.name[6:].isdigit()}
    for name in ["clang", *sorted(names, key=lambda name: -int(name[6:]))]:
        if shutil.which(name):
            command = [name, "--analyze", "--analyzer-output", "sarif", "-o"]
            return Analyzer("clang", first_line([name, "--version"]), lambda *given: run_clang(command, *given))
    return None


def run_clang(command, file, headers, seconds):
    # a file of its own: clang writes its analysis nowhere else
    report = Path(os.environ["TMPDIR"]) / f"clang-{abs(hash(file)):x}.sarif"
    try:
        _, text, code = execute([*command, str(report), *flags(file, headers), str(file)], seconds)
        if code is None:
            return [], text, ""
        if code != 0:
            errors = (line for line in text.splitlines() if "error: " in line)
            why = next(errors, f"exit code {code}").split("error: ")[-1]
            return [], f"does not compile alone: {why}", ""
        output = json.loads(report.read_text())
    except (OSError, ValueError) as error:
        return [], f"unreadable output: {error}", ""
    finally:
        report.unlink(missing_ok=True)
    results = [result for run in output["runs"] for result in run.get("results", [])]
    found = [
        Finding(*sarif_place(result), result.get("ruleId", ""), sarif_message(result), result.get("level", "warning"), 0)
        for result in results
    ]
    return found, None, output


# cppcheck ------------------------------------------------------------------------------------------------------------


def cppcheck():
    if not shutil.which("cppcheck"):
        return None
    return Analyzer("cppcheck", first_line(["cppcheck", "--version"]).removeprefix("Cppcheck "), run_cppcheck)


def run_cppcheck(file, headers, seconds):
    # it tries configurations and reads headers again for each: more folders make it slow, not better
    command = ["cppcheck", "--xml", "--quiet", "--enable=warning", "--language=c"]
    _, text, code = execute([*command, *flags(file, headers[:CPPCHECK_HEADERS]), str(file)], seconds)
    if code is None:
        return [], text, ""
    try:
        errors = ElementTree.fromstring(text[text.index("<?xml") :].encode()).iter("error")
    except (ValueError, ElementTree.ParseError):
        return [], f"unreadable output: {text[:200]!r}", ""
    findings, failure = [], None
    for error in errors:
        if error.get("id") in CPPCHECK_FAILURES:
            failure = failure or error.get("msg", "")
        elif error.get("severity") in ("error", "warning"):
            place = error.find("location")
            place = place.attrib if place is not None else {}
            where = place.get("file", str(file)), int(place.get("line", 0)), int(place.get("column", 0))
            cwe = int(error.get("cwe", 0))
            findings.append(Finding(*where, error.get("id"), error.get("msg", ""), error.get("severity"), cwe))
    return findings, failure, text
