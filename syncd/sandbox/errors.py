"""What the sandbox refuses: requests in Dataverse's form, and bad input in a sentence."""

from __future__ import annotations

import msgspec

__all__ = [
    "Refused",
    "SandboxError",
    "absent",
    "argument",
    "duplicate",
    "error_content",
    "moved",
    "payload",
    "query",
    "segment",
]


class SandboxError(Exception):
    """Something given to the sandbox cannot be used; its text is one sentence for a person."""


class Refused(Exception):
    """
    A request that Dataverse would not do.

    `code` is the unsigned hexadecimal form of dataverse-web-api.md section 6.2.
    Whoever raises it has changed nothing yet.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(message)


def error_content(code: str, message: str) -> bytes:
    """Return the JSON body of an error (dataverse-web-api.md section 6.1)."""
    return msgspec.json.encode({"error": {"code": code, "message": message}})


def payload(message: str) -> Refused:
    """Refuse a body or batch that cannot be read, or names what is not declared."""
    return Refused(400, "0x80048d19", message)


def argument(message: str) -> Refused:
    """Refuse a value that its column does not take."""
    return Refused(400, "0x80040203", message)


def query(message: str) -> Refused:
    """Refuse a query that is not valid OData, or asks for what Dataverse does not offer."""
    return Refused(400, "0x80060888", message)


def segment(name: str) -> Refused:
    """Refuse a path that leads nowhere."""
    return Refused(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def absent(table: str, key: str) -> Refused:
    """Refuse a row that is not there."""
    return Refused(404, "0x80040217", f"{table} With Id = {key} Does Not Exist")


def duplicate() -> Refused:
    """Refuse a primary key, or a pair of an intersection, that is taken."""
    return Refused(412, "0x80040237", "A record with matching key values already exists.")


def moved() -> Refused:
    """Refuse a row whose version is not the one that `If-Match` names."""
    return Refused(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )
