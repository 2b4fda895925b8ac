"""The API for programs: JSON documents to read, and one request that changes something."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import IO, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from syncd.core.errors import StateLocked, UsageError
from syncd.core.model import iso
from syncd.service.admin import documents
from syncd.service.admin.answers import as_json
from syncd.service.admin.asked import environment, limit, words
from syncd.service.admin.auth import Gatekeeper
from syncd.service.admin.board import TASKS, Board
from syncd.service.admin.guard import LARGEST_BODY
from syncd.service.admin.openapi import document as openapi
from syncd.service.admin.refusal import Refusal
from syncd.service.admin.turns import Turns
from syncd.state.journal import note

__all__ = ["routes"]

T = TypeVar("T")

IN_MEMORY = 4 * 1024 * 1024
"""Bytes of a plan that are held in memory; the rest waits in a file without a name."""
PIECE = 64 * 1024
TRIES = 2
"""How often the audit log is tried while a run is writing; each try waits for seconds."""


def routes(board: Board, keeper: Gatekeeper, turns: Turns) -> list[Route]:
    """Return the routes below `/api/v1`."""

    async def environments(_: Request) -> Response:
        return as_json(await turns.read(lambda: documents.environments(board)))

    async def runs(request: Request) -> Response:
        which, most = environment(request), limit(request)
        return as_json(await turns.read(lambda: documents.runs(board, which, most)))

    async def run(request: Request) -> Response:
        number: int = request.path_params["run"]
        return as_json(await turns.read(lambda: documents.run(board, number)))

    async def plan(request: Request) -> Response:
        reference: str = request.path_params["plan"]
        spooled = await turns.read(lambda: _spool(documents.plan(board, reference)))
        return StreamingResponse(_pieces(spooled), media_type="application/json")

    async def people(request: Request) -> Response:
        asked, which = words(request, "query"), environment(request)
        return as_json(await turns.read(lambda: documents.people(board, asked, which)))

    async def explain(request: Request) -> Response:
        asked, which = words(request, "user"), environment(request)
        return as_json(await turns.judge(lambda: documents.explain(board, asked, which)))

    async def conflicts(request: Request) -> Response:
        which = environment(request)
        return as_json(await turns.read(lambda: documents.conflicts(board, which)))

    async def described(_: Request) -> Response:
        return as_json(openapi())

    async def start(request: Request) -> Response:
        # Who asks is settled before a byte of the body is looked at.
        address = request.client.host if request.client else ""
        who = await run_in_threadpool(keeper.admit, request.headers, address)
        task = _task(await _body(request))
        name: str = request.path_params["environment"]
        answer = await run_in_threadpool(_start, board, name, task, who)
        return as_json({"environment": name, "task": task, "answer": answer}, 202)

    gets: list[tuple[str, Callable[[Request], object]]] = [
        ("/environments", environments),
        ("/runs", runs),
        ("/runs/{run:int}", run),
        ("/plans/{plan}", plan),
        ("/people", people),
        ("/explain", explain),
        ("/conflicts", conflicts),
        ("/openapi.json", described),
    ]
    posts = [("/environments/{environment}/run", start)]
    return [
        *(Route(f"/api/v1{path}", endpoint) for path, endpoint in gets),
        *(Route(f"/api/v1{path}", endpoint, methods=["POST"]) for path, endpoint in posts),
    ]


# --- large documents ----------------------------------------------------------------------------


def _spool(pieces: Iterable[str]) -> IO[bytes]:
    """Put a document aside, so that no slow reader holds a transaction open."""
    spooled = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed by who reads it
    try:
        for piece in pieces:
            spooled.write(piece.encode())
        spooled.seek(0)
    except BaseException:
        spooled.close()
        raise
    return spooled


async def _pieces(spooled: IO[bytes]) -> AsyncIterator[bytes]:
    with spooled:
        while piece := spooled.read(PIECE):
            yield piece


# --- changing something -------------------------------------------------------------------------


async def _body(request: Request) -> bytes:
    """Read what was sent, but not more than is needed."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal(415, "the request must be JSON: send Content-Type: application/json")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise Refusal(413, f"the request is too large; {LARGEST_BODY:,} bytes are enough")
    return body


def _task(body: bytes) -> str:
    says = f'the request must be {{"task": "…"}} with one of {", ".join(TASKS)}'
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, says) from error
    if not isinstance(asked, dict) or set(asked) != {"task"} or asked["task"] not in TASKS:
        raise Refusal(400, says)
    return str(asked["task"])


def _start(board: Board, name: str, task: str, who: str) -> str:
    """Ask the daemon for a task. It is in the audit log before, so that none is without."""
    if name not in board.config.environments:
        raise Refusal(404, f"there is no such environment; there are "
                      f"{', '.join(board.config.environments)}")  # fmt: skip
    _note(board, name, who, f"{task} asked for through the web")
    try:
        return board.request(name, task, who)
    except UsageError as error:
        _note(board, name, who, f"{task} asked for through the web was refused")
        raise Refusal(409, str(error)) from error


def _note(board: Board, name: str, who: str, why: str) -> None:
    for left in reversed(range(TRIES)):
        try:
            with board.database.durable() as tx:
                env = documents.number_of(board, tx, name)
                note(tx, iso(board.clock()), who, "run", why, env=env)
            return
        except StateLocked as error:
            if not left:
                raise Refusal(
                    503,
                    "a run is writing to the state database, so that the audit log cannot be "
                    "written; nothing was started, try again when the run has ended",
                    {"Retry-After": "30"},
                ) from error
            time.sleep(0.1)
