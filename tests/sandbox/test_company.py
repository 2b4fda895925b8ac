"""The made-up company and its seed."""

from __future__ import annotations

import csv
import json
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import Running, Sandbox, SandboxError, run_dump, run_seed
from syncd.sandbox.company import HR_COLUMNS, Company, Fate, make_company
from tests.sandbox.door import ROWS, Door, sandbox_of

PEOPLE = 300


@pytest.fixture(scope="module")
def company() -> Company:
    """Give a company of three hundred."""
    return make_company(PEOPLE, seed=7)


def rows_of(company: Company) -> list[dict[str, Any]]:
    """Return the memberships of users."""
    return list(company.world[ROWS])


def test_a_company_is_the_same_each_time(company: Company) -> None:
    """Size, seed and day make it; another seed makes another."""
    assert make_company(PEOPLE, 7) == company
    assert make_company(PEOPLE, 8) != company


def test_hr_has_a_row_for_everybody(company: Company) -> None:
    """With a number of their own, and dates as people write them."""
    people = [dict(zip(HR_COLUMNS, row, strict=True)) for row in company.hr_rows]

    assert len({person["EmployeeID"] for person in people}) == PEOPLE
    assert {person["Status"] for person in people} >= {"Active", "Left"}
    assert all(len(person["Hire date"].split(".")) == 3 for person in people)
    assert any(person["Last day"] for person in people)


def test_everything_that_can_be_wrong_is_wrong(company: Company) -> None:
    """Each kind of rot is there, in the rows as a reader sees them."""
    rows, users = rows_of(company), list(company.world["systemusers"])
    active = [row for row in rows if not row.get("statecode") and row["_systemuserid_value"]]
    pairs = Counter((r["_systemuserid_value"], r["_mobileofflineprofileid_value"]) for r in active)
    by_user = Counter(user for user, _ in pairs)
    objects = {row[1] for row in company.hr_rows}
    numbers = Counter(user["employeeid"] for user in users if user.get("employeeid"))
    owners = {row["_systemuserid_value"] for row in rows}

    assert max(pairs.values()) == 2
    assert max(by_user.values()) == 2
    assert any(row.get("statecode") == 1 for row in rows)
    assert any(row["_systemuserid_value"] is None for row in rows)
    assert any(row["_mobileofflineprofileid_value"] is None for row in rows)
    assert any(row.get("hasmobileofflineprofileidconflict") for row in rows)
    assert any(user.get("isdisabled") and user["systemuserid"] in owners for user in users)
    assert any(user["_mobileofflineprofileid_value"] for user in users)
    assert any(
        user["systemuserid"] in owners and user["azureactivedirectoryobjectid"] not in objects
        for user in users
    )
    assert max(numbers.values()) == 2
    assert len(numbers) < PEOPLE
    assert company.world["teammemberships"]
    assert any(user.get("applicationid") for user in users)


def test_one_profile_is_unpublished_and_one_name_is_doubled(company: Company) -> None:
    """Neither is one that the rules name."""
    profiles = list(company.world["mobileofflineprofiles"])
    names = Counter(profile["name"] for profile in profiles)

    assert [p["name"] for p in profiles if p["componentstate"]] == ["Pilot Tablets"]
    assert [name for name, often in names.items() if often > 1] == ["Office Lite"]


def test_addresses_are_plain_and_nobody_shares_one(company: Company) -> None:
    """Names come from ten countries; mailboxes are ASCII."""
    users = list(company.world["systemusers"])
    addresses = [str(user["domainname"]) for user in users]

    assert len(set(addresses)) == len(addresses)
    assert all(address.isascii() and " " not in address for address in addresses)
    assert not all(str(user["fullname"]).isascii() for user in users)


@pytest.mark.parametrize("people", [1, 3, 50])
def test_a_small_company_is_one_too(people: int) -> None:
    """And its world can be loaded."""
    small = make_company(people, 1, date(2026, 11, 21))

    assert len(small.hr_rows) == people
    assert Door(sandbox_of(small.world)).send("GET", "systemusers").status == 200


def test_every_fate_is_met_by_somebody_in_fifty() -> None:
    """So that a small demo shows all of them."""
    counts = Counter(Fate)

    assert len(counts) < 50
    assert any(row.get("statecode") for row in make_company(50, 3).world[ROWS])


def test_a_seed_fills_a_sandbox_and_writes_the_files(tmp_path: Path) -> None:
    """Posted over HTTP it is the company; the files name the sandbox's address."""
    with Running(Sandbox()) as running:
        paths = run_seed(running.url, PEOPLE, 7, tmp_path, date(2026, 3, 2))
        dumped = json.loads(run_dump(running.url))
        with pytest.raises(SandboxError, match="answered 412"):
            run_seed(running.url, PEOPLE, 7, tmp_path, date(2026, 3, 2))

    expected = make_company(PEOPLE, 7, date(2026, 3, 2))
    found = {row["usermobileofflineprofilemembershipid"]: row for row in dumped[ROWS]}
    configuration = tomllib.loads(paths[1].read_text(encoding="utf-8"))
    with paths[0].open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert {name: len(dumped[name]) for name in expected.world} == {
        name: len(rows) for name, rows in expected.world.items()
    }
    assert all(
        found[row["usermobileofflineprofilemembershipid"]]["statecode"] == row.get("statecode", 0)
        for row in rows_of(expected)
    )
    assert configuration["environments"]["contoso"]["url"] == running.url
    assert {rule["profile"] for rule in configuration["rules"]} <= {
        str(profile["name"]) for profile in expected.world["mobileofflineprofiles"]
    }
    assert (tuple(header), len(lines)) == (HR_COLUMNS, PEOPLE)


@pytest.mark.parametrize(("people", "says"), [(0, "at least one"), (5, "cannot be reached")])
def test_a_seed_that_cannot_be_is_one_clear_sentence(
    tmp_path: Path, people: int, says: str
) -> None:
    """Nobody to seed, or nowhere."""
    with pytest.raises(SandboxError, match=says):
        run_seed("http://127.0.0.1:1", people, 1, tmp_path)
