"""Signing in at a certified OpenID provider that others wrote; npm brings it."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import pytest
import trustme
from pydantic import SecretStr

from syncd.config.models import Auth, Certificate, ClientSecret, Federated
from syncd.connectors.auth import open_auth
from syncd.core.errors import TargetRefused
from tests.connectors.pairs import Pair, make_pair
from tests.deploy.house import needed

pytestmark = pytest.mark.campaign

URL = "https://org.crm4.dynamics.com"
TENANT = "11111111-2222-4333-8444-555555555555"
SECRET = "s3cret value & more+"
HERE = Path(__file__).with_name("oidc")
QUIET = ("--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1", "--prefer-offline")


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that runs, and what its applications sign in with."""

    root: str
    folder: Path
    own: Pair
    cluster: Pair

    @property
    def ca_file(self) -> str:
        """Whom to trust."""
        return str(self.folder / "ca.pem")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Install and run it, with TLS of a private CA."""
    folder = tmp_path_factory.mktemp("oidc")
    npm, node = needed("npm", "npm"), needed("node", "nodejs")
    for name in ("package.json", "server.js"):
        shutil.copy(HERE / name, folder)
    got = subprocess.run(
        [npm, "install", *QUIET], cwd=folder, capture_output=True, text=True, check=False
    )
    if got.returncode:
        pytest.skip("the npm registry cannot be reached: SIGNING IN IS NOT TRIED AT A PROVIDER")
    ca, own, cluster = trustme.CA(), make_pair("CN=syncd"), make_pair("CN=cluster")
    issued = ca.issue_cert("localhost")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_pem.write_to_path(folder / "tls.key")
    issued.cert_chain_pems[0].write_to_path(folder / "tls.pem")
    (folder / "client.pem").write_bytes(own.cert_pem())
    (folder / "cluster.pem").write_bytes(cluster.cert_pem())
    with subprocess.Popen(
        [node, "server.js", TENANT, URL, SECRET],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Provider(process.stdout.readline().strip(), folder, own, cluster)
        process.terminate()


def got(provider: Provider, auth: Auth) -> dict[str, object]:
    """Sign in; return what the token says, verified with the provider's own keys."""
    flow = open_auth(URL, auth, ca_file=provider.ca_file, pause=lambda _: None)
    header = next(flow.sync_auth_flow(httpx.Request("GET", URL))).headers["Authorization"]
    trust = ssl.create_default_context(cafile=provider.ca_file)
    keys = jwt.PyJWKClient(f"{provider.root}/{TENANT}/v2.0/jwks", ssl_context=trust)
    token = header.removeprefix("Bearer ")
    key = keys.get_signing_key_from_jwt(token)
    claims: dict[str, object] = jwt.decode(token, key, algorithms=["RS256"], audience=URL)
    return claims


def secret(provider: Provider, text: str, client_id: str = "with-secret") -> ClientSecret:
    """Return the settings of the application with a secret."""
    return ClientSecret(
        method="client-secret",
        tenant_id=TENANT,
        client_id=client_id,
        client_secret=SecretStr(text),
        authority=provider.root,
    )


def test_a_secret_brings_a_token_for_the_environment(provider: Provider) -> None:
    """Signed, for our environment, and for this application; any secret survives the form."""
    claims = got(provider, secret(provider, SECRET))

    assert (claims["client_id"], claims["aud"]) == ("with-secret", URL)
    assert claims["iss"] == f"{provider.root}/{TENANT}/v2.0"


@pytest.mark.parametrize(
    ("text", "client_id"), [("wrong", "with-secret"), (SECRET, "nobody"), (SECRET, "federated")]
)
def test_a_wrong_secret_brings_none(provider: Provider, text: str, client_id: str) -> None:
    """A provider that is not Entra ID has no codes; its error is named."""
    with pytest.raises(
        TargetRefused, match=r"signing in failed \(invalid_client\); check"
    ) as raised:
        got(provider, secret(provider, text, client_id))

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("kind", ["pem", "pfx"])
@pytest.mark.parametrize("way", ["thumbprint", "chain"])
def test_a_certificate_brings_a_token(
    provider: Provider, tmp_path: Path, kind: str, way: str
) -> None:
    """Signatures of either kind are verified with the registered key."""
    auth = Certificate(
        method="certificate",
        tenant_id=TENANT,
        client_id="with-certificate",
        certificate=provider.own.write(tmp_path, kind, "s3sam"),
        passphrase=SecretStr("s3sam"),
        send_chain=way == "chain",
        authority=provider.root,
    )

    assert got(provider, auth)["client_id"] == "with-certificate"


def test_another_certificate_brings_none(provider: Provider, tmp_path: Path) -> None:
    """The signature is not by the registered key."""
    auth = Certificate(
        method="certificate",
        tenant_id=TENANT,
        client_id="with-certificate",
        certificate=provider.cluster.write(tmp_path, "pem"),
        authority=provider.root,
    )

    with pytest.raises(TargetRefused, match="invalid_client"):
        got(provider, auth)

    assert (tmp_path / "syncd.pem").exists()


@pytest.mark.parametrize(("life", "comes_in"), [(600, True), (-600, False)])
def test_a_federated_token_is_verified(
    provider: Provider, tmp_path: Path, life: int, *, comes_in: bool
) -> None:
    """One that is over brings nothing."""
    claims = {
        "iss": "federated",
        "sub": "federated",
        "aud": f"{provider.root}/{TENANT}/v2.0",
        "exp": int(time.time()) + life,
        "jti": str(life),
    }
    path = tmp_path / "token"
    path.write_text(jwt.encode(claims, provider.cluster.key_pem(), "RS256") + "\n")
    auth = Federated(
        method="federated",
        tenant_id=TENANT,
        client_id="federated",
        token_file=path,
        authority=provider.root,
    )

    try:
        who = got(provider, auth)["client_id"]
    except TargetRefused:
        who = None

    assert who == ("federated" if comes_in else None)
