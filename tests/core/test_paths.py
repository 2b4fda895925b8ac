"""Columns as paths into JSON objects."""

from __future__ import annotations

import pytest

from syncd.core.paths import MISSING, compile_path

EXTENSION = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ADA = {
    "userName": "ada",
    "name": {"familyName": "Kuhn"},
    "emails": [
        {"type": "home", "value": "ada@home.example"},
        {"type": "work", "value": "old@contoso.com"},
        {"type": "work", "value": "ada@contoso.com", "primary": True},
        {"type": "other"},
    ],
    "phones": [{"number": 7}, {"number": 8}, "x"],
    EXTENSION: {"department": "field", "manager": {"value": "26118915"}},
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("userName", "ada"),
        ("username", "ada"),
        ("name.familyName", "Kuhn"),
        ("Name.FAMILYNAME", "Kuhn"),
        ('emails[type eq "work"].value', "ada@contoso.com"),
        ('emails[type eq "home"].value', "ada@home.example"),
        ("emails[ primary EQ true ].value", "ada@contoso.com"),
        ("phones[number eq 8].number", 8),
        ("emails.value", ["ada@home.example", "old@contoso.com", "ada@contoso.com"]),
        (f"{EXTENSION}:department", "field"),
        (f"{EXTENSION}:manager.value", "26118915"),
        ("nothing", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: object) -> None:
    """Nested names, one entry of a list, all its entries, and attributes of an extension."""
    assert compile_path(path).value(ADA) == value


@pytest.mark.parametrize(
    "path",
    ["title", "name.givenName", "userName.x", 'emails[type eq "fax"].value', f"{EXTENSION}:x.y",
     "nothing.x", 'emails[type eq "other"].value', 'userName[type eq "work"].value'],
)  # fmt: skip
def test_where_nothing_is_nothing_is_found(path: str) -> None:
    """That is not the same as an empty value."""
    assert compile_path(path).value(ADA) is MISSING


@pytest.mark.parametrize(
    "path",
    ["a..b", ".a", "a.", "a[b]", 'a[b eq "c]', "a[b eq c].d", 'a[b eq "c"]d', "["],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    """With an example of one."""
    with pytest.raises(ValueError, match="such as"):
        compile_path(path)


def test_a_value_may_hold_what_separates_elsewhere() -> None:
    """Colons, dots, brackets and quotes stand in quotes."""
    found = {"a": [{"t": 'x.y]:"z', "v": 1}]}

    assert compile_path(r'a[t eq "x.y]:\"z"].v').value(found) == 1
