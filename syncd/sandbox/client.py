"""A small client of a running sandbox, for `dump` and `seed`. Standard library only."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from syncd.sandbox.errors import SandboxError
from syncd.sandbox.tables import WORLD_SETS

__all__ = ["post_batches", "run_dump", "send"]

ROOT = "/api/data/v9.2/"
TIMEOUT = 60.0


def run_dump(url: str) -> str:
    """
    Return all rows of the sandbox at this address, in the form that `--load` takes.

    One row a line. Raises SandboxError if it cannot be reached or does not answer as a sandbox.
    """
    parts = []
    for name in WORLD_SETS:
        rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in _rows(url, name))
        parts.append(f'"{name}": [\n  {rows}\n]' if rows else f'"{name}": []')
    return "{\n" + ",\n".join(parts) + "\n}"


def _rows(url: str, name: str) -> Iterator[dict[str, Any]]:
    link: str | None = url.rstrip("/") + ROOT + name
    while link is not None:
        page = json.loads(send("GET", link))
        for row in page["value"]:
            yield {column: value for column, value in row.items() if "@" not in column}
        link = page.get("@odata.nextLink")


def post_batches(
    url: str, operations: Iterable[tuple[str, str, Mapping[str, object]]], size: int = 1000
) -> None:
    """
    Send operations (method, path below the root, body) in batches.

    Raises SandboxError for the first operation that is refused, with what the sandbox said.
    """
    waiting: list[tuple[str, str, Mapping[str, object]]] = []
    for operation in operations:
        waiting.append(operation)
        if len(waiting) == size:
            _post_batch(url, waiting)
            waiting = []
    if waiting:
        _post_batch(url, waiting)


def _post_batch(url: str, operations: list[tuple[str, str, Mapping[str, object]]]) -> None:
    lines = []
    for method, path, body in operations:
        lines.append(
            "--seed\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            f"{method} {ROOT}{path} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
            f"{json.dumps(body)}\r\n"
        )
    content = ("".join(lines) + "--seed--\r\n").encode()
    headers = {"Content-Type": 'multipart/mixed; boundary="seed"'}
    send("POST", url.rstrip("/") + ROOT + "$batch", headers, content)


def send(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """
    Send one request to a sandbox, which may show a certificate of its own making.

    Raises SandboxError: it cannot be reached, or refuses.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        request = urllib.request.Request(  # noqa: S310  # an operator names the address
            url, data=body, headers=dict(headers or {}), method=method
        )
        with opener.open(request, timeout=TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")
        raise SandboxError(f"{url} answered {error.code}: {said[-300:].strip()}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise SandboxError(f"{url} cannot be reached: {reason}.") from error
