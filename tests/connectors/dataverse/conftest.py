"""What the tests of the Dataverse target share."""

from __future__ import annotations

import pytest

from tests.connectors.dataverse.world import World


@pytest.fixture
def world() -> World:
    """Give an environment with two profiles and nobody in it."""
    return World()
