"""A directory on this machine, with real keys, that signs real tokens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

TENANT = "8b0f3f5e-0000-4000-8000-000000000001"
AUDIENCE = "api://syncd"
ROLE = "Syncd.Operate"


@dataclass
class Entra:
    """A directory: metadata and keys, as Entra ID lays them out."""

    url: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    elsewhere: str | None = None
    down: bool = False

    def answer(self, path: str) -> object:
        self.asked.append(path)
        if self.down:
            return None
        where = self.elsewhere or f"{self.url}/common/discovery/keys"
        known = {
            f"/{TENANT}/v2.0/.well-known/openid-configuration": {
                "issuer": f"{self.url}/{TENANT}/v2.0", "jwks_uri": where,
            },
            f"/{TENANT}/.well-known/openid-configuration": {
                "issuer": f"https://sts.windows.net/{TENANT}/", "jwks_uri": where,
            },
            "/common/discovery/keys": {"keys": [
                json.loads(_algorithm(key).to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}
                for kid, key in self.keys.items()
            ]},
        }  # fmt: skip
        return known.get(path)

    def token(self, kid: str = "one", algorithm: str = "RS256", **changes: object) -> str:
        """Sign a token; a claim that is None is left out."""
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/{TENANT}/v2.0", "aud": AUDIENCE, "ver": "2.0", "iat": now,
            "nbf": now, "exp": now + 600, "roles": ["Other", ROLE], "oid": "o-1",
            "preferred_username": "ada@contoso.example",
        } | changes  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.keys[kid] if kid in self.keys else KEYS["stranger"]
        return jwt.encode(claims, key, algorithm, headers={"kid": kid})


def _algorithm(key: object) -> Any:
    of_curves = isinstance(key, ec.EllipticCurvePrivateKey)
    return jwt.algorithms.ECAlgorithm if of_curves else jwt.algorithms.RSAAlgorithm


KEYS: dict[str, Any] = {
    name: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for name in ("one", "two", "stranger")
} | {"curve": ec.generate_private_key(ec.SECP256R1())}


@contextmanager
def directory_served(entra: Entra) -> Iterator[Entra]:
    """Serve a directory."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = entra.answer(self.path)
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        entra.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield entra
        server.shutdown()
        thread.join()
