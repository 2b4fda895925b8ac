"""What `syncd state check` shows."""

from __future__ import annotations

from syncd.app import App
from syncd.cli.errors import exit_code
from syncd.cli.looking import put_findings, show_findings
from syncd.cli.upkeep import opened
from syncd.core.errors import StateError
from syncd.core.exits import ExitCode
from syncd.core.preflight import Observation, Verdict
from syncd.state import checkup
from syncd.state.database import Database

__all__ = ["examine"]


def examine(app: App, *, as_json: bool) -> int:
    """Look at the state and show how it is; returns the exit code."""
    with opened(app.config) as database:
        found, code = _looked(database, app)
        place = database.place
    if as_json:
        put_findings("syncd.state-check/1", {"place": place}, found, code)
    else:
        show_findings("state database", place, found)
    return code


def _looked(database: Database, app: App) -> tuple[list[Observation], int]:
    try:
        found = checkup.check(database, app.names(None), app.clock())
    except StateError as error:
        return [Observation("database", Verdict.FAILURE, str(error))], exit_code(error)
    wrong = {each.check for each in found if each.verdict is Verdict.FAILURE}
    if not wrong:
        return found, int(ExitCode.DONE)
    other = wrong == {checkup.UNUSABLE}
    return found, int(ExitCode.CONFIGURATION if other else ExitCode.INTERNAL)
