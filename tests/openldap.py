"""A real OpenLDAP for the tests, in a folder of its own, on free ports of this machine."""

from __future__ import annotations

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

import ldap
import ldap.modlist
import trustme

__all__ = ["ADMIN", "BASE", "GROUPS", "PASSWORD", "PEOPLE", "Slapd", "installed", "serve"]

BASE = "dc=corp,dc=example,dc=test"
ADMIN = f"cn=admin,{BASE}"
PASSWORD = "admin-secret"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
SCHEMA = """
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'department' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'employeeID' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.5 NAME 'leaveDate' EQUALITY generalizedTimeMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'adLikeUser' SUP top AUXILIARY
  MAY ( department $ employeeID $ leaveDate ) )
"""
SETTINGS = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/adlike.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
TLSVerifyClient try
security simple_bind=128
authz-regexp ".*cn=reader.*" "{admin}"
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {folder}/db
index objectClass,entryUUID eq
limits users size.soft=1000 size.hard=1000 size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
"""
FIRST = f"""
dn: {BASE}
objectClass: organization
objectClass: dcObject
o: Example
dc: corp

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups
"""


def installed() -> bool:
    """Tell whether slapd is here, and what talks to it."""
    return _slapd() is not None


def _slapd() -> str | None:
    # Debian keeps it where only root looks.
    return shutil.which("slapd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/libexec")


@dataclass(slots=True)
class Slapd:
    """A running server; `connection` is its administrator's."""

    folder: Path
    process: subprocess.Popen[bytes]
    plain: str
    tls: str
    connection: Any

    def put(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        """Add an entry, or make it what these attributes say."""
        new = {name: list(values) for name, values in attributes.items()}
        try:
            [(_, old)] = self.connection.search_s(dn, ldap.SCOPE_BASE, attrlist=list(new))
        except ldap.NO_SUCH_OBJECT:
            self.connection.add_s(dn, ldap.modlist.addModlist(new))
        else:
            self.connection.modify_s(dn, ldap.modlist.modifyModlist(old, new))

    def person(self, uid: str, **more: str | bytes | Sequence[bytes]) -> str:
        """Add somebody, or change what is on record; returns the distinguished name."""
        dn = f"uid={uid},{PEOPLE}"
        attributes: dict[str, Sequence[bytes]] = {
            "objectClass": [b"inetOrgPerson", b"adLikeUser"],
            **{name: [uid.encode()] for name in ("uid", "cn", "sn")},
        }
        for name, value in more.items():
            plain = value.encode() if isinstance(value, str) else value
            attributes[name] = [plain] if isinstance(plain, bytes) else plain
        self.put(dn, attributes)
        return dn

    def group(self, name: str, *members: str) -> str:
        """Add a group, or change its members; returns its distinguished name."""
        dn = f"cn={name},{GROUPS}"
        kinds = {"objectClass": [b"groupOfNames"], "cn": [name.encode()]}
        self.put(dn, {**kinds, "member": [each.encode() for each in members]})
        return dn

    def stop(self) -> None:
        """End the server, as a power cut would."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def serve(folder: Path) -> Iterator[Slapd]:
    """Lay out a directory, start its server, yield it, and stop it."""
    slapd = _slapd()
    if slapd is None:
        raise RuntimeError("slapd is not installed: apt install slapd")
    (folder / "db").mkdir()
    _certificates(folder)
    (folder / "adlike.schema").write_text(SCHEMA)
    settings = SETTINGS.format(folder=folder, base=BASE, admin=ADMIN, password=PASSWORD)
    (folder / "slapd.conf").write_text(settings)
    offline = [slapd, "-T", "add", "-q", "-f", str(folder / "slapd.conf")]
    subprocess.run(offline, input=FIRST.encode(), check=True, capture_output=True)
    plain, tls = (f"{scheme}://127.0.0.1:{_free_port()}" for scheme in ("ldap", "ldaps"))
    command = [slapd, "-f", str(folder / "slapd.conf"), "-h", f"{plain} {tls}", "-d", "0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection = _administrator(tls, folder, process)
        yield Slapd(folder, process, plain, tls, connection)
        with suppress(ldap.LDAPError):
            connection.unbind_s()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _certificates(folder: Path) -> None:
    """Write an authority, the server's certificate and one of a client."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = authority.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    server.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    client = authority.issue_cert("reader.corp.example.test", common_name="reader")
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _administrator(url: str, folder: Path, process: subprocess.Popen[bytes]) -> Any:
    """Bind as the administrator as soon as the server answers."""
    deadline = time.monotonic() + 20
    while True:
        connection = ldap.initialize(url)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(folder / "ca.pem"))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        try:
            connection.simple_bind_s(ADMIN, PASSWORD)
        except ldap.SERVER_DOWN:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            continue
        return connection
