"""What the made-up companies of tests have in common: an HR file, two profiles, two rules."""

from __future__ import annotations

__all__ = ["CREW", "DEPOT", "RULES", "SOURCE", "profile", "user"]

CREW = "20000000-0000-4000-8000-000000000001"
DEPOT = "20000000-0000-4000-8000-000000000002"

SOURCE = """
[[sources]]
name = "hr"
type = "csv"
path = "hr.csv"
delimiter = ";"
[sources.person]
key = "EmployeeID"
employee_id = "EmployeeID"
attributes.department = "Department"
"""
"""More lines of `[sources.person]` may follow."""

RULES = """
[[rules]]
name = "field crew"
profile = "Field Crew"
when = 'person.department == "Field"'
[[rules]]
name = "depot"
profile = "Depot"
when = 'person.department == "Depot"'
"""


def user(key: str, name: str, number: str | None, **more: object) -> dict[str, object]:
    """Describe a user whose names all follow from one."""
    mail = f"{name}@contoso.com"
    return {"systemuserid": key, "fullname": name, "domainname": mail,
            "internalemailaddress": mail, "employeeid": number, **more}  # fmt: skip


def profile(key: str, name: str, **more: object) -> dict[str, object]:
    """Describe a profile, published unless something else is said."""
    published = {"componentstate": 0, "publishedon": "2026-01-01T00:00:00Z"}
    return {"mobileofflineprofileid": key, "name": name, **published, **more}
