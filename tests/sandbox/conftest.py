"""A small environment for each test."""

from __future__ import annotations

import pytest

from tests.sandbox.door import Door


@pytest.fixture
def door() -> Door:
    """Give a door into a sandbox of two users, two profiles and one row."""
    return Door()
