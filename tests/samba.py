"""
A real Active Directory domain controller for the tests: Samba, on this machine's LDAP ports.

Its ports are fixed, so there is one for all test processes: the first that asks lays it
out and starts it, the last that leaves stops it. It needs root.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ldap
import trustme

__all__ = ["ADMIN", "BASE", "PASSWORD", "Controller", "Part", "missing", "share"]

REALM = "corp.example.test"
BASE = "DC=corp,DC=example,DC=test"
ADMIN = f"administrator@{REALM}"
PASSWORD = "Passw0rd-Adm1n"
URL = "ldaps://127.0.0.1"
ENABLED = b"544"
"""Of userAccountControl: an account without a password."""
KERBEROS = """
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
rdns = false
dns_canonicalize_hostname = false
udp_preference_limit = 1
[realms]
{realm} = {{
  kdc = 127.0.0.1
}}
[domain_realm]
127.0.0.1 = {realm}
"""


def missing() -> str | None:
    """Say what keeps a controller from being started here."""
    if shutil.which("samba-tool") is None or shutil.which("samba") is None:
        return "Samba is not installed: apt install samba samba-ad-provision samba-dsdb-modules"
    return None if os.geteuid() == 0 else "Samba's domain controller must be started by root"


@dataclass(frozen=True, slots=True)
class Controller:
    """A running controller."""

    folder: Path

    def connect(self, user: str = ADMIN, password: str = PASSWORD) -> Any:
        """Bind to it."""
        connection = ldap.initialize(URL)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(self.folder / "ca.pem"))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.simple_bind_s(user, password)
        return connection

    def ticket(self) -> dict[str, str]:
        """Get a Kerberos ticket; returns the variables that lead to it. Needs kinit."""
        connection = self.connect()
        served = [(ldap.MOD_REPLACE, "servicePrincipalName", [b"ldap/127.0.0.1", b"HOST/dc1"])]
        connection.modify_s(f"CN=DC1,OU=Domain Controllers,{BASE}", served)
        connection.unbind_s()
        config, ticket = self.folder / "krb5.conf", self.folder / "ticket"
        realm = REALM.upper()
        config.write_text(KERBEROS.format(realm=realm))
        where = {"KRB5_CONFIG": str(config), "KRB5CCNAME": f"FILE:{ticket}"}
        subprocess.run(
            ["kinit", f"administrator@{realm}"],
            input=f"{PASSWORD}\n".encode(),
            env={**os.environ, **where},
            check=True,
            capture_output=True,
        )
        return where

    @contextmanager
    def part(self) -> Iterator[Part]:
        """Give a new organizational unit for one test."""
        connection = self.connect()
        base = f"OU=test-{uuid4().hex},{BASE}"
        connection.add_s(base, [("objectClass", [b"organizationalUnit"])])
        yield Part(self, connection, base)
        connection.unbind_s()


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs to one test; nothing of it outlives the controller."""

    controller: Controller
    connection: Any
    base: str

    def person(self, name: str, **more: bytes | Sequence[bytes]) -> str:
        """Add somebody, or change what is on record; returns the distinguished name."""
        dn = f"CN={name},{self.base}"
        cells = {
            key: [each] if isinstance(each, bytes) else list(each) for key, each in more.items()
        }
        try:
            new = {"objectClass": [b"user"], "userAccountControl": [ENABLED], **cells}
            new["sAMAccountName"] = [uuid4().hex[:20].encode()]
            self.connection.add_s(dn, list(new.items()))
        except ldap.ALREADY_EXISTS:
            self.change(dn, cells)
        return dn

    def change(self, dn: str, cells: Mapping[str, Sequence[bytes]]) -> None:
        """Replace values; none takes the attribute away."""
        changes = [(ldap.MOD_REPLACE, name, list(some) or None) for name, some in cells.items()]
        self.connection.modify_s(dn, changes)

    def group(self, name: str, *members: str) -> str:
        """Add a group; returns its distinguished name."""
        dn = f"CN={name},{self.base}"
        new = [("objectClass", [b"group"]), ("sAMAccountName", [uuid4().hex[:20].encode()])]
        listed = [("member", [each.encode() for each in members])] if members else []
        self.connection.add_s(dn, new + listed)
        return dn

    def account(self, name: str) -> str:
        """Add an ordinary account that may bind; its password is that of the administrator."""
        secret = f'"{PASSWORD}"'.encode("utf-16-le")
        user = f"{name}-{uuid4().hex[:8]}@{REALM}"
        self.person(
            name, unicodePwd=secret, userAccountControl=b"66048", userPrincipalName=user.encode()
        )
        return user


