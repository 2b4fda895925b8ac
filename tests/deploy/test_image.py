"""The image, built and run by a real engine: read-only, without rights, and healthy."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from syncd import __version__
from tests.deploy.engine import CONFINED, IMAGE, Engine, engine
from tests.e2e.service import site, until

pytestmark = [pytest.mark.campaign, pytest.mark.xdist_group("engine")]

PEOPLE = {"E1": "Field", "E2": "Depot", "E3": "Field"}


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    """Start one engine for all of these."""
    with engine() as found:
        yield found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_the_image_is_this_program(docker: Engine) -> None:
    """It needs nothing that can be written, no right and no settings to say so."""
    said = docker.docker("run", "--rm", *CONFINED, IMAGE, "--version")

    assert said == f"syncd {__version__}"


def test_directories_can_be_read_from_it(docker: Engine) -> None:
    """python-ldap is there, with TLS and SASL, and finds the libraries that it calls."""
    look = "import ldap; print(ldap.TLS_AVAIL, ldap.SASL_AVAIL)"
    run = ("run", "--rm", *CONFINED, "--entrypoint=python3", IMAGE, "-c", look)

    assert docker.docker(*run) == "1 1"


def test_nobody_runs_it(docker: Engine) -> None:
    """Its files are root's, but it runs as somebody who may change nothing but the state."""
    look = (
        "import os, pathlib as p; print(os.getuid(), os.getgid(), "
        "[d for d in ('/', '/etc/syncd', '/opt/syncd', '/opt/syncd/bin', '/var/lib/syncd') "
        "if os.access(d, os.W_OK)])"
    )
    said = docker.docker("run", "--rm", "--network=none", "--entrypoint=python3", IMAGE, "-c", look)

    assert said == "10001 10001 ['/var/lib/syncd']"


def test_without_settings_it_says_what_is_missing(docker: Engine) -> None:
    """One sentence, and 64, which tells whoever starts it not to try again."""
    done = docker.result("run", "--rm", *CONFINED, IMAGE)

    assert done.returncode == 64
    assert re.fullmatch(
        r"syncd: /etc/syncd/syncd\.toml: there is no such file.*", done.stderr.strip()
    )


def test_how_packages_were_fetched_stays_secret(docker: Engine) -> None:
    """Neither an index nor a proxy is in a layer, and nothing of the tests."""
    history = docker.docker("history", "--no-trunc", "--format={{json .CreatedBy}}", IMAGE)
    look = (
        "import glob; print(glob.glob('/etc/pip.conf') + glob.glob('/build') + glob.glob('/wheel'))"
    )
    said = docker.docker("run", "--rm", "--network=none", "--entrypoint=python3", IMAGE, "-c", look)

    assert "index-url" not in history
    assert said == "[]"


def test_a_confined_daemon_works_and_is_healthy(docker: Engine, tmp_path: Path) -> None:
    """It brings a real sandbox in step, keeps its state in a volume, and ends in order with 0."""
    port = _free_port()
    tmp_path.chmod(0o755)  # somebody without rights reads the settings
    with site(tmp_path, "sqlite:////var/lib/syncd/syncd.db") as place:
        place.people(PEOPLE)
        name = docker.docker(
            "run", "--detach", *CONFINED, "--memory=768m", "--pids-limit=128",
            "--health-interval=1s", f"--volume={tmp_path}:/etc/syncd:ro",
            f"--env=SYNCD_ADMIN__LISTEN=127.0.0.1:{port}", IMAGE,
        )  # fmt: skip

        def state() -> dict[str, object]:
            found = json.loads(docker.docker("inspect", "--format={{json .State}}", name))
            assert found["Running"], docker.result("logs", name).stderr
            return dict(found)

        until(lambda: '"healthy"' in json.dumps(state()), "the container is healthy")
        place.arrived(PEOPLE)
        url = f"http://127.0.0.1:{port}/readyz"
        until(lambda: httpx.get(url, timeout=10).status_code == 200, "the daemon is ready")
        assert "in sync" in docker.docker("exec", name, "syncd", "status")
        docker.docker("stop", "--time=60", name, patience=90)
        assert docker.docker("inspect", "--format={{.State.ExitCode}}", name) == "0"
        docker.docker("rm", "--volumes", name)
