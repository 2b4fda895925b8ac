"""Why an environment turns everything down: in words for somebody who can change that."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

import httpx

from syncd.connectors.dataverse.faults import Error, read_error, worded

__all__ = ["reason", "remedy"]

CLOSED = "8004a104"
"""OrganizationDisabled: also an environment in administration mode says so to others."""
DISABLED = "8004a112"
STRANGER = "80072560"
"""The caller is no user of the environment, though its token is good."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SKEWED = 300.0
"""Seconds by which clocks may differ before a token is too old or too young (identity)."""
_privilege = re.compile(r"\bprv[A-Za-z_]{3,80}\b").search


def reason(response: httpx.Response, host: str) -> str | None:
    """
    Say why *host* answers nothing but this to anybody like us; None if it may be otherwise.

    Nothing of a web page or of where a redirect leads is quoted but the name of a host.
    """
    status, error = response.status_code, read_error(response.content)
    if status in REDIRECTS:
        return (
            f"{host} redirects elsewhere{_whither(response)} (status {status}), as sign-in pages "
            "and proxies do; it was not followed. Check the environment's url and http.proxy"
        )
    skew = _skew(response)
    if status == 401 and abs(skew) > SKEWED:
        side = "ahead of" if skew > 0 else "behind"
        return (
            f"{host} does not accept our token (status 401), and this machine's clock is "
            f"{abs(skew) / 60:.0f} minutes {side} the environment's; set the clock"
        )
    known = remedy(error)
    if known:
        return f"{host} {known[0]}: {worded(status, error)}; {known[1]}"
    if status == 403 and _page(response):
        return (
            f"{host} answered with a web page and status 403, which is a proxy's or a firewall's "
            "and not the environment's; let whoever runs it allow this machine"
        )
    return None


def remedy(error: Error) -> tuple[str, str] | None:
    """Say what an error means that has to do with who we are, and what to do about it."""
    said = error.message.lower()
    if error.code == CLOSED or "administration mode" in said:
        return (
            "is disabled or in administration mode",
            "switch it on again in the Power Platform admin center, or wait until that is done",
        )
    if error.code == DISABLED:
        return (
            "has disabled syncd's application user",
            "enable it in the Power Platform admin center under Application users",
        )
    if error.code == STRANGER or "is not a member of the organization" in said:
        return (
            "has no application user for this client id",
            "add one in the Power Platform admin center under Application users, with a role",
        )
    lacks = _privilege(error.message)
    if lacks is not None:
        return (
            f"wants the privilege {lacks[0]}, which syncd's application user lacks",
            "give it a security role that has this privilege (syncd doctor names all)",
        )
    return None


def _page(response: httpx.Response) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def _whither(response: httpx.Response) -> str:
    try:
        there = httpx.URL(response.headers.get("Location", "")).host
    except httpx.InvalidURL:
        return ""
    return f", to {there}" if there else ""


def _skew(response: httpx.Response) -> float:
    """Return by how many seconds our clock is ahead of the server's; 0 where it tells no time."""
    try:
        return time.time() - parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return 0.0
