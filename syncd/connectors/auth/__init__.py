"""
Signing in to an environment.

    open_auth ── flow.EntraAuth ── tokens.Tokens ──┬── entra ──┬── wire ── authority
    (settings)   (each request)    (all lanes)     │           └── certificates
                                                   └── machine ── wire ── platform

    open_web_auth ── simple.OAuthAuth ── tokens.Tokens ── wire ── token_url
    (a source)    └─ simple.HeaderAuth
"""

from syncd.connectors.auth.entra import AUTHORITY, authority_of
from syncd.connectors.auth.flow import EntraAuth, NoAuth
from syncd.connectors.auth.opening import open_auth
from syncd.connectors.auth.simple import open_web_auth

__all__ = ["AUTHORITY", "EntraAuth", "NoAuth", "authority_of", "open_auth", "open_web_auth"]
