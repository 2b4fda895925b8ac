"""
A made-up company: its environment, with memberships that have rotted for years, and its HR file.

The same size, seed and day make the same company. What is wrong with whom is in `FATES`; beside
people there are accounts that HR does not know, husks, robots, and a profile nobody published.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from syncd.sandbox.names import DEPARTMENTS, NAMES, SITES, mailbox

__all__ = ["HR_COLUMNS", "Company", "Fate", "make_company"]

HR_COLUMNS = ("EmployeeID", "EntraObjectId", "UPN", "Email", "Status", "Hire date", "Last day",
              "Department", "Site", "Grade")  # fmt: skip
DAY = date(2026, 3, 2)
PROFILES = ("Field Crew", "Depot", "Sales Mobile", "Inspection", "Office Lite", "Office Lite",
            "Pilot Tablets")  # fmt: skip
"""The doubled name is two profiles; the last one was never published. No rule names either."""
RULED = ("Field Crew", "Depot", "Sales Mobile", "Inspection")
SENIOR = 5

Row = dict[str, object]


class Fate(StrEnum):
    """What became of a person's membership."""

    STEADY = "one row, and the right one"
    JOINER = "wanted, but nobody made a row"
    STARTS_LATER = "hired, and not here yet"
    WITHOUT_USER = "wanted, but there is no user yet"
    MOVER = "changed departments; the row is still the old one's"
    LEAVER = "left, and kept the row"
    GONE_DISABLED = "left; the user is disabled, the row is still there"
    DISABLED = "here, but the user was disabled, with a row"
    DUPLICATE = "two rows with the same profile"
    SURPLUS = "rows with two profiles"
    INACTIVE = "the row was deactivated by hand"
    FLAGGED = "the right row, with a flag that the server forgot"
    POINTER = "the legacy pointer says something else"
    TEAM = "a team brings another profile"
    AMBIGUOUS = "two users have the employee number"


FATES: Mapping[Fate, int] = {
    Fate.JOINER: 40,
    Fate.STARTS_LATER: 10,
    Fate.WITHOUT_USER: 10,
    Fate.MOVER: 30,
    Fate.LEAVER: 20,
    Fate.GONE_DISABLED: 20,
    Fate.DISABLED: 15,
    Fate.DUPLICATE: 10,
    Fate.SURPLUS: 15,
    Fate.INACTIVE: 15,
    Fate.FLAGGED: 15,
    Fate.POINTER: 15,
    Fate.TEAM: 10,
    Fate.AMBIGUOUS: 5,
}
"""How many of a thousand people meet each fate; at least one does. The rest are steady."""
ABSENT = frozenset({Fate.LEAVER, Fate.GONE_DISABLED})
ROWLESS = frozenset({Fate.JOINER, Fate.STARTS_LATER, Fate.WITHOUT_USER, Fate.AMBIGUOUS})


