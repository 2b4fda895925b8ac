"""In which form changes leave: bulk calls, batches, single requests (section 4.3's ladder)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import httpx
import msgspec

from syncd.connectors.dataverse.batch import Operation, Part, encode
from syncd.connectors.dataverse.rounds import Item
from syncd.connectors.dataverse.writes import ENTITY_SET, Refused, Wire, request, way
from syncd.connectors.http import Channel
from syncd.core.ledger import Message
from syncd.core.model import Action
from syncd.core.plan import Fault, Result

__all__ = ["BY_REFERENCE", "Form", "Parcel", "given_ids", "pack", "post", "single", "unguarded"]

LEAST = 10
"""Rows from which on a bulk call pays: below, a batch costs the server little more."""
_type = '{"@odata.type":"Microsoft.Dynamics.CRM.usermobileofflineprofilemembership",'
_key = '"usermobileofflineprofilemembershipid":"'


class Form(StrEnum):
    """How changes are sent. Bulk calls are all or nothing, a batch is not."""

    CREATES = "CreateMultiple"
    UPDATES = "UpdateMultiple"
    BATCH = "$batch"
    SINGLE = "single"

    @property
    def message(self) -> Message | None:
        """What an environment refuses if it does not take this form."""
        return None if self is Form.SINGLE else Message(self.value)

    @property
    def bulk(self) -> bool:
        """Whether one bad row undoes all others."""
        return self in (Form.CREATES, Form.UPDATES)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent at once: the changes, and their requests in the same order."""

    form: Form
    items: Sequence[Item]
    requests: Sequence[Operation]


def unguarded(item: Item, refused: Refused) -> bool:
    """
    Tell whether the server will not compare the row's version, so that we must.

    It does so for updates and deletes only, and where the table has optimistic
    concurrency (dataverse-web-api.md section 2.2).
    """
    if item.version is None:
        return False
    return Message.VERSIONS in refused or way(item.change, refused) in BY_REFERENCE


BY_REFERENCE = frozenset({Message.ASSOCIATE, Message.DISASSOCIATE})


def pack(items: Sequence[Item], wire: Wire, refused: Refused) -> Iterator[Parcel]:
    """Give *items* in the best form that the environment takes; settles what has none."""
    ready = [(item, made) for item in items if (made := _requested(item, wire, refused))]
    creates = [pair for pair in ready if pair[1].message is Message.CREATE]
    if len(creates) >= LEAST and Message.CREATE_MULTIPLE not in refused:
        yield _parcel(Form.CREATES, creates)
        ready = [pair for pair in ready if pair[1].message is not Message.CREATE]
    # A bulk update has no preconditions: it is for tables that know none in any form.
    if Message.VERSIONS in refused and Message.UPDATE_MULTIPLE not in refused:
        updates = [pair for pair in ready if pair[1].message is Message.UPDATE]
        if len(updates) >= LEAST:
            yield _parcel(Form.UPDATES, updates)
            ready = [pair for pair in ready if pair[1].message is not Message.UPDATE]
    if Message.BATCH not in refused:
        if ready:
            yield _parcel(Form.BATCH, ready)
        return
    for pair in ready:
        yield _parcel(Form.SINGLE, [pair])


def _parcel(form: Form, pairs: Sequence[tuple[Item, Operation]]) -> Parcel:
    return Parcel(form, [item for item, _ in pairs], [made for _, made in pairs])


def _requested(item: Item, wire: Wire, refused: Refused) -> Operation | None:
    """Write down an item's request; what may not or cannot become one is settled here."""
    message = way(item.change, refused)
    if message is None:
        _settle_impossible(item, refused)
        return None
    guard = None if Message.VERSIONS in refused else item.version
    try:
        return request(item.change, message, wire, item.version, guard, item.stage)
    except ValueError as exc:
        item.settle(Result.FAILED, f"not sent: {exc}", Fault.ROW)
        return None


