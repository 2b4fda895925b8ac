"""The files under deploy/ and the Dockerfile, as tests read them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "CHART",
    "COMPOSE",
    "DEMO",
    "DOCKERFILE",
    "ROOT",
    "SECRETS",
    "SETTINGS",
    "composed",
    "files",
    "health_check",
    "instructions",
    "plain",
]

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
DEMO = ROOT / "deploy" / "compose.demo.yaml"
CHART = ROOT / "deploy" / "helm"
SETTINGS = ROOT / "deploy" / "syncd.toml"
SECRETS = "/run/secrets/syncd"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions: each one's word, and the rest on one line."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def health_check() -> list[str]:
    """Return the command that the engine runs in the container to see how it is."""
    [rest] = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
    found = json.loads(rest.partition("CMD ")[2])
    assert all(isinstance(part, str) for part in found), found
    return list(found)


def _referred(settings: object) -> Iterator[str]:
    match settings:
        case {"file": str(path)} | {"path": str(path)}:
            yield path
        case dict():
            for each in settings.values():
                yield from _referred(each)
        case list():
            for each in settings:
                yield from _referred(each)


def files() -> list[str]:
    """Return the files that the container's settings refer to, for secrets and for people."""
    return sorted(_referred(tomllib.loads(SETTINGS.read_text(encoding="utf-8"))))


def composed(file: Path) -> dict[str, Any]:
    """Return what a compose file says."""
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def plain(folder: Path, file: Path) -> Path:
    """Copy a compose file as Debian's older tool takes it, with those that it extends."""
    for each in {COMPOSE, DEMO, file}:
        text = each.read_text(encoding="utf-8")
        nameless = re.sub(r"^name: .*\n", "", text, flags=re.MULTILINE)
        (folder / each.name).write_text(nameless, encoding="utf-8")
    return folder / file.name
