"""Asking Entra ID for a token, through MSAL."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from syncd.config.models import Certificate, ClientSecret, Federated
from syncd.connectors.auth.denials import denial
from syncd.connectors.auth.tokens import Ask, Token
from syncd.connectors.auth.wire import Wire
from syncd.core.errors import ConfigError, TargetRefused

__all__ = ["AUTHORITY", "ODD", "Application", "ask_entra", "authority_of", "token_in"]

AUTHORITY = "https://login.microsoftonline.com"
"""Where tokens come from in the worldwide cloud (identity-and-sources.md section 1.6)."""
CLOUDS = {
    ".microsoftdynamics.us": "https://login.microsoftonline.us",
    ".appsplatform.us": "https://login.microsoftonline.us",
    ".dynamics.cn": "https://login.partner.microsoftonline.cn",
    "graph.microsoft.us": "https://login.microsoftonline.us",
    "microsoftgraph.chinacloudapi.cn": "https://login.partner.microsoftonline.cn",
}
"""Where tokens come from for environments, and for Graph, of the other clouds (section 1.6)."""
LIFE = 3599.0
"""Seconds that a token is taken to live where its answer does not say."""
ODD = (ValueError, LookupError, AttributeError, TypeError, RuntimeError, httpx.InvalidURL)
"""What MSAL makes of answers that are not what it expects."""

Application = ClientSecret | Certificate | Federated


def authority_of(url: str) -> str:
    """Return where an environment's tokens come from unless settings say otherwise."""
    host = httpx.URL(url).host
    return next((each for end, each in CLOUDS.items() if host.endswith(end)), AUTHORITY)


def ask_entra(
    auth: Application, base: str, scope: str, wire: Callable[[], AbstractContextManager[Wire]]
) -> Ask:
    """
    Return how to get a token for *scope* from the authority at *base*.

    Each question has an MSAL application of its own, whose caches are empty: they would
    answer again with a refusal that is a minute old, and files are read anew.
    """

    def ask(claims: str | None) -> Token:
        import msal  # noqa: PLC0415  # slow to import, and the sandbox needs none

        credential = _credential(auth)
        with wire() as way:
            try:
                application = msal.ConfidentialClientApplication(
                    auth.client_id,
                    authority=f"{base}/{auth.tenant_id}",
                    client_credential=credential,
                    client_capabilities=["CP1"],  # we answer claims challenges
                    http_client=way,
                    instance_discovery=False,  # nobody else is asked about the authority
                )
                answer = application.acquire_token_for_client(
                    [scope], claims_challenge=claims, http_exceptions=(httpx.HTTPError,)
                )
            except ODD as exc:
                raise TargetRefused(_no_answer(way)) from exc
        return token_in(answer, denial(answer, way.skew))

    return ask


def _no_answer(way: Wire) -> str:
    """Say what a refused discovery says, or that nobody can make anything of the answers."""
    if way.refused:
        return denial(way.refused, way.skew)
    return (
        "signing in failed: the authority gave no usable answer for this tenant; "
        "check auth.tenant_id and auth.authority"
    )


def token_in(answer: Mapping[str, Any], refusal: str) -> Token:
    """Return the token in an answer. Raises TargetRefused with *refusal* if there is none."""
    text = answer.get("access_token")
    if not isinstance(text, str) or not text:
        raise TargetRefused(refusal)
    life = _number(answer.get("expires_in"), LIFE)
    now = time.time()
    return Token(text, life, _number(answer.get("refresh_on"), now + life) - now)


def _number(value: object, otherwise: float) -> float:
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return otherwise


def _credential(auth: Application) -> str | dict[str, Any]:
    match auth:
        case ClientSecret():
            return auth.client_secret.get_secret_value()
        case Certificate():
            return _certificate(auth)
        case Federated():
            return {"client_assertion": lambda: _federated(auth.token_file)}


def _certificate(auth: Certificate) -> dict[str, Any]:
    from syncd.connectors.auth.certificates import load_certificate  # noqa: PLC0415  # as msal

    passphrase = None if auth.passphrase is None else auth.passphrase.get_secret_value()
    try:
        held = load_certificate(auth.certificate, passphrase)
    except ConfigError as exc:  # the file was right when we began
        raise TargetRefused(str(exc)) from exc
    held.in_time(datetime.now(UTC), auth.certificate)
    return held.credential(send_chain=auth.send_chain)


def _federated(path: Path) -> str:
    """Read the token that the surroundings provide; they change it under way."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        raise _no_file(path, "does not exist") from None
    except OSError as exc:
        raise _no_file(path, f"cannot be read ({exc.strerror})") from None
    except UnicodeDecodeError:
        raise _no_file(path, "holds no token") from None
    if not text:
        raise _no_file(path, "is empty")
    if text.count(".") != 2 or len(text.split()) != 1:
        raise _no_file(path, "holds no token")
    return text


def _no_file(path: Path, says: str) -> TargetRefused:
    return TargetRefused(
        f"signing in failed: auth.token_file {path} {says}; see whether the surroundings "
        "write it there (in Kubernetes: the service account's label and the webhook)"
    )
