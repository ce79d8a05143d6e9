"""An OpenID provider for tests: keys, a document with them over HTTP, and tokens. Tokens are made by PyJWT."""

from __future__ import annotations

import http.server
import json
import threading
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://idp.example"
AUDIENCE = "bulkhead"


class Signer:
    """A key of the provider."""

    def __init__(self, kid: str, algorithm: str = "RS256") -> None:
        self.kid, self.algorithm = kid, algorithm
        self.private: Any
        if algorithm.startswith("ES"):
            self.private = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    @property
    def jwk(self) -> dict[str, Any]:
        kind = jwt.get_algorithm_by_name(self.algorithm)
        return kind.to_jwk(self.private.public_key(), as_dict=True) | {"kid": self.kid, "use": "sig", "alg": self.algorithm}


class IdentityProvider:
    """Publishes `signers` at /.well-known/jwks.json; the first signs."""

    def __init__(self, *signers: Signer) -> None:
        self.signers = list(signers) or [Signer("first")]
        self.asked = 0
        self.status = 200
        self._server: http.server.ThreadingHTTPServer | None = None
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def document(self) -> bytes:
        return json.dumps({"keys": [signer.jwk for signer in self.signers]}).encode()

    def token(self, user: str = "alice", tenant: str | None = "acme", signer: Signer | None = None, **claims: Any) -> str:
        """A token that is good for ten minutes; a claim that is None is left out."""
        signer = signer or self.signers[0]
        now = int(time.time())
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "tenant": tenant, "iat": now, "exp": now + 600} | claims
        return jwt.encode({name: value for name, value in body.items() if value is not None}, signer.private, signer.algorithm, {"kid": signer.kid})

    def open(self) -> None:
        """Answers, at the port it had before."""
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                provider.asked += 1
                known = self.path == "/.well-known/jwks.json"
                body = provider.document if known else b"{}"
                self.send_response(provider.status if known else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Refuses connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
