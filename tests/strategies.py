"""
Small, nasty worlds, and what happens in them from day to day.

A world is made of choices. Hypothesis makes them, so that a failing one shrinks, or a
seeded generator does: it visits the rare situations more evenly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from syncd.core.ids import environment_space, membership_id
from syncd.core.model import Rung, iso
from syncd.core.settings import (
    CertificateLimits,
    Grace,
    Limits,
    Ownership,
    Policy,
    Removal,
    Resolve,
)
from syncd.state import decisions, observed
from syncd.state.database import Database
from syncd.state.decisions import Verb
from tests.world import NOW, ROWS, URL, World, number

__all__ = ["FAR", "PROFILES", "USERS", "Call", "Day", "Scene", "begin", "scene", "scenes"]

T = TypeVar("T")
Call = tuple[str, str, Mapping[str, object] | None]
Ruling = tuple[Verb, str, str | None, str | None, str | None]
"""Verb, subject, value, against, until."""
People = Mapping[str, Sequence[tuple[str, ...]]]
"""What a source says, by key."""

TODAY = NOW.date()
USERS = [number(1, n) for n in range(1, 6)]
FIELD, OFFICE = number(2, 1), number(2, 2)
PROFILES = {
    FIELD: ("Field", True),
    OFFICE: ("Office", True),
    number(2, 3): ("Draft", False),
    number(2, 4): ("Twin", True),
    number(2, 5): ("Twin", True),
    number(2, 6): ("Other", True),
}
OWN = [membership_id(environment_space(URL), user) for user in USERS]
"""Ids that a create would choose."""
ROW_IDS = [*(number(3, n) for n in range(1, 8)), *OWN[:3]]
GONE = number(9, 9)
OBJECTS = [number(4, n) for n in range(1, 6)]
EMPLOYEES = ["e1", "e2", "e3", "e4", "e5"]
NAMES = ["a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org"]
KEYS = ["K1", "K2", "K3", "K4", "K5", "K6"]
HINTED = (Rung.OBJECT_ID, Rung.EMPLOYEE_ID, Rung.USER_NAME, Rung.USERMAPPING, Rung.MAIL)
FAR = Limits(percent=100, absolute=1000, floor=1000)
"""Gates that stop nothing."""


class Pick(Protocol):
    """Chooses one of some values."""

    def __call__(self, options: Sequence[T], /) -> T: ...


def often(pick: Pick, usual: T, *others: T) -> T:
    """Choose the usual value nine times in ten, or one of the others."""
    return pick(others) if pick(range(10)) == 9 else usual


def several(pick: Pick, options: Sequence[T], most: int) -> list[T]:
    """Choose up to *most* different ones."""
    chosen = [pick(options) for _ in range(pick(range(most + 1)))]
    return [one for place, one in enumerate(chosen) if one not in chosen[:place]]


# --- the sources ---------------------------------------------------------------------------


def _day(offset: int | None) -> str:
    return "" if offset is None else (TODAY + timedelta(offset)).isoformat()


def person(pick: Pick, which: int) -> tuple[str, ...]:
    """Describe one row of a source. Most people have what their user of the same number has."""
    same = which % 5
    known = [OBJECTS[same], EMPLOYEES[same], NAMES[same], NAMES[same]]
    if pick(range(4)) == 3:
        pools = [OBJECTS, EMPLOYEES, NAMES, NAMES]
        for place, pool in enumerate(pools):
            known[place] = pick([known[place], known[place], "", "", pick(pool)])
    if pick(range(10)) == 9:
        known[2] = known[2].upper()
    return (
        KEYS[which],
        *known,
        often(pick, "Active", "", "Gone"),
        _day(often(pick, None, -3, 0, 1, 2)),
        _day(often(pick, None, -5, -1, 0, 1, 3)),
        pick(["field", "field", "field", "office", ""]),
        often(pick, "3", "1", "", "x"),
        often(pick, "", "Office", "Draft", "Twin", "Nowhere", FIELD),
    )


def records(pick: Pick, which: int) -> list[tuple[str, ...]]:
    """Describe what a source says of one key: nothing, a row, or two."""
    return [person(pick, which) for _ in range(often(pick, 1, 0, 0, 2))]


def people(pick: Pick) -> People:
    """Describe what one source says."""
    return {key: records(pick, which) for which, key in enumerate(KEYS)}


def news(pick: Pick) -> People:
    """Describe what a source says anew, of a few."""
    few = several(pick, range(len(KEYS)), 2)
    return {KEYS[which]: often(pick, records(pick, which), []) for which in few}


# --- the environment -------------------------------------------------------------------------


def user(pick: Pick, which: int) -> dict[str, object]:
    """Describe one user; a few share what should be their own."""
    known: list[str | None] = [NAMES[which], NAMES[which], OBJECTS[which], EMPLOYEES[which]]
    if pick(range(5)) == 4:
        for place, pool in enumerate([NAMES, NAMES, OBJECTS, EMPLOYEES]):
            other = f"x{which}@y.org" if place < 2 else None
            known[place] = pick([known[place], known[place], other, pool[0], pool[1]])
    return {
        "systemuserid": USERS[which],
        "fullname": often(pick, f"User {which}", "", "Ä" * 120),
        "domainname": known[0],
        "internalemailaddress": known[1],
        "azureactivedirectoryobjectid": known[2],
        "employeeid": known[3],
        "isdisabled": often(pick, False, True),
        "deletedstate": often(pick, 0, 0, 1),
        "accessmode": often(pick, 0, 0, 4),
        "_mobileofflineprofileid_value": often(pick, None, FIELD, OFFICE),
        "personalemailaddress": pick([None, NAMES[which], often(pick, NAMES[which], *NAMES)]),
        "windowsliveid": often(pick, None, *NAMES),
    }


def row(pick: Pick, ident: str, place: int) -> dict[str, object]:
    """Describe one membership row, which may lack either side."""
    return {
        "usermobileofflineprofilemembershipid": ident,
        "_systemuserid_value": pick([*USERS, often(pick, USERS[place % 5], None, GONE)]),
        "_mobileofflineprofileid_value": pick(
            [FIELD, FIELD, FIELD, OFFICE, often(pick, FIELD, *PROFILES, None, GONE)]
        ),
        "statecode": pick([0, 0, 0, 0, 1]),
        "hasmobileofflineprofileidconflict": pick([False, False, False, True]),
        "createdon": pick(["2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"]),
    }


def mapping(pick: Pick, which: int) -> dict[str, object]:
    """Describe a row of `usermapping`; most name the same column."""
    return {
        "usermappingid": number(8, which),
        "partnerapplicationtype": often(pick, 0, 1),
        "claimtype": often(pick, "smtp", "upn", None),
        "systemuserattributename": often(pick, "personalemailaddress", "windowsliveid", "nowhere"),
    }


def environment(pick: Pick) -> dict[str, list[dict[str, object]]]:
    """Describe an environment in the form of a world file."""
    users = [user(pick, which) for which in range(5) if often(pick, 1, 0)]
    rows = [row(pick, ident, place) for place, ident in enumerate(several(pick, ROW_IDS, 9))]
    teams = pick(range(4)) == 3
    known = [str(each["systemuserid"]) for each in users]
    members = [(n, u) for n in (1, 2) for u in several(pick, known, 2)] if teams and known else []
    brings = [(n, p) for n in (1, 2) for p in several(pick, list(PROFILES), 2)] if teams else []
    return {
        "systemusers": users,
        "mobileofflineprofiles": [
            {
                "mobileofflineprofileid": ident,
                "name": name,
                "componentstate": 0,
                "publishedon": "2025-01-01T00:00:00Z" if published else None,
            }
            for ident, (name, published) in PROFILES.items()
        ],
        ROWS: rows,
        "usermappings": [mapping(pick, which) for which in range(often(pick, 1, 0, 2))],
        "teams": [{"teamid": number(5, n), "name": f"Team {n}"} for n in (1, 2) if teams],
        "teammemberships": [{"teamid": number(5, n), "systemuserid": u} for n, u in members],
        "teammobileofflineprofilememberships": [
            {"_teamid_value": number(5, n), "_mobileofflineprofileid_value": p} for n, p in brings
        ],
    }


def policy(pick: Pick, *, gates: bool) -> Policy:
    """Describe a policy; with *gates* some that stop something."""
    days = [0, 0, 0, 1, 3]
    match = [
        (Rung.USER_NAME, Rung.OBJECT_ID),
        (Rung.MAIL,),
        (Rung.EMPLOYEE_ID, Rung.USER_NAME),
        HINTED,
        HINTED,
        (Rung.USERMAPPING, Rung.EMPLOYEE_ID, Rung.MAIL),
    ]
    return Policy(
        ownership=pick(list(Ownership)),
        remove=pick(list(Removal)),
        protected=frozenset({often(pick, "nobody", *NAMES, *OBJECTS)}),
        match=often(pick, Policy().match, *match),
        lead_days=pick([0, 0, 1]),
        grace=Grace(pick(days), pick(days), pick(days), pick(days)),
        flag=pick([True, True, False]),
        resolve=pick([Resolve.AUTO, Resolve.AUTO, Resolve.MANUAL]),
        clear_stale_flags=pick([True, False]),
        removals=often(pick, _limits(pick), FAR) if gates else FAR,
        creates=pick([None, _limits(pick)]) if gates else None,
        certificate=CertificateLimits(max_shrink_percent=often(pick, 100, 20)),
    )


def _limits(pick: Pick) -> Limits:
    return Limits(percent=pick([0, 10, 50]), absolute=pick(range(4)), floor=pick(range(3)))


# --- what happens ------------------------------------------------------------------------------


def call(pick: Pick) -> Call:
    """Describe what somebody else does in the environment; some of it is refused there."""
    who = f"systemusers({pick(USERS)})"
    which = pick(ROW_IDS)
    path = f"{ROWS}({which})"
    profile = pick(list(PROFILES))
    to_profile = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})"}
    to_user = {"SystemUserId@odata.bind": f"/systemusers({pick(USERS)})"}
    state = pick([0, 1])
    published = pick([None, "2026-01-01T00:00:00Z"])
    made = {"usermobileofflineprofilemembershipid": which, "name": "by hand"}
    options: list[Call] = [
        ("PATCH", who, {"isdisabled": pick([True, False])}),
        ("PATCH", who, {"domainname": pick(NAMES)}),
        ("PATCH", who, {"accessmode": pick([0, 4])}),
        ("PATCH", who, {"personalemailaddress": pick(NAMES)}),
        ("DELETE", f"usermappings({number(8, 0)})", None),
        ("DELETE", who, None),
        ("DELETE", path, None),
        ("PATCH", path, to_profile),
        ("PATCH", path, to_user),
        ("PATCH", path, {"SystemUserId@odata.bind": None}),
        ("PATCH", path, {"statecode": state, "statuscode": state + 1}),
        ("PATCH", path, {"hasmobileofflineprofileidconflict": pick([True, True, False])}),
        ("POST", ROWS, {**made, **to_user, **to_profile}),
        ("PATCH", f"mobileofflineprofiles({profile})", {"publishedon": published}),
        ("DELETE", f"mobileofflineprofiles({profile})", None),
    ]
    return pick(options)


def ruling(pick: Pick) -> Ruling:
    """Describe what an operator decides."""
    until = pick([None, TODAY.isoformat(), (TODAY + timedelta(2)).isoformat()])
    options: list[Ruling] = [
        (Verb.HOLD, pick(USERS), None, None, until),
        (Verb.LINK, pick(KEYS), pick(USERS), None, None),
        (Verb.PROFILE, pick(USERS), pick([FIELD, OFFICE, *PROFILES]), pick([FIELD, OFFICE]), None),
    ]
    return pick(options)


@dataclass(frozen=True, slots=True)
class Day:
    """What is new when the next run starts."""

    hours: int
    people: People
    calls: Sequence[Call]
    rulings: Sequence[Ruling]


@dataclass(frozen=True, slots=True)
class Scene:
    """A world and what happens in it."""

    rows: Mapping[str, Sequence[Mapping[str, object]]]
    policy: Policy
    people: People
    others: People | None
    days: Sequence[Day]

    def build(self, folder: Path, database: Database) -> World:
        """Set the scene."""
        world = World(folder, database, policy=self.policy, rows=self.rows)
        say(world, self.people)
        if self.others is not None:
            say(world, self.others, "directory")
        return world

    def live(self, world: World) -> None:
        """Let every day but the last end with a run; the last one's news are there then."""
        for day in self.days:
            world.reconcile()
            begin(world, day)


