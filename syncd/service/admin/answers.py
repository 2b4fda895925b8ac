"""How answers are written: JSON for programs, HTML for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from syncd import __version__
from syncd.service.admin.refusal import Refusal
from syncd.service.admin.words import FILTERS, GLOBALS

__all__ = ["FOR_PROGRAMS", "as_json", "page", "refused", "stylesheet"]

FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Whoever asks below these gets JSON, also when refused."""


def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("syncd.service.admin"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    found.globals.update(GLOBALS, version=__version__)
    return found


TEMPLATES = _templates()


def page(
    name: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **facts: Any,  # whatever the template names
) -> HTMLResponse:
    """Render a page; everything in *facts* is escaped."""
    text = TEMPLATES.get_template(f"{name}.html").render(here=name, **facts)
    return HTMLResponse(text, status, headers)


def as_json(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return one JSON document."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status, headers, "application/json")


def refused(path: str, refusal: Refusal) -> Response:
    """Answer with the sentence of a refusal, in the form that *path* is asked in."""
    if path.startswith(FOR_PROGRAMS):
        return as_json({"error": refusal.sentence}, refusal.status, refusal.headers)
    return page(
        "problem", status=refusal.status, headers=refusal.headers, sentence=refusal.sentence
    )


def stylesheet() -> bytes:
    """Return the console's stylesheet. It is read once: no path from outside meets a file."""
    return files("syncd.service.admin").joinpath("static", "console.css").read_bytes()
