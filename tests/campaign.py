"""What a plain test run leaves to the campaign: it has one example of each kind."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["LONG", "long"]

LONG = pytest.mark.campaign
"""Marks a test of real processes, each of which costs seconds."""


def long(*values: object) -> Any:  # what a list of examples takes
    """Leave an example to the campaign."""
    return pytest.param(*values, marks=LONG)
