"""
What every request passes: who is asked, how much is sent, and what every answer carries.

A web page anywhere may have a browser send requests to a server on this machine, under a
name that its owner lets point here. So only names that are ours are answered.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncd.config.service import Admin
from syncd.service.admin.answers import refused
from syncd.service.admin.refusal import Refusal

__all__ = ["LARGEST_BODY", "cross_site", "guarded", "ours"]

LARGEST_BODY = 16 * 1024
LARGEST_HEAD = 16 * 1024
LONGEST_ADDRESS = 4 * 1024
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer. No script may run; nothing may be framed, cached or read by another site."""


def guarded(inner: ASGIApp, settings: Callable[[], Admin]) -> ASGIApp:
    """Let through to *inner* only what is meant for us and is not too large."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            _look(scope, _names(scope, settings()))
        except Refusal as refusal:
            await refused(scope["path"], refusal)(scope, receive, sending)
        else:
            await inner(scope, receive, sending)

    return application


def ours(settings: Admin) -> frozenset[str]:
    """Return the names that this server answers to, without ports."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    listen = settings.listen.rpartition(":")[0].strip("[]")
    names = {listen, *settings.hosts, *([public] if public else [])}
    return LOOPBACK | {name.strip("[]").lower() for name in names}


def _names(scope: Scope, settings: Admin) -> frozenset[str]:
    """Return our names, with the address at which a request came in if all are listened on."""
    here = scope["server"][0] if scope.get("server") and _anywhere(settings) else "localhost"
    return ours(settings) | {here}


def _anywhere(settings: Admin) -> bool:
    """Whether all addresses of this machine are listened on; each of them is then ours."""
    try:
        return ip_address(settings.listen.rpartition(":")[0].strip("[]")).is_unspecified
    except ValueError:
        return False


def _look(scope: Scope, names: frozenset[str]) -> None:
    headers = Headers(scope=scope)
    if _host(headers.get("host", "")) not in names:
        raise Refusal(421, "this server does not answer to that name; admin.hosts adds names")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEAD:
        raise Refusal(431, "the head of the request is too large")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_BODY:
        raise Refusal(413, f"the request is too large; {LARGEST_BODY:,} bytes are enough")
    if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > LONGEST_ADDRESS:
        raise Refusal(414, f"the address is too long; {LONGEST_ADDRESS:,} characters are enough")


def _host(header: str) -> str | None:
    """Return the name in a Host header, None where there is none."""
    try:
        return urlsplit(f"//{header}").hostname if not set(header) & set("/@?#\\") else None
    except ValueError:
        return None


def cross_site(headers: Headers, settings: Admin) -> bool:
    """Tell whether a browser says that a page of another site sends this request."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    mine = {f"http://{headers.get('host', '')}".lower()}
    if settings.public_url:
        public = urlsplit(settings.public_url)
        mine.add(f"{public.scheme}://{public.netloc}".lower())
    origin = headers.get("origin")
    return origin is not None and origin.lower() not in mine
