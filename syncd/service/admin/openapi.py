"""The description of the API, for programs that make clients of it (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from syncd import __version__
from syncd.service.admin.board import TASKS

__all__ = ["document"]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "integer"}
MAYBE_NUMBER: Schema = {"type": ["integer", "null"]}
FLAG: Schema = {"type": "boolean"}
MAYBE_FLAG: Schema = {"type": ["boolean", "null"]}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Schema = {"type": ["string", "null"]}
ANYTHING: Schema = {"type": "object"}
COUNTS: Schema = {"type": "object", "additionalProperties": NUMBER}


def document() -> Schema:
    """Return the whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "syncd",
            "version": __version__,
            "description": (
                "How the offline profile memberships stand. Everything may be read; asking for "
                "a run needs a token, and is off unless the configuration allows it."
            ),
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Schema:
    one = [_query("environment", "Only this environment.")]
    return {
        "/api/v1/environments": _get("How each environment stands.", "Environments"),
        "/api/v1/runs": _get(
            "The newest runs.",
            "Runs",
            [*one, _query("limit", "How many; 50 unless given.", NUMBER)],
        ),
        "/api/v1/runs/{run}": _get("One run.", "Run", [_path("run", NUMBER)], absent=True),
        "/api/v1/plans/{plan}": _get(
            "A plan, by its id or the beginning of it.", "Plan", [_path("plan", TEXT)], absent=True
        ),
        "/api/v1/people": _get(
            "Whoever is called so, exactly: by user name, mail, key or any id.",
            "People",
            [_query("query", "Whom to look for.", required=True), *one],
        ),
        "/api/v1/explain": _get(
            "Why somebody is as they are, as of the last run.",
            "Explanations",
            [_query("user", "Who: user name, mail, key or any id.", required=True), *one],
            absent=True,
        ),
        "/api/v1/conflicts": _get("The conflicts that the last run saw.", "Conflicts", one),
        "/api/v1/openapi.json": _get("This description."),
        "/api/v1/environments/{environment}/run": {"post": _run()},
    }


def _get(
    summary: str, schema: str | None = None, parameters: list[Schema] | None = None, *,
    absent: bool = False,
) -> Schema:  # fmt: skip
    answers = {"200": _answer("What was asked for.", schema), "400": _problem("Not understood.")}
    if absent:
        answers["404"] = _problem("There is none.")
        answers["409"] = _problem("There are several.")
    answers["503"] = _problem("The state database does not answer, or too many ask at once.")
    return {"get": {"summary": summary, "parameters": parameters or [], "responses": answers}}


def _run() -> Schema:
    return {
        "summary": "Do a task now, or as soon as the one that is running has ended.",
        "security": [{"token": []}],
        "parameters": [_path("environment", TEXT)],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref("RunRequest")}},
        },
        "responses": {
            "202": _answer("It was taken.", "RunAnswer"),
            "400": _problem("Not understood."),
            "401": _problem("The token is missing or wrong."),
            "403": _problem("Off, sent from another site, or without the role."),
            "404": _problem("There is no such environment."),
            "409": _problem("It cannot be done now, and the sentence says why."),
            "413": _problem("Too large."),
            "415": _problem("Not JSON."),
            "429": _problem("Too many wrong tokens from this address."),
            "503": _problem("The audit log cannot be written now; nothing was started."),
        },
    }


def _query(name: str, description: str, schema: Schema = TEXT, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "description": description, "required": required,
            "schema": schema}  # fmt: skip


def _path(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answer(description: str, schema: str | None) -> Schema:
    shape = ANYTHING if schema is None else _ref(schema)
    return {"description": description, "content": {"application/json": {"schema": shape}}}


def _problem(description: str) -> Schema:
    return _answer(description, "Problem")


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _schemas() -> Schema:
    return {
        "Problem": _object(error=TEXT),
        "RunRequest": _object(task={"type": "string", "enum": list(TASKS)}),
        "RunAnswer": _object(
            environment=TEXT,
            task=TEXT,
            answer={"type": "string", "enum": ["started", "queued", "already waiting"]},
        ),
        "Environments": _object(schema=TEXT, environments=_list(_ref("Environment"))),
        "Environment": _environment(),
        "Runs": _object(schema=TEXT, runs=_list(_ref("RunLine"))),
        "RunLine": _run_line(),
        "Run": {"allOf": [_ref("RunLine"), _object(certificates=_list(ANYTHING),
                                                   actions=_list(ANYTHING))]},
        "Plan": _object(
            schema=TEXT,
            situations=COUNTS,
            **{name: _list(ANYTHING) for name in (
                "changes", "adopted", "pending", "reports", "saved", "conflicts", "gates",
                "certificates",
            )},
        ),
        "People": _object(schema=TEXT, people=_list(_found())),
        "Explanations": _object(schema=TEXT, explanations=_list(_explanation())),
        "Conflicts": _object(
            schema=TEXT,
            as_of=MOMENT,
            environments=_list(_object(environment=TEXT, conflicts=_list(_conflict()))),
        ),
    }  # fmt: skip


def _environment() -> Schema:
    return _object(
        name=TEXT,
        kept_here=FLAG,
        keeper=MAYBE,
        running=MAYBE,
        queued=MAYBE,
        next={"type": "object", "additionalProperties": TEXT},
        quarantined=MAYBE,
        status=_object(schema=TEXT, environment=TEXT, url=TEXT, known=FLAG),
    )


def _run_line() -> Schema:
    return _object(
        run=NUMBER,
        environment=TEXT,
        command=TEXT,
        started=MOMENT,
        finished=MAYBE_MOMENT,
        plan=MAYBE,
        exit_code=MAYBE_NUMBER,
        situations=COUNTS,
        outcomes=COUNTS,
        gates=_list(ANYTHING),
        problem=MAYBE,
        recovered=NUMBER,
        seconds={"type": ["number", "null"]},
        killed=FLAG,
    )


def _found() -> Schema:
    user = _object(id=TEXT, user_name=MAYBE, full_name=MAYBE, disabled=MAYBE_FLAG, deleted=FLAG)
    user["type"] = ["object", "null"]
    return _object(environment=TEXT, persons=_list(TEXT), user=user)


def _explanation() -> Schema:
    return _object(
        schema=TEXT,
        environment=TEXT,
        as_of=MOMENT,
        persons=_list(ANYTHING),
        user={"type": ["object", "null"]},
        judged=_list(ANYTHING),
        fresh=FLAG,
        certified=FLAG,
        decisions=_list(ANYTHING),
        last_plan=_list(ANYTHING),
        audit=_list(ANYTHING),
    )


def _conflict() -> Schema:
    return _object(
        code=TEXT,
        user=TEXT,
        user_name=MAYBE,
        profiles=_list(TEXT),
        rows=_list(TEXT),
        chosen=MAYBE,
        open=FLAG,
        first_seen=MOMENT,
        last_seen=MOMENT,
        ended=MAYBE_MOMENT,
        ended_by=MAYBE,
    )
