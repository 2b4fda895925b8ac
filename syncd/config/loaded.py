"""The configuration as the rest of the program sees it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from syncd.config.models import Auth, Http, Log, PolicySettings, Settings, State
from syncd.config.service import WEEKDAYS, Blackout
from syncd.config.sources import CsvSource, JsonlSource, ReadableSource
from syncd.config.sql import SqlSource
from syncd.core import identity
from syncd.core.blackouts import Calendar, Window
from syncd.core.model import Rung
from syncd.core.rules import Rule
from syncd.core.settings import CertificateLimits, Failures, Grace, Limits, Policy

__all__ = ["Config", "Environment"]

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Environment:
    """One Dataverse environment. `url` has no slash at its end."""

    name: str
    url: str
    auth: Auth
    http: Http


@dataclass(frozen=True, slots=True)
class Config:
    """
    A whole configuration that is free of problems, with all secrets resolved.

    Nothing in it shows a secret: they are `SecretStr`, also the database's address.
    """

    file: Path
    folder: Path
    settings: Settings
    sources: tuple[ReadableSource, ...]
    all_rules: tuple[Rule, ...]
    warnings: tuple[str, ...] = ()

    @property
    def log(self) -> Log:
        """What the program says about itself."""
        return self.settings.log

    @property
    def state(self) -> State:
        """Where syncd remembers."""
        return self.settings.state

    @property
    def environments(self) -> dict[str, Environment]:
        """The environments by name, in the order of the file."""
        return {
            name: Environment(name, each.url, each.auth, each.http)
            for name, each in self.settings.environments.items()
        }

    @property
    def claims(self) -> dict[str, str]:
        """What people have for types of claims that only the configuration knows."""
        return dict(self.settings.usermapping.claims)

    def policy_settings(self, name: str) -> PolicySettings:
        """Return the policy of an environment as it was written: its own keys over `[policy]`."""
        own = self.settings.environments[name].policy
        return self.settings.policy if own is None else _over(self.settings.policy, own)

    def policy(self, name: str) -> Policy:
        """Return the policy of an environment in the core's terms."""
        return _policy(self.policy_settings(name))

    def rules(self, name: str) -> tuple[Rule, ...]:
        """Return the rules that are for an environment, in order."""
        pairs = zip(self.settings.rules, self.all_rules, strict=True)
        return tuple(
            rule
            for written, rule in pairs
            if written.environments is None or name in written.environments
        )

    def effective(self) -> dict[str, Any]:
        """Return all settings with their defaults as JSON has them, secrets masked."""
        shown = _plain(self.settings)
        for name, environment in shown["environments"].items():
            environment["policy"] = _plain(self.policy_settings(name))
        return shown

    @property
    def calendar(self) -> Calendar:
        """The times in which some actions wait."""
        daemon = self.settings.daemon
        return Calendar(ZoneInfo(daemon.timezone), tuple(map(_window, daemon.blackouts)))

    @property
    def digest(self) -> str:
        """A hash of everything that decides; the same wherever the file lies, without secrets."""
        shown = self.effective()
        for source, settings in zip(shown["sources"], self.sources, strict=True):
            if isinstance(settings, CsvSource | JsonlSource):
                source["path"] = _relative(settings.path, self.folder)
            if isinstance(settings, SqlSource):
                source["url"] = source["url"].replace(f"sqlite:///{self.folder}/", "sqlite:///")
        deciding = {
            "environments": {
                name: {"url": each["url"].lower(), "policy": each["policy"]}
                for name, each in shown["environments"].items()
            },
            "sources": shown["sources"],
            "rules": shown["rules"],
        }
        if self.claims:
            deciding["usermapping"] = self.claims
        text = json.dumps(deciding, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _over(base: M, own: M) -> M:
    """Lay the keys that *own* was given over *base*, table by table."""
    changes: dict[str, object] = {}
    for name in own.model_fields_set:
        old, new = getattr(base, name), getattr(own, name)
        both = isinstance(old, BaseModel) and isinstance(new, BaseModel)
        changes[name] = _over(old, new) if both else new
    return base.model_copy(update=changes)


def _policy(written: PolicySettings) -> Policy:
    gates, conflicts, certificate = written.gates, written.conflicts, written.certificate
    return Policy(
        ownership=written.ownership,
        remove=written.remove,
        protected=frozenset(_normal_forms(written.protected_users)),
        match=tuple(Rung(each) for each in written.match),
        lead_days=written.lead_days,
        grace=Grace(**_values(written.grace)),
        flag=conflicts.flag,
        resolve=conflicts.resolve,
        clear_stale_flags=conflicts.clear_stale_flags,
        removals=Limits(**_values(gates.removals)),
        creates=None if gates.creates is None else Limits(**_values(gates.creates)),
        certificate=CertificateLimits(
            certificate.max_shrink_percent, certificate.min_rows, certificate.canaries
        ),
        failures=Failures(**_values(written.failures)),
    )


def _window(written: Blackout) -> Window:
    return Window(
        frozenset(written.actions),
        frozenset(WEEKDAYS.index(day) for day in written.days),
        time.fromisoformat(written.begin),
        time.fromisoformat(written.end),
    )


def _values(model: BaseModel) -> Mapping[str, Any]:
    return dict(model)


def _normal_forms(entries: tuple[str, ...]) -> set[str]:
    """Return each entry as a user name and as an object id: it may be meant as either."""
    return {form(entry) for entry in entries for form in (identity.login, identity.guid)}
