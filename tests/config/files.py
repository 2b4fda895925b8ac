"""A configuration to begin with, and ways to write and read variations of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from syncd.config import Config, load
from syncd.core.errors import ConfigError

__all__ = ["ENVIRON", "FOLDER", "problems", "read", "small", "toml", "write"]

FOLDER = Path(__file__).parents[2] / "config"
ENVIRON = {
    "SYNCD_CLIENT_SECRET": "hunter2",
    "SYNCD_DATABASE": "postgresql+psycopg://syncd:hunter2@db.contoso.com/syncd",
    "SYNCD_PAYROLL": "postgresql+psycopg://syncd:hunter2@hr.contoso.com/hr",
    "SYNCD_WEBHOOK": "https://hooks.example/hunter2",
    "SYNCD_LDAP_PASSWORD": "hunter2",
    "SYNCD_MAIL_PASSWORD": "hunter2",
    "SYNCD_API_KEY": "hunter2",
    "SYNCD_SCIM_TOKEN": "hunter2",
}
"""What the examples in config/ refer to."""


def small() -> dict[str, Any]:
    """Return a configuration with only what must be given."""
    return {
        "environments": {
            "contoso": {"url": "http://127.0.0.1:8091", "auth": {"method": "none"}},
        },
        "sources": [
            {
                "name": "hr",
                "type": "csv",
                "path": "hr.csv",
                "person": {
                    "key": "EmployeeID",
                    "user_name": "UPN",
                    "attributes": {
                        "department": "Department",
                        "grade": {"column": "Grade", "type": "int"},
                    },
                },
            },
        ],
        "rules": [
            {"name": "crew", "profile": "Crew", "when": 'person.department == "Field"'},
        ],
    }


def toml(value: object) -> str:
    """Write a value as TOML has it inline."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            pairs = (f"{json.dumps(key)} = {toml(each)}" for key, each in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case date():
            return value.isoformat()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def write(folder: Path, document: Mapping[str, object]) -> Path:
    """Write a configuration file; each top-level table on a line of its own."""
    path = folder / "syncd.toml"
    lines = [f"{key} = {toml(value)}\n" for key, value in document.items()]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def read(folder: Path, document: Mapping[str, object], **environ: str) -> Config:
    """Load a configuration with exactly these environment variables."""
    return load(write(folder, document), environ)


def problems(folder: Path, document: Mapping[str, object], **environ: str) -> list[str]:
    """Return what is wrong with a configuration, without the file's folder."""
    with pytest.raises(ConfigError) as caught:
        read(folder, document, **environ)
    return [each.replace(f"{folder}/", "") for each in caught.value.problems]