def _settle_impossible(item: Item, refused: Refused) -> None:
    """Say of a change that no message makes here what becomes of it."""
    change = item.change
    match change.action:
        case Action.CREATE if change.version is None:
            said = refused[Message.CREATE]
            detail = f"not sent: this environment refuses Create for now ({said}); the next run"
            item.settle(Result.MOVED, f"{detail} takes a row that was emptied, if there is one")
        case Action.REMOVE if change.user is None:
            said = refused[Message.DELETE]
            detail = f"not sent: this environment refuses Delete for now ({said}); the empty row"
            item.settle(Result.MOVED, f"{detail} waits for the next joiner")
        case Action.CREATE | Action.MOVE | Action.REMOVE:
            tried = [one for one in WRITES if one in refused]
            detail = f"not sent: this environment refuses {', '.join(tried)} for now"
            item.settle(Result.FAILED, f"{detail}: {refused[tried[0]]}", Fault.CONFIGURATION)
        case _:
            detail = "not sent: this environment refuses Update for now, and nothing else"
            item.settle(Result.FAILED, f"{detail} does it: {refused[Message.UPDATE]}", Fault.ROW)


WRITES = (
    Message.UPDATE,
    Message.DELETE,
    Message.CREATE,
    Message.ASSOCIATE,
    Message.DISASSOCIATE,
)


def post(channel: Channel, parcel: Parcel) -> httpx.Response:
    """Send a parcel once. Raises what `Channel.send` does."""
    number = len(parcel.items)
    match parcel.form:
        case Form.SINGLE:
            return _post_single(channel, parcel.requests[0])
        case Form.BATCH:
            boundary = f"batch_{uuid.uuid4().hex}"
            headers = {
                "Content-Type": f'multipart/mixed; boundary="{boundary}"',
                "Prefer": "odata.continue-on-error",
            }
            name, content = "$batch", encode(parcel.requests, boundary)
        case _:
            headers = {"Content-Type": "application/json"}
            name = f"{ENTITY_SET}/Microsoft.Dynamics.CRM.{parcel.form}"
            content = f'{{"Targets":[{",".join(_targets(parcel))}]}}'.encode()
    return channel.send(
        "POST",
        channel.root + name,
        headers=headers,
        content=content,
        operations=number,
        rows=number,
    )


def _targets(parcel: Parcel) -> Iterator[str]:
    """Give each row with its type; an update names its row in the body (section 4.1)."""
    for item, made in zip(parcel.items, parcel.requests, strict=True):
        body = (made.body or "{}").removeprefix("{")
        key = f'{_key}{item.change.membership}",' if parcel.form is Form.UPDATES else ""
        yield f"{_type}{key}{body}"


def _post_single(channel: Channel, operation: Operation) -> httpx.Response:
    headers = {} if operation.etag is None else {"If-Match": operation.etag}
    content = None
    if operation.body is not None:
        headers["Content-Type"] = "application/json"
        content = operation.body.encode()
    url = channel.root + operation.path.removeprefix(channel.path)
    return channel.send(operation.method, url, headers=headers, content=content, rows=1)


def single(response: httpx.Response, *, coded: bool) -> Part | None:
    """
    Return the answer to a single request as that of a batch of one.

    None where it need not come from the Web API at all: a web page with status 200, or a
    404 without a code, says nothing about the row.
    """
    genuine = response.status_code == 204 or "OData-Version" in response.headers
    if (response.is_success and not genuine) or (response.status_code == 404 and not coded):
        return None
    head = b"\r\n".join(chain([b""], (name + b": " + text for name, text in response.headers.raw)))
    return Part(response.status_code, head, response.content)


def given_ids(content: bytes) -> list[str] | None:
    """Read which rows a CreateMultiple made; None if it does not say."""
    try:
        return [one.lower() for one in _made(content.removeprefix(b"\xef\xbb\xbf")).ids]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _Made(msgspec.Struct):
    ids: list[str] = msgspec.field(name="Ids")


_made = msgspec.json.Decoder(_Made).decode
