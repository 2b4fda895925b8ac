"""
Tell people what they must know, once.

After a run the keeper of an environment calls `look`. What began, changed or ended is
written down first; then each receiver has a thread of its own that sends what that receiver
has not been told. A message is claimed in the state database before it leaves and noted
beside the condition once it has arrived, so that neither a restart nor another replica
sends it again. Only a process that dies between the two may: the message has the same id.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from structlog import get_logger

from syncd.config.service import Notification
from syncd.core.conditions import Phase, Told
from syncd.core.errors import ConfigError, StateError
from syncd.core.model import iso
from syncd.core.telling import HOUR, Letter, Post, choose
from syncd.engine.parts import Clock, utc_now
from syncd.service import notify_formats
from syncd.service.notify_mail import Mail
from syncd.service.notify_web import Web, unusable
from syncd.service.notify_words import Notice, Refusal, compose, summary
from syncd.state import conditions
from syncd.state.database import Database, Tx

__all__ = ["Notifier"]

TIMEOUT = 10.0
"""Seconds that a receiver may take for each step of taking a message."""
CLAIM = timedelta(minutes=5)
"""How long nobody else sends to a receiver to which somebody is sending."""
FIRST = timedelta(seconds=30)
LAST = timedelta(hours=1)
"""Waits after the first failure and at most; each is twice the one before."""
MOST = timedelta(hours=6)
"""Longer than this nobody waits, whatever the receiver says."""
BUSY = timedelta(seconds=30)
"""The state database is asked again after this, when somebody else was writing."""
IDLE = 60.0
"""Seconds after which a thread looks even though nobody called: another replica may be done."""

IMPLICIT_TLS = 465
"""The port on which mail servers speak TLS from the first byte."""

FORMS = {
    "webhook": notify_formats.generic,
    "slack": notify_formats.slack,
    "teams": notify_formats.teams,
}


class Way(Protocol):
    """How a notice reaches somebody."""

    def send(self, notice: Notice) -> Refusal | None:
        """Send once; return why it did not arrive."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told. `key` stays the same over restarts; `label` is fit for the log."""

    key: str
    label: str
    on: frozenset[str]
    way: Way
    called: threading.Event


@dataclass(frozen=True, slots=True)
class Parcel:
    """A letter as it leaves: what it says, and what its receiver knows once it has it."""

    letter: Letter
    notice: Notice


