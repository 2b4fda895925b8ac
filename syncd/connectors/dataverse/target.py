"""A Dataverse environment as the target that is kept in step."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Self

import httpx

from syncd.connectors.dataverse import reads, usermappings
from syncd.connectors.dataverse.delivery import Delivery
from syncd.connectors.dataverse.inspection import inspect
from syncd.connectors.dataverse.preflight import look
from syncd.connectors.dataverse.usage import tables
from syncd.connectors.governor import MOST as MOST_LANES
from syncd.connectors.governor import Governor
from syncd.connectors.http import Channel, Observe, open_client
from syncd.connectors.throttle import Throttle
from syncd.core.hints import Declared, Hint, Hints
from syncd.core.inspection import Seen
from syncd.core.ledger import Ledger
from syncd.core.model import Membership, Rung
from syncd.core.plan import Change, Outcome, Result
from syncd.core.ports import (
    Halt,
    MembershipRow,
    Pages,
    ProfileRow,
    Remembered,
    TeamProfileRow,
    UserRow,
)
from syncd.core.preflight import Facts
from syncd.core.usermappings import Step
from syncd.core.uses import TableUse

__all__ = ["DataverseTarget", "open_target"]

MOST_OPERATIONS = 1000
"""What one batch may hold (dataverse-web-api.md section 3.1)."""
LARGEST_PAGE = 5000


class DataverseTarget:
    """
    The Target port over the Web API; build one with `open_target`.

    Safe to share between threads. Nothing is sent before the first call.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        page_size: int = LARGEST_PAGE,
        match: Sequence[Rung] = tuple(Rung),
        claims: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._channel = channel
        self._page_size = max(1, min(page_size, LARGEST_PAGE))
        self._match = tuple(match)
        self._claims = claims
        self._profiles: Sequence[str] = ()

    def __enter__(self) -> Self:
        """Return the target itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._channel.close()

    @property
    def batch_size(self) -> int:
        """How many changes one batch may hold, for now."""
        return self._channel.governor.size

    @property
    def lanes(self) -> int:
        """How many batches may be in flight, for now."""
        return self._channel.governor.lanes

    @property
    def ledger(self) -> Ledger:
        """What the environment refused so far, what it was asked for, and how fast it was."""
        return self._channel.governor.ledger

    @property
    def host(self) -> str:
        """The environment's host, for sentences."""
        return self._channel.host

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self._channel.requests

    def users(
        self, known: set[str], hints: Sequence[Hint] = (), memory: Remembered | None = None
    ) -> Pages[UserRow]:
        """
        Give the users whose id + etag is not in *known*, page by page; takes seen ones out.

        Only columns of the rungs in use are asked for: a user who is *known* was read
        with the rungs of that time, so forget what is known when they change.
        """
        return reads.users(self._channel, self._page_size, self._match, known, hints, memory)

    def hints(self) -> Hints:
        """Give what `usermapping` says about users; costs requests, so ask only if it is used."""
        return usermappings.hints(self._channel, self._page_size, self._claims)

    def named(self, reference: str) -> Sequence[UserRow]:
        """Give the users with this id, object id, user name or mail, and maybe others."""
        return reads.named(self._channel, self._page_size, reference)

    def memberships(
        self, known: set[str], memory: Remembered | None = None
    ) -> Pages[MembershipRow]:
        """Give the membership rows that are not *known*, likewise."""
        return reads.memberships(self._channel, self._page_size, known, self._profiles, memory)

    def mappings(self) -> list[Declared]:
        """Give the rows of `usermapping`."""
        return usermappings.rows(self._channel, self._page_size)

    def mappable(self) -> frozenset[str]:
        """Give the user columns that a mapping may name."""
        return usermappings.columns(self._channel, self._page_size)

    def map(self, step: Step) -> tuple[Result, str]:
        """Change one row of `usermapping`; nothing but `syncd usermappings apply` calls this."""
        return usermappings.carry_out(self._channel, self._page_size, step)

    def users_since(self, token: str, hints: Sequence[Hint] = ()) -> Pages[UserRow]:
        """Give the users that changed since a read gave *token*. Raises TokenExpired, too."""
        return reads.users_since(self._channel, self._page_size, token, hints)

    def memberships_since(self, token: str) -> Pages[MembershipRow]:
        """Give the membership rows that changed since then, likewise."""
        return reads.memberships_since(self._channel, self._page_size, token)

    def profiles(self) -> Sequence[ProfileRow]:
        """Give every profile; long tables are read in parts by them from then on."""
        found = reads.profiles(self._channel, self._page_size)
        self._profiles = [profile for profile, _, _ in found]
        return found

    def team_profiles(self) -> Sequence[TeamProfileRow]:
        """Give what active team memberships bring to the members of their teams."""
        return reads.team_profiles(self._channel, self._page_size)

    def fetch(self, ids: Sequence[str]) -> dict[str, Membership]:
        """Give these membership rows as they are now; those that do not exist are left out."""
        return reads.fetch(self._channel, self._page_size, ids)

    @property
    def uses(self) -> Sequence[TableUse]:
        """What is used of the environment's tables."""
        return tables(self._match)

    def look(self, url: str, signing: str) -> Facts:
        """
        Look at all that syncd needs here; writes nothing.

        *url* and *signing* are the environment's address and how we sign in, as configured.
        """
        return look(self._channel, self.uses, url=url, signing=signing, size=self._page_size)

    def inspect(self, reference: str) -> Seen | None:
        """Return all that is seen around a user or a row; None if there is neither."""
        return inspect(self._channel, self._page_size, reference)

    def apply(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        """
        Send *changes* and return one outcome each, in order; *run* is stamped on new rows.

        Also an environment that cannot be reached, refuses us or throttles us out is
        told in the outcomes, because some changes may have been made before. Raises
        Stopped only if nothing was sent.
        """
        return Delivery(self._channel, self.fetch).deliver(changes, run)


def open_target(
    *,
    url: str,
    auth: httpx.Auth,
    batch_size: int = 100,
    lanes: int = 0,
    page_size: int = LARGEST_PAGE,
    timeout: float = 60.0,
    ca_file: str | None = None,
    proxy: str | None = None,
    match: Sequence[Rung] = tuple(Rung),
    claims: Mapping[str, str] = MappingProxyType({}),
    patience: tuple[float, float] = (300.0, 900.0),
    stop: Halt | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
    jitter: Callable[[], float] = random.random,
    transport: httpx.BaseTransport | None = None,
    observe: Observe | None = None,
    throttled: Callable[[float], None] | None = None,
) -> DataverseTarget:
    """
    Build the target at *url*; sign in with *auth* from `syncd.connectors.auth.open_auth`.

    *batch_size* is the most changes in one request and *lanes* the most requests at a time;
    0 lanes means as the first answer hints, and more while that pays.

    *claims* names the field of a person for claims that `usermapping` declares.
    *timeout* is in seconds; *patience* is how long it may be throttled, at once and
    together without a request getting through. Waiting ends when *stop* is set.
    *observe* is told of every request, *throttled* of the seconds that the environment
    asks for; both from any thread.
    Raises ConfigError for a certificate file or proxy that cannot be used.
    """
    throttle = Throttle(
        once=patience[0],
        total=patience[1],
        stop=stop,
        clock=clock,
        sleep=sleep,
        jitter=jitter,
        throttled=throttled,
    )
    client = open_client(
        url,
        auth=auth,
        connections=lanes or MOST_LANES,
        timeout=timeout,
        ca_file=ca_file,
        proxy=proxy,
        transport=transport,
        observe=observe,
    )
    size = max(1, min(batch_size, MOST_OPERATIONS))
    governor = Governor(throttle, lanes=lanes, size=size, clock=clock)
    return DataverseTarget(
        Channel(client, url, throttle, observe, governor),
        page_size=page_size,
        match=match,
        claims=claims,
    )
