"""The self-signed certificate of `AsyncHTTPSTestCase`, made once per process.

A certificate shipped in the package would be a private key in every checkout and would one
day be out of date.  Making one on an elliptic curve takes about a millisecond.
"""

import atexit
import datetime
import functools
import ipaddress
import os
import shutil
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["certificate_files"]

VALID_FOR = datetime.timedelta(days=30)


@functools.cache
def certificate_files() -> tuple[str, str]:
    """Paths of a PEM certificate for ``localhost``, ``127.0.0.1`` and ``::1``, and of its key.

    The certificate is its own authority, so its path also serves as ``ca_certs``.  The files
    lie in a temporary directory which is removed when the process ends.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    directory = tempfile.mkdtemp(prefix="txtornado-testing-")
    atexit.register(_remove, directory, os.getpid())
    certificate_path = os.path.join(directory, "test.crt")
    key_path = os.path.join(directory, "test.key")
    with open(certificate_path, "wb") as f:
        f.write(_self_signed(key).public_bytes(serialization.Encoding.PEM))
    with open(os.open(key_path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return certificate_path, key_path


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _remove(directory: str, owner: int) -> None:
    """Forked children share the directory, but only its maker takes it away."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
