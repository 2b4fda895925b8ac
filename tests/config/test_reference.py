"""The files of config/ load, and its README is the one that the models write."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from syncd.config import json_schema, load
from syncd.config.models import Settings
from syncd.config.reference import reference_markdown
from syncd.config.shape import paths
from tests.config.files import ENVIRON, FOLDER


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.toml")))
def test_every_example_loads_without_a_warning(name: str) -> None:
    """Who copies one starts with something that works."""
    config = load(FOLDER / name, ENVIRON)

    assert config.warnings == ()
    assert config.rules("contoso")
    assert "hunter2" not in f"{config} {config.effective()}"


def test_the_readme_is_what_the_models_say() -> None:
    """Write it anew with `python -m syncd.config.reference > config/README.md`."""
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == reference_markdown()


def test_the_reference_is_written_by_its_module() -> None:
    """The command that the README names prints it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "syncd.config.reference"],
        check=True,
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )

    assert done.stdout == reference_markdown()


def test_the_commented_reference_mentions_every_setting() -> None:
    """Nothing can be set that does not stand there, if only as a comment."""
    text = (FOLDER / "reference.toml").read_text(encoding="utf-8")

    missing = {
        path[-1]
        for path in paths(Settings)
        if path[-1] not in {"NAME", "N"} and not re.search(rf"\b{path[-1]}\b", text)
    }

    assert missing == set()


def test_the_reference_shows_the_defaults() -> None:
    """What stands there without "for instance" is what holds without it."""
    shown = load(FOLDER / "reference.toml", ENVIRON).settings
    plain = load(FOLDER / "demo.toml", {"SYNCD_LOG__FORMAT": "json"}).settings

    assert shown.log == plain.log
    assert shown.state == plain.state
    assert shown.environments["contoso"].http == plain.environments["contoso"].http
    assert shown.policy.model_copy(update={"gates": plain.policy.gates}) == plain.policy
    assert shown.policy.gates.removals == plain.policy.gates.removals
    assert shown.daemon.model_copy(update={"blackouts": ()}) == plain.daemon
    assert shown.admin == plain.admin


def test_every_setting_has_its_sentence() -> None:
    """README and schema are only as good as these."""
    schema = json_schema()
    bare = [
        f"{name}.{key}"
        for name, model in schema["$defs"].items()
        for key, field in model.get("properties", {}).items()
        if name not in {"ByVariable", "ByFile"} and not _sentence(field)
    ]

    assert bare == []
    assert schema["title"] == "syncd"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["environments", "sources", "rules"]


def _sentence(field: dict[str, Any]) -> bool:
    """Whether a field says what it means; one that only points to a table has that table's."""
    return str(field.get("description", "")).endswith(".") or "$ref" in field


def test_the_schema_knows_shorthands_and_references() -> None:
    """An editor must not mark what the program takes."""
    schema = json_schema()["$defs"]
    key = schema["PersonSettings"]["properties"]["key"]
    secret = schema["ClientSecret"]["properties"]["client_secret"]

    assert {"type": "string"} in key["anyOf"]
    assert {each["$ref"].rpartition("/")[2] for each in secret["anyOf"]} == {"ByVariable", "ByFile"}
    assert schema["Http"]["properties"]["timeout"]["default"] == "60s"
