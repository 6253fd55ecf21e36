"""Checks a source archive without running anything of it."""

from __future__ import annotations

import ast
import io
import posixpath
import stat
import warnings
import zipfile

FILES_MAX = 10_000
BYTES_MAX = 200 << 20
SOURCE_MAX = 4 << 20
RATIO_MAX = 200
PROBLEMS_MAX = 20


class Report:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def error(self, words: str) -> None:
        if len(self.errors) < PROBLEMS_MAX:
            self.errors.append(words)

    def warn(self, words: str) -> None:
        if len(self.warnings) < PROBLEMS_MAX:
            self.warnings.append(words)


def _unsafe(name: str) -> bool:
    if not name or name.startswith(("/", "\\")) or "\\" in name or "\0" in name or ":" in name[:2]:
        return True
    return ".." in name.split("/")


def _check_entries(archive: zipfile.ZipFile, report: Report) -> None:
    entries = archive.infolist()
    if len(entries) > FILES_MAX:
        report.error(f"the archive has {len(entries)} entries; {FILES_MAX} are allowed")
        return
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if total > BYTES_MAX:
        report.error(f"the archive unpacks to {total} bytes; {BYTES_MAX} are allowed")
    elif total > 1 << 20 and total > RATIO_MAX * max(packed, 1):
        report.error("the archive unpacks to far more than its own size")
    for entry in entries:
        shown = entry.filename[:100]
        mode = entry.external_attr >> 16
        if _unsafe(entry.filename):
            report.error(f"{shown!r}: the path leaves the archive")
        elif stat.S_ISLNK(mode):
            report.error(f"{shown!r}: links are not allowed")
        elif mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            report.error(f"{shown!r}: only files and folders are allowed")
        elif entry.flag_bits & 1:
            report.error(f"{shown!r}: it is encrypted")


def _defines(tree: ast.Module) -> set[str]:
    """The names that the file's top level binds to something that may be called."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return names


def check_source(source: bytes, report: Report) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, "agent.py")
    except SyntaxError as error:
        report.error(f"agent.py, line {error.lineno or 0}: {error.msg}")
        return
    except (ValueError, RecursionError, MemoryError) as error:
        report.error(f"agent.py cannot be compiled: {type(error).__name__}")
        return
    names = _defines(tree)
    if not names:
        report.error(
            "agent.py defines no agent: write a function agent(observation), a class Agent with"
            " act(observation), or create_agent(player_id)"
        )
    elif not names & {"agent", "Agent", "create_agent"}:
        report.warn("agent.py names no agent, Agent or create_agent: its last function will be asked")


def _read_source(archive: zipfile.ZipFile, report: Report) -> bytes | None:
    names = {posixpath.normpath(entry.filename): entry for entry in archive.infolist()}
    entry = names.get("agent.py")
    if entry is None:
        if "Dockerfile" in names:
            report.warn("there is no agent.py: the image of the Dockerfile must serve proto/agent.proto")
        else:
            report.error("there is no agent.py at the top of the archive")
        return None
    if entry.file_size > SOURCE_MAX:
        report.error(f"agent.py has {entry.file_size} bytes; {SOURCE_MAX} are allowed")
        return None
    with archive.open(entry) as file:
        source = file.read(SOURCE_MAX + 1)  # what the header says need not be true
    if len(source) > SOURCE_MAX:
        report.error("agent.py is larger than the archive says")
        return None
    return source


def check_zip(data: bytes) -> Report:
    """Blocking, bounded in time and memory by the limits above."""
    report = Report()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_entries(archive, report)
            if not report.errors:
                source = _read_source(archive, report)
                if source is not None:
                    check_source(source, report)
    except Exception as error:  # noqa: BLE001 - zipfile and its decompressors raise many kinds
        report.error(f"the archive cannot be read: {type(error).__name__}: {str(error)[:200]}")
    return report