@contextmanager
def share(folder: Path) -> Iterator[Controller]:
    """Give the controller whose state is kept in *folder*; start it if nobody has yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as state:
        if not state.get("users"):
            state["home"] = str(_lay_out(folder / uuid4().hex))
            state["pid"] = _start(Path(state["home"]))
        state["users"] = state.get("users", 0) + 1
        home, pid = Path(state["home"]), int(state["pid"])
    try:
        yield Controller(home)
    finally:
        with _locked(folder) as state:
            state["users"] -= 1
            if not state["users"]:
                _stop(pid)
                shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[dict[str, Any]]:
    """Hold what all test processes know about the controller."""
    with (folder / "state.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or "{}")
        yield state
        file.seek(0)
        file.truncate()
        file.write(json.dumps(state))


def _lay_out(home: Path) -> Path:
    """Provision a domain, with a certificate of its own."""
    home.mkdir()
    given = "[global]\n\tinterfaces = 127.0.0.1\n\tbind interfaces only = yes\n\tldb:nosync = yes\n"
    (home / "base.conf").write_text(given)
    options = {
        "configfile": home / "base.conf",
        "targetdir": home / "dc",
        "realm": REALM.upper(),
        "domain": "CORP",
        "server-role": "dc",
        "dns-backend": "NONE",
        "adminpass": PASSWORD,
        "host-name": "dc1",
        "host-ip": "127.0.0.1",
    }
    command = ["samba-tool", "domain", "provision", *(f"--{k}={v}" for k, v in options.items())]
    subprocess.run(command, check=True, capture_output=True)
    authority = trustme.CA()
    served = authority.issue_cert(f"dc1.{REALM}", "127.0.0.1")
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    served.private_key_pem.write_to_path(str(home / "key.pem"))
    (home / "key.pem").chmod(0o600)
    served.cert_chain_pems[0].write_to_path(str(home / "cert.pem"))
    (home / "run").mkdir()
    settings = {
        "server services": "ldap, cldap, kdc",
        "ldap server require strong auth": "allow_sasl_over_tls",  # as Windows does
        "tls keyfile": home / "key.pem",
        "tls certfile": home / "cert.pem",
        "tls cafile": home / "ca.pem",
        "log file": home / "log.%m",
        "pid directory": home / "run",
        "ncalrpc dir": home / "run/ncalrpc",
        "ntp signd socket directory": home / "run/ntp",
        "winbindd socket directory": home / "run/winbindd",
    }
    file = home / "dc/etc/smb.conf"
    first, _, rest = file.read_text().partition("[global]\n")
    lines = [line for line in rest.splitlines() if "server services" not in line]
    added = [f"\t{key} = {value}" for key, value in settings.items()]
    file.write_text("\n".join([f"{first}[global]", *added, *lines, ""]))
    return home


def _start(home: Path) -> int:
    """Start the server, and wait until it takes a bind; it belongs to no test process."""
    settings = home / "dc/etc/smb.conf"
    subprocess.run(["samba", "--daemon", "--model=single", "-s", str(settings)], check=True)
    deadline = time.monotonic() + 60
    while True:
        try:
            Controller(home).connect().unbind_s()
            [file] = (home / "run").glob("samba*.pid")
            return int(file.read_text())
        except (ldap.SERVER_DOWN, ValueError) as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"Samba does not answer; see {home}") from error


def _stop(pid: int) -> None:
    """End the server, whichever test process started it."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    with suppress(OSError):
        while time.monotonic() < deadline:
            socket.create_connection(("127.0.0.1", 636), 1).close()
