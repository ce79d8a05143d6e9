"""Certificates for hostile upstreams, made with openssl when a test needs them."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from pathlib import Path


class Authority:
    """A certificate authority of the test, and certificates of it, good and bad."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bhca"))
        self.ca = self._make("ca", ["-x509", "-days", "2", "-subj", "/CN=attack tests", "-addext", "basicConstraints=critical,CA:TRUE"])

    def _make(self, name: str, options: list[str]) -> Path:
        key, cert = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key), "-out", str(cert), *options)
        return cert

    @staticmethod
    def _run(*words: str) -> None:
        done = subprocess.run(["openssl", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def context(self, name: str, names: str = "IP:127.0.0.1,DNS:localhost", days: int = 2, self_signed: bool = False, most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        if self_signed:
            cert = self._make(name, ["-x509", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", f"subjectAltName={names}"])
        else:
            request = self._make(name, ["-subj", "/CN=server"])
            (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
            cert = self.folder / f"{name}.crt"
            self._run(
                "x509", "-req", "-in", str(request), "-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial", "-days", str(days),
                "-extfile", str(self.folder / f"{name}.ext"), "-out", str(cert),
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if most:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = most
        context.load_cert_chain(cert, self.folder / f"{name}.key")
        return context
