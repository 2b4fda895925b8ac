"""A crew of the field: what HR says of them, and their accounts."""

from __future__ import annotations

from tests.world import number

__all__ = ["FIELD", "OFFICE", "person", "user"]

FIELD, OFFICE = number(2, 1), number(2, 2)


def person(which: int, status: str = "Active", department: str = "field") -> tuple[str, ...]:
    """Say of a person what HR does."""
    name = f"u{which}@contoso.com"
    return (f"E{which}", "", f"{which}", name, name, status, "", "", department, "9", "")


def user(which: int) -> dict[str, object]:
    """Describe a user."""
    name = f"u{which}@contoso.com"
    return {"systemuserid": number(1, which), "domainname": name, "fullname": f"User {which}",
            "employeeid": f"{which}", "internalemailaddress": name}  # fmt: skip
