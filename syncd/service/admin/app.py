"""The web application: every address, and what becomes of an error."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from structlog import get_logger

from syncd.config.service import Admin
from syncd.core.errors import StateError, SyncdError
from syncd.service.admin import api, pages
from syncd.service.admin.answers import as_json, refused
from syncd.service.admin.auth import Gatekeeper
from syncd.service.admin.board import Board
from syncd.service.admin.guard import guarded
from syncd.service.admin.refusal import Refusal
from syncd.service.admin.turns import Shared, Turns

__all__ = ["application"]

READY = 5.0
"""Seconds that the checks may take; whoever asks gives up about then."""
SCRAPE = 10.0
SENTENCES = {
    404: "there is nothing at this address",
    405: "this cannot be done at this address",
}


def application(board: Board, settings: Callable[[], Admin]) -> ASGIApp:
    """Return the whole application. It asks for its settings anew for every request."""
    turns = Turns()
    routes = [
        *_health(board),
        *api.routes(board, Gatekeeper(settings, lambda: board.config), turns),
        *pages.routes(board, turns),
    ]
    inner = Starlette(
        routes=routes,
        exception_handlers={
            Refusal: _refused,
            HTTPException: _unrouted,
            SyncdError: _failed,
            Exception: _broken,
        },
    )
    inner.router.redirect_slashes = False
    return guarded(inner, settings)


def _health(board: Board) -> list[Route]:
    checks, metrics = Shared(board.checks), Shared(board.exposition)

    async def healthz(_: Request) -> Response:
        if board.alive():
            return as_json({"status": "alive"})
        return as_json({"status": "stuck"}, 503)

    async def readyz(_: Request) -> Response:
        try:
            found = await checks(READY)
        except TimeoutError:
            return as_json({"status": "not ready", "error": "the checks do not come back"}, 503)
        except SyncdError as error:
            return as_json({"status": "not ready", "error": str(error)}, 503)
        ready = all(check.ok for check in found)
        document = {
            "status": "ready" if ready else "not ready",
            "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in found],
        }
        return as_json(document, 200 if ready else 503)

    async def scraped(_: Request) -> Response:
        try:
            body, kind = await metrics(SCRAPE)
        except TimeoutError as error:
            raise Refusal(503, "the metrics do not come back") from error
        return Response(body, headers={"Content-Type": kind})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", scraped)]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101  # registered for nothing else
    return refused(request.url.path, error)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    sentence = SENTENCES.get(error.status_code, error.detail)
    return refused(request.url.path, Refusal(error.status_code, sentence, error.headers))


async def _failed(request: Request, error: Exception) -> Response:
    status = 503 if isinstance(error, StateError) else 500
    return refused(request.url.path, Refusal(status, str(error)))


async def _broken(request: Request, error: Exception) -> Response:
    """Answer where the program is wrong; what was asked may name people, so it is not logged."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    where = f"{frames.tb_frame.f_code.co_name}:{frames.tb_lineno}" if frames else ""
    get_logger().error("request failed", error=type(error).__name__, where=where)
    answer = refused(request.url.path, Refusal(500, "something went wrong here; see the log"))
    answer.headers["Connection"] = "close"  # as uvicorn will: nobody shall ask on it again
    return answer
