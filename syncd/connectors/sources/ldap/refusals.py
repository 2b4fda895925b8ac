"""What a directory says no with, in one sentence that says what to do."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import ldap

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.settings import Server

__all__ = ["telling", "tls_trouble"]

LOGON = {
    "525": "there is no such account; correct bind.user",
    "52e": "the password is wrong; correct bind.password",
    "530": "the account may not sign in at this hour",
    "531": "the account may not sign in from this machine",
    "532": "the account's password has expired; give it a new one",
    "533": "the account is disabled; enable it",
    "701": "the account has expired; extend it",
    "773": "the account must change its password first; give it one that stays",
    "775": "the account is locked; unlock it",
}
"""Active Directory's reasons, as `data 52e` in the text of an answer to a bind ([MS-ADTS])."""

SENTENCES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (ldap.INVALID_CREDENTIALS, "the bind is refused; correct bind.user and bind.password"),
    (
        (ldap.STRONG_AUTH_REQUIRED, ldap.CONFIDENTIALITY_REQUIRED),
        "the server binds nobody without TLS; use an ldaps:// address or start_tls",
    ),
    (
        (ldap.INAPPROPRIATE_AUTH, ldap.AUTH_METHOD_NOT_SUPPORTED, ldap.AUTH_UNKNOWN),
        "the server does not take this kind of bind; choose another bind.method",
    ),
    (ldap.INSUFFICIENT_ACCESS, "the account may not read this; give it the right to"),
    (
        ldap.NO_SUCH_OBJECT,
        "there is no such base, or the account may not see it; correct the base of the search",
    ),
    (ldap.INVALID_DN_SYNTAX, "the base is not a distinguished name; correct it"),
    (ldap.FILTER_ERROR, "the filter cannot be read; check its parentheses"),
    (
        (ldap.REFERRAL, ldap.PARTIAL_RESULTS),
        "the base lies on another server; name that one in urls, or narrow the base",
    ),
    (
        ldap.SIZELIMIT_EXCEEDED,
        "the server gives no more entries than its size limit; make page_size smaller, or have "
        "the limit for paged searches lifted for this account",
    ),
    (
        (ldap.TIMELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED),
        "the search takes more than the server grants; narrow the filter or the base",
    ),
    (
        ldap.UNAVAILABLE_CRITICAL_EXTENSION,
        "the server does not know a control that this needs, or takes its cookie no longer; the "
        "next read begins anew",
    ),
    ((ldap.BUSY, ldap.UNAVAILABLE), "the server is busy; the next run tries again"),
    (ldap.TIMEOUT, "no answer came in time; the next run tries again, or make timeout longer"),
    (
        ldap.OPERATIONS_ERROR,
        "the server does not do this, perhaps because the bind was an anonymous one; check bind",
    ),
    (
        (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE),
        "the connection cannot be made or broke off; check the address, the port and the network",
    ),
)


@contextmanager
def telling(what: str) -> Iterator[None]:
    """
    Turn every error of the library into Unread.

    *what* is the beginning of the sentence: the source, the address and what was done
    there. What the server wrote is not repeated: it may name accounts.
    """
    try:
        yield
    except ldap.LDAPError as error:
        raise Unread(f"{what}: {_sentence(error)}") from error


def _sentence(error: ldap.LDAPError) -> str:
    said = _said(error)
    reason = re.search(r"\bdata ([0-9a-f]{3,4})\b", str(said.get("info", "")))
    if isinstance(error, ldap.INVALID_CREDENTIALS) and reason and reason[1] in LOGON:
        return LOGON[reason[1]]
    for kinds, sentence in SENTENCES:
        if isinstance(error, kinds):
            return sentence
    if isinstance(error, ldap.LOCAL_ERROR):
        return "this machine has no usable Kerberos ticket; check KRB5CCNAME and krb5.conf"
    known = said.get("desc") or type(error).__name__
    return f"the server answers with an error ({known}); ask who runs it"


def _said(error: ldap.LDAPError) -> Mapping[str, object]:
    found = error.args[0] if error.args else None
    return found if isinstance(found, dict) else {}


def tls_trouble(url: str, server: Server) -> str | None:
    """
    Say why no TLS connection comes about, None where TLS is not to blame.

    The library says only that the server cannot be reached (real-components.md section 1),
    so Python's own TLS is asked.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.create_default_context(cafile=server.ca_file and str(server.ca_file))
    try:
        with (
            socket.create_connection((host, parts.port or 636), server.timeout) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return (
            f"the server's certificate is not trusted ({error.verify_message.rstrip('.')}); "
            "put the certificate of its authority into ca_file"
        )
    except ssl.SSLError:
        return "the server does not speak TLS 1.2 or newer on this port; check the address"
    except OSError:
        return None
