"""Rights that even root does not have, where the machine can take them away."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.conftest import IN_CI

DROP = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
"""Root without these two rights meets the permissions of files like anybody else."""


def without_rights() -> tuple[str, ...]:
    """Return the command under which permissions of files bind; skip where there is none."""
    if os.getuid() != 0:
        return ()
    if shutil.which("setpriv") and subprocess.run([*DROP, "true"], check=False).returncode == 0:
        return DROP
    if IN_CI:
        pytest.fail("as root this test needs setpriv and the right to give up rights")
    pytest.skip("root may do everything here: setpriv is missing or may not drop rights")
