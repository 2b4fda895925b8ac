"""Shorthands for the columns of tables, and the ids that every sandbox has."""

from __future__ import annotations

from typing import TypedDict, Unpack

from syncd.sandbox.columns import INT_HIGH, Column, Kind, OnDelete, link

__all__ = [
    "BUSINESS_UNIT",
    "CALLER",
    "ORGANIZATION",
    "SOLUTION",
    "audit",
    "choice",
    "flag",
    "guid",
    "imported",
    "internals",
    "key",
    "member",
    "memo",
    "moment",
    "number",
    "state_pair",
    "text",
    "version",
]

CALLER = "5a7d0c00-0000-4000-8000-000000000001"
"""The user behind every request that does not say otherwise: what WhoAmI answers."""
BUSINESS_UNIT = "5a7d0c00-0000-4000-8000-000000000002"
ORGANIZATION = "5a7d0c00-0000-4000-8000-000000000003"
SOLUTION = "fd140aae-4df4-11dd-bd17-0019b9312238"
"""The default solution, which has this id in every environment."""


class Traits(TypedDict, total=False):
    """What the shorthands below pass on to a column."""

    create: bool
    update: bool
    required: bool
    default: int | str | None


def guid(name: str, **more: Unpack[Traits]) -> Column:
    """Describe a GUID that is no lookup."""
    return Column(name, Kind.GUID, name, **more)


def text(name: str, max_length: int, **more: Unpack[Traits]) -> Column:
    """Describe a text with its greatest length in characters."""
    return Column(name, Kind.TEXT, name, max_length=max_length, **more)


def memo(name: str, max_length: int, **more: Unpack[Traits]) -> Column:
    """Describe a long text."""
    return Column(name, Kind.MEMO, name, max_length=max_length, **more)


def number(name: str, low: int = -(2**31), **more: Unpack[Traits]) -> Column:
    """Describe a whole number of 32 bits."""
    return Column(name, Kind.INTEGER, name, low=low, high=INT_HIGH, **more)


def flag(name: str, *, required: bool = False, no: str = "No", yes: str = "Yes") -> Column:
    """Describe a Boolean that starts as No."""
    options = {0: no, 1: yes}
    return Column(name, Kind.BOOLEAN, name, default=False, required=required, options=options)


def choice(name: str, *labels: str, required: bool = False, update: bool = True) -> Column:
    """Describe a picklist whose values count from 0."""
    options = dict(enumerate(labels))
    return Column(
        name, Kind.CHOICE, name, options=options, default=0, required=required, update=update
    )


def moment(name: str, **more: Unpack[Traits]) -> Column:
    """Describe a date with time."""
    return Column(name, Kind.DATETIME, name, **more)


def key(name: str) -> Column:
    """Describe a primary key: chosen by the client or the server, and then fixed."""
    return guid(name, update=False, required=True)


def version() -> Column:
    """Describe the version, which the ETag shows and every write makes grow."""
    return Column(
        "versionnumber", Kind.VERSION, "versionnumber", create=False, update=False,
        low=-(2**63), high=2**63 - 1,
    )  # fmt: skip


def audit(table: str, organization: str | None = None) -> tuple[Column, ...]:
    """
    List the read-only columns that a table keeps about its rows.

    `organization` is the name of the relationship with the organization, where it has another
    than the usual one.
    """

    def person(name: str) -> Column:
        collection = f"lk_{table}_{name}"
        return link(name, "systemuser", name, writable=False, collection=collection)

    return (
        person("createdby"),
        moment("createdon", create=False, update=False),
        person("createdonbehalfby"),
        person("modifiedby"),
        moment("modifiedon", create=False, update=False),
        person("modifiedonbehalfby"),
        version(),
        link(
            "organizationid", "organization", "organizationid", writable=False,
            default=ORGANIZATION, collection=organization or f"organization_{table}",
        ),
    )  # fmt: skip


def state_pair() -> tuple[Column, ...]:
    """List life cycle and reason: Active (0, 1) or Inactive (1, 2); no row is made inactive."""
    return (
        Column(
            "statecode", Kind.STATE, "statecode", create=False, required=True, default=0,
            options={0: "Active", 1: "Inactive"},
        ),
        Column(
            "statuscode", Kind.STATUS, "statuscode", default=1,
            options={1: "Active", 2: "Inactive"},
        ),
    )  # fmt: skip


def internals() -> tuple[Column, ...]:
    """List the time zone columns that no client needs."""
    return (number("timezoneruleversionnumber", -1), number("utcconversiontimezonecode", -1))


def imported() -> tuple[Column, ...]:
    """List the columns that can be given on create only."""
    return (
        number("importsequencenumber", update=False),
        Column("overriddencreatedon", Kind.DATE, "overriddencreatedon", update=False),
    )


def member(name: str, target: str) -> Column:
    """Describe one side of the users' membership in teams, which Dataverse shows as plain ids."""
    return Column(
        name, Kind.LOOKUP, name, update=False, required=True, target=target,
        on_delete=OnDelete.CASCADE, aliases=(f"_{name}_value",),
    )  # fmt: skip
