"""The numbers for Prometheus: named well, added up rightly, and shown by who may show them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.case import Code
from syncd.core.gauges import Gauges
from syncd.core.model import Action, Situation
from syncd.core.plan import Fault, Result
from syncd.telemetry.families import STANDING
from syncd.telemetry.metrics import RESULTS, Metrics
from tests.telemetry.scrape import labels, lint, scrape, total, values

THEN = 1_700_000_000.0
BUSY = Gauges(
    people={"CONFIRMED": 7, "HELD": 1},
    planned={"create": 2},
    pending={"gate": 3},
    conflicts={"MULTI_PROFILE_DIRECT": 2},
    conflicts_since={"MULTI_PROFILE_DIRECT": THEN - 60},
    disagreements={"flag_stale": 1},
    gates={"removals": True, "creates": False},
    certified={"hr": True, "payroll": False},
    source_rows={"hr": 9, "payroll": 4},
    certified_at={"hr": THEN - 30},
    escrow={"row": 2, "transient": 1},
    profiles={"Field Crew": 5, "Depot": 2},
    attempts={"full": THEN - 100},
    successes={"full": THEN - 200},
    full_success=THEN - 200,
    behind_since=THEN - 600,
    dead_letters=1,
    held_users=4,
    passes_open=1,
    waiting_joiners=6,
    missed_by_delta=2,
    quarantined=True,
)


class Hands:
    """A clock that goes when somebody turns it."""

    def __init__(self) -> None:
        self.now = THEN

    def __call__(self) -> float:
        return self.now


def replica(hands: Hands | None = None) -> Metrics:
    """Start a replica that keeps nothing yet."""
    clock = hands or Hands()
    return Metrics("1.2.3", clock=clock, ticks=clock)


def keeper(gauges: Gauges = BUSY, hands: Hands | None = None) -> Metrics:
    """Start a replica that keeps one environment and has done one thing of each kind."""
    metrics = replica(hands)
    metrics.keeps("contoso", True)
    metrics.show("contoso", gauges)
    metrics.took_over("contoso")
    metrics.queue("contoso", 1)
    run(metrics)
    metrics.phase("contoso", "reading target", 2.5)
    metrics.state(4096)
    metrics.throttled("contoso", 30)
    metrics.observer("contoso")("batch", "200", 0.2)
    return metrics


def run(metrics: Metrics, environment: str = "contoso", result: str = "gate") -> None:
    """Let a full run end."""
    metrics.attempt(environment, "full", THEN)
    metrics.applied(environment, {("create", "applied"): 2, ("remove", "held"): 3})
    metrics.gates(environment, [("removals", "run"), ("removals", "profile")])
    metrics.finished(environment, "full", result, 12.5, THEN + 12.5, True)


# --- the form ----------------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", [replica(), keeper(), keeper(Gauges())])
def test_prometheus_finds_nothing_to_criticise(metrics: Metrics) -> None:
    """Names, units, types and help texts are as its own tool wants them."""
    body, kind = metrics.exposition()

    assert kind.startswith("text/plain; version=0.0.4")
    assert lint(body) == (0, "")


def test_the_judge_would_find_something() -> None:
    """A counter without its ending, for instance: the test above can fail."""
    code, said = lint(b"# HELP syncd_trips Trips.\n# TYPE syncd_trips counter\nsyncd_trips 1\n")

    assert code != 0
    assert "_total" in said


def test_every_metric_says_what_it_means_and_in_which_unit() -> None:
    """A help text of several words that ends with a unit, or explains its two values."""
    lines = keeper().exposition()[0].decode().splitlines()
    said = dict(line[7:].split(" ", 1) for line in lines if line.startswith("# HELP "))
    shown = {line.split(" ")[2] for line in lines if line.startswith("# TYPE ")}

    assert said.keys() == shown
    assert len(said) >= 35
    for name, text in said.items():
        assert len(text.split()) > 4, name
        assert any(unit in text for unit in ("number", "seconds", "bytes", "ratio", "1")), name


def test_no_label_has_a_name_that_a_scrape_takes() -> None:
    """`job` and `instance` would be renamed (real-components.md section 4)."""
    names = {name for _, pairs in scrape(keeper()) for name, _ in pairs}

    assert names >= {"environment", "task", "situation"}
    assert not names & {"job", "instance", "person", "user", "user_name"}


def test_what_cannot_have_happened_yet_stands_at_zero() -> None:
    """An alert on an increase, or on a sum, needs a series to begin with."""
    metrics = replica()
    metrics.keeps("contoso", True)
    metrics.attempt("contoso", "delta", THEN)
    metrics.show("contoso", Gauges())

    assert values(metrics, "people", "situation") == dict.fromkeys(map(str, Situation), 0)
    assert values(metrics, "planned_changes", "action") == dict.fromkeys(map(str, Action), 0)
    assert values(metrics, "conflicts", "code") == dict.fromkeys(map(str, Code), 0)
    assert values(metrics, "escrow_rows", "cause") == {"other": 0}
    assert values(metrics, "runs_total", "result") == dict.fromkeys(RESULTS, 0)
    assert len([1 for name, _ in scrape(metrics) if name == "syncd_applied_changes_total"]) == len(
        Action
    ) * len(Result)
    assert values(metrics, "gate_trips_total") == {"": 0}
    assert values(metrics, "freshness_seconds") == {"": 0}


# --- values -----------------------------------------------------------------------------------


def test_what_is_shown_is_what_was_given() -> None:
    """One value of each family, where it belongs."""
    metrics = keeper()

    assert values(metrics, "people", "situation")["CONFIRMED"] == 7
    assert values(metrics, "pending_removals", "reason")["gate"] == 3
    assert values(metrics, "conflict_oldest_seconds", "code")["MULTI_PROFILE_DIRECT"] == 60
    assert values(metrics, "conflict_flag_disagreement", "kind") == {
        "flag_missing": 0, "flag_stale": 1
    }  # fmt: skip
    assert values(metrics, "gate_tripped", "gate") == {"creates": 0, "removals": 1}
    assert values(metrics, "read_certificate_ok", "source") == {"hr": 1, "payroll": 0}
    assert values(metrics, "source_lag_seconds", "source") == {"hr": 30}
    assert values(metrics, "profile_users", "profile") == {"Depot": 2, "Field Crew": 5}
    single = {
        "held_users": 4, "dead_letters": 1, "passes_open": 1, "waiting_joiners": 6,
        "missed_by_delta": 2, "quarantined": 1, "freshness_seconds": 600, "state_bytes": 4096,
        "queue_length": 1, "lease_held": 1, "lease_takeovers_total": 1,
        "throttled_seconds_total": 30, "build_info": 1,
    }  # fmt: skip
    assert {name: values(metrics, name) for name in single} == {
        name: {"": value} for name, value in single.items()
    }


def test_ages_grow_while_nothing_runs() -> None:
    """A daemon that hangs must not look fresh."""
    hands = Hands()
    metrics = keeper(hands=hands)

    hands.now += 3600

    assert values(metrics, "freshness_seconds") == {"": 4200}
    assert values(metrics, "source_lag_seconds", "source") == {"hr": 3630}


def test_only_success_moves_the_time_of_the_last_success() -> None:
    """Whatever else a run ends with, it was an attempt."""
    metrics = keeper()
    assert values(metrics, "last_attempt_timestamp_seconds", "task") == {"full": THEN}
    before = values(metrics, "last_success_timestamp_seconds", "task")

    run(metrics, result="done")

    assert before == {"full": THEN - 200}
    assert values(metrics, "last_success_timestamp_seconds", "task") == {"full": THEN + 12.5}
    assert values(metrics, "last_full_success_timestamp_seconds") == {"": THEN + 12.5}


def test_a_delta_is_no_full_run() -> None:
    """It succeeds for itself."""
    metrics = keeper()

    metrics.finished("contoso", "delta", "done", 1, THEN + 99, False)

    assert values(metrics, "last_success_timestamp_seconds", "task")["delta"] == THEN + 99
    assert values(metrics, "last_full_success_timestamp_seconds") == {"": THEN - 200}


def test_a_restart_forgets_no_success() -> None:
    """Until something happens here, the times are those of the state database."""
    metrics = replica()
    metrics.keeps("contoso", True)
    metrics.show("contoso", BUSY)

    assert values(metrics, "last_attempt_timestamp_seconds", "task") == {"full": THEN - 100}
    assert values(metrics, "last_success_timestamp_seconds", "task") == {"full": THEN - 200}
    assert values(metrics, "last_full_success_timestamp_seconds") == {"": THEN - 200}


def test_a_cause_is_a_class_or_a_code_and_nothing_else() -> None:
    """Any other text might be a sentence with somebody's name in it."""
    causes = {"row": 1, "0x80040265": 3, "status 412": 4, "ada@contoso.com is odd": 2, "Ada": 1}
    metrics = keeper(Gauges(escrow=causes))

    assert values(metrics, "escrow_rows", "cause") == {
        "row": 1, "0x80040265": 3, "status 412": 4, "other": 3
    }  # fmt: skip