def say(world: World, said: People, source: str = "hr") -> None:
    """Let a source say something else of some keys."""
    known: dict[str, list[tuple[str, ...]]] = {}
    for one in world.said.get(source, ()):
        known.setdefault(one[0], []).append(tuple(one))
    whole = {**known, **{key: list(rows) for key, rows in said.items()}}
    world.says([one for rows in whole.values() for one in rows], source)


def begin(world: World, day: Day) -> None:
    """Let a day begin."""
    world.clock.wait(hours=day.hours)
    say(world, day.people)
    for each in day.calls:
        world.call(*each)
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        for verb, subject, value, against, until in day.rulings:
            decisions.add(
                tx, verb, subject, env=env, reason="because", who="op",
                now=iso(world.clock.now), value=value, against=against, until=until,
            )  # fmt: skip


def a_day(pick: Pick) -> Day:
    """Describe a day."""
    return Day(
        hours=pick([1, 24, 24, 48, 24 * 8]),
        people=news(pick),
        calls=[call(pick) for _ in range(pick(range(4)))],
        rulings=[ruling(pick)] if pick(range(5)) == 4 else [],
    )


def scene(pick: Pick, *, gates: bool = False, most: int = 3) -> Scene:
    """Describe a world and up to *most* further days."""
    return Scene(
        rows=environment(pick),
        policy=policy(pick, gates=gates),
        people=people(pick),
        others=people(pick) if pick(range(5)) == 4 else None,
        days=[a_day(pick) for _ in range(pick(range(most + 1)))],
    )


def scenes(*, gates: bool = False, most: int = 3) -> st.SearchStrategy[Scene]:
    """Describe worlds, one half by Hypothesis's choices and one by a seed's."""

    @st.composite
    def chosen(draw: st.DrawFn) -> Scene:
        def pick(options: Sequence[T], /) -> T:
            return draw(st.sampled_from(options))

        return scene(pick, gates=gates, most=most)

    seeds = st.integers(0, 2**32 - 1)
    seeded = st.builds(lambda seed: scene(Random(seed).choice, gates=gates, most=most), seeds)
    return st.one_of(chosen(), seeded)
