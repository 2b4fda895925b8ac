"""An LDAP directory: people in OpenLDAP's slapd, put in while it does not run."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe

from syncd.sandbox.errors import SandboxError
from syncd.sandbox.registers.parts import Row, Words, iso_day
from syncd.sandbox.registers.programs import find, free_port, running
from syncd.sandbox.tls import make_certificate

__all__ = ["BASE", "PEOPLE", "opened"]

BASE = "dc=contoso,dc=com"
READER = f"cn=reader,{BASE}"
PEOPLE = f"ou=people,{BASE}"
PASSWORD = "directory-password"  # noqa: S105  # the name of the file that holds it
LIBRARY = "python-ldap is not installed; install it with: pip install 'syncd[ldap]' (on Debian \
first: apt install gcc libldap2-dev libsasl2-dev)."
REMEDY = "install it, on Debian with: apt install slapd"
SIZE = 4 << 30
"""Bytes that the database may grow to; it takes what it needs."""
SCHEMA = "".join(
    f"attributetype ( {oid} NAME '{name}' EQUALITY caseIgnoreMatch\n"
    "  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n"
    for oid, name in (
        ("2.25.77201.1", "contosoObjectId"),
        ("2.25.77201.2", "contosoLogin"),
        ("2.25.77201.3", "contosoHired"),
        ("2.25.77201.4", "contosoLastDay"),
        ("2.25.77201.5", "contosoGrade"),
    )
) + (
    "objectclass ( 2.25.77201.6 NAME 'contosoEmployee' SUP top AUXILIARY\n"
    "  MAY ( contosoObjectId $ contosoLogin $ contosoHired $ contosoLastDay $ contosoGrade ) )\n"
)
SETTINGS = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include "{folder}/contoso.schema"
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile "{folder}/sandbox-ca.pem"
TLSCertificateKeyFile "{folder}/sandbox-key.pem"
security simple_bind=128
database mdb
maxsize {size}
suffix "{base}"
rootdn "{reader}"
rootpw {password}
directory "{folder}/database"
index objectClass,entryUUID eq
access to * by * none
"""
FIRST = f"""\
dn: {BASE}
objectClass: organization
objectClass: dcObject
o: Contoso
dc: contoso

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

"""
SOURCE = f"""\
[[sources]]
name = "directory"
type = "ldap"
urls = ["{{url}}"]
ca_file = "sandbox-ca.pem"
bind = {{{{ method = "simple", user = "{READER}", password = {{{{ file = "{PASSWORD}" }}}} }}}}
[[sources.searches]]
base = "{PEOPLE}"
filter = "(objectClass=contosoEmployee)"
[sources.person]
key = "employeeNumber"
employee_id = "employeeNumber"
object_id = "contosoObjectId"
user_name = "contosoLogin"
mail = "mail"
enabled = {{{{ column = "employeeType", true_values = ["Active", "On leave"] }}}}
starts_on = "contosoHired"
leaves_on = "contosoLastDay"
[sources.person.attributes]
department = "departmentNumber"
site = "l"
grade = {{{{ column = "contosoGrade", type = "int" }}}}
"""


