"""The files under deploy/ and the Dockerfile, as tests read them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "COMPOSE",
    "DOCKERFILE",
    "KUBERNETES",
    "ROOT",
    "health_check",
    "instructions",
    "manifest",
]

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
KUBERNETES = ROOT / "deploy" / "kubernetes"


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


def manifest(name: str) -> Any:
    """Return what a manifest for Kubernetes says."""
    return yaml.safe_load((KUBERNETES / f"{name}.yaml").read_text(encoding="utf-8"))
