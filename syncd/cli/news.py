"""What is on record the next morning in the demo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from syncd.cli.picture import World

__all__ = ["overnight"]

Row = dict[str, str]
HERE, THERE, PROFILE = "Field Service", "Warehouse", "Field Crew"
DAY = "%d.%m.%Y"


def overnight(people: list[Row], world: World, today: date) -> tuple[list[str], list[Row]]:
    """
    Let somebody start, somebody move and somebody leave.

    Returns it in words, and on whom the record is now another.
    """
    told, changed = [], []
    starting = next((each for each in people if _starts_later(world, each, today)), None)
    if starting is not None:
        starting["Hire date"] = f"{today:{DAY}}"
        told.append(f"{_name(world, starting)} starts today")
        changed.append(starting)
    settled = _settled(world, people, today)
    moving, leaving = next(settled, None), next(settled, None)
    if moving is not None:
        moving["Department"] = THERE
        told.append(f"{_name(world, moving)} moves from {HERE} to {THERE}")
        changed.append(moving)
    if leaving is not None:
        leaving["Status"], leaving["Last day"] = "Left", f"{today - timedelta(days=1):{DAY}}"
        told.append(f"{_name(world, leaving)} has left")
        changed.append(leaving)
    return told, changed


def _name(world: World, person: Row) -> str:
    return world.names.get(_user(world, person), person["EmployeeID"])


def _user(world: World, person: Row) -> str:
    return world.by_object.get(person["EntraObjectId"], "")


def _hired(person: Row) -> date:
    return datetime.strptime(person["Hire date"], DAY).date()  # noqa: DTZ007  # a day has no zone


def _starts_later(world: World, person: Row, today: date) -> bool:
    return _hired(person) > today and bool(_user(world, person))


def _settled(world: World, people: list[Row], today: date) -> Iterator[Row]:
    """Yield who works here and has one row, the right one."""
    crew = {user for (user, profile) in world.rows if world.profiles[profile] == PROFILE}
    for person in people:
        here = person["Department"] == HERE and person["Status"] == "Active"
        user = _user(world, person)
        if here and _hired(person) <= today and user in crew and user not in world.disabled:
            yield person