@dataclass(slots=True)
class Directory:
    """A server in a folder, with people by their employee numbers."""

    folder: Path
    slapd: str
    port: int
    server: ExitStack
    known: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it answers, over TLS."""
        return f"ldaps://127.0.0.1:{self.port}"

    @property
    def source(self) -> str:
        """The settings by which syncd reads it."""
        return SOURCE.format(url=self.url)

    @property
    def words(self) -> Words:
        """How one speaks of it."""
        number = next(iter(sorted(self.known)), "E000001")
        change = f"dn: {_dn(number)}\\nchangetype: modify\\nreplace: departmentNumber\\n"
        return Words(
            place="the directory",
            news="The directory has changed",
            broken="A broken answer of the directory",
            play=[
                "Change somebody, such as (ldapmodify is in the package ldap-utils):",
                f"  printf '{change}departmentNumber: Warehouse\\n' | \\",
                f"    LDAPTLS_CACERT={self.folder / 'sandbox-ca.pem'} ldapmodify -x \\",
                f"    -H {self.url} -D {READER} -y {self.folder / PASSWORD}",
            ],
            later="The directory has ended, too; its database stays in the folder.",
        )

    def put(self, people: Sequence[Row]) -> Mapping[str, str]:
        """Write people into the database while the server is down. Raises SandboxError."""
        self.server.close()
        new = [person for person in people if person["EmployeeID"] not in self.known]
        changed = [person for person in people if person["EmployeeID"] in self.known]
        first = "" if self.known else FIRST
        if first or new:
            self._offline("add", first + "".join(map(_entry, new)))
        if changed:
            self._offline("modify", "".join(map(_change, changed)))
        self.known.update(person["EmployeeID"] for person in new)
        self.start()
        return {}

    def start(self) -> None:
        """Let the server answer. Raises SandboxError."""
        command = [self.slapd, "-f", str(self.folder / "slapd.conf"), "-h", self.url, "-d", "0"]
        self.server.enter_context(running(command, self.port, self.folder / "slapd.log"))

    def _offline(self, what: str, ldif: str) -> None:
        command = [self.slapd, "-T", what, "-f", str(self.folder / "slapd.conf")]
        if what == "add":
            command.append("-q")
        done = subprocess.run(command, input=ldif.encode(), check=False, capture_output=True)  # noqa: S603  # OpenLDAP's own
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            said = lines[-1] if lines else "it said nothing"
            raise SandboxError(f"slapd takes no people in {self.folder}: {said[-200:]}")


def _dn(number: str) -> str:
    return f"uid={number},{PEOPLE}"


def _entry(person: Row) -> str:
    """Write somebody as LDIF, as they are added."""
    number = person["EmployeeID"]
    lines = [f"dn: {_dn(number)}", "objectClass: inetOrgPerson", "objectClass: contosoEmployee"]
    lines += [f"{name}: {number}" for name in ("uid", "cn", "sn", "employeeNumber")]
    lines += [_line(name, value) for name, value in _values(person).items() if value]
    return "\n".join(lines) + "\n\n"


def _change(person: Row) -> str:
    """Write what is now on record about somebody as LDIF; what is empty goes."""
    lines = [f"dn: {_dn(person['EmployeeID'])}", "changetype: modify"]
    for name, value in _values(person).items():
        lines.append(f"replace: {name}")
        if value:
            lines.append(_line(name, value))
        lines.append("-")
    return "\n".join(lines) + "\n\n"


def _line(name: str, value: str) -> str:
    return f"{name}:: {b64encode(value.encode()).decode()}"


def _values(person: Row) -> Mapping[str, str]:
    days = {name: person[name] and iso_day(person[name]) for name in ("Hire date", "Last day")}
    return {
        "contosoObjectId": person["EntraObjectId"],
        "contosoLogin": person["UPN"],
        "mail": person["Email"],
        "employeeType": person["Status"],
        "contosoHired": days["Hire date"],
        "contosoLastDay": days["Last day"],
        "departmentNumber": person["Department"],
        "l": person["Site"],
        "contosoGrade": person["Grade"],
    }


@contextmanager
def opened(folder: Path) -> Iterator[Directory]:
    """Lay out a directory, whose server runs from its first people on. Raises SandboxError."""
    if find_spec("ldap") is None:
        raise SandboxError(LIBRARY)
    slapd, password = find("slapd", REMEDY), token_urlsafe()
    (folder / "database").mkdir(mode=0o700)
    make_certificate(folder, "127.0.0.1")
    (folder / "contoso.schema").write_text(SCHEMA, encoding="utf-8")
    for name, text in (
        (PASSWORD, password),
        (
            "slapd.conf",
            SETTINGS.format(folder=folder, base=BASE, reader=READER, password=password, size=SIZE),
        ),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text, encoding="utf-8")
    with ExitStack() as server:
        yield Directory(folder, slapd, free_port(), server)
