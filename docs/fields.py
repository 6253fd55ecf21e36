#!/usr/bin/env python3
"""Writes the tables of docs/resources.md from the CRDs: docs/fields.py [--check].

A table stands between `<!-- fields KIND PART -->` and `<!-- end -->`, where PART is spec, status or
columns. --check changes nothing and exits 1 if a table is not up to date.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "resources.md"
MARK = re.compile(r"(<!-- fields (\w+) (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SIMPLE = {"string": "text", "integer": "integer", "number": "number", "boolean": "true/false"}

Schema = dict[str, Any]


def crds() -> dict[str, Schema]:
    found = {}
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        if document["kind"] == "CustomResourceDefinition":
            found[document["spec"]["names"]["kind"]] = document
    return found


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def kind_of(schema: Schema) -> str:
    """A field's type in a few words."""
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") == "date-time":
        return "time"
    if schema["type"] == "array":
        return "list"
    if schema["type"] == "object":
        return "map" if "additionalProperties" in schema else "object"
    return SIMPLE[schema["type"]]


def limits_of(schema: Schema) -> str:
    if "minimum" in schema:
        low, high = schema["minimum"], schema["maximum"]
        large = {2147483647: "2^31-1", 9007199254740991: "2^53-1"}
        return f"{low} to {large.get(high, high)}"
    for key, words in (("maxLength", "characters"), ("maxItems", "items"), ("maxProperties", "entries")):
        if key in schema and "enum" not in schema:
            low = schema.get(key.replace("max", "min"), 0)
            high = schema[key]
            return f"{low} to {high} {words}" if low and low != high else f"at most {high} {words}"
    return ""


def default_of(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    if default is None or default == {}:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def rows(schema: Schema, prefix: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Every field below an object, with its path and whether it is required."""
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        path = prefix + name
        yield path, field, name in required
        if field["type"] == "array" and field["items"]["type"] == "object":
            yield from rows(field["items"], path + "[].")
        elif field["type"] == "object":
            yield from rows(field, path + ".")


def field_table(schema: Schema, with_default: bool) -> str:
    # The same four everywhere: one sentence on the page says what they are.
    shown = [row for row in rows(schema) if not row[0].startswith("conditions[].")]
    lines = []
    for path, field, required in shown:
        cells = [f"`{path}`", kind_of(field), limits_of(field)]
        if with_default:
            cells.append(default_of(field, required))
        cells.append(escaped(field["description"]))
        lines.append("| " + " | ".join(cells) + " |")
    head = ["field", "type", "limits", *(["default"] if with_default else []), "meaning"]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]) + "\n"


def column_table(version: Schema) -> str:
    lines = ["| column | shows | |", "|---|---|---|"]
    for column in version["additionalPrinterColumns"]:
        wide = "`-o wide`" if column.get("priority") else ""
        path = escaped(column["jsonPath"].removeprefix("."))
        lines.append(f"| {column['name'].upper()} | `{path}` | {wide} |")
    return "\n".join(lines) + "\n"


def table(found: dict[str, Schema], kind: str, part: str) -> str:
    (version,) = found[kind]["spec"]["versions"]
    if part == "columns":
        return column_table(version)
    schema = version["schema"]["openAPIV3Schema"]["properties"][part]
    return field_table(schema, with_default=part == "spec")


def main() -> int:
    found = crds()
    text = PAGE.read_text()
    fresh = MARK.sub(lambda m: m[1] + table(found, m[2], m[3]) + m[4], text)
    if sys.argv[1:] == ["--check"]:
        if fresh != text:
            print("docs/resources.md is not up to date: run docs/fields.py", file=sys.stderr)
        return int(fresh != text)
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
