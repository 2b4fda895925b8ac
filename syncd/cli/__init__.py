"""The command line: errors become exit codes here, and nowhere else."""

from __future__ import annotations

import os
import sys

from syncd.cli.errors import exit_code, explain
from syncd.cli.program import program

__all__ = ["main"]


def main() -> None:
    """Run the command that was typed and leave with its exit code."""
    try:
        code = program(standalone_mode=False)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  # the one place that turns errors into exit codes
        explain(error)
        code = exit_code(error)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else os.EX_OK)
