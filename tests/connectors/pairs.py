"""Certificates with their keys, right and wrong, as files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

__all__ = ["Key", "Pair", "make_pair"]

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate that its own key has signed."""

    certificate: x509.Certificate
    key: Key

    def cert_pem(self) -> bytes:
        """Return the certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: str | None = None) -> bytes:
        """Return the key as text, locked with a passphrase if one is given."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _lock(passphrase))

    def pfx(self, passphrase: str | None = None) -> bytes:
        """Return both as PFX."""
        return pkcs12.serialize_key_and_certificates(
            b"syncd", self.key, self.certificate, None, _lock(passphrase)
        )

    def write(self, folder: Path, kind: str, passphrase: str | None = None) -> Path:
        """Write both into one file of a kind: pem or pfx."""
        path = folder / f"syncd.{kind}"
        pem = self.cert_pem() + self.key_pem(passphrase) if kind == "pem" else b""
        path.write_bytes(pem or self.pfx(passphrase))
        return path


def _lock(passphrase: str | None) -> KeySerializationEncryption:
    return NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())


def make_pair(
    name: str, *, since: timedelta = -DAY, until: timedelta = DAY, key: Key | None = None
) -> Pair:
    """Make a certificate that is valid from *since* to *until*, counted from now."""
    key = key or rsa.generate_private_key(65537, 2048)
    subject, now = x509.Name.from_rfc4514_string(name), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since)
        .not_valid_after(now + until)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)