@dataclass(frozen=True, slots=True)
class Company:
    """A world for `--load`, and the HR file that belongs to it."""

    world: Mapping[str, Sequence[Row]]
    hr_rows: Sequence[Sequence[str]]
    hr_columns: Sequence[str] = HR_COLUMNS


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as HR knows them."""

    number: str
    object_id: str
    name: str
    address: str
    department: str
    site: str
    grade: int
    hired: date
    fate: Fate

    @property
    def profile(self) -> str | None:
        """Say which profile the rules of `seed.CONFIGURATION` give to this person."""
        match self.department:
            case "Field Service":
                return "Field Crew"
            case "Warehouse" | "Logistics":
                return "Depot"
            case "Sales" if self.grade >= SENIOR:
                return "Sales Mobile"
            case "Quality":
                return "Inspection"
        return None


@dataclass(slots=True)
class Maker:
    """A world in the making."""

    random: random.Random
    today: date
    world: dict[str, list[Row]] = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)

    def id(self) -> str:
        """Return a new id."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def some_day(self, first: int, last: int) -> date:
        """Return a day between so many days ago; a negative number is ahead."""
        return self.today - timedelta(days=self.random.randint(first, last))

    def add(self, entity_set: str, /, **row: object) -> None:
        """Put a row into the world."""
        self.world.setdefault(entity_set, []).append(row)

    def address(self, first: str, last: str) -> str:
        """Return an address that nobody has yet."""
        box = mailbox(first, last)
        number = self.addresses[box] = self.addresses.get(box, 0) + 1
        return f"{box}{number if number > 1 else ''}@contoso.com"

    def membership(self, user: str | None, profile: str | None, **more: object) -> None:
        """Put a membership into the world."""
        self.add(
            "usermobileofflineprofilememberships",
            usermobileofflineprofilemembershipid=self.id(),
            _systemuserid_value=user,
            _mobileofflineprofileid_value=self.profiles[profile] if profile else None,
            name=f"Offline {profile or 'profile'}",
            createdon=f"{self.some_day(30, 1500)}T09:{self.random.randint(0, 59):02}:00Z",
            **more,
        )

    def other(self, profile: str | None) -> str:
        """Return a profile of the rules that is not this one."""
        return self.random.choice([each for each in RULED if each != profile])


def make_company(people: int, seed: int, today: date = DAY) -> Company:
    """
    Make a company with so many people in HR.

    With fifty or more everything that can be wrong is wrong with somebody.
    """
    # Reproducible on purpose: nothing here is a secret.
    maker = Maker(random.Random(seed), today)  # noqa: S311  # see above
    _furnish(maker)
    hr_rows = []
    for number, fate in enumerate(_fates(maker, people), 1):
        person = _person(maker, number, fate)
        _settle(maker, person)
        hr_rows.append(_hr_row(maker, person))
    _haunt(maker, people)
    return Company(maker.world, hr_rows)


def _fates(maker: Maker, people: int) -> list[Fate]:
    """Deal the fates, so that each meets its share."""
    fates = [
        fate for fate, share in FATES.items() for _ in range(max(1, round(share * people / 1000)))
    ]
    fates = (fates + [Fate.STEADY] * people)[:people]
    maker.random.shuffle(fates)
    return fates


def _furnish(maker: Maker) -> None:
    """Put up profiles and teams."""
    for at, name in enumerate(PROFILES):
        published = name != "Pilot Tablets"
        key = maker.id()
        maker.profiles.setdefault(name, key)
        maker.add(
            "mobileofflineprofiles",
            mobileofflineprofileid=key,
            name=name,
            componentstate=0 if published else 1,
            publishedon=f"2024-0{at + 1}-15T10:00:00Z" if published else None,
        )
    for name in ("Storm Response", "Stocktaking"):
        team = maker.id()
        maker.add("teams", teamid=team, name=name)
        maker.add(
            "teammobileofflineprofilememberships",
            teammobileofflineprofilemembershipid=maker.id(),
            _teamid_value=team,
            _mobileofflineprofileid_value=maker.profiles["Office Lite"],
            name=f"{name} | Office Lite",
        )


def _person(maker: Maker, number: int, fate: Fate) -> Person:
    country = maker.random.randrange(len(NAMES))
    first, last = (maker.random.choice(names) for names in NAMES[country])
    pick = maker.random.choices(list(DEPARTMENTS), list(DEPARTMENTS.values()))[0]
    # These fates need somebody whom a rule wants.
    covered = fate not in {Fate.STEADY, Fate.LEAVER, Fate.GONE_DISABLED}
    return Person(
        number=f"E{number:06}",
        object_id=maker.id(),
        name=f"{first} {last}",
        address=maker.address(first, last),
        department="Field Service" if covered and pick in {"Sales", "Finance", "IT"} else pick,
        site=SITES[country],
        grade=maker.random.randint(1, 9),
        hired=maker.some_day(-60, -5) if fate is Fate.STARTS_LATER else maker.some_day(200, 6000),
        fate=fate,
    )


