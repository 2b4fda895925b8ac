# ruff: noqa: INP001  # the neighbour of a script belongs to no package
"""For those whose people it is about: who has a profile, who waits, what is at odds."""

from __future__ import annotations

from panels import AMBER, RED, Chapter, bars, lines, most, number, of

__all__ = ["BUSINESS"]

BUSINESS = (
    Chapter(
        "Coverage",
        (
            number(
                "Covered",
                "Of all who have a profile or wait for one, the share who have one.",
                of("environment:syncd_coverage:ratio"),
                unit="percentunit",
            ),
            number(
                "People with a profile",
                "Active rows of all profiles; whoever has two counts twice.",
                "sum by (environment) ("
                + most("environment, profile", "syncd_profile_users")
                + ")",
            ),
            number(
                "Joiners who wait",
                "People with a wanted profile and no active row yet.",
                most("environment", "syncd_waiting_joiners"),
                steps={1: AMBER},
            ),
            number(
                "The oldest wish",
                "Time since the first run that left something wanted unapplied.",
                of("environment:syncd_freshness_seconds:max"),
                unit="s",
                steps={1: AMBER, 7200: RED},
            ),
            bars(
                "Coverage by profile",
                "Active rows of each profile.",
                most("environment, profile", "syncd_profile_users"),
                legend="{{environment}} {{profile}}",
            ),
            lines(
                "Coverage by profile, over time",
                "Active rows of each profile.",
                {
                    "{{environment}} {{profile}}": most(
                        "environment, profile", "syncd_profile_users"
                    )
                },
                stacked=True,
            ),
        ),
    ),
    Chapter(
        "Joiners and leavers",
        (
            lines(
                "Joiners who wait, over time",
                "People with a wanted profile and no active row yet, with an account or without.",
                {"{{environment}}": most("environment", "syncd_waiting_joiners")},
            ),
            lines(
                "Removals that wait",
                "Removals and moves that the last plan withheld, by the reason why.",
                {
                    "{{environment}} {{reason}}": most(
                        "environment, reason", "syncd_pending_removals"
                    )
                },
                stacked=True,
            ),
            lines(
                "Changes made",
                "In the last hour, by action.",
                {
                    "{{environment}} {{action}}": "sum by (environment, action) (increase("
                    + of("syncd_applied_changes_total", 'result="applied"')
                    + "[1h]))"
                },
                stacked=True,
            ),
            lines(
                "People by situation",
                "As the last run found them.",
                {"{{environment}} {{situation}}": most("environment, situation", "syncd_people")},
                stacked=True,
            ),
        ),
    ),
    Chapter(
        "Conflicts",
        (
            lines(
                "Conflicts over time",
                "Open ones, by code.",
                {"{{environment}} {{code}}": most("environment, code", "syncd_conflicts")},
                stacked=True,
            ),
            bars(
                "The oldest conflict",
                "Age of the oldest open conflict of each code.",
                most("environment, code", "syncd_conflict_oldest_seconds"),
                legend="{{environment}} {{code}}",
                unit="s",
                steps={604800: AMBER},
            ),
            lines(
                "Flags that are off",
                "Active rows whose conflict flag on the server is not as syncd sees it.",
                {
                    "{{environment}} {{kind}}": of(
                        "environment_kind:syncd_conflict_flag_disagreement:max"
                    )
                },
            ),
            number(
                "Held users",
                "Users whom an operator holds, whatever the sources say.",
                most("environment", "syncd_held_users"),
                width=12,
            ),
        ),
    ),
)
