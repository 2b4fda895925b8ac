"""The console: pages that only show. What they show is what the API gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syncd.core.errors import SyncdError
from syncd.service.admin import documents
from syncd.service.admin.answers import page, stylesheet
from syncd.service.admin.asked import environment, limit, optional, words
from syncd.service.admin.board import Board, Check
from syncd.service.admin.turns import Turns
from syncd.state.views import Document

__all__ = ["routes"]

EXAMPLES = 20
"""People that a plan shows of each group, as the command does."""
FACTS = ("object_id", "employee_id", "user_name", "mail", "enabled", "starts_on", "leaves_on")


def routes(board: Board, turns: Turns) -> list[Route]:
    """Return the addresses of the console."""
    style = stylesheet()

    def names() -> list[str]:
        return list(board.config.environments)

    async def css(_: Request) -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "no-cache"})

    async def overview(_: Request) -> Response:
        return await turns.read(lambda: page("overview", **_overview(board)))

    async def runs(request: Request) -> Response:
        which, most = environment(request), limit(request)
        found = await turns.read(lambda: documents.runs(board, which, most))
        return page("runs", runs=found["runs"], limit=most, environments=names(), environment=which)

    async def run(request: Request) -> Response:
        number: int = request.path_params["run"]
        return page("run", run=await turns.read(lambda: documents.run(board, number)))

    async def plan(request: Request) -> Response:
        reference: str = request.path_params["plan"]
        found = await turns.read(lambda: documents.plan_shown(board, reference, EXAMPLES))
        return page("plan", ident=found[0], plan=found[1])

    async def people(request: Request) -> Response:
        asked, which = optional(request, "query"), environment(request)
        found: list[Document] = []
        if asked is not None:
            found = (await turns.read(lambda: documents.people(board, asked, which)))["people"]
        return page(
            "people", asked=asked, environments=names(), environment=which,
            found=[each | {"link": _link(each)} for each in found],
        )  # fmt: skip

    async def explain(request: Request) -> Response:
        asked, which = words(request, "user"), environment(request)
        found = await turns.judge(lambda: documents.explain(board, asked, which))
        return page("explain", found=[_explained(each) for each in found["explanations"]])

    async def conflicts(_: Request) -> Response:
        found = await turns.read(lambda: documents.conflicts(board, None))
        return page("conflicts", found=found["environments"])

    shown: list[tuple[str, Callable[[Request], Any]]] = [
        ("/", overview),
        ("/runs", runs),
        ("/runs/{run:int}", run),
        ("/plans/{plan}", plan),
        ("/people", people),
        ("/explain", explain),
        ("/conflicts", conflicts),
        ("/static/console.css", css),
    ]
    return [Route(path, endpoint) for path, endpoint in shown]


def _overview(board: Board) -> Document:
    try:
        checks = list(board.checks())
    except SyncdError as error:
        checks = [Check("checks", ok=False, detail=str(error))]
    return {"checks": checks, "environments": documents.environments(board)["environments"]}


def _link(match: Document) -> str:
    """Return where somebody who was found is explained; ids lead to one alone."""
    who = match["user"]["id"] if match["user"] else match["persons"][0]
    return "/explain?" + urlencode({"user": who, "environment": match["environment"]})


def _explained(document: Document) -> Document:
    """Put what the sources say of each person into lines of a table."""
    return document | {"persons": [_person(person) for person in document["persons"]]}


def _person(person: Document) -> Document:
    told = list(person["sources"])
    heads = [_head(source, several=len(told) > 1) for source in told]
    lines = [(fact, [source[fact] for source in told]) for fact in FACTS]
    names = sorted({name for source in told for name in source["attributes"]})
    lines += [(name, [source["attributes"].get(name) for source in told]) for name in names]
    lines.append(("problem", [source["problem"] for source in told]))
    lines.append(("deleted", [source["deleted"] or None for source in told]))
    lines.append(("doubled", [source["doubled"] or None for source in told]))
    if len(told) > 1:
        heads += ["counts", "whose"]
        counts = {each["field"]: each for each in person["counts"]}
        lines = [(name, values + _counted(counts.get(name))) for name, values in lines]
    said = [line for line in lines if any(value is not None for value in line[1])]
    return person | {"heads": heads, "lines": said}


def _head(source: Document, *, several: bool) -> str:
    rank = f", rank {source['rank']}" if several else ""
    return f"{source['source']}{rank}{', stale' if source['stale'] else ''}"


def _counted(origin: Document | None) -> list[object]:
    """Return the value that counts, and whose it is."""
    if origin is None:
        return [None, None]
    strictest = ", strictest" if origin["by"] == "strictest" else ""
    return [origin["value"], f"{origin['source']}{strictest}"]
