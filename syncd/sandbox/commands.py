"""What `syncd sandbox serve` does, as a function; dump and seed are in `client`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from syncd.sandbox import world
from syncd.sandbox.dataverse import Clock, Sandbox, real_time
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.faults import load_faults
from syncd.sandbox.keeping import Keeper
from syncd.sandbox.protection import Limits
from syncd.sandbox.server import serve
from syncd.sandbox.store import Change, Store
from syncd.sandbox.switches import reference
from syncd.sandbox.tls import Certificate, make_certificate
from syncd.sandbox.tokens import Application

__all__ = ["run_serve"]


def run_serve(
    host: str = "127.0.0.1",
    port: int = 0,
    load: Path | None = None,
    db: Path | None = None,
    tls: bool = False,  # noqa: FBT001, FBT002  # an option of the command
    faults: Path | None = None,
    messages: Literal["all", "reference"] = "all",
    applications: Path | None = None,
    protect: bool = False,  # noqa: FBT001, FBT002  # an option of the command
) -> None:
    """
    Serve a sandbox until SIGTERM or SIGINT, and print its base URL first.

    With `tls` the second line is the path of the certificate to trust. `load` fills what is
    empty: a `db` file that holds rows keeps them. `SYNCD_NOW` fixes the clock. `messages` says
    what the tables take: all that they might, or what their reference pages list. With
    `applications`, registrations as JSON, requests need tokens, which `/TENANT/oauth2/v2.0/token`
    gives; with `protect` the documented limits of service protection hold.
    Raises SandboxError: world, faults, file or address cannot be used.
    """
    clock = _clock(os.environ.get("SYNCD_NOW"))
    script = load_faults(faults) if faults else ()
    store = Store()
    keeper = Keeper(db) if db else None
    now = clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    filled = keeper.read(store, now) if keeper else False
    if load is not None and not filled:
        world.load(store, load, now)
    if keeper is not None and not filled:
        keeper.write(store)

    def keep(changes: Sequence[Change]) -> None:
        if keeper is not None:
            keeper.keep(changes, store.version)

    scheme = "https" if tls else "http"
    switches = reference() if messages == "reference" else None
    sandbox = Sandbox(
        store, clock=clock, scheme=scheme, keep=keep, faults=script, switches=switches
    )
    if applications is not None:
        sandbox.register(*_registrations(applications))
    if protect:
        sandbox.protect(Limits())
    with tempfile.TemporaryDirectory(prefix="syncd-sandbox-") as folder:
        certificate = make_certificate(Path(folder), host) if tls else None
        serve(sandbox, host, port, certificate, lambda url: _announce(url, certificate))
    if keeper is not None:
        keeper.close()


def _registrations(path: Path) -> list[Application]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Application])
    except OSError as error:
        raise SandboxError(f"The registrations {path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise SandboxError(f"The registrations {path} are wrong: {error}.") from error


def _announce(url: str, certificate: Certificate | None) -> None:
    print(url, flush=True)  # noqa: T201  # who starts it reads the address there
    if certificate is not None:
        print(certificate.certificate, flush=True)  # noqa: T201  # likewise


def _clock(text: str | None) -> Clock:
    if not text:
        return real_time
    try:
        fixed = datetime.fromisoformat(text)
    except ValueError as error:
        raise SandboxError(f"SYNCD_NOW={text} is no time such as 2026-03-01T08:00:00Z.") from error
    aware = fixed if fixed.tzinfo else fixed.replace(tzinfo=UTC)
    return lambda: aware
