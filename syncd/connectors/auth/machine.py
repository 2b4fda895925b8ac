"""Asking the platform for a token of the identity that it gives to the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from syncd.config.models import ManagedIdentity
from syncd.connectors.auth.denials import no_identity
from syncd.connectors.auth.entra import ODD, token_in
from syncd.connectors.auth.tokens import Ask, Token
from syncd.connectors.auth.wire import Wire
from syncd.core.errors import TargetRefused

__all__ = ["PASSING", "ask_machine", "endpoint"]

PASSING = frozenset({404, 410})
"""Statuses of a metadata service that pass (identity-and-sources.md section 1.5)."""


def endpoint() -> str:
    """Name who will be asked, by the variables that MSAL looks at (section 1.5)."""
    if "IDENTITY_ENDPOINT" in os.environ and "IDENTITY_HEADER" in os.environ:
        return "the platform's identity endpoint (IDENTITY_ENDPOINT)"
    return "the metadata service of the machine"


def ask_machine(
    auth: ManagedIdentity, resource: str, wire: Callable[[], AbstractContextManager[Wire]]
) -> Ask:
    """Return how to get a token for *resource*; each question has a client of its own."""

    def ask(claims: str | None) -> Token:
        import msal  # noqa: PLC0415  # slow to import, and the sandbox needs none

        if "IDENTITY_SERVER_THUMBPRINT" in os.environ:
            raise TargetRefused(
                'auth.method "managed-identity" does not work in Service Fabric; '
                "use a certificate or a federated token there"
            )
        try:
            with wire() as way:
                client = msal.ManagedIdentityClient(
                    _which(msal, auth.client_id), http_client=way, client_capabilities=["CP1"]
                )
                answer = client.acquire_token_for_client(resource=resource, claims_challenge=claims)
        except (*ODD, OSError) as exc:
            raise TargetRefused(
                f"signing in failed: {endpoint()} gave no usable answer; "
                "see that this machine has a managed identity"
            ) from exc
        return token_in(answer, no_identity(answer))

    return ask


def _which(msal: Any, client_id: str | None) -> Any:
    if client_id is None:
        return msal.SystemAssignedManagedIdentity()
    return msal.UserAssignedManagedIdentity(client_id=client_id)
