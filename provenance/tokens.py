"""A private key in a PKCS #11 token (an HSM, a smart card, SoftHSM), reached through OpenSC's `pkcs11-tool`.

The token's module runs in a process of its own for each signature: vendors' modules crash, hang, and do not survive a
fork, and none of that may happen to the process that signs. It costs some 30 ms a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from provenance.certificates import Algorithm

_TOOL = "pkcs11-tool"
_PIN_VARIABLE = "ASSAY_TOKEN_PIN"  # of the tool's own environment: a command line could be read by anybody
_HASHES = {"256": ("SHA256", hashlib.sha256), "384": ("SHA384", hashlib.sha384), "512": ("SHA512", hashlib.sha512)}


class TokenError(Exception):
    """The token did not sign; the words are the tool's."""


@dataclass(frozen=True)
class Pkcs11Key:
    """Signs messages with a key in a token; give it to `SigningIdentity.from_callback`.

    module  the vendor's PKCS #11 library; token  the token's label; id  the key's id in hex; alg  a C2PA algorithm
    other than ed25519. Raises TokenError, which `publish` reports as SignerFailed.
    """

    module: Path
    token: str
    id: str
    pin: str = field(repr=False)
    alg: Algorithm
    seconds: float = 30.0  # after which a token that does not answer is given up

    def __call__(self, message: bytes) -> bytes:
        """The signature of a message."""
        tool = shutil.which(_TOOL)
        if tool is None:
            raise TokenError(f"{_TOOL} is not installed (Debian: opensc)")
        name, hashed = _HASHES[self.alg[2:]]
        mechanism = ["--mechanism", "ECDSA"]
        if self.alg.startswith("ps"):
            mechanism = ["--mechanism", "RSA-PKCS-PSS", "--hash-algorithm", name, "--mgf", f"MGF1-{name}"]
        command = [tool, "--module", str(self.module), "--token-label", self.token, "--login"]
        command += ["--pin", f"env:{_PIN_VARIABLE}", "--sign", "--id", self.id, *mechanism]
        return self._run(command, hashed(message).digest())

    def _run(self, command: list[str], digest: bytes) -> bytes:
        try:
            done = subprocess.run(
                command,
                input=digest,
                capture_output=True,
                timeout=self.seconds,
                check=False,
                env={**os.environ, _PIN_VARIABLE: self.pin},
            )
        except subprocess.TimeoutExpired as error:
            raise TokenError(f"token {self.token!r} did not answer within {self.seconds:g} s") from error
        if done.returncode or not done.stdout:
            said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "error" in line.lower()]
            raise TokenError(f"token {self.token!r}: {'; '.join(said)[:300] or f'exit code {done.returncode}'}")
        return done.stdout
