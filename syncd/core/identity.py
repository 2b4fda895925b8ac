"""Normal forms: one identity written in two ways compares equal (behaviour.md section 3)."""

from __future__ import annotations

from unicodedata import normalize

__all__ = ["guid", "login", "text"]


def text(value: str) -> str:
    """Trim and compose: how names, employee ids and column names are compared, exactly."""
    value = value.strip()
    return value if value.isascii() else normalize("NFC", value)


def guid(value: str) -> str:
    """Write a GUID in lower case and without braces."""
    return value.strip().strip("{}").lower()


def login(value: str) -> str:
    """Return the form in which user names and mail addresses are compared."""
    value = value.strip()
    return (
        value.lower() if value.isascii() else normalize("NFC", normalize("NFC", value).casefold())
    )