def test_ever_new_codes_do_not_make_ever_new_series() -> None:
    """The twenty most frequent ones are told apart."""
    causes = {f"0x8004{number:04x}": number for number in range(1, 100)}
    shown = values(keeper(Gauges(escrow=causes)), "escrow_rows", "cause")

    assert len(shown) == 21
    assert sum(shown.values()) == sum(causes.values())
    assert shown["0x80040063"] == 99


def test_requests_use_up_a_budget_that_comes_back() -> None:
    """Six thousand in five minutes; tokens come from another server."""
    hands = Hands()
    metrics = replica(hands)
    observe = metrics.observer("contoso")
    for _ in range(600):
        observe("batch", "200", 0.1)
    observe("token", "200", 0.1)

    used = values(metrics, "request_budget_used_ratio")
    hands.now += 299
    still = values(metrics, "request_budget_used_ratio")
    hands.now += 10

    assert used == still == {"": pytest.approx(0.1)}
    assert values(metrics, "request_budget_used_ratio") == {"": 0}
    assert values(metrics, "requests_total", "operation") == {"batch": 600, "token": 1}


@given(st.dictionaries(st.text(), st.integers(0, 10**9), max_size=5))
def test_profiles_may_be_called_anything(profiles: Mapping[str, int]) -> None:
    """Quotes, backslashes and line ends come back as they were."""
    metrics = keeper(Gauges(profiles=profiles))

    assert values(metrics, "profile_users", "profile") == profiles


