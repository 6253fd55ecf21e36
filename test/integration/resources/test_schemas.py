"""The CRDs as text: nothing without a description, nothing without a bound."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from arena_api import PLURALS, ROOT

Schema = dict[str, Any]
WORDS = 3  # a description of fewer words only repeats the name


def crd(kind: str) -> Schema:
    document: Schema = yaml.safe_load((ROOT / "crds" / f"{PLURALS[kind]}.yaml").read_text())
    return document


def version(kind: str) -> Schema:
    (only,) = crd(kind)["spec"]["versions"]
    return dict(only)


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every node of a schema, with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}.*")


def nodes(kind: str) -> list[tuple[str, Schema]]:
    found = list(walk(version(kind)["schema"]["openAPIV3Schema"], kind))
    # The API server has its own schema for it.
    return [(path, schema) for path, schema in found if not path.startswith(f"{kind}.metadata")]


@pytest.mark.parametrize("kind", PLURALS)
def test_every_field_is_described(kind: str) -> None:
    for path, schema in nodes(kind):
        words = schema.get("description", "")
        if path in (f"{kind}.kind",):
            assert words
            continue
        assert len(words.split()) >= WORDS, path
        assert words.endswith((".", "...", "in all.")), f"{path}: no sentence: {words}"


@pytest.mark.parametrize("kind", PLURALS)
def test_everything_is_bounded(kind: str) -> None:
    for path, schema in nodes(kind):
        what = schema["type"]
        assert "x-kubernetes-preserve-unknown-fields" not in schema, path
        if what == "string":
            bounded = "maxLength" in schema or "enum" in schema or schema.get("format") == "date-time"
            assert bounded, path
        elif what in ("integer", "number"):
            assert "minimum" in schema, path
            assert "maximum" in schema, path
        elif what == "array":
            assert "maxItems" in schema, path
            assert "x-kubernetes-list-type" in schema, path
        elif what == "object":
            assert "properties" in schema or "maxProperties" in schema, path


@pytest.mark.parametrize("kind", PLURALS)
def test_spec_has_no_floats_and_names_units(kind: str) -> None:
    for path, schema in nodes(kind):
        if not path.startswith(f"{kind}.spec"):
            continue
        assert schema["type"] != "number", path
        name = path.rsplit(".", 1)[-1].lower()
        for word in ("timeout", "ttl", "interval", "cooldown", "startup", "move", "bank", "widen"):
            if word in name and schema["type"] == "integer":
                assert "seconds" in name, f"{path} does not say its unit"


@pytest.mark.parametrize("kind", PLURALS)
def test_every_rule_says_what_to_do(kind: str) -> None:
    for path, schema in nodes(kind):
        for rule in schema.get("x-kubernetes-validations", []):
            assert len(rule.get("message", "").split()) >= 5, f"{path}: {rule['rule']}"


@pytest.mark.parametrize("kind", PLURALS)
def test_conditions_are_those_of_kubernetes(kind: str) -> None:
    status = version(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    conditions = status["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(conditions["items"]["properties"]) == {
        "type", "status", "observedGeneration", "lastTransitionTime", "reason", "message",
    }  # fmt: skip
    assert "observedGeneration" in status


@pytest.mark.parametrize("kind", PLURALS)
def test_columns_point_at_fields_that_exist(kind: str) -> None:
    paths = {path.replace("[]", "") for path, _ in nodes(kind)}
    for column in version(kind)["additionalPrinterColumns"]:
        plain = column["jsonPath"].replace('[?(@.type=="Ready")]', "").replace('[?(@.type=="Queued")]', "")
        plain = plain.replace("[0]", "").replace("[1]", "")
        assert plain == ".metadata.creationTimestamp" or f"{kind}{plain}" in paths, column["name"]


@pytest.mark.parametrize("kind", PLURALS)
def test_names(kind: str) -> None:
    spec = crd(kind)["spec"]
    assert spec["group"] == "rl-arena.io"
    assert spec["scope"] == "Namespaced"
    assert spec["names"]["categories"] == ["arena"]
    only = version(kind)
    assert (only["name"], only["served"], only["storage"]) == ("v1alpha1", True, True)
    assert only["subresources"] == {"status": {}}


def test_the_page_about_the_resources_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "fields.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
