"""A certificate's file: everything that can be wrong with it has its sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from pydantic import SecretStr

from syncd.config.models import Certificate
from syncd.connectors.auth import open_auth
from syncd.connectors.auth.certificates import load_certificate
from syncd.core.errors import ConfigError, TargetRefused
from tests.connectors.pairs import Pair, make_pair

URL = "https://contoso.crm4.dynamics.com"
DAY = timedelta(days=1)
PAIR = make_pair("CN=syncd")
OTHER = make_pair("CN=other")
CURVE = make_pair("CN=curve", key=ec.generate_private_key(ec.SECP256R1()))
LOCK = "s3sam"


def settings(path: Path, passphrase: str | None = None) -> Certificate:
    """Return the settings of an application with this file."""
    return Certificate(
        method="certificate",
        tenant_id="tenant1",
        client_id="app1",
        certificate=path,
        passphrase=None if passphrase is None else SecretStr(passphrase),
    )


WRONG: dict[str, tuple[Callable[[], bytes], str | None, str]] = {
    "empty": (lambda: b" \n", None, "is empty"),
    "neither": (lambda: b"hello", None, "is neither PEM nor PFX"),
    "broken PFX": (lambda: PAIR.pfx()[:200], None, "is neither a PEM nor a PFX that can be read"),
    "no key": (PAIR.cert_pem, None, "has no private key; put the key and the certificate into"),
    "no certificate": (PAIR.key_pem, None, "has no certificate; put the key and the certificate"),
    "broken key": (
        lambda: PAIR.cert_pem() + PAIR.key_pem().replace(b"\nM", b"\nX", 1),
        None,
        "has a key that cannot be read",
    ),
    "broken certificate": (
        lambda: PAIR.key_pem() + PAIR.cert_pem().replace(b"\nM", b"\nX", 1),
        None,
        "has a certificate that cannot be read",
    ),
    "locked PEM": (
        lambda: PAIR.cert_pem() + PAIR.key_pem(LOCK),
        None,
        "has a locked key; give auth.passphrase",
    ),
    "wrong passphrase of PEM": (
        lambda: PAIR.cert_pem() + PAIR.key_pem(LOCK),
        "wr0ng",
        "has a key that auth.passphrase does not open",
    ),
    "locked PFX": (lambda: PAIR.pfx(LOCK), None, "is a locked PFX; give auth.passphrase"),
    "wrong passphrase of PFX": (
        lambda: PAIR.pfx(LOCK),
        "wr0ng",
        "is a PFX that auth.passphrase does not open",
    ),
    "PFX without key": (
        lambda: pkcs12.serialize_key_and_certificates(
            b"x", None, PAIR.certificate, None, NoEncryption()
        ),
        None,
        "has no private key; export the PFX together with its key",
    ),
    "PFX without certificate": (
        lambda: pkcs12.serialize_key_and_certificates(b"x", PAIR.key, None, None, NoEncryption()),
        None,
        "has no certificate; export the PFX together with its certificate",
    ),
    "another's key": (
        lambda: PAIR.cert_pem() + OTHER.key_pem(),
        None,
        "has a key that does not belong to its certificate",
    ),
    "not RSA": (
        lambda: CURVE.cert_pem() + CURVE.key_pem(),
        None,
        "has a key that is not RSA",
    ),
}


def asked() -> httpx.Request:
    """Return what is to be signed."""
    return httpx.Request("GET", URL)


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_will_not_do_has_its_sentence(tmp_path: Path, kind: str) -> None:
    """Before anything is sent; the file is named, the passphrase is not."""
    content, passphrase, says = WRONG[kind]
    path = tmp_path / "syncd.pem"
    path.write_bytes(content())

    with pytest.raises(ConfigError) as raised:
        open_auth(URL, settings(path, passphrase))

    (problem,) = raised.value.problems
    assert problem.startswith(f"auth.certificate: the file {path} {says}")
    assert "wr0ng" not in problem


def test_a_file_that_is_not_there_has_its_sentence(tmp_path: Path) -> None:
    """So has one that is a folder."""
    with pytest.raises(ConfigError, match=r"missing\.pem does not exist"):
        open_auth(URL, settings(tmp_path / "missing.pem"))
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        open_auth(URL, settings(tmp_path))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [(-2 * DAY, -DAY, "expired at"), (DAY, 2 * DAY, "is not valid before")],
)
def test_a_certificate_out_of_its_time_is_not_sent(
    tmp_path: Path, since: timedelta, until: timedelta, says: str
) -> None:
    """It is judged when it is used: the daemon may have begun while it was right."""
    path = make_pair("CN=old", since=since, until=until).write(tmp_path, "pem")
    auth = open_auth(URL, settings(path))
    request = asked()

    with pytest.raises(TargetRefused, match=f"the certificate in {path} {says}.*nothing was sent"):
        next(auth.sync_auth_flow(request))

    assert "Authorization" not in request.headers


def test_a_certificate_that_vanishes_under_way_is_a_refusal(tmp_path: Path) -> None:
    """The configuration was right when it was read."""
    path = PAIR.write(tmp_path, "pem")
    auth = open_auth(URL, settings(path))
    path.unlink()

    with pytest.raises(TargetRefused, match="does not exist"):
        next(auth.sync_auth_flow(asked()))

    assert not path.exists()


@pytest.mark.parametrize("first", [PAIR, OTHER])
def test_the_certificate_of_the_key_is_found_in_any_order(tmp_path: Path, first: Pair) -> None:
    """A chain may stand before it; the leaf is sent first."""
    second = OTHER if first is PAIR else PAIR
    path = tmp_path / "chain.pem"
    path.write_bytes(first.cert_pem() + PAIR.key_pem() + second.cert_pem())

    held = load_certificate(path, None)

    assert held.certificate == PAIR.certificate
    chain = held.credential(send_chain=True)["public_certificate"]
    assert chain.encode() == PAIR.cert_pem() + OTHER.cert_pem()
    assert "PRIVATE" not in repr(held)


def test_a_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    """A key that is not locked opens all the same."""
    path = PAIR.write(tmp_path, "pem")

    assert load_certificate(path, LOCK).certificate == PAIR.certificate
