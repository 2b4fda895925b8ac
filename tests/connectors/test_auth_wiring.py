"""From the configuration file to a signed request: what stands there is what is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from joserfc.jwk import RSAKey

from syncd.app import build
from syncd.core.errors import ConfigError
from tests.config.files import small, write
from tests.connectors.authority import (
    TENANT,
    Application,
    Authority,
    FederatedCredential,
    serve,
)
from tests.connectors.pairs import make_pair

PAIR = make_pair("CN=syncd")
METHODS: dict[str, dict[str, Any]] = {
    "client-secret": {"client_secret": {"env": "SECRET"}},
    "certificate": {"certificate": "syncd.pfx", "passphrase": {"env": "LOCK"}},
    "federated": {"token_file": "token"},
}
APPLICATIONS = {
    "client-secret": Application("app", secret="s3cret"),
    "certificate": Application("app", certificates=(PAIR.certificate,)),
    "federated": Application(
        "app",
        federated=FederatedCredential(
            "https://cluster.test", "syncd", RSAKey.import_key(PAIR.key_pem())
        ),
    ),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Give an authority with an environment beside it."""
    with serve(tmp_path_factory.mktemp("authority")) as running:
        yield running


def configured(folder: Path, authority: Authority, method: str, **auth: Any) -> Path:
    """Write a configuration and the files that belong to it."""
    PAIR.write(folder, "pfx", "s3sam")
    claims = {"iss": "https://cluster.test", "sub": "syncd", "aud": "api://AzureADTokenExchange"}
    token = jwt.encode({**claims, "exp": 4_000_000_000}, PAIR.key_pem(), "RS256")
    (folder / "token").write_text(token)
    document = small()
    common = {"method": method, "tenant_id": TENANT, "client_id": "app"}
    document["environments"]["contoso"] = {
        "url": authority.root,
        "auth": common | {"authority": authority.root} | METHODS[method] | auth,
        "http": {"ca_file": str(authority.ca_file)},
    }
    return write(folder, document)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_of_the_configuration_signs_in(
    tmp_path: Path, authority: Authority, method: str
) -> None:
    """Files are found beside the configuration; the metrics see the requests for the token."""
    authority.register(APPLICATIONS[method])
    told: list[tuple[str, str]] = []
    path = configured(tmp_path, authority, method)
    app = build(path, {"SECRET": "s3cret", "LOCK": "s3sam"})

    target = app.target("contoso", lambda operation, status, _: told.append((operation, status)))
    profiles = target.profiles()
    target.close()

    assert list(profiles) == []
    assert told == [("token", "200"), ("token", "200"), ("read", "200")]


def test_a_certificate_that_will_not_do_ends_before_anything_is_sent(
    tmp_path: Path, authority: Authority
) -> None:
    """It is an error of the configuration, like any other wrong setting."""
    authority.asked.clear()
    path = configured(tmp_path, authority, "certificate")
    app = build(path, {"LOCK": "wr0ng"})

    with pytest.raises(ConfigError, match=r"syncd\.pfx is a PFX that auth\.passphrase does not"):
        app.target("contoso")

    assert authority.asked == []
