"""Output transforms: what happens to a response between the handler and the wire."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from txtornado import httputil

if TYPE_CHECKING:
    import gzip

__all__ = ["GZipContentEncoding", "OutputTransform", "is_idle"]


class OutputTransform:
    """Changes the output of a request; made anew for each (Tornado 0.2)."""

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        pass

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        """Override to change status, headers and the first piece of the body."""
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Override to change the pieces after the first."""
        return chunk


class GZipContentEncoding(OutputTransform):
    """Compresses what is text, for clients that take gzip (RFC 9110 section 8.4.1.3).

    Installed by the setting ``compress_response`` (``gzip`` before Tornado 4.0).
    """

    #: Types to compress besides ``text/*``.
    CONTENT_TYPES = {
        "application/atom+xml",
        "application/javascript",
        "application/json",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
    }
    #: The level of zlib. 9 costs several times the work for a few percent.
    GZIP_LEVEL = 6
    #: Shorter bodies, in bytes, are left alone.
    MIN_LENGTH = 1024

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        self._gzipping = "gzip" in request.headers.get("Accept-Encoding", "")
        self._buffer = BytesIO()
        self._file: gzip.GzipFile | None = None

    def _compressible_type(self, ctype: str) -> bool:
        return ctype.startswith("text/") or ctype in self.CONTENT_TYPES

    def _is_worth_it(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, whole: bool
    ) -> bool:
        if status_code in (204, 206, 304) or "Content-Encoding" in headers:
            return False
        if whole and len(chunk) < self.MIN_LENGTH:
            return False
        media_type, _, _ = headers.get("Content-Type", "").partition(";")
        return self._compressible_type(media_type.strip())

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        _add_vary(headers)
        if self._gzipping:
            self._gzipping = self._is_worth_it(status_code, headers, chunk, finishing)
        if self._gzipping:
            import gzip

            headers["Content-Encoding"] = "gzip"
            self._file = gzip.GzipFile(
                mode="wb", fileobj=self._buffer, compresslevel=self.GZIP_LEVEL, mtime=0
            )
            chunk = self.transform_chunk(chunk, finishing)
            if finishing and "Content-Length" in headers:
                headers["Content-Length"] = str(len(chunk))
            elif "Content-Length" in headers:
                del headers["Content-Length"]
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        if self._file is None:
            return chunk
        self._file.write(chunk)
        if finishing:
            self._file.close()
        else:
            self._file.flush()
        compressed = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return compressed


def is_idle(transform: object) -> bool:
    """Whether a transform, which has seen the headers, is known to leave the body as it is."""
    return type(transform) is GZipContentEncoding and transform._file is None


def _add_vary(headers: httputil.HTTPHeaders) -> None:
    # Even when this client gets plain text: caches must not hand it to others.
    known = headers.get_list("Vary")
    headers["Vary"] = ", ".join([*known, "Accept-Encoding"])
