"""Programs that several test modules of this folder run."""

from __future__ import annotations

import os

import pytest

from tests.deploy.helm import Helm, helm_in


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Return a helm, which is fetched when a test first asks for it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "helm"
    folder.mkdir(exist_ok=True)
    return helm_in(folder)