class Notifier:
    """
    Keeps conditions of the environments of this process, and tells receivers of them.

    `start` and `stop` its threads; without them `flush` sends, one receiver after the other.
    """

    def __init__(
        self,
        database: Database,
        settings: Sequence[Notification],
        public_url: str | None = None,
        clock: Clock = utc_now,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Prepare to tell. Raises ConfigError where an address cannot be one."""
        self._database, self._link, self._clock = database, public_url, clock
        self._names: dict[int, str] = {}
        self._owed: dict[str, tuple[Parcel, Refusal | None]] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._log = get_logger()
        _check(settings)
        made = [
            _receiver(place, setting, clock, timeout, ca_file, proxy)
            for place, setting in enumerate(settings)
        ]
        # Whoever stands there twice is told once.
        self.receivers = tuple({receiver.key: receiver for receiver in made}.values())

    # --- from outside ---------------------------------------------------------------------

    def start(self) -> None:
        """Let each receiver have its thread."""
        for receiver in self.receivers:
            name = f"notify {receiver.label}"
            thread = threading.Thread(target=self._serve, args=[receiver], name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Send nothing more, and wait up to *timeout* seconds for what is being sent."""
        self._stop.set()
        for receiver in self.receivers:
            receiver.called.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            for receiver in self.receivers:
                receiver.way.close()

    def look(self, env: int, name: str) -> None:
        """
        Find out how an environment stands, and have told what is new; it is kept here from now on.

        Sends nothing itself, and never raises.
        """
        with self._guard:
            self._names = {**self._names, env: name}
        try:
            self._note_conditions(env, self._clock())
        except StateError as error:
            self._log.warning("conditions not looked at", environment=name, problem=str(error))
        except Exception as error:  # noqa: BLE001  # a run has its result, whatever is wrong here
            kind = type(error).__name__
            self._log.error("conditions not looked at", environment=name, problem=kind)
        for receiver in self.receivers:
            receiver.called.set()

    def _note_conditions(self, env: int, now: datetime) -> None:
        with self._database.read() as tx:
            found = conditions.facts(tx, env)
        with self._database.durable() as tx:
            conditions.look(tx, env, found, now)
            for receiver in self.receivers:
                # Whoever is met for the first time is known from now on.
                conditions.note_post(tx, receiver.key, conditions.post(tx, receiver.key, now))

    def leave(self, env: int) -> None:
        """Tell nobody of an environment any more: another replica keeps it."""
        with self._guard:
            self._names = {key: name for key, name in self._names.items() if key != env}

    def flush(self) -> None:
        """Send now all that may be sent, to one receiver after the other."""
        for receiver in self.receivers:
            self._deliver(receiver)

    # --- one receiver ---------------------------------------------------------------------

    def _serve(self, receiver: Receiver) -> None:
        while not self._stop.is_set():
            receiver.called.clear()
            again = self._deliver(receiver)
            wait = IDLE if again is None else (again - self._clock()).total_seconds()
            receiver.called.wait(min(max(wait, 1.0), IDLE))

    def _deliver(self, receiver: Receiver) -> datetime | None:
        """Send all that may be sent to one receiver; return when there may be more to send."""
        try:
            self._settle(receiver)
            while not self._stop.is_set():
                parcel = self._claim(receiver)
                if not isinstance(parcel, Parcel):
                    return parcel
                self._owed[receiver.key] = parcel, _sent(receiver, parcel.notice)
                self._settle(receiver)
        except StateError as error:
            self._log.warning("notices wait", receiver=receiver.label, problem=str(error))
            return self._clock() + BUSY
        except Exception as error:  # noqa: BLE001  # whatever is wrong here, the thread goes on
            # Neither text nor traceback is logged: they might quote the address.
            kind = type(error).__name__
            self._log.error("notices wait", receiver=receiver.label, problem=kind)
            return self._clock() + LAST
        return None

    def _claim(self, receiver: Receiver) -> Parcel | datetime | None:
        """Take the next message, so that nobody else sends it; or say when there may be one."""
        names = self._names
        # Whoever finds nothing to send must not wait for a run that is writing.
        with self._database.read() as tx:
            found, _ = self._next(tx, receiver, names)
        if not isinstance(found, Letter):
            return found
        with self._database.durable() as tx:
            conditions.lock(tx)
            found, post = self._next(tx, receiver, names)
            if not isinstance(found, Letter):
                return found
            claimed = replace(post, due=iso(self._clock() + CLAIM))
            conditions.note_post(tx, receiver.key, claimed)
        return Parcel(found, self._notice(found, receiver, names))

    def _next(
        self, tx: Tx, receiver: Receiver, names: Mapping[int, str]
    ) -> tuple[Letter | datetime | None, Post]:
        now = self._clock()
        post = conditions.post(tx, receiver.key, now)
        known = conditions.conditions(tx, names)
        return choose(known, receiver.key, receiver.on, post, now), post

    def _notice(self, letter: Letter, receiver: Receiver, names: Mapping[int, str]) -> Notice:
        notices = [
            compose(
                condition,
                phase,
                condition.told.get(receiver.key),
                names[condition.env],
                self._link,
            )
            for condition, phase in letter.about
        ]
        return summary(notices, self._link) if letter.more else notices[0]

    def _settle(self, receiver: Receiver) -> None:
        """Note how the last message fared. Raises StateError; then it is still to be noted."""
        owed = self._owed.get(receiver.key)
        if owed is None:
            return
        parcel, refusal = owed
        now = self._clock()
        with self._database.durable() as tx:
            conditions.lock(tx)
            post = conditions.post(tx, receiver.key, now)
            if refusal is None:
                _note(tx, receiver.key, parcel.letter, now)
                post = _arrived(post, parcel.letter, now)
            else:
                post = _failed(post, refusal, now)
            conditions.note_post(tx, receiver.key, post)
        del self._owed[receiver.key]
        self._say(receiver, parcel.notice, refusal, post)

    def _say(self, receiver: Receiver, notice: Notice, refusal: Refusal | None, post: Post) -> None:
        log = self._log.bind(receiver=receiver.label, event_told=notice.event, notice=notice.id)
        if refusal is None:
            log.info("notice sent")
        else:
            log.warning("notice not sent", problem=refusal.why, tries=post.tries, again=post.due)


def _sent(receiver: Receiver, notice: Notice) -> Refusal | None:
    try:
        return receiver.way.send(notice)
    except ConfigError as error:
        return Refusal(str(error), lasting=True)
    except Exception as error:  # noqa: BLE001  # nothing that a receiver does may hurt anybody else
        return Refusal(f"sending failed ({type(error).__name__})")


def _note(tx: Tx, key: str, letter: Letter, now: datetime) -> None:
    """Note what a receiver knows now, beside each condition that it was told of."""
    for condition, phase in letter.about:
        old = condition.told.get(key)
        matter = None if phase is Phase.ENDED else condition.matter
        told = Told(iso(now), old.number + 1 if old else 1, matter)
        conditions.note_told(tx, condition.id, key, told)


def _arrived(post: Post, letter: Letter, now: datetime) -> Post:
    recent = [at for at in post.sent if now - datetime.fromisoformat(at) < HOUR]
    if letter.more:
        return replace(post, sent=tuple(recent), more=iso(now), tries=0, due=None)
    return replace(post, sent=(*recent, iso(now)), tries=0, due=None)


def _failed(post: Post, refusal: Refusal, now: datetime) -> Post:
    wait = LAST if refusal.lasting else min(FIRST * 2 ** min(post.tries, 10), LAST)
    if refusal.wait is not None:
        wait = max(wait, min(timedelta(seconds=refusal.wait), MOST))
    return replace(post, tries=post.tries + 1, due=iso(now + wait))


# --- from the settings --------------------------------------------------------------------


def _check(settings: Sequence[Notification]) -> None:
    problems = [
        f"notifications.{place}.url: {why}"
        for place, setting in enumerate(settings)
        if setting.type != "smtp"
        and (why := unusable(setting.url.get_secret_value().strip())) is not None
    ]
    if problems:
        raise ConfigError(problems)


def _receiver(
    place: int,
    setting: Notification,
    clock: Clock,
    timeout: float,
    ca_file: str | None,
    proxy: str | None,
) -> Receiver:
    way: Way
    if setting.type == "smtp":
        password = None if setting.password is None else setting.password.get_secret_value()
        way = Mail(
            host=setting.host,
            port=setting.port,
            sender=setting.sender,
            to=setting.to,
            timeout=timeout,
            clock=clock,
            implicit=setting.port == IMPLICIT_TLS,
            user=setting.user,
            password=password,
            ca_file=ca_file,
        )
        where = [setting.host, str(setting.port), setting.sender, *setting.to]
    else:
        url = setting.url.get_secret_value().strip()
        way = Web(url, FORMS[setting.type], timeout, ca_file, proxy)
        where = [url]
    said = "\n".join([setting.type, *where, *sorted(setting.on)])
    return Receiver(
        key=hashlib.sha256(said.encode()).hexdigest()[:16],
        label=f"notifications.{place} ({setting.type})",
        on=frozenset(setting.on),
        way=way,
        called=threading.Event(),
    )
