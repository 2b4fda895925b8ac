"""
A container engine of our own, with a stand-in for the published base image.

No registry is asked: the base is a minimal Debian with the Python of this machine. The
engine leaves the firewall alone and has no network but the machine's. It needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.paperwork import ROOT

__all__ = ["CONFINED", "IMAGE", "Engine", "engine"]

BASE = "standin-python"
IMAGE = "syncd:test"
CONFINED = ("--network=host", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
"""What a cautious operator runs the image with."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
DOCKER = "/usr/bin/docker"
"""Debian's: another one may lack the builder that mounts caches and secrets."""
STARTS = 60.0
ENDS = 30.0
BASE_TAKES = 600.0
BUILD_TAKES = 600.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine that has the image."""

    folder: Path

    def docker(self, *arguments: str | Path, patience: float = 60.0) -> str:
        """Run the client, and return what it prints."""
        done = self.result(*arguments, patience=patience)
        assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout.strip()

    def result(
        self, *arguments: str | Path, patience: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run the client, whatever comes of it."""
        environ = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1"}
        return subprocess.run(
            [DOCKER, *arguments],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )

    @property
    def host(self) -> str:
        """Where the engine listens."""
        return f"unix://{self.folder / 'd.sock'}"


@contextmanager
def engine() -> Iterator[Engine]:
    """Start an engine, build the image, and leave nothing behind."""
    _possible()
    folder = Path(tempfile.mkdtemp(prefix="syncd-engine-"))
    try:
        with _running(folder) as found:
            _standin(found)
            _build(found)
            yield found
    finally:
        _clear(folder)


def _possible() -> None:
    """Skip where no engine can be had; in CI only the machine may be a reason."""
    if os.geteuid() != 0:
        pytest.skip("an engine of our own needs root")
    needed = {DOCKER: "docker.io", "dockerd": "docker.io", "debootstrap": "debootstrap"}
    missing = {package for program, package in needed.items() if shutil.which(program) is None}
    if missing:
        names = " ".join(sorted(missing))
        reason = f"no engine: apt-get install -y --no-install-recommends {names}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def _running(folder: Path) -> Iterator[Engine]:
    found = Engine(folder)
    log = folder / "dockerd.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [
                *("dockerd", "-H", found.host, "--data-root", folder / "data"),
                *("--exec-root", folder / "exec", "--pidfile", folder / "pid"),
                *("--iptables=false", "--ip6tables=false", "--bridge=none", "--log-level=warn"),
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + STARTS
        while found.result("version").returncode != 0:
            if process.poll() is not None or time.monotonic() > end:
                said = log.read_text(encoding="utf-8")[-500:]
                pytest.skip(f"no engine can run on this machine: {said}")
            time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _standin(found: Engine) -> None:
    """Make what stands in for the base image: a minimal Debian, with a Python in /usr/local."""
    root = found.folder / "base"
    own = sys.base_prefix != "/usr"
    packages = ["ca-certificates", "libffi8", "libsqlite3-0", "tzdata"]
    if not own:  # Debian's Python cannot be copied, but it can be installed
        packages += ["python3-dev", "python3-pip", "python3-venv"]
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", "bookworm", root,
         _mirror()],
        capture_output=True, text=True, check=False, timeout=BASE_TAKES,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"no base image can be made here: {done.stdout[-300:]}{done.stderr[-300:]}")
    shutil.copyfile(CERTIFICATES, root / CERTIFICATES[1:])
    if own:
        _own_python(root)
    tar = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    with tar:
        subprocess.run(
            [DOCKER, "-H", found.host, "import", "-c", f"ENV PATH={PATH}", "-", BASE],
            stdin=tar.stdout, capture_output=True, check=True, timeout=BASE_TAKES,
        )  # fmt: skip
    shutil.rmtree(root)


def _own_python(root: Path) -> None:
    """Copy the Python that runs the tests, without what was installed into it."""
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    unused = shutil.ignore_patterns("site-packages", "__pycache__", "test", "idlelib", "*.a")
    for name in ("bin", "include", "lib"):
        shutil.copytree(
            Path(sys.base_prefix) / name, root / "usr/local" / name,
            symlinks=True, ignore=unused, dirs_exist_ok=True,
        )  # fmt: skip
    python = root / "usr/local/bin" / standard.name
    for name in ("python3", "python"):
        link = python.with_name(name)
        link.unlink(missing_ok=True)
        link.symlink_to(standard.name)
    for command in (["ldconfig"], ["python3", "-m", "ensurepip"]):
        subprocess.run(
            ["chroot", root, *command], env={"PATH": PATH}, capture_output=True, check=True
        )


def _mirror() -> str:
    """Return where this machine's packages come from."""
    for file in Path("/etc/apt/sources.list.d").glob("*.sources"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("URIs: "):
                return line.split()[1]
    return "http://deb.debian.org/debian"


def _build(found: Engine) -> None:
    """Build the image. How pip reaches an index here is a secret of the build."""
    pip = found.folder / "pip.conf"
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    lines = ["[global]", f"cert = {CERTIFICATES}", "timeout = 60"]
    pip.write_text("\n".join([*lines, *([f"index-url = {index}"] if index else [])]) + "\n")
    proxies = [f"--build-arg={name}={os.environ[name]}" for name in PROXIES if name in os.environ]
    found.docker(
        "build", "--progress=plain", "--network=host", f"--secret=id=pip,src={pip}",
        f"--build-arg=BASE={BASE}", *proxies, f"--tag={IMAGE}", ROOT, patience=BUILD_TAKES,
    )  # fmt: skip


def _clear(folder: Path) -> None:
    """Let go of what the engine has mounted, and remove everything."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)
