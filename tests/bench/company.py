"""A company of any size, the same for the same seed: people, accounts, rows, rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from hashlib import blake2b
from itertools import product
from pathlib import Path

__all__ = ["NOW", "OWNERSHIP", "SOURCE", "Company", "Part", "Person", "configuration", "profiles"]

NOW = {1: "2026-03-02T06:00:00Z", 2: "2026-03-03T06:00:00Z"}
"""The program's clock on each day."""
OWNERSHIP = ("exclusive", "adopt")
SOURCE = "hr"
THOUSAND = 1000
PRIME = 10_000_019
SCRAMBLE = 6_364_137
"""Employee numbers say nothing about the place in the file: a prime scatters them."""
GRADES = 12
SENIOR = 8
PER_SITE = 20_000
"""Sites grow with the company, so that there are about 40 people for each set of attributes."""
AREAS = ("Field", "Plant", "Sales", "Clinic", "Grid", "Depot", "Water", "Rail")
TASKS = ("Service", "Planning", "Safety", "Stores", "Dispatch")
DEPARTMENTS = tuple(f"{area} {task}" for area, task in product(AREAS, TASKS))
FIRST = ("Ada", "Jürgen", "Zoë", "Marek", "Inês", "Olu", "Søren", "Mei", "Tomás", "Priya", "Liv")
LAST = ("Kuhn", "Müller", "Okafor", "Nowak", "García", "O'Neill", "Lindqvist", "Rossi", "Iyer")
HEADER = (
    "EmployeeID", "EntraObjectId", "UPN", "Email", "First name", "Last name", "Status",
    "Hire date", "Last day", "Department", "Site", "Grade", "Cost centre",
)  # fmt: skip
FIRST_HIRE = date(1990, 1, 1)
HIRES = [f"{FIRST_HIRE + timedelta(days=day):%d.%m.%Y}" for day in range(12_000)]


class Part(StrEnum):
    """What a person is there for on one day."""

    STEADY = "steady"
    JOINER = "joiner"
    LEAVER = "leaver"
    MOVER = "mover"
    CONFLICT = "conflict"


RESTLESS = (Part.JOINER, Part.LEAVER, Part.MOVER)


@dataclass(frozen=True, slots=True)
class Person:
    """One person, the account, and the ids of the rows that exist or may come to exist."""

    number: int
    key: str
    object_id: str
    user: str
    row: str
    second: str
    login: str
    first: str
    last: str
    hired: str
    department: int
    site: int
    grade: int
    on_leave: bool


