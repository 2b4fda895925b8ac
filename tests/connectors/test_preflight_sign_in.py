"""A preflight with real sign-ins: what Entra says is the first and only finding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.app import build
from syncd.core.preflight import Verdict
from tests.connectors.authority import Application, Authority, serve
from tests.connectors.test_auth_wiring import configured


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Give an authority with an environment beside it."""
    with serve(tmp_path_factory.mktemp("authority")) as running:
        running.register(Application("app", secret="s3cret"))
        yield running


def test_a_secret_that_is_wrong_is_the_one_failure(tmp_path: Path, authority: Authority) -> None:
    """It has Entra's code, what it means and what to do, and not the secret."""
    app = build(configured(tmp_path, authority, "client-secret"), {"SECRET": "0ld"})

    (found,) = app.preflight("contoso")

    assert (found.check, found.verdict) == ("sign-in", Verdict.FAILURE)
    assert "AADSTS7000215" in found.seen
    assert "0ld" not in found.seen
