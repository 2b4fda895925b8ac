"""The certificate that an application signs in with: a file with its key, PEM or PFX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from syncd.core.errors import ConfigError, TargetRefused

__all__ = ["Held", "load_certificate"]

_keys = re.compile(
    rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----", re.DOTALL
).finditer
_PEM = b"-----BEGIN "
_REMEDY = "check auth.certificate"
_DAY = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate and the key that fits it."""

    certificate: x509.Certificate
    key: RSAPrivateKey = field(repr=False)
    others: tuple[x509.Certificate, ...] = ()

    def in_time(self, now: datetime, path: Path) -> Held:
        """Return it if it is valid at *now*; else raise TargetRefused."""
        since, until = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if now > until:
            raise TargetRefused(
                f"the certificate in {path} expired at {until.strftime(_DAY)}, so nothing was "
                "sent; put a new one there and register it with the application"
            )
        if now < since:
            raise TargetRefused(
                f"the certificate in {path} is not valid before {since.strftime(_DAY)}, so "
                "nothing was sent; wait until then, or set this machine's clock"
            )
        return self

    def credential(self, *, send_chain: bool) -> dict[str, Any]:
        """
        Return what MSAL signs with (identity-and-sources.md section 1.3).

        By thumbprint the application knows the certificate itself (`x5t`). With the chain
        it comes along (`x5c`, `x5t#S256`), and the application trusts its subject name
        and issuer.
        """
        private = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        if send_chain:
            chain = (self.certificate, *self.others)
            return {"private_key": private, "public_certificate": "".join(map(_pem, chain))}
        # Entra's own name for a registered certificate; nothing rests on the digest's strength.
        digest = self.certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303  # see above
        return {"private_key": private, "thumbprint": digest}


def load_certificate(path: Path, passphrase: str | None) -> Held:
    """Read a file with certificate and key. Raises ConfigError, which says what is wrong."""
    content = _content(path)
    secret = passphrase.encode() if passphrase else None
    if _PEM in content:
        found = _from_pem(content, secret, path)
    else:
        found = _from_pfx(content, secret, path)
    key, certificates = found
    if not isinstance(key, RSAPrivateKey):
        raise _wrong(path, f"has a key that is not RSA, and Entra ID takes no other; {_REMEDY}")
    fitting = [each for each in certificates if each.public_key() == key.public_key()]
    if not fitting:
        raise _wrong(
            path,
            f"has a key that does not belong to its certificate; {_REMEDY}, and put both "
            "halves of one pair into it",
        )
    leaf = fitting[0]
    return Held(leaf, key, tuple(each for each in certificates if each != leaf))


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _wrong(path, f"does not exist; {_REMEDY}") from None
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise _wrong(path, f"cannot be read ({reason}); {_REMEDY} and the file's rights") from None
    if not content.strip():
        raise _wrong(path, f"is empty; {_REMEDY}")
    return content


def _from_pem(
    content: bytes, passphrase: bytes | None, path: Path
) -> tuple[object, Sequence[x509.Certificate]]:
    blocks = [match[0] for match in _keys(content)]
    if not blocks:
        raise _wrong(path, "has no private key; put the key and the certificate into one file")
    key = _pem_key(blocks[0], passphrase, path)
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise _wrong(path, "has no certificate; put the key and the certificate into one file")
    try:
        return key, x509.load_pem_x509_certificates(content)
    except ValueError:
        raise _wrong(path, f"has a certificate that cannot be read; {_REMEDY}") from None


def _pem_key(block: bytes, passphrase: bytes | None, path: Path) -> object:
    locked = b"ENCRYPTED" in block
    if locked and passphrase is None:
        raise _wrong(path, "has a locked key; give auth.passphrase")
    try:
        return serialization.load_pem_private_key(block, passphrase if locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if locked:
            says = "has a key that auth.passphrase does not open; check the passphrase"
            raise _wrong(path, says) from None
        raise _wrong(path, f"has a key that cannot be read; {_REMEDY}") from None


def _from_pfx(
    content: bytes, passphrase: bytes | None, path: Path
) -> tuple[object, Sequence[x509.Certificate]]:
    try:
        key, certificate, more = pkcs12.load_key_and_certificates(content, passphrase)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise _wrong(path, _unopened(content, exc, given=passphrase is not None)) from None
    if key is None:
        raise _wrong(path, "has no private key; export the PFX together with its key")
    if certificate is None and not more:
        raise _wrong(path, "has no certificate; export the PFX together with its certificate")
    return key, [*([] if certificate is None else [certificate]), *more]


def _unopened(content: bytes, exc: Exception, *, given: bool) -> str:
    if not content.startswith(b"\x30"):  # a sequence, with which every PFX begins
        return f"is neither PEM nor PFX; {_REMEDY}"
    if "password" not in str(exc).lower():
        return f"is neither a PEM nor a PFX that can be read; {_REMEDY}"
    if given:
        return "is a PFX that auth.passphrase does not open; check the passphrase"
    return "is a locked PFX; give auth.passphrase"


def _wrong(path: Path, says: str) -> ConfigError:
    return ConfigError([f"auth.certificate: the file {path} {says}"])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
