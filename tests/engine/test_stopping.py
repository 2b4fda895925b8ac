"""A stop takes effect between the steps of a run, also where there is nothing to count."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from syncd.app import App, build
from syncd.engine.parts import RunReport
from tests.cli.office import DAY, Office, opened


@dataclass(slots=True)
class Listener:
    """Is told of the steps of a run; asks to stop after one of those that compare."""

    stop: Event
    after: int | None = None
    phases: list[str] = field(default_factory=list)
    steps: int = 0

    def phase(self, name: str, total: int | None = None) -> None:
        """Note a phase."""
        del total
        self.phases.append(name)

    def advance(self, number: int) -> None:
        """Note a step."""
        del number
        if self.phases[-1] == "comparing":
            if self.steps == self.after:
                self.stop.set()
            self.steps += 1


def run(office: Office, after: int | None = None) -> tuple[RunReport, Listener]:
    """Let a run go as far as the step."""
    app: App = build(office.folder / "syncd.toml", {"SYNCD_NOW": DAY})
    listener = Listener(app.stop, after)
    with app.database() as database, app.reconciler(database, "contoso", listener) as reconciler:
        return reconciler.reconcile(), listener


def test_a_stop_while_everybody_is_compared_takes_effect_at_the_next_step(tmp_path: Path) -> None:
    """Each question to the rules is one; what was read in the run is forgotten with it."""
    with opened(tmp_path) as office:
        stopped = [run(office, after) for after in range(5)]
        whole, told = run(office)

    assert told.steps == len(stopped) == 5
    assert [listener.steps for _, listener in stopped] == [1, 2, 3, 4, 5]
    assert all(report.stopped and report.outcomes is None for report, _ in stopped)
    assert {listener.phases[-1] for _, listener in stopped} == {"comparing"}
    assert (whole.stopped, int(whole.exit_code)) == (False, 0)
