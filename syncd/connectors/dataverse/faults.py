"""What an error means for a change: one table, by code first and by status second."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from syncd.core.model import Action
from syncd.core.plan import Fault

__all__ = [
    "NO_VERSIONS",
    "REFUSALS",
    "Error",
    "Judgement",
    "Verdict",
    "judge",
    "read_error",
    "refuses",
    "worded",
]

_code = re.compile(r"\b0x8[0-9a-f]{7}\b", re.IGNORECASE).search
_decimal = re.compile(r"-2\d{9}\b").search
_unfit = re.compile(r"[\x00-\x1f\x7f]+")
LONGEST = 240
"""Characters of a server's sentence that we keep."""


class Verdict(StrEnum):
    """What to do about an answer."""

    DONE = "done"
    ALREADY = "already"
    LOOK = "look"
    """The row is not as it was: read it."""
    WAIT = "wait"
    """Nothing was done; send again when told."""
    REPEAT = "repeat"
    """It may have been done or not: read the row, and send again if not."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Error:
    """An error as the server words it; `code` is eight hex digits, or empty."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the fault and the words to use should it come to nothing."""

    verdict: Verdict
    fault: Fault = Fault.ROW
    detail: str = ""
    repeats: int = 2


def _table() -> dict[str, Judgement]:
    """Write down what each code means (dataverse-web-api.md sections 5.1 and 6.2)."""
    groups = {
        Judgement(Verdict.LOOK): "80040237 80060892 80073002 80060882 80040217 80060891",
        Judgement(Verdict.WAIT, Fault.THROTTLED): "80072321 80072322 80072326 8005f103 80081116",
        # An unexpected error may pass: once more, then it is the row's.
        Judgement(Verdict.REPEAT, Fault.ROW, repeats=1): "80040216 80040224",
        Judgement(Verdict.REPEAT, Fault.TRANSIENT): "80044151 80044339 8004ed47",
        Judgement(Verdict.FAILED, Fault.ROW): (
            "80040333 80040203 80044331 80040265 80040227 800609a6 8004f507"
        ),
        Judgement(Verdict.FAILED, Fault.RIGHTS): (
            "80040220 80040231 80048306 80040299 80040256 80048405 8004a112 8004a104 8005f101 "
            "80072560"
        ),
        Judgement(Verdict.FAILED, Fault.CONFIGURATION): (
            "80060883 8006088d 80060890 80048d19 8006088a 80060888 80040315 80040219 80044824"
        ),
    }
    return {code: judgement for judgement, codes in groups.items() for code in codes.split()}


CODES = _table()
STATUSES = {
    401: Judgement(Verdict.FAILED, Fault.RIGHTS),
    403: Judgement(Verdict.FAILED, Fault.RIGHTS),
    404: Judgement(Verdict.LOOK),
    408: Judgement(Verdict.REPEAT, Fault.TRANSIENT),
    409: Judgement(Verdict.LOOK),
    412: Judgement(Verdict.LOOK),
    429: Judgement(Verdict.WAIT, Fault.THROTTLED),
    501: Judgement(Verdict.FAILED, Fault.CONFIGURATION),
}
DUPLICATE = frozenset({"80040237", "80060892", "80073002"})
MISSING = frozenset({"80040217", "80060891"})
GENERIC_SQL = "80044150"
REFUSALS = frozenset({"80044824", "80040219", "80040315"})
"""The message does not exist here (dataverse-web-api.md section 4.3)."""
NO_SEGMENT = "8006088a"
NO_VERSIONS = "8006088d"
"""The table compares no versions: optimistic concurrency is off."""


def refuses(status: int, error: Error, *, address: bool) -> bool:
    """
    Tell whether an answer means that this is not done here, whatever the row.

    With *address* the request went to a url of its own, which may not exist: of a bulk
    call, of a batch, of a reference.
    """
    if error.code in REFUSALS:
        return True
    if address and (error.code == NO_SEGMENT or (status in (404, 415) and not error.code)):
        return True
    return status == 501 or (status == 405 and error.code not in CODES)


def judge(action: Action, status: int, body: bytes) -> Judgement:
    """Say what the answer to a change means."""
    if 200 <= status < 300:
        return Judgement(Verdict.DONE)
    error = read_error(body)
    found = _found(action, status, error)
    return Judgement(found.verdict, found.fault, worded(status, error), found.repeats)


def _found(action: Action, status: int, error: Error) -> Judgement:
    if error.code in MISSING or (status == 404 and error.code not in CODES):
        return _missing(action)
    if error.code in DUPLICATE and action is not Action.CREATE:
        return Judgement(Verdict.FAILED, Fault.ROW)
    if error.code == GENERIC_SQL:
        deadlock = "deadlock" in error.message.lower()
        again = deadlock or status >= 500
        return Judgement(Verdict.REPEAT, Fault.TRANSIENT) if again else Judgement(Verdict.FAILED)
    if error.code in CODES:
        return CODES[error.code]
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return Judgement(Verdict.REPEAT, Fault.TRANSIENT)
    return Judgement(Verdict.FAILED)


def _missing(action: Action) -> Judgement:
    """Judge that something is gone: after a create it is the user or the profile."""
    match action:
        case Action.REMOVE:
            return Judgement(Verdict.ALREADY)
        case Action.CREATE:
            return Judgement(Verdict.FAILED, Fault.ROW)
        case _:
            return Judgement(Verdict.LOOK)


def worded(status: int, error: Error) -> str:
    """Say what was answered, in one line."""
    code = f"0x{error.code}, " if error.code else ""
    text = error.message or "the server gave no reason"
    return f"{text} ({code}status {status})"


def read_error(body: bytes) -> Error:
    """
    Read an error in any of the forms it comes in (dataverse-web-api.md section 6.1).

    An empty body, HTML of a gateway or a code that says nothing leave `code` empty.
    """
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Error("", "")
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return Error("", "")
    inner = error.get("innererror")
    inner = inner if isinstance(inner, dict) else {}
    message = str(error.get("message") or inner.get("message") or "")
    places = (error.get("code"), inner.get("code"), inner.get("message"), message)
    code = next(filter(None, map(_normal, places)), "")
    return Error(code, _unfit.sub(" ", message).strip()[:LONGEST])


def _normal(value: object) -> str:
    """Find a code as eight hex digits in hex or signed decimal text; empty if there is none."""
    text = str(value or "")
    if found := _code(text):
        return found[0][2:].lower()
    if found := _decimal(text):
        return f"{int(found[0]) & 0xFFFFFFFF:08x}"
    return ""
