"""
Numbers for Prometheus. Only this module knows its client library.

What is shown is in memory: a scrape asks no database, and costs the same after a million
runs. No label ever says who somebody is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import disable_created_metrics as without_times_of_creation
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from syncd.core.gauges import Gauges
from syncd.core.model import Action
from syncd.core.plan import Result
from syncd.telemetry.budget import Budget
from syncd.telemetry.families import STANDING
from syncd.telemetry.keeping import TIMES, Keeping

__all__ = ["RESULTS", "Metrics"]

Samples = Mapping[tuple[str, ...], float]
"""Values by those of the labels."""

PREFIX = "syncd"
DONE = "done"
RESULTS = (DONE, "failed", "gate", "not_believed", "target", "lease", "stopped", "internal")
"""How a run can end."""
GATE_TRIPS = tuple(product(("removals", "creates"), ("run", "profile")))

RUN_BUCKETS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0)
PHASE_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """
    All metrics of the program. Safe to share between threads.

    How an environment stands is shown only while this replica keeps it; counters and
    histograms stay, because they are sums over what this process did. *clock* tells
    seconds since 1970, *ticks* seconds that only grow.
    """

    def __init__(
        self,
        version: str,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        # A series that says when each other series began would double their number.
        without_times_of_creation()  # type: ignore[no-untyped-call]  # it has no annotations
        self._clock, self._ticks = clock, ticks
        self._lock = threading.Lock()
        self._kept: dict[str, Keeping] = {}
        self._budgets: dict[str, Budget] = {}
        self._bytes: int | None = None
        self._registry = CollectorRegistry()
        self._declare_runs()
        self._declare_service()
        self._gauge("build_info", "The version that runs (always 1).", "version").labels(
            version
        ).set(1)
        self._registry.register(_Rendering(self._standing))

    def _declare_runs(self) -> None:
        self._runs = self._counter(
            "runs", "Runs that ended, by how (number).", "environment", "task", "result"
        )
        self._run_seconds = self._histogram(
            "run_duration_seconds",
            "How long runs took, from start to end (seconds).",
            RUN_BUCKETS,
            "environment",
            "task",
        )
        self._phase_seconds = self._histogram(
            "phase_duration_seconds",
            "How long the coarse phases of runs took (seconds).",
            PHASE_BUCKETS,
            "environment",
            "phase",
        )
        self._applied = self._counter(
            "applied_changes",
            "Planned changes of runs that ended, by what became of them (number).",
            "environment",
            "action",
            "result",
        )
        self._trips = self._counter(
            "gate_trips",
            "How often a gate stopped something, for a whole run or one profile (number).",
            "environment",
            "gate",
            "scope_kind",
        )

    def _declare_service(self) -> None:
        self._lease = self._gauge(
            "lease_held",
            "Whether this replica keeps the environment (1 or 0); the sum over all is 1.",
            "environment",
        )
        self._takeovers = self._counter(
            "lease_takeovers",
            "How often this replica took the environment over from another (number).",
            "environment",
        )
        self._requests = self._counter(
            "requests",
            "HTTP requests by operation (read, batch, single, token) and status, which is lost "
            "where no whole answer came (number).",
            "environment",
            "operation",
            "status",
        )
        self._request_seconds = self._histogram(
            "request_duration_seconds",
            "How long HTTP requests took, until the answer was read (seconds).",
            REQUEST_BUCKETS,
            "environment",
            "operation",
        )
        self._throttled = self._counter(
            "throttled_seconds",
            "For how long the environment asked to be left alone; all lanes wait together "
            "(seconds).",
            "environment",
        )

    # --- what is scraped ------------------------------------------------------------------

    def exposition(self) -> tuple[bytes, str]:
        """Return everything as Prometheus reads it, and its content type. Only memory is read."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    # --- who keeps what -------------------------------------------------------------------

    def keeps(self, environment: str, held: bool) -> None:  # noqa: FBT001  # the fact itself
        """Note whether this replica keeps an environment; if not, nothing of its state is shown."""
        with self._lock:
            if held:
                self._kept.setdefault(environment, Keeping())
            else:
                self._kept.pop(environment, None)
        self._lease.labels(environment).set(int(held))
        if held:
            self._begin(environment)

    def _begin(self, environment: str) -> None:
        """Let counters stand at zero: an increase from nowhere is none."""
        self._takeovers.labels(environment)
        self._throttled.labels(environment)
        for gate, scope in GATE_TRIPS:
            self._trips.labels(environment, gate, scope)
        for action, result in product(Action, Result):
            self._applied.labels(environment, str(action), str(result))

    def took_over(self, environment: str) -> None:
        """Count that the environment came from another replica."""
        self._takeovers.labels(environment).inc()

    def queue(self, environment: str, length: int) -> None:
        """Note how many jobs wait."""
        with self._lock:
            if environment in self._kept:
                self._kept[environment].queue = length

    # --- runs -----------------------------------------------------------------------------

    def attempt(self, environment: str, task: str, at: float) -> None:
        """Note that a task begins, at a moment in seconds since 1970."""
        for result in RESULTS:
            self._runs.labels(environment, task, result)
        with self._lock:
            if environment in self._kept:
                self._kept[environment].attempts[task] = at

    def finished(
        self,
        environment: str,
        task: str,
        result: str,
        seconds: float,
        at: float,
        full: bool,  # noqa: FBT001  # whether it looked at everybody
    ) -> None:
        """Note how a task ended; only one that is `done` moves the time of the last success."""
        self._runs.labels(environment, task, result).inc()
        self._run_seconds.labels(environment, task).observe(seconds)
        with self._lock:
            kept = self._kept.get(environment)
            if kept is not None and result == DONE:
                kept.successes[task] = at
                kept.full_success = at if full else kept.full_success

    def phase(self, environment: str, phase: str, seconds: float) -> None:
        """Note how long a coarse phase of a run took."""
        self._phase_seconds.labels(environment, phase).observe(seconds)

    def applied(self, environment: str, counts: Mapping[tuple[str, str], int]) -> None:
        """Add what became of the changes of a run, by action and result."""
        for (action, result), number in counts.items():
            self._applied.labels(environment, str(action), str(result)).inc(number)

    def gates(self, environment: str, tripped: Iterable[tuple[str, str]]) -> None:
        """Count the gates that a run tripped, each with the kind of its scope: run or profile."""
        for gate, scope in tripped:
            self._trips.labels(environment, gate, scope).inc()

    # --- how things stand -----------------------------------------------------------------

    def show(self, environment: str, gauges: Gauges) -> None:
        """Show how an environment stands, all at once; ignored unless this replica keeps it."""
        with self._lock:
            if environment in self._kept:
                self._kept[environment].gauges = gauges

    def state(self, bytes: int) -> None:  # noqa: A002  # the unit is the name
        """Note how large the state database is."""
        self._bytes = bytes

    # --- requests -------------------------------------------------------------------------

    def observer(self, environment: str) -> Callable[[str, str, float], None]:
        """Return what counts the requests to an environment: operation, status, seconds."""
        with self._lock:
            budget = self._budgets.setdefault(environment, Budget())

        def observe(operation: str, status: str, seconds: float) -> None:
            self._requests.labels(environment, operation, status).inc()
            self._request_seconds.labels(environment, operation).observe(seconds)
            # Tokens come from another server.
            if operation != "token":
                with self._lock:
                    budget.add(self._ticks())

        return observe

    def throttled(self, environment: str, seconds: float) -> None:
        """Add what the environment asked for in a refusal, in seconds."""
        self._throttled.labels(environment).inc(seconds)

    # --- rendering ------------------------------------------------------------------------

    def _standing(self) -> Iterator[Metric]:
        with self._lock:
            queues: Samples = {(name,): each.queue for name, each in self._kept.items()}
            moments = {name: each.moments() for name, each in self._kept.items()}
            gauges = {name: each.gauges for name, each in self._kept.items() if each.gauges}
            used: Samples = {(n,): each.used(self._ticks()) for n, each in self._budgets.items()}
        if self._bytes is not None:
            yield GaugeMetricFamily(f"{PREFIX}_state_bytes", BYTES, value=self._bytes)
        yield _family("queue_length", QUEUE, (), queues)
        yield _family("request_budget_used_ratio", USED, (), used)
        for place, (name, said, labels) in enumerate(TIMES):
            times = {
                (n, *task): at for n, each in moments.items() for task, at in each[place].items()
            }
            yield _family(name, said, labels, times)
        now = self._clock()
        for one in STANDING:
            samples = {
                (environment, *values): value
                for environment, each in gauges.items()
                for values, value in one.samples(each, now)
            }
            yield _family(one.name, one.help, one.labels, samples)

    # --- declaring ------------------------------------------------------------------------

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", said, labels, registry=self._registry)

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", said, labels, registry=self._registry)

    def _histogram(
        self, name: str, said: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", said, labels, registry=self._registry, buckets=buckets)


BYTES = "Size of the state database; replicas that share one all show the same (bytes)."
QUEUE = "Jobs that wait for the one that runs (number)."
USED = (
    "Requests of the last five minutes, as a share of the 6000 that the server grants (ratio, "
    "1 is all of it)."
)


def _family(name: str, said: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    """Make a gauge; *labels* come after the environment."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", said, labels=("environment", *labels))
    for values in sorted(samples):
        family.add_metric(values, samples[values])
    return family


class _Rendering(Collector):
    """Gives the registry families that are made when somebody looks; it asks for this class."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Give them."""
        return self._families()
