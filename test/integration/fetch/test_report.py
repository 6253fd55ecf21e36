"""The scanner's report as a file."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import subprocess

from .conftest import Fetch


def vulnerability(number: int, severity: str = "HIGH", fixed: str = "2.0") -> dict[str, object]:
    return {
        "VulnerabilityID": f"CVE-2024-{number:05}",
        "PkgName": "joblib",
        "InstalledVersion": "1.1.0",
        "FixedVersion": fixed,
        "Severity": severity,
        "Title": "something bad",
        "Description": "long " * 200,
        "CVSS": {"nvd": {"V3Score": 9.8}},
        "References": ["https://example.com/" + str(i) for i in range(20)],
    }


def report(*vulnerabilities: dict[str, object]) -> dict[str, object]:
    return {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.74.0"},
        "ArtifactName": "10.0.0.1:5000/a@sha256:" + "a" * 64,
        "Metadata": {"ImageID": "sha256:" + "b" * 64, "RepoDigests": ["10.0.0.1:5000/a@sha256:" + "a" * 64]},
        "Results": [
            {"Target": "x", "Class": "os-pkgs"},
            {"Target": "python", "Vulnerabilities": list(vulnerabilities)},
        ],
    }


def test_line(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(report(vulnerability(1, "CRITICAL"), vulnerability(2, "LOW", ""))))
    (tmp_path / "metadata.json").write_text('{"Version":2,"UpdatedAt":"2026-01-02T03:04:05.678Z"}')
    done = fetch("report", "--from", str(tmp_path / "r.json"), "--db-metadata", str(tmp_path / "metadata.json"))
    done.assert_done()
    assert done.stdout.count("\n") == 1
    line = json.loads(done.stdout)
    assert line["digest"] == "sha256:" + "a" * 64
    assert line["databaseDate"] == "2026-01-02T03:04:05Z"
    assert line["scannerVersion"] == "0.74.0"
    assert line["counts"]["critical"] == {"total": 1, "fixable": 1}
    assert line["counts"]["low"] == {"total": 1, "fixable": 0}
    assert [finding["id"] for finding in line["findings"]] == ["CVE-2024-00001", "CVE-2024-00002"]


def test_not_whole(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    text = json.dumps(report(vulnerability(1)))
    for piece in (text[:-1], text + "x", "", "{}", "[]", "null"):
        (tmp_path / "r.json").write_text(piece)
        fetch("report", "--from", str(tmp_path / "r.json")).assert_refused("BadReport")
    fetch("report", "--from", str(tmp_path / "missing.json")).assert_refused("NoReport")


def test_a_large_report_in_little_memory(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    """100 MB of findings; the program may map 120 MB in all, most of which its libraries take."""
    path = tmp_path / "r.json"
    head, tail = json.dumps(report(vulnerability(7, "MEDIUM"))).split(json.dumps(vulnerability(7, "MEDIUM")))
    one = ",".join(json.dumps(vulnerability(i % 99999)) for i in range(1000))
    with path.open("w") as file:
        file.write(head)
        file.write(",".join([one] * 60))
        file.write(tail)
    assert path.stat().st_size > 100_000_000
    sanitized = b"__asan_init" in pathlib.Path(fetch.program).read_bytes()

    def limit() -> None:
        if not sanitized:
            resource.setrlimit(resource.RLIMIT_AS, (120 << 20, 120 << 20))

    done = subprocess.run(
        [fetch.program, "report", "--from", str(path)], capture_output=True, check=False, preexec_fn=limit
    )
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["counts"]["high"] == {"total": 60000, "fixable": 60000}
    assert len(line["findings"]) == 50


def test_the_watchdog_ends_what_waits_for_ever(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    """Opening a pipe that nobody writes to stands for a library that never comes back."""
    os.mkfifo(tmp_path / "pipe")
    fetch("report", "--from", str(tmp_path / "pipe"), "--timeout", "1").assert_refused("Timeout", code=11)
