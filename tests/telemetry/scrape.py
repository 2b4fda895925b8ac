"""What Prometheus would make of an exposition."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from syncd.telemetry.metrics import Metrics

__all__ = ["Series", "labels", "lint", "scrape", "total", "values"]

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""


def scrape(metrics: Metrics) -> Series:
    """Read what is shown; a series that is there twice is an error."""
    body, _ = metrics.exposition()
    series: Series = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, f"{key} is there twice"
            series[key] = sample.value
    return series


def values(metrics: Metrics, name: str, by: str = "") -> dict[str, float]:
    """Return the values of a metric by one of its labels."""
    return {
        dict(labels).get(by, ""): value
        for (found, labels), value in scrape(metrics).items()
        if found == f"syncd_{name}"
    }


def total(replicas: Iterable[Metrics]) -> Counter[tuple[str, frozenset[tuple[str, str]]]]:
    """Add up what several replicas show, as `sum without (instance)` does."""
    sums: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    for metrics in replicas:
        sums.update(scrape(metrics))
    return sums


def labels(metrics: Metrics) -> set[str]:
    """Return everything that is the value of a label."""
    return {value for _, pairs in scrape(metrics) for _, value in pairs}


def lint(body: bytes) -> tuple[int, str]:
    """Let Prometheus's own tool judge an exposition: its exit code, and what it said."""
    program = shutil.which("promtool")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("promtool is not installed: apt-get install prometheus")
    assert program is not None, "CI must install prometheus, whose promtool judges metrics"
    done = subprocess.run(
        [program, "check", "metrics"], check=False, input=body, capture_output=True
    )
    return done.returncode, (done.stdout + done.stderr).decode()
