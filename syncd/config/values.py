"""How single settings are read: durations, addresses, paths, and secrets by reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
)

from syncd.core import identity

__all__ = [
    "DatabaseUrl",
    "Duration",
    "File",
    "Pause",
    "Secret",
    "SecretUrl",
    "StateUrl",
    "Surroundings",
    "Text",
    "WebUrl",
    "duration",
    "loopback",
    "written",
]

MASK = "***"
REFERENCE = 'write { env = "NAME" } or { file = "path" }'
DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([smhd])", re.ASCII)
DATABASE = re.compile(r"[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)?://", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class ByVariable(BaseModel, extra="forbid"):
    """A secret that stands in an environment variable."""

    env: str


class ByFile(BaseModel, extra="forbid"):
    """A secret that stands in a file of its own."""

    file: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references are looked up in: the environment, and the configuration file's folder."""

    environ: Mapping[str, str]
    folder: Path


def duration(text: object) -> timedelta:
    """Read `15m`: a number with s, m, h or d. Raises ValueError, a sentence."""
    if isinstance(text, timedelta):
        return text
    match = DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('is not a duration; write a number with s, m, h or d, such as "15m"')
    return timedelta(**{UNITS[match[2]]: float(match[1])})


def written(span: timedelta) -> str:
    """Write a duration in the largest unit that fits it; one day is `24h`."""
    seconds = span.total_seconds()
    for unit, size, least in (("d", 86400, 2), ("h", 3600, 1), ("m", 60, 2)):
        if seconds % size == 0 and seconds >= least * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def loopback(url: str) -> bool:
    """Whether an address can only mean this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return span


def _trimmed(value: str) -> str:
    value = identity.text(value)
    if not value:
        raise ValueError("must not be empty")
    return value


def _split(url: str) -> SplitResult:
    """Take an address apart; the sentence of the ValueError never repeats it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("must be an address that can be read") from None
    return parts


