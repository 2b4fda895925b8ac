"""The Dockerfile: what a linter says, what it promises, and how it asks for health."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from syncd import __version__
from syncd.config.service import Admin
from tests.deploy.paperwork import DOCKERFILE, ROOT, health_check, instructions


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer /healthz with a status, everything else with 404; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def asked(port: int, **more: str) -> int:
    """Run the health check as the engine does, and return its exit code."""
    command = [sys.executable, *health_check()[1:]]
    environ = {"PATH": os.environ["PATH"], "SYNCD_ADMIN__LISTEN": f"0.0.0.0:{port}", **more}
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode


def test_the_linter_has_nothing_to_say() -> None:
    """Hadolint judges the Dockerfile, and the shell in it."""
    linter = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (0, "")


def test_a_daemon_that_says_so_is_healthy() -> None:
    """Whatever proxy the surroundings name: nobody in between is asked."""
    with answering(200) as port:
        assert asked(port) == 0
        assert asked(port, http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1") == 0


def test_a_daemon_that_is_stuck_is_not_healthy() -> None:
    """Neither is one that does not answer at all."""
    with answering(503) as port:
        assert asked(port) == 1
    assert asked(port) == 1


def test_without_a_setting_the_port_is_that_of_the_program() -> None:
    """Three places name it: the default setting, the health check and EXPOSE."""
    [exposed] = [rest for word, rest in instructions() if word == "EXPOSE"]

    assert Admin().listen.rpartition(":")[2] == exposed
    assert f"':{exposed}'" in " ".join(health_check())


def test_what_runs_is_nobody_and_needs_no_shell() -> None:
    """A number for the user lets Kubernetes see that it is not root."""
    last = dict(instructions())  # where a word stands twice, the last stage's counts

    assert last["USER"] == "10001:10001"
    assert last["ENTRYPOINT"] == '["syncd"]'
    assert last["CMD"] == '["daemon"]'
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert "SYNCD_CONFIG=/etc/syncd/syncd.toml" in last["ENV"]
    assert "TMPDIR=/var/lib/syncd" in last["ENV"]
    assert health_check()[0] == "python3"


def test_the_label_has_the_programs_version() -> None:
    """Whoever finds the image somewhere sees what it is, without running it."""
    [labels] = [rest for word, rest in instructions() if word == "LABEL"]
    found = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', labels))

    assert found["version"] == __version__
    assert found["title"] == "syncd"
    assert (ROOT / found["documentation"]).is_file()


def test_nothing_says_for_which_processor_it_is() -> None:
    """The image is built for x86_64 and for arm64 from the same lines."""
    text = DOCKERFILE.read_text(encoding="utf-8")

    assert not re.search(r"--platform|TARGETARCH|x86_64|amd64|arm64|aarch64", text)


@pytest.mark.campaign
def test_what_is_locked_is_there_for_arm64_too(tmp_path: Path) -> None:
    """Pip finds a wheel with a locked hash for each package; nothing is installed."""
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in (17, 28)]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed")
    foreign = (f"--target={tmp_path}", "--only-binary=:all:", "--python-version=3.13", *platforms)
    locked = ("--no-deps", "--require-hashes", "-r", ROOT / "deploy" / "requirements.lock")
    done = subprocess.run([*pip, *foreign, *locked], capture_output=True, text=True, check=False)
    if "Max retries" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip("the index of packages cannot be reached")

    assert done.returncode == 0, done.stderr[-1000:]


def test_every_package_is_locked() -> None:
    """What is installed without hashes is fetched from nowhere."""
    runs = [rest for word, rest in instructions() if word == "RUN"]
    installs = re.findall(r"-m pip .*?(?:install|wheel) (.*?)(?:&&|$)", " && ".join(runs))

    assert len(installs) == 4
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_the_builder_gets_what_is_copied_and_little_else() -> None:
    """What .dockerignore does not name cannot get into an image, secrets least of all."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    allowed = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    copied = {
        name
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }

    assert patterns[0] == "*"
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("word", ["FROM", "ARG"])
def test_the_base_can_be_another(word: str) -> None:
    """Both stages stand on the same image, which a build argument names."""
    found = [rest for each, rest in instructions() if each == word]

    if word == "ARG":
        assert found == ["BASE=python:3.13-slim-bookworm"]
    else:
        assert found == ["${BASE} AS build", "${BASE}"]
