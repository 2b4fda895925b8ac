# ruff: noqa: INP001  # the neighbour of a script belongs to no package
"""For everybody: whether it runs, whether all is in sync, and what needs a person."""

from __future__ import annotations

from panels import (
    AMBER,
    GREEN,
    RED,
    YES,
    Chapter,
    bars,
    lines,
    most,
    number,
    of,
    phases,
    rows,
)

__all__ = ["OVERVIEW"]

OVERVIEW = (
    Chapter(
        "Is it running?",
        (
            number(
                "Daemons that answer",
                "Replicas whose metrics Prometheus could read.",
                'sum(up{job="syncd"})',
                legend="daemons",
                steps={0: RED, 1: GREEN},
            ),
            number(
                "Somebody keeps the environment",
                "Whether exactly one replica works for it.",
                of("environment:syncd_lease_held:sum"),
                words={0: ("nobody", RED), 1: ("one", GREEN), 2: ("two", RED)},
            ),
            number(
                "Last success",
                "Time since the task last ended with everything done.",
                of("environment_task:syncd_success_age:seconds"),
                legend="{{environment}} {{task}}",
                unit="s",
                width=12,
            ),
        ),
    ),
    Chapter(
        "Is it in sync?",
        (
            number(
                "In sync",
                "Whether all that is wanted is applied.",
                of("environment:syncd_in_sync:bool"),
                words=YES,
            ),
            number(
                "Behind for",
                "Time since the first run that left something wanted unapplied.",
                of("environment:syncd_freshness_seconds:max"),
                unit="s",
                steps={1: AMBER, 7200: RED},
            ),
            number(
                "Joiners who wait",
                "People with a wanted profile and no active row yet.",
                most("environment", "syncd_waiting_joiners"),
            ),
            number(
                "Covered",
                "Of all who have a profile or wait for one, the share who have one.",
                of("environment:syncd_coverage:ratio"),
                unit="percentunit",
            ),
            phases(
                "In sync, over time",
                "When all that was wanted was applied.",
                of("environment:syncd_in_sync:bool"),
                legend="{{environment}}",
                words=YES,
            ),
            lines(
                "Changes in the last plan",
                "By action; whatever became of them.",
                {
                    "{{environment}} {{action}}": most(
                        "environment, action", "syncd_planned_changes"
                    )
                },
                stacked=True,
            ),
        ),
    ),
    Chapter(
        "What needs a person?",
        (
            bars(
                "Waiting for a person",
                "By kind; what to do is in deploy/README.md.",
                of("environment_kind:syncd_needs_person:sum"),
                legend="{{environment}} {{kind}}",
                steps={1: RED},
            ),
            rows(
                "Alerts",
                "Firing, or pending: true, but not yet for long enough. Empty when all is well.",
                'ALERTS{alertname=~"Syncd.+"}',
                hidden=("__name__", "job", "instance"),
            ),
        ),
    ),
)