# --- who shows what -----------------------------------------------------------------------------


STATE = {f"syncd_{family.name}" for family in STANDING}


def test_a_sum_over_replicas_counts_each_environment_once() -> None:
    """Whoever gave an environment away shows nothing of its state, and its counters stay."""
    first, second = keeper(), replica()
    alone = total([first, second])

    first.keeps("contoso", False)
    second.keeps("contoso", True)
    second.show("contoso", BUSY)
    second.took_over("contoso")
    first.show("contoso", BUSY)  # comes too late
    both = total([first, second])

    assert {key: both[key] for key in both if key[0] in STATE} == {
        key: alone[key] for key in alone if key[0] in STATE
    }
    assert len([key for key in both if key[0] in STATE]) > 60
    assert values(first, "lease_held") == {"": 0}
    assert values(second, "lease_held") == {"": 1}
    assert not {name for name, _ in scrape(first)} & STATE
    assert values(first, "queue_length") == values(first, "last_attempt_timestamp_seconds") == {}
    assert sum(n for key, n in both.items() if key[0] == "syncd_lease_takeovers_total") == 2
    assert sum(n for key, n in both.items() if key[0] == "syncd_runs_total") == 1


def test_a_profile_that_is_gone_is_shown_no_more() -> None:
    """What is shown replaces all that was shown before."""
    metrics = keeper()

    metrics.show("contoso", Gauges(profiles={"Depot": 1}))

    assert values(metrics, "profile_users", "profile") == {"Depot": 1}
    assert values(metrics, "source_rows") == {}


# --- what a scrape costs ------------------------------------------------------------------------


def test_a_scrape_costs_the_same_after_any_number_of_runs() -> None:
    """As many series and as many bytes of memory to look at as after the first run."""
    hands = Hands()
    metrics = keeper(hands=hands)
    once = scrape(metrics).keys()

    for _ in range(500):
        hands.now += 60
        run(metrics)
        metrics.show("contoso", BUSY)
        metrics.observer("contoso")("batch", "200", 0.2)

    assert scrape(metrics).keys() == once


def test_lanes_count_together() -> None:
    """Requests are observed from many threads while somebody scrapes."""
    metrics = keeper()
    observe = metrics.observer("contoso")

    def lane(_: int) -> None:
        for number in range(200):
            observe("single", "204", 0.01)
            metrics.throttled("contoso", 1)
            if number % 50 == 0:
                metrics.exposition()

    with ThreadPoolExecutor(8) as lanes:
        list(lanes.map(lane, range(8)))

    assert values(metrics, "requests_total", "operation")["single"] == 1600
    assert values(metrics, "throttled_seconds_total") == {"": 1630}


def test_labels_hold_nothing_but_what_is_configured() -> None:
    """All there is to read: closed sets, environments, tasks, sources, profiles."""
    closed = {*map(str, (*Situation, *Action, *Code, *Fault, *Result)), *RESULTS}
    buckets = {value for value in labels(keeper()) if value.replace(".", "").isdigit()}
    rest = labels(keeper()) - closed - buckets

    assert rest == {
        "+Inf", "1.2.3", "contoso", "full", "reading target", "batch", "hr", "payroll",
        "Field Crew", "Depot", "removals", "creates", "run", "profile", "grace", "certificate",
        "blackout", "escrow", "flag_missing", "flag_stale", "other",
    } - buckets  # fmt: skip
