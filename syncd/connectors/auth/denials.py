"""What Entra ID says when it gives no token: its code, what that means, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MEANINGS", "Meaning", "codes_in", "denial", "no_identity"]

SKEWED = 120.0
"""Seconds by which clocks must differ to be spoken of."""

_codes = re.compile(r"\bAADSTS(\d{4,8})\b").findall
_named = re.compile(r"[A-Za-z0-9_.-]{1,60}").fullmatch


@dataclass(frozen=True, slots=True)
class Meaning:
    """One kind of refusal, in words for somebody who can change the settings."""

    says: str
    remedy: str


_TENANT = Meaning(
    "there is no such directory", "check auth.tenant_id, and auth.authority for another cloud"
)
_RESTRICTED = Meaning(
    "tenant restrictions of the network do not allow this directory",
    "let whoever runs the proxy allow auth.tenant_id",
)
_APPLICATION = Meaning(
    "the directory has no such application",
    "check auth.client_id, and that auth.tenant_id is the environment's directory and has an "
    "enterprise application of this id",
)
_DISABLED = Meaning(
    "the application is disabled in the directory",
    "enable its enterprise application, or register another one",
)
_SECRET = Meaning(
    "the secret is wrong", "give the secret's value, which is not its id, as auth.client_secret"
)
_EXPIRED = Meaning(
    "the secret has expired", "make a new one in the app registration for auth.client_secret"
)
_UNPROVEN = Meaning(
    "no secret, certificate or federated token came along",
    "check auth.method and what belongs to it",
)
_CERTIFICATE = Meaning(
    "the certificate is not registered with the application",
    "upload the public part of auth.certificate in the app registration, or set "
    "auth.send_chain where it trusts a subject name and issuer",
)
_SUBJECT = Meaning(
    "the certificate's subject name or issuer is not one that the application trusts",
    "compare both with the application's trusted names",
)
_OUTDATED = Meaning(
    "the certificate is over or revoked", "put a new one into auth.certificate and register it"
)
_OVER = Meaning(
    "what syncd signed in with is over or not yet valid",
    "set this machine's clock, and see that auth.token_file is renewed",
)
_FEDERATED = Meaning(
    "no federated credential of the application fits the token",
    "compare issuer, subject and audience of the application's federated credentials with "
    "those of the token in auth.token_file",
)
_MALFORMED = Meaning(
    "the token is none that the directory can read", "see what auth.token_file holds"
)
_RESOURCE = Meaning(
    "the directory does not know the environment",
    "check the environment's url, and that it belongs to the directory auth.tenant_id",
)
_CONSENT = Meaning(
    "nobody has consented to the application", "let an administrator of the directory consent"
)
_POLICY = Meaning(
    "a Conditional Access policy forbids it",
    "let an administrator look at the sign-in log and except this application or its address",
)
_ROLE = Meaning(
    "the application is not assigned to what it asks for",
    "assign it in the enterprise application, or switch off that assignment is required",
)
_BUSY = Meaning("the authority is busy or ailing", "run again in a few minutes")
_REQUEST = Meaning(
    "the authority does not understand the request",
    "check auth.tenant_id, auth.client_id and auth.authority",
)
_OTHER = Meaning("", "look the code up, then check the settings under auth")
_SILENT = Meaning("", "check auth.tenant_id, auth.client_id and auth.authority")
_IDENTITY = Meaning(
    "no such managed identity belongs to this machine",
    "assign the identity to it, and give a user-assigned one's client id as auth.client_id",
)

MEANINGS: Mapping[str, Meaning] = {
    code: meaning
    for meaning, codes in {
        _TENANT: "90002 900023 90019 900382 50059 50128 50194 50049",
        _RESTRICTED: "500021",
        _APPLICATION: "700016 700011 70001 50034 7000229",
        _DISABLED: "7000112",
        _SECRET: "7000215",
        _EXPIRED: "7000222",
        _UNPROVEN: "7000216 7000218 7000219",
        _CERTIFICATE: "700027 50012",
        _SUBJECT: "700030",
        _OUTDATED: "1000502 7000214",
        _OVER: "700024 500133",
        _FEDERATED: "70021 700211 700212 700213",
        _MALFORMED: "50027",
        _RESOURCE: "500011 50001 650052 650057 70011",
        _CONSENT: "65001 650056 90094",
        _POLICY: "53003 530035",
        _ROLE: "50105 501051",
        _BUSY: "50196 90033 90006 90012 90024",
        _REQUEST: "90014 90013 900144 9002313 700023 1002012",
    }.items()
    for code in codes.split()
}
"""By the number after AADSTS; what is not here is named by its number alone."""


def denial(answer: Mapping[str, Any], skew: float = 0.0) -> str:
    """
    Say why there is no token, from the authority's answer.

    Only codes are taken from it: its descriptions may quote what was sent. *skew* is by
    how many seconds this machine's clock is ahead of the authority's.
    """
    name = str(answer.get("error", ""))
    name = name if _named(name) else "no token"
    codes = codes_in(str(answer.get("error_description", "")))
    listed = answer.get("error_codes")
    if not codes and isinstance(listed, list):
        codes = [str(each) for each in listed if isinstance(each, int)]
    meaning = next((MEANINGS[code] for code in codes if code in MEANINGS), None)
    meaning = meaning or (_OTHER if codes else _SILENT)
    return _worded(meaning, " ".join([name, *(f"AADSTS{code}" for code in codes[:3])]), skew)


def no_identity(answer: Mapping[str, Any]) -> str:
    """Say why the platform gives no token for a managed identity."""
    if codes_in(str(answer.get("error_description", ""))):
        return denial(answer)
    name = str(answer.get("error", ""))
    return _worded(_IDENTITY, name if _named(name) else "no token")


def _worded(meaning: Meaning, code: str, skew: float = 0.0) -> str:
    """Put a meaning into the sentence of an error."""
    says = f": {meaning.says}" if meaning.says else ""
    clock = ""
    if meaning is _OVER and abs(skew) > SKEWED:
        side = "ahead of" if skew > 0 else "behind"
        clock = f" (it is {abs(skew) / 60:.0f} minutes {side} the authority's)"
    remedy = meaning.remedy.replace("machine's clock", f"machine's clock{clock}")
    return f"signing in failed ({code}){says}; {remedy}"


def codes_in(text: str) -> list[str]:
    """Return the numbers of the AADSTS codes in a text, in its order, each once."""
    return list(dict.fromkeys(_codes(text)))