def _web(url: str) -> str:
    parts = _split(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError('must be a web address: it starts with "https://" and names a host')
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be a plain address, without user, password, query or fragment")
    if parts.scheme == "http" and not loopback(url):
        raise ValueError('must start with "https://"; "http://" is for this machine only')
    return url.strip().rstrip("/")


def _around(info: ValidationInfo) -> Surroundings:
    """Return what the loader passes along; nothing to look up in where somebody else validates."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings({}, Path())


def _resolved(value: object, info: ValidationInfo) -> tuple[str, str]:
    """Look up a reference: its content, and its name for sentences."""
    around = _around(info)
    match value:
        case {"env": str(name)} if value == {"env": name}:
            if name not in around.environ:
                raise ValueError(f"the environment variable {name} is not set")
            return around.environ[name], f"the environment variable {name}"
        case {"file": str(name)} if value == {"file": name}:
            return _content(around.folder / name, name), f"the file {name}"
    raise ValueError(f"must be a reference: {REFERENCE}; what is secret never stands in this file")


def _content(path: Path, name: str) -> str:
    try:
        return path.read_text("utf-8-sig").rstrip("\r\n")
    except FileNotFoundError:
        raise ValueError(f"the file {name} does not exist") from None
    except (OSError, ValueError):
        raise ValueError(f"the file {name} cannot be read as text") from None


def _secret(value: object, info: ValidationInfo) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    content, name = _resolved(value, info)
    if not content.strip():
        raise ValueError(f"{name} is empty")
    return SecretStr(content)


def _literal_or_secret(value: object, info: ValidationInfo) -> tuple[str, str]:
    """Return an address and how to speak of it. A password may only come by reference."""
    if isinstance(value, SecretStr):
        return value.get_secret_value(), "it"
    if not isinstance(value, str):
        return _resolved(value, info)
    parts = _split(value)
    if parts.password or any(name == "password" for name, _ in parse_qsl(parts.query)):
        raise ValueError(f"holds a password; give the whole address by reference: {REFERENCE}")
    return value, "it"


def _secret_url(value: object, info: ValidationInfo) -> SecretStr:
    address, name = _literal_or_secret(value, info)
    if not _split(address.strip()).hostname:
        raise ValueError(f"{name} must hold an address with a host")
    return SecretStr(address.strip())


def _state_url(value: object, info: ValidationInfo) -> SecretStr:
    address, name = _literal_or_secret(value, info)
    address = address.strip()
    if address.startswith("sqlite:///"):
        return SecretStr(_sqlite(address.removeprefix("sqlite:///"), _around(info).folder))
    if address.startswith("postgresql+psycopg://"):
        _split(address)
        return SecretStr(address)
    subject = "must" if name == "it" else f"what {name} holds must"
    raise ValueError(f'{subject} start with "sqlite:///" or "postgresql+psycopg://"')


def _database_url(value: object, info: ValidationInfo) -> SecretStr:
    address, name = _literal_or_secret(value, info)
    address = address.strip()
    if address.startswith("sqlite:///"):
        return SecretStr(_sqlite(address.removeprefix("sqlite:///"), _around(info).folder))
    if not DATABASE.match(address):
        subject = "must" if name == "it" else f"what {name} holds must"
        raise ValueError(f'{subject} be the address of a database, "postgresql+psycopg://…"')
    return SecretStr(address)


def _sqlite(rest: str, folder: Path) -> str:
    path, mark, options = rest.partition("?")
    if not path or path == ":memory:":
        raise ValueError("must name a file; what is kept in memory is forgotten after each run")
    return f"sqlite:///{folder / path}{mark}{options}"


def _masked_url(secret: SecretStr) -> str:
    """Show an address without its password."""
    parts = urlsplit(secret.get_secret_value())
    if not parts.netloc and not parts.query:
        return secret.get_secret_value()
    user, at, host = parts.netloc.rpartition("@")
    login = f"{user.partition(':')[0]}:{MASK}" if ":" in user else user
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(
        f"{name}={MASK if name == 'password' else quote(value, safe='/:,')}"
        for name, value in pairs
    )
    return urlunsplit(parts._replace(netloc=f"{login}{at}{host}", query=query))


def _file(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is not a path; write it as a text in quotes")
    return _around(info).folder / value


def _masked(_: SecretStr) -> str:
    return MASK


_SPAN = Annotated[
    timedelta,
    BeforeValidator(duration, json_schema_input_type=str),
    PlainSerializer(written, return_type=str),
]

Duration = Annotated[_SPAN, AfterValidator(_positive)]
"""Longer than nothing."""

Pause = _SPAN
"""A duration that may be `0s`."""

Text = Annotated[str, AfterValidator(_trimmed)]
"""Not empty; trimmed and composed."""

WebUrl = Annotated[str, AfterValidator(_web)]
"""https, or http on this machine; without a slash at its end."""

DatabaseUrl = Annotated[
    SecretStr,
    BeforeValidator(_database_url, json_schema_input_type=str | ByVariable | ByFile),
    PlainSerializer(_masked_url, return_type=str),
]
"""The address of any database; by reference when it holds a password."""

Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret, json_schema_input_type=ByVariable | ByFile),
    PlainSerializer(_masked, return_type=str),
]
"""Given by reference, resolved when the configuration is read."""

SecretUrl = Annotated[
    SecretStr,
    BeforeValidator(_secret_url, json_schema_input_type=str | ByVariable | ByFile),
    PlainSerializer(_masked_url, return_type=str),
]
"""An address; by reference when it holds a password."""

StateUrl = Annotated[
    SecretStr,
    BeforeValidator(_state_url, json_schema_input_type=str | ByVariable | ByFile),
    PlainSerializer(_masked_url, return_type=str),
]
"""The address of a database; a SQLite file is looked for beside the configuration file."""

File = Annotated[
    Path,
    BeforeValidator(_file, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
"""A path, relative to the configuration file."""
