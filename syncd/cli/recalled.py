"""What a saved plan said and what became of it, as a report."""

from __future__ import annotations

from syncd.core.certificate import Certificate
from syncd.core.gates import Gate
from syncd.core.plan import Result
from syncd.engine.parts import RunReport
from syncd.state import archive
from syncd.state.database import Tx
from syncd.state.views import PlanShown

__all__ = ["recall"]


def recall(tx: Tx, plan: str, shown: PlanShown) -> RunReport:
    """Return the report of a plan that is kept; `outcomes` where it was applied."""
    head = archive.head(tx, plan)
    summary = shown.summary
    became = {group.common[2] for group in shown.changes}
    tally = archive.tally(tx, plan)
    ended = {str(result) for result in Result if result is not Result.HELD}
    applied = head is not None and (head.run is not None or bool(became & ended))
    return RunReport(
        environment=str(summary["environment"]),
        command="plan",
        run=head.run if head else None,
        plan=plan,
        planned=sum(group.total for group in shown.changes),
        situations=summary["situations"],
        gates=tuple(Gate(**gate) for gate in summary["gates"]),
        certificates=tuple(
            Certificate(
                c["source"],
                c["certified"],
                c["rows"],
                tuple(c["findings"]),
                tuple(c.get("notes", ())),
            )
            for c in summary["certificates"]
        ),
        outcomes={result: tally.get(result, 0) for result in Result} if applied else None,
    )
