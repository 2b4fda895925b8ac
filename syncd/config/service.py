"""Settings of the daemon: when it does what, its web server, and whom it tells."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from syncd.config.values import Duration, Pause, Secret, Text, WebUrl, duration
from syncd.core.model import Action

__all__ = ["WEEKDAYS", "Admin", "Blackout", "Daemon", "Notification"]

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CRON = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 7, WEEKDAYS))
"""The five fields of a cron line: least, greatest, and names that may stand for numbers."""

Event = Literal["gate", "certificate", "quarantine", "conflicts", "dead_letters"]
EVENTS: tuple[Event, ...] = ("gate", "certificate", "quarantine", "conflicts", "dead_letters")


def _job(text: str) -> str:
    """Accept a duration or a cron line of five fields."""
    parts = text.split()
    if len(parts) == len(CRON):
        if all(_fits(part, *field) for part, field in zip(parts, CRON, strict=True)):
            return " ".join(parts)
    else:
        try:
            if duration(text) > timedelta(0):
                return text
        except ValueError:
            pass
    raise ValueError('is neither a duration ("5m") nor a cron line of five fields ("15 2 * * *")')


def _fits(part: str, least: int, greatest: int, names: tuple[str, ...]) -> bool:
    for piece in part.split(","):
        span, slash, step = piece.partition("/")
        if slash and not (step.isdecimal() and int(step) > 0):
            return False
        ends = [] if span == "*" else span.split("-")
        if len(ends) > 2 or not all(_within(end, least, greatest, names) for end in ends):
            return False
    return True


def _within(end: str, least: int, greatest: int, names: tuple[str, ...]) -> bool:
    return end.lower() in names or (end.isdecimal() and least <= int(end) <= greatest)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError('is not a known time zone; write "Europe/Berlin", for instance')
    return ZoneInfo(name).key


def _clock(text: str) -> str:
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError('is not a time of day, such as "06:00"')
    return text


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError('is not a host and a port, such as "127.0.0.1:8090"')
    return text


Job = Annotated[str, AfterValidator(_job)]
Clock = Annotated[str, AfterValidator(_clock)]


class Blackout(BaseModel):
    """A time of the week in which some actions wait."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, serialize_by_alias=True, validate_by_name=False
    )

    actions: tuple[Annotated[Action, Field(strict=False)], ...] = Field(
        strict=False, min_length=1, description="What waits."
    )
    days: tuple[Weekday, ...] = Field(
        WEEKDAYS, strict=False, min_length=1, description="On which days; on all unless given."
    )
    begin: Clock = Field(alias="from", description="From this time of day on.")
    end: Clock = Field(
        alias="to", description="Up to this time; an earlier one is on the next day."
    )


class Daemon(BaseModel):
    """When the daemon does what. A job has a duration (`5m`) or a cron line (`15 2 * * *`)."""

    model_config = STRICT

    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="The time zone of cron lines and blackouts; days of people stay UTC."
    )
    delta: Job = Field("5m", description="When changes are looked for.")
    conflicts: Job = Field("1h", description="When conflicts are looked for.")
    preflight: Job = Field("1h", description="When the environment's rights are checked.")
    full: Job = Field("15 2 * * *", description="When everything is read and compared.")
    housekeeping: Job = Field("30 3 * * *", description="When what is over is thrown away.")
    jitter: Pause = Field(
        "30s", validate_default=True, description="Up to this much is added to each start."
    )
    blackouts: tuple[Blackout, ...] = Field(
        (), strict=False, description="When some actions must wait."
    )
    lease: Duration = Field(
        "60s", validate_default=True, description="A silent leader keeps an environment this long."
    )


class Entra(BaseModel):
    """People sign in with the directory to change state."""

    model_config = STRICT

    tenant_id: Text = Field(description="The directory (tenant) whose people may sign in.")
    audience: Text = Field(description="The application that tokens must be made for.")
    role: Text = Field(description="The application role that a person needs.")


class Admin(BaseModel):
    """The daemon's own web server: health, metrics, console."""

    model_config = STRICT

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8090", description="Host and port it listens on."
    )
    public_url: WebUrl | None = Field(None, description="Its address as people see it.")
    hosts: tuple[Text, ...] = Field((), strict=False, description="Further names it answers to.")
    token: Secret | None = Field(None, description="What a caller must show to change state.")
    entra: Entra | None = Field(None, description="Or: sign in with the directory to change state.")


class Webhook(BaseModel):
    """Tell a web address."""

    model_config = STRICT

    type: Literal["webhook", "slack", "teams"] = Field(description="The kind of receiver.")
    url: Secret = Field(description="The receiver's address; who knows it can write there.")
    on: tuple[Event, ...] = Field(
        EVENTS, strict=False, min_length=1, description="What is told; everything unless given."
    )


class Smtp(BaseModel):
    """Tell people by mail."""

    model_config = STRICT

    type: Literal["smtp"] = Field(description="The kind of receiver.")
    host: Text = Field(description="The mail server.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    sender: Text = Field(description="The address mail comes from.")
    to: tuple[Text, ...] = Field(
        strict=False, min_length=1, description="The addresses it goes to."
    )
    user: Text | None = Field(None, description="Whom to sign in as; nobody unless given.")
    password: Secret | None = Field(None, description="The password of `user`.")
    on: tuple[Event, ...] = Field(
        EVENTS, strict=False, min_length=1, description="What is told; everything unless given."
    )


Notification = Annotated[Webhook | Smtp, Field(discriminator="type")]
