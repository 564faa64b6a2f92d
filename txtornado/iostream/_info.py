"""What an application sees as ``stream.socket`` of a TLS stream."""

from __future__ import annotations

from typing import Any

__all__ = ["TLSSocket"]

_OF_TLS = frozenset(
    {
        "cipher",
        "compression",
        "context",
        "get_channel_binding",
        "getpeercert",
        "selected_alpn_protocol",
        "selected_npn_protocol",
        "server_hostname",
        "server_side",
        "session",
        "session_reused",
        "shared_ciphers",
        "version",
    }
)


class TLSSocket:
    """The socket of a TLS stream, with the methods of `ssl.SSLSocket` that tell about TLS.

    Reading and writing is the stream's business.
    """

    __slots__ = ("_socket", "_tls")

    def __init__(self, sock: Any, handle: Any) -> None:
        self._socket = sock
        tls = getattr(handle, "ssl_object", None)
        self._tls = _PyOpenSSL(handle) if tls is None else tls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls if name in _OF_TLS else self._socket, name)

    def __repr__(self) -> str:
        return f"<TLSSocket {self._socket!r}>"


class _PyOpenSSL:
    """The same questions, answered by pyOpenSSL, for TLS options of Twisted's."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def getpeercert(self, binary_form: bool = False) -> Any:
        from OpenSSL import crypto

        certificate = self._handle.get_peer_certificate()
        if certificate is None:
            return None
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        return der if binary_form else _described(certificate)

    def cipher(self) -> tuple[str, str, int] | None:
        name = self._handle.get_cipher_name()
        if name is None:
            return None
        return name, self._handle.get_cipher_version(), self._handle.get_cipher_bits()

    def version(self) -> str | None:
        name: str = self._handle.get_protocol_version_name()
        return name if self.cipher() is not None else None

    def selected_alpn_protocol(self) -> str | None:
        return self._handle.get_alpn_proto_negotiated().decode("ascii") or None

    def selected_npn_protocol(self) -> None:
        return None


def _described(certificate: Any) -> dict[str, Any]:
    """A certificate as `ssl.SSLSocket.getpeercert` describes it, its main fields at least."""
    from cryptography import x509

    parsed = certificate.to_cryptography()

    def name(of: Any) -> tuple[tuple[tuple[str, str], ...], ...]:
        return tuple(
            tuple((_NAMES.get(a.oid.dotted_string, a.oid.dotted_string), str(a.value)) for a in rdn)
            for rdn in of.rdns
        )

    described: dict[str, Any] = {
        "subject": name(parsed.subject),
        "issuer": name(parsed.issuer),
        "version": parsed.version.value + 1,
        "serialNumber": f"{parsed.serial_number:X}",
        "notBefore": parsed.not_valid_before_utc.strftime("%b %d %H:%M:%S %Y GMT"),
        "notAfter": parsed.not_valid_after_utc.strftime("%b %d %H:%M:%S %Y GMT"),
    }
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return described
    described["subjectAltName"] = (
        *(("DNS", value) for value in names.get_values_for_type(x509.DNSName)),
        *(("IP Address", str(value)) for value in names.get_values_for_type(x509.IPAddress)),
    )
    return described


_NAMES = {
    "2.5.4.3": "commonName",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "1.2.840.113549.1.9.1": "emailAddress",
}
