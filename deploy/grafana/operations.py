# ruff: noqa: INP001  # the neighbour of a script belongs to no package
"""For those who run it: runs, changes, sources, requests, daemons."""

from __future__ import annotations

from panels import (
    ALARM,
    RED,
    YES,
    Chapter,
    lines,
    most,
    number,
    of,
    phases,
    rise,
    rows,
)

__all__ = ["OPERATIONS"]

OPERATIONS = (
    Chapter(
        "Runs",
        (
            lines(
                "Runs that ended",
                "By how.",
                {"{{task}} {{result}}": rise("task, result", "syncd_runs_total")},
                stacked=True,
            ),
            lines(
                "Duration of runs",
                "Nine in ten are faster.",
                {
                    "{{task}}": "histogram_quantile(0.9, sum by (task, le) (rate("
                    + of("syncd_run_duration_seconds_bucket")
                    + "[$__rate_interval])))"
                },
                unit="s",
            ),
            lines(
                "Where the time goes",
                "Seconds of each phase per second.",
                {
                    "{{phase}}": "sum by (phase) (rate("
                    + of("syncd_phase_duration_seconds_sum")
                    + "[$__rate_interval]))"
                },
                unit="s",
                stacked=True,
            ),
            lines(
                "Since the last try",
                "Time since the task last began.",
                {
                    "{{environment}} {{task}}": "time() - "
                    + most("environment, task", "syncd_last_attempt_timestamp_seconds")
                },
                unit="s",
            ),
            number(
                "Since everybody was looked at",
                "Time since a full run ended with everything done.",
                "time() - " + most("environment", "syncd_last_full_success_timestamp_seconds"),
                unit="s",
            ),
            number(
                "Jobs that wait",
                "At most one waits while another runs.",
                most("environment", "syncd_queue_length"),
            ),
            number(
                "Missed by delta",
                "Changes that the last full run found and the deltas before it had missed.",
                most("environment", "syncd_missed_by_delta"),
                steps={1: RED},
            ),
            number(
                "Quarantine",
                "Whether so much failed that writes are tried at a falling rate.",
                most("environment", "syncd_quarantined"),
                words=ALARM,
            ),
        ),
    ),
    Chapter(
        "Changes",
        (
            lines(
                "What became of changes",
                "Planned changes of runs that ended.",
                {"{{action}} {{result}}": rise("action, result", "syncd_applied_changes_total")},
                stacked=True,
            ),
            lines(
                "Withheld removals",
                "Removals and moves that the last plan withheld, by the reason why.",
                {
                    "{{environment}} {{reason}}": most(
                        "environment, reason", "syncd_pending_removals"
                    )
                },
                stacked=True,
            ),
            lines(
                "Rows in escrow",
                "Rows whose change failed and is tried again later, by cause; dead letters apart.",
                {
                    "{{environment}} {{cause}}": most("environment, cause", "syncd_escrow_rows"),
                    "{{environment}} dead letters": most("environment", "syncd_dead_letters"),
                },
            ),
            lines(
                "Trips of gates",
                "For a whole run or one profile.",
                {"{{gate}} {{scope_kind}}": rise("gate, scope_kind", "syncd_gate_trips_total")},
            ),
            phases(
                "Gates",
                "When a gate stopped something in the last run that made a plan.",
                most("environment, gate", "syncd_gate_tripped"),
                legend="{{environment}} {{gate}}",
                words=ALARM,
            ),
            number(
                "Open passes",
                "Granted, not used up, not expired.",
                most("environment", "syncd_passes_open"),
            ),
            number(
                "Held users",
                "Users whom an operator holds now.",
                most("environment", "syncd_held_users"),
            ),
        ),
    ),
    Chapter(
        "Sources",
        (
            phases(
                "Believed",
                "Whether the last read of the source was believed.",
                "min by (environment, source) (" + of("syncd_read_certificate_ok") + ")",
                legend="{{environment}} {{source}}",
                words=YES,
                width=8,
            ),
            lines(
                "Rows",
                "In the last read of the source.",
                {"{{environment}} {{source}}": most("environment, source", "syncd_source_rows")},
                width=8,
            ),
            lines(
                "Age",
                "Time since a read of the source was last believed.",
                {
                    "{{environment}} {{source}}": "min by (environment, source) ("
                    + of("syncd_source_lag_seconds")
                    + ")"
                },
                unit="s",
                width=8,
            ),
        ),
    ),
    Chapter(
        "Requests",
        (
            lines(
                "Requests",
                "By operation and status.",
                {
                    "{{operation}} {{status}}": "sum by (operation, status) (rate("
                    + of("syncd_requests_total")
                    + "[$__rate_interval]))"
                },
                unit="reqps",
            ),
            lines(
                "Duration of requests",
                "Nineteen in twenty are faster.",
                {
                    "{{environment}} {{operation}}": of(
                        "environment_operation:syncd_request_duration_seconds:p95_5m"
                    )
                },
                unit="s",
            ),
            lines(
                "Throttled",
                "Share of the time that the server asked to be left alone.",
                {"{{environment}}": of("environment:syncd_throttled:ratio_5m")},
                unit="percentunit",
            ),
            lines(
                "Budget",
                "Requests of the last five minutes, as a share of what the server grants.",
                {"{{environment}}": most("environment", "syncd_request_budget_used_ratio")},
                unit="percentunit",
                top=1,
            ),
        ),
    ),
    Chapter(
        "Daemons",
        (
            lines(
                "Who keeps what",
                "1 where the replica keeps the environment.",
                {"{{environment}} {{instance}}": of("syncd_lease_held")},
                width=8,
            ),
            lines(
                "Takeovers",
                "Environments that came from a replica that was silent.",
                {
                    "{{environment}} {{instance}}": rise(
                        "environment, instance", "syncd_lease_takeovers_total"
                    )
                },
                width=8,
            ),
            lines(
                "State database",
                "Its size.",
                {"{{job}}": "job:syncd_state_bytes:max"},
                unit="bytes",
                width=8,
            ),
            rows(
                "Versions",
                "What runs where.",
                'syncd_build_info{job="syncd"}',
                hidden=("__name__", "job"),
            ),
        ),
    ),
)