def _settle(maker: Maker, person: Person) -> None:
    """Give a person the user and the rows that their fate left them with."""
    if person.fate is Fate.WITHOUT_USER:
        return
    disabled = person.fate in {Fate.GONE_DISABLED, Fate.DISABLED}
    pointer = maker.other(person.profile) if person.fate is Fate.POINTER else None
    user = _user(maker, person.name, person.address, object_id=person.object_id,
                 employeeid=person.number, isdisabled=disabled, pointer=pointer)  # fmt: skip
    if person.fate is Fate.AMBIGUOUS:
        _user(maker, person.name, person.address.replace("@", ".old@"), employeeid=person.number)
    if person.fate is Fate.TEAM:
        team = maker.random.choice(maker.world["teams"])["teamid"]
        maker.add("teammemberships", teammembershipid=maker.id(), teamid=team, systemuserid=user)
    if person.fate in ROWLESS:
        return
    profile = person.profile
    if profile is None:
        if person.fate not in ABSENT:
            return
        profile = maker.other(None)  # an earlier department's
    for given, more in _rows(maker, person.fate, profile):
        maker.membership(user, given, **more)


def _rows(maker: Maker, fate: Fate, profile: str) -> Iterator[tuple[str, Row]]:
    """Yield the profiles of a person's rows, and what is special about each row."""
    match fate:
        case Fate.MOVER:
            yield maker.other(profile), {}
        case Fate.DUPLICATE:
            yield profile, {}
            yield profile, {}
        case Fate.SURPLUS:
            yield profile, {}
            yield maker.other(profile), {}
        case Fate.INACTIVE:
            yield profile, {"statecode": 1, "statuscode": 2}
        case Fate.FLAGGED:
            yield profile, {"hasmobileofflineprofileidconflict": True}
        case _:
            yield profile, {}


def _user(
    maker: Maker,
    name: str,
    address: str,
    *,
    object_id: str | None = None,
    pointer: str | None = None,
    **more: object,
) -> str:
    key = maker.id()
    maker.add(
        "systemusers",
        systemuserid=key,
        fullname=name,
        domainname=address,
        internalemailaddress=address,
        azureactivedirectoryobjectid=object_id or maker.id(),
        _mobileofflineprofileid_value=maker.profiles[pointer] if pointer else None,
        islicensed=True,
        **more,
    )
    return key


def _hr_row(maker: Maker, person: Person) -> Sequence[str]:
    status, last_day = "Active", ""
    if person.fate in ABSENT:
        status = "Left"
        last_day = f"{maker.some_day(10, 150):%d.%m.%Y}"
    elif person.fate is Fate.STEADY and maker.random.random() < 0.02:  # two of a hundred
        status = "On leave"
    # HR never learnt the object id of those whose number is ambiguous.
    known = person.fate is not Fate.AMBIGUOUS
    return (
        person.number,
        person.object_id if known else "",
        person.address if known else "",
        person.address if known else "",
        status,
        f"{person.hired:%d.%m.%Y}",
        last_day,
        person.department,
        person.site,
        str(person.grade),
    )


def _haunt(maker: Maker, people: int) -> None:
    """Add what no person explains: forgotten accounts, husks, robots."""
    share = max(1, people // 100)
    for _ in range(share):
        first, last = (maker.random.choice(names) for names in maker.random.choice(NAMES))
        user = _user(maker, f"{first} {last}", maker.address(first, last))
        maker.membership(user, maker.random.choice([*RULED, "Office Lite", "Pilot Tablets"]))
    for _ in range(max(1, share // 2)):
        maker.membership(None, maker.other(None))
    maker.membership(str(maker.world["systemusers"][0]["systemuserid"]), None,
                     statecode=1, statuscode=2)  # fmt: skip
    for name, mode in (("HR Interface", 4), ("Microsoft Support", 3)):
        robot = mailbox(name, "robot")
        _user(maker, name, f"{robot}@contoso.com", accessmode=mode,
              applicationid=maker.id() if mode == 4 else None)  # fmt: skip  # non-interactive