@dataclass(frozen=True, slots=True)
class Company:
    """
    So many people on the first day, a multiple of a thousand, and 1 % more on the second.

    On each day, of every thousand people 10 join, 10 leave, 20 move to another profile and
    2 have two rows that contradict each other; nobody does so on both days. In a *restless*
    company, for the first day only, of three people one joins, one leaves and one moves.
    """

    people: int
    seed: int = 1
    restless: bool = False

    @property
    def accounts(self) -> int:
        """The number of users from the first day on: those who are hired on the second have one."""
        return self.people + self.people // 100

    @property
    def sites(self) -> int:
        """The number of sites."""
        return max(2, self.people // PER_SITE)

    @property
    def rows(self) -> int:
        """The number of membership rows before the first run."""
        if self.restless:
            return self.people - (self.people + 2) // 3
        return self.people * (THOUSAND - 10 + 2) // THOUSAND

    def part(self, number: int, day: int) -> Part:
        """Say what a person does on a day."""
        if number >= self.people:
            return Part.JOINER if day == 2 else Part.STEADY
        if self.restless:
            return RESTLESS[number % 3]
        place = number % THOUSAND - (100 if day == 2 else 0)
        if day == 1 and 0 <= place < 10:
            return Part.JOINER
        if 10 <= place < 20:
            return Part.LEAVER
        if 20 <= place < 40:
            return Part.MOVER
        return Part.CONFLICT if 40 <= place < 42 else Part.STEADY

    def person(self, number: int) -> Person:
        """Make up a person."""
        digest = blake2b(f"{self.seed}:{number}".encode(), digest_size=64).digest()
        ids, dice = digest[:48].hex(), digest[48:]
        key = f"E{(number * SCRAMBLE + self.seed) % PRIME:08d}"
        large = dice[0] << 8 | dice[1]
        return Person(
            number=number,
            key=key,
            object_id=_guid(ids[:32]),
            user=_guid(ids[32:64]),
            row=_guid(ids[64:]),
            second=_guid(ids[80:] + ids[:16]),
            login=f"{key.lower()}.{dice[2]:02x}@contoso.com",
            first=FIRST[dice[3] % len(FIRST)],
            last=LAST[dice[4] % len(LAST)],
            hired=HIRES[(dice[5] << 8 | dice[6]) % len(HIRES)],
            # Some departments are large: the square of an even number between 0 and 1.
            department=((large * large >> 16) * len(DEPARTMENTS)) >> 16,
            site=(dice[7] << 8 | dice[8]) % self.sites,
            grade=1 + dice[9] % GRADES,
            on_leave=dice[10] < 8,
        )

    def profile(self, person: Person, day: int) -> int:
        """Return which profile the rules give a person on a day: what `rules` says, in Python."""
        senior = person.grade >= SENIOR and person.site != 0
        return self._department(person, day) // 2 * 2 + (0 if senior else 1)

    def another(self, profile: int) -> int:
        """Return a profile that is not this one."""
        return (profile + 2) % len(DEPARTMENTS)

    def members(self) -> Iterator[tuple[Person, list[tuple[str, int]]]]:
        """Give everybody with an account, and their rows before the first run: id and profile."""
        for number in range(self.accounts):
            person = self.person(number)
            profile = self.profile(person, 1)
            match self.part(number, 1):
                case Part.JOINER:
                    rows = []
                case Part.MOVER:
                    rows = [(person.row, self.another(profile))]
                case Part.CONFLICT:
                    rows = [(person.row, profile), (person.second, self.another(profile))]
                case _:
                    rows = [(person.row, profile)] if number < self.people else []
            yield person, rows

    def write(self, path: Path, day: int) -> None:
        """Write the file of a day."""
        with path.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as file:
            file.write(",".join(HEADER) + "\n")
            file.writelines(self._lines(day))

    def _lines(self, day: int) -> Iterator[str]:
        for number in range(self.accounts if day == 2 else self.people):
            p = self.person(number)
            department = self._department(p, day)
            left = Part.LEAVER in {self.part(number, each) for each in range(1, day + 1)}
            status = "Left,"
            last_day = "31.01.2026" if left else ""
            if not left:
                status = "On leave," if p.on_leave else "Active,"
            yield (
                f"{p.key},{p.object_id},{p.login},{p.login},{p.first},{p.last},{status}"
                f"{p.hired},{last_day},{DEPARTMENTS[department]},Site {p.site:02d},{p.grade},"
                f"{4000 + department}-{p.site:02d}\n"
            )

    def _department(self, person: Person, day: int) -> int:
        moved = day == 2 and self.part(person.number, 2) is Part.MOVER
        return (person.department + 2) % len(DEPARTMENTS) if moved else person.department


def _guid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def profiles() -> list[tuple[str, str]]:
    """List the profiles: id and name."""
    return [
        (f"00000000-0000-4000-8000-{number:012x}", f"Profile {number:02d}")
        for number in range(len(DEPARTMENTS))
    ]


def configuration(
    company: Company,
    *,
    url: str,
    state: str,
    source: Path | str,
    ownership: str,
    batch_size: int = 100,
) -> str:
    """
    Write the configuration: forty rules, and gates wide enough for the whole plan.

    *source* is HR's file, or the settings of another source that maps the same attributes.
    """
    wide = f"{{ percent = 100, absolute = {company.accounts}, floor = {company.accounts} }}"
    return "\n".join(
        [
            f"state = {{ url = {json.dumps(state)} }}",
            "[environments.bench]",
            f"url = {json.dumps(url)}",
            'auth = { method = "none" }',
            f"http = {{ batch_size = {batch_size} }}",
            "[policy]",
            f"ownership = {json.dumps(ownership)}",
            "[policy.gates]",
            f"removals = {wide}",
            *([source] if isinstance(source, str) else _file(source)),
            *_rules(),
            "",
        ]
    )


def _file(path: Path) -> Iterator[str]:
    """Write the settings of HR's file."""
    yield "[[sources]]"
    yield f"name = {json.dumps(SOURCE)}"
    yield 'type = "csv"'
    yield f"path = {json.dumps(str(path))}"
    yield "[sources.person]"
    yield 'key = "EmployeeID"'
    yield 'object_id = "EntraObjectId"'
    yield 'user_name = "UPN"'
    yield 'mail = "Email"'
    yield 'enabled = { column = "Status", true_values = ["Active", "On leave"] }'
    yield 'starts_on = { column = "Hire date", format = "%d.%m.%Y" }'
    yield 'leaves_on = { column = "Last day", format = "%d.%m.%Y" }'
    yield "[sources.person.attributes]"
    yield 'department = "Department"'
    yield 'site = "Site"'
    yield 'grade = { column = "Grade", type = "int" }'


def _rules() -> Iterator[str]:
    """Write two rules for each pair of departments: high grades outside one site, the rest."""
    names = [name for _, name in profiles()]
    for pair in range(0, len(DEPARTMENTS), 2):
        both = json.dumps(DEPARTMENTS[pair : pair + 2])
        among = f"person.department in {both}"
        senior = f'{among} && person.grade >= {SENIOR} && person.site != "Site 00"'
        for name, when in ((names[pair], senior), (names[pair + 1], among)):
            yield f"[[rules]]\nname = {json.dumps(name)}\nprofile = {json.dumps(name)}"
            yield f"when = '{when}'"
