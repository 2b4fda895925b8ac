"""The composition root: from a configuration to everything wired. Only it knows all parts."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event

from syncd.config import Config, load
from syncd.config.believing import limits
from syncd.config.models import Auth
from syncd.connectors.auth import open_auth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.connectors.sources import open_source
from syncd.core.doctor import judge
from syncd.core.errors import ConfigError, UsageError
from syncd.core.moments import moment_of
from syncd.core.ports import Halt
from syncd.core.preflight import Observation, Wish
from syncd.engine.parts import Clock, Environment, Progress, Ranked, Silent, Stop, utc_now
from syncd.engine.reconciler import Reconciler
from syncd.state.database import Database
from syncd.state.upgrade import ensure

__all__ = ["App", "build", "clock_of"]


@dataclass(slots=True)
class App:
    """Everything a command needs. Nothing is opened before it is asked for."""

    config: Config
    clock: Clock
    stop: Event = field(default_factory=Event)

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """Open the state database with the schema that this program knows."""
        database = Database(self.config.state.url.get_secret_value())
        try:
            ensure(database, allowed=self.config.state.upgrade)
            yield database
        finally:
            database.close()

    def names(self, only: str | None) -> list[str]:
        """Return the environments a command is for. Raises UsageError for one that is not there."""
        names = list(self.config.environments)
        if only is None:
            return names
        if only not in names:
            raise UsageError(
                f"--environment {only}: there is no such environment; there are {', '.join(names)}"
            )
        return [only]

    def environment(self, name: str) -> Environment:
        """Return an environment as the engine sees it."""
        config = self.config
        wanted = [rule.name for rule in config.rules(name)]
        rules = [
            rule.model_dump(mode="json") for rule in config.settings.rules if rule.name in wanted
        ]
        text = json.dumps(rules, sort_keys=True)
        return Environment(
            name=name,
            url=config.environments[name].url,
            policy=config.policy(name),
            rules=config.rules(name),
            rules_digest=hashlib.sha256(text.encode()).hexdigest(),
            config_digest=config.digest,
            calendar=config.calendar,
        )

    def sources(self) -> list[Ranked]:
        """Return the sources in the order of the configuration."""
        return [
            Ranked(open_source(each, self.stop, self.clock), each.rank, limits(each.certificate))
            for each in self.config.sources
        ]

    def target(
        self,
        name: str,
        observe: Callable[[str, str, float], None] | None = None,
        throttled: Callable[[float], None] | None = None,
        stop: Halt | None = None,
    ) -> DataverseTarget:
        """Return the target of an environment; close it when done."""
        environment = self.config.environments[name]
        http = environment.http
        ca_file = None if http.ca_file is None else str(http.ca_file)
        proxy = None if http.proxy is None else http.proxy.get_secret_value()
        timeout = http.timeout.total_seconds()
        signer = open_auth(
            environment.url,
            environment.auth,
            timeout=timeout,
            ca_file=ca_file,
            proxy=proxy,
            observe=observe,
            pause=(stop or self.stop).wait,
        )
        return open_target(
            url=environment.url,
            auth=signer,
            batch_size=http.batch_size,
            lanes=http.lanes,
            page_size=http.page_size,
            timeout=timeout,
            ca_file=ca_file,
            proxy=proxy,
            match=self.config.policy(name).match,
            claims=self.config.claims,
            stop=stop or self.stop,
            observe=observe,
            throttled=throttled,
        )

    def preflight(
        self, name: str, observe: Callable[[str, str, float], None] | None = None
    ) -> list[Observation]:
        """Look at an environment, and say how everything is that syncd needs there."""
        environment = self.config.environments[name]
        named = [rule.profile for rule in self.config.rules(name) if rule.profile]
        with self.target(name, observe) as target:
            facts = target.look(environment.url, _signing(environment.auth))
            return judge(facts, Wish(target.uses, named, environment.http.lanes))

    @contextlib.contextmanager
    def reconciler(
        self,
        database: Database,
        name: str,
        progress: Progress | None = None,
        observe: Callable[[str, str, float], None] | None = None,
        throttled: Callable[[float], None] | None = None,
    ) -> Iterator[Reconciler]:
        """Give what keeps one environment in step."""
        stop = Stop(self.stop)
        with self.target(name, observe, throttled, stop) as target:
            yield Reconciler(
                database=database,
                environment=self.environment(name),
                sources=self.sources(),
                target=target,
                clock=self.clock,
                stop=stop,
                progress=progress or Silent(),
                lease_seconds=self.config.settings.daemon.lease.total_seconds(),
                keep=self.config.state.keep_days.model_dump(),
            )


def _signing(auth: Auth) -> str:
    """Say how syncd signs in, and as whom where that is no secret."""
    if auth.method == "none":
        return "none is needed: a sandbox on this machine"
    client = getattr(auth, "client_id", None)
    return f"by {auth.method}{f' as application {client}' if client else ''}"


def build(path: Path, environ: Mapping[str, str], stop: Event | None = None) -> App:
    """Load a configuration and wire what it describes. Raises ConfigError."""
    config = load(path, environ)
    _spare()
    return App(config, clock_of(config, environ), stop or Event())


def _spare() -> None:
    """Spare the collector what was loaded: it stays as long as the process, and is most of all."""
    if not gc.get_freeze_count():
        gc.freeze()


def clock_of(config: Config, environ: Mapping[str, str]) -> Callable[[], datetime]:
    """
    Return the program's clock; SYNCD_NOW fixes it, where only sandboxes could be hurt.

    Raises ConfigError for a moment that cannot be read, or if an environment signs in.
    """
    fixed = environ.get("SYNCD_NOW")
    if not fixed:
        return utc_now
    signing = [name for name, each in config.environments.items() if each.auth.method != "none"]
    if signing:
        raise ConfigError(
            [
                f"SYNCD_NOW: the clock may only be fixed where every auth.method is none, but "
                f"{', '.join(signing)} signs in; unset SYNCD_NOW"
            ]
        )
    moment = moment_of(fixed)
    if moment is None:
        sentence = (
            f"SYNCD_NOW: {fixed!r} is not a moment of the years 1900 to 9000, "
            "like 2026-03-01T08:00:00Z"
        )
        raise ConfigError([sentence])
    return lambda: moment
