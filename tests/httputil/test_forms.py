"""Tests for `txtornado.httputil.forms`."""

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import (
    HTTPFile,
    HTTPHeaders,
    HTTPInputError,
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    parse_body_arguments,
    parse_multipart_form_data,
    set_parse_body_config,
)
from txtornado.httputil.forms import get_parse_body_config

Form = tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]

URLENCODED = "application/x-www-form-urlencoded"


def parse(content_type: str, body: bytes, **kwargs: object) -> Form:
    """Parse a body and return its fields and files."""
    form: Form = ({}, {})
    parse_body_arguments(content_type, body, *form, **kwargs)  # type: ignore[arg-type]
    return form


def multipart(body: bytes, boundary: bytes = b"B", **limits: object) -> Form:
    """Parse a multipart body, in which LF stands for CRLF."""
    form: Form = ({}, {})
    config = ParseMultipartConfig(**limits)  # type: ignore[arg-type]
    parse_multipart_form_data(boundary, body.replace(b"\n", b"\r\n"), *form, config=config)
    return form


def part(head: bytes, value: bytes = b"v") -> bytes:
    """Return a body with one part; LF stands for CRLF."""
    return b"--B\n" + head + b"\n\n" + value + b"\n--B--\n"


class UrlencodedTests(SynchronousTestCase):
    """Urlencoded bodies."""

    def test_fields(self) -> None:
        """Fields keep their order and their blank values; bytes are decoded."""
        arguments, files = parse(URLENCODED, b"a=1&b=&a=%ff+x&c")
        self.assertEqual(arguments, {"a": [b"1", b"\xff x"], "b": [b""], "c": [b""]})
        self.assertEqual(files, {})

    def test_media_type(self) -> None:
        """Case and parameters of the media type do not count; other types are left alone."""
        self.assertEqual(parse("Application/X-WWW-Form-Urlencoded; x=y", b"a=1")[0], {"a": [b"1"]})
        for other in ("", "text/plain", URLENCODED + "x", "multipart/mixed; boundary=B"):
            self.assertEqual(parse(other, b"a=1"), ({}, {}))

    def test_added_to_what_is_there(self) -> None:
        """Values are appended to the arguments that are there."""
        arguments = {"a": [b"0"]}
        parse_body_arguments(URLENCODED, b"a=1", arguments, {})
        self.assertEqual(arguments, {"a": [b"0", b"1"]})

    def test_limit(self) -> None:
        """As many arguments as the limit says are taken, one more is refused."""
        config = ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=2))
        self.assertEqual(len(parse(URLENCODED, b"a=1&b=2", config=config)[0]), 2)
        with self.assertRaisesRegex(HTTPInputError, "Max number of fields"):
            parse(URLENCODED, b"a=1&b=2&c=3", config=config)

    def test_content_encoding(self) -> None:
        """A compressed form is refused, whatever its kind."""
        headers = HTTPHeaders({"Content-Encoding": "gzip"})
        for content_type in (URLENCODED, "multipart/form-data; boundary=B"):
            with self.assertRaisesRegex(HTTPInputError, "Content-Encoding: gzip"):
                parse(content_type, b"--B--", headers=headers)

    @given(st.binary())
    def test_any_body(self, body: bytes) -> None:
        """Any body is parsed or refused with HTTPInputError."""
        try:
            arguments, _ = parse(URLENCODED, body)
        except HTTPInputError:
            return
        self.assertTrue(all(isinstance(name, str) for name in arguments))


class MultipartTests(SynchronousTestCase):
    """``multipart/form-data`` bodies."""

    def test_field_and_file(self) -> None:
        """A part with a file name is a file, any other a field."""
        arguments, files = multipart(
            b'--B\nContent-Disposition: form-data; name="a"\n\n1\n'
            b'--B\nContent-Disposition: form-data; name="f"; filename="x.png"\n'
            b"Content-Type: image/png\n\ndata\n--B--\n"
        )
        self.assertEqual(arguments, {"a": [b"1"]})
        (file,) = files["f"]
        self.assertEqual(
            (file.filename, file.content_type, file.body), ("x.png", "image/png", b"data")
        )
        self.assertEqual(file["body"], file.body)

    def test_heads(self) -> None:
        """The same field is found however its head is written."""
        for head in (
            b'Content-Disposition: form-data; name="a"',
            b"content-disposition:form-data;name=a",
            b'X-Other: 1\nContent-Disposition: form-data; x="y;z"; NAME="a"',
            b'Content-Disposition: form-data; name="a"; filename=""',
            b"Content-Disposition: form-data; name*=utf-8''a",
        ):
            self.assertEqual(multipart(part(head)), ({"a": [b"v"]}, {}), head)

    def test_names(self) -> None:
        """Quotes, backslashes and UTF-8 in a file name come back as they were."""
        for raw, name in [
            (b'"a;b"', "a;b"),
            (b'"a\\"b"', 'a"b'),
            (b'"C:\\x.txt"', "C:\\x.txt"),
            ('"\u6d4b"'.encode(), "\u6d4b"),
            (b"plain", "plain"),
            (b"\"x\"; filename*=UTF-8''%C3%A1", "\xe1"),
        ]:
            head = b'Content-Disposition: form-data; name="f"; filename=' + raw
            self.assertEqual(multipart(part(head))[1]["f"][0].filename, name)

    def test_unknown_type(self) -> None:
        """A file without a type is of an unknown one."""
        head = b'Content-Disposition: form-data; name="f"; filename="x"'
        self.assertEqual(multipart(part(head))[1]["f"][0].content_type, "application/unknown")

    def test_values(self) -> None:
        """Line ends and what looks like a boundary belong to the value."""
        head = b'Content-Disposition: form-data; name="a"'
        for value in (b"", b"\n", b"\n\n", b"x--B", b"\n--", b"\n--BB\nx", b"\n--B-\n", b"\n-B"):
            expected = value.replace(b"\n", b"\r\n")
            self.assertEqual(multipart(part(head, value)), ({"a": [expected]}, {}), value)

    def test_empty_value_without_its_line(self) -> None:
        """The line end of an empty value may be missing."""
        body = b'--B\nContent-Disposition: form-data; name="a"\n\n--B--'
        self.assertEqual(multipart(body), ({"a": [b""]}, {}))

    def test_no_parts(self) -> None:
        """A body may consist of the closing delimiter."""
        self.assertEqual(multipart(b"--B--"), ({}, {}))

    def test_no_first_delimiter(self) -> None:
        """The delimiter in front of the first part may be missing."""
        body = part(b'Content-Disposition: form-data; name="a"').removeprefix(b"--B\n")
        self.assertEqual(multipart(body), ({"a": [b"v"]}, {}))

    def test_epilogue(self) -> None:
        """What follows the closing delimiter is ignored."""
        body = part(b'Content-Disposition: form-data; name="a"')
        self.assertEqual(multipart(body + b"more\n--B\n--B--"), ({"a": [b"v"]}, {}))

    def test_padding(self) -> None:
        """White space may follow a delimiter."""
        body = part(b'Content-Disposition: form-data; name="a"').replace(b"--B\n", b"--B \t\n", 1)
        self.assertEqual(multipart(body), ({"a": [b"v"]}, {}))

    def test_quoted_boundary(self) -> None:
        """Quotes around the boundary are dropped."""
        body = part(b'Content-Disposition: form-data; name="a"')
        self.assertEqual(multipart(body, b'"B"'), ({"a": [b"v"]}, {}))

    def test_malformed(self) -> None:
        """Each defect is refused, and none leaves a file behind."""
        head = b'Content-Disposition: form-data; name="f"; filename="x"'
        for body, text in [
            (b"", "no final boundary"),
            (b"x", "no final boundary"),
            (b"--B", "no final boundary"),
            (b"--B\n" + head + b"\n\nv", "no final boundary"),
            (b"--B\n" + head + b"\n\nv--B--", "no final boundary"),
            (b"--B\n" + head + b"\n\nv\n--B", "no final boundary"),
            (b"x\n" + part(head), "missing headers"),
            (b"\n" + part(head), "missing headers"),
            (b"--Bx\n" + head + b"\n\nv\n--B--", "no colon"),
            (b"--Bx\n\n" + part(head), "no colon"),
            (b"--B\n\nv\n--B--", "missing headers"),
            (b"--B\n" + head + b"\n--B--", "missing headers"),
            (b"--B\n" + head + b"\n--B\n\nv\n--B--", "missing headers"),
            (b"--B\n" + head + b"\nX: y\n--B \nX: y\n\nv\n--B--", "missing headers"),
            (part(b"Content-Disposition: attachment; name=f"), "not form-data"),
            (part(b"X: y"), "not form-data"),
            (part(b'Content-Disposition: form-data; filename="x"'), "missing name"),
            (part(b'Content-Disposition: form-data; name=""; filename="x"'), "missing name"),
            (part(head + b"\nnonsense"), "no colon"),
            (part(head + b"\n folded"), "Folded"),
            (part(b'Content-Disposition: form-data; name="f"; filename="\x08"'), "header value"),
            (part(b'Content-Disposition: form-data; name="f"; filename="\xe1"'), "UTF-8"),
        ]:
            form: Form = ({}, {})
            with self.assertRaisesRegex(HTTPInputError, text):
                parse_multipart_form_data(b"B", body.replace(b"\n", b"\r\n"), *form)
            self.assertEqual(form, ({}, {}), body)

    def test_bare_line_feeds(self) -> None:
        """Lines that end with LF alone are refused."""
        body = part(b'Content-Disposition: form-data; name="a"')
        self.assertRaises(HTTPInputError, parse_multipart_form_data, b"B", body, {}, {})

    def test_boundary_parameter(self) -> None:
        """The boundary must be there, once, in latin-1."""
        for content_type, text in [
            ("multipart/form-data", "boundary not found"),
            ("multipart/form-data; boundary=", "boundary not found"),
            ("multipart/form-data; boundary=A; Boundary=B", "more than one"),
            ("multipart/form-data; boundary=B; boundary*=utf-8''A", "more than one"),
            ("multipart/form-data; boundary=\u20ac", "latin-1"),
        ]:
            with self.assertRaisesRegex(HTTPInputError, text):
                parse(content_type, b"--B--")
        self.assertEqual(parse('Multipart/Form-Data; x=y; boundary="B"', b"--B--"), ({}, {}))

    def test_limits(self) -> None:
        """Too many parts and too long heads are refused; at the limit they are not."""
        head = b'Content-Disposition: form-data; name="a"'
        two = (b"--B\n" + head + b"\n\nv\n") * 2 + b"--B--"
        self.assertEqual(multipart(two, max_parts=2), ({"a": [b"v", b"v"]}, {}))
        with self.assertRaisesRegex(HTTPInputError, "too many parts"):
            multipart(two, max_parts=1)
        self.assertEqual(multipart(two, max_part_header_size=len(head))[0]["a"], [b"v", b"v"])
        with self.assertRaisesRegex(HTTPInputError, "header too large"):
            multipart(two, max_part_header_size=len(head) - 1)

    def test_disabled(self) -> None:
        """Parsing can be turned off."""
        with self.assertRaisesRegex(HTTPInputError, "disabled"):
            multipart(b"--B--", enabled=False)

    def test_global_config(self) -> None:
        """The process's limits can be set."""
        self.addCleanup(set_parse_body_config, get_parse_body_config())
        set_parse_body_config(
            ParseBodyConfig(ParseMultipartConfig(max_parts=0), ParseUrlEncodedConfig(1))
        )
        self.assertRaises(HTTPInputError, parse, URLENCODED, b"a&b")
        body = part(b'Content-Disposition: form-data; name="a"').replace(b"\n", b"\r\n")
        self.assertRaises(HTTPInputError, parse, "multipart/form-data; boundary=B", body)
        self.assertRaises(HTTPInputError, parse_multipart_form_data, b"B", body, {}, {})

    def test_many_similar_lines(self) -> None:
        """Megabytes of what nearly is a boundary are no trouble."""
        head = b'Content-Disposition: form-data; name="a"'
        for decoy in (b"\n--", b"\n--Bx", b"\n--B \tx", b"\n--B-", b"--B--"):
            value = b"x" + decoy * (2_000_000 // len(decoy)) + b"x"
            arguments, _ = multipart(part(head, value))
            self.assertEqual(len(arguments["a"][0]), len(value.replace(b"\n", b"\r\n")))

    @given(
        st.from_regex(r"[0-9A-Za-z'()+_,\-./:=?]{1,69}[0-9A-Za-z'()+_,\-./=?]", fullmatch=True),
        st.lists(
            st.tuples(
                st.text(min_size=1).filter(str.isprintable),
                st.binary(),
                st.none() | st.text(min_size=1).filter(str.isprintable),
            ),
            max_size=5,
        ),
    )
    def test_round_trip(self, boundary: str, parts: list[tuple[str, bytes, str | None]]) -> None:
        """What a browser would send is found again."""
        delimiter = b"--" + boundary.encode()
        body = b""
        expected: Form = ({}, {})
        for name, value, filename in parts:
            assume(b"\r\n" + delimiter not in b"\r\n" + value)
            head = f"Content-Disposition: form-data; name={quoted(name)}"
            if filename is None:
                expected[0].setdefault(name, []).append(value)
            else:
                head += f"; filename={quoted(filename)}"
                expected[1].setdefault(name, []).append(
                    HTTPFile(filename=filename, body=value, content_type="application/unknown")
                )
            body += delimiter + b"\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"
        form = parse(f'multipart/form-data; boundary="{boundary}"', body + delimiter + b"--\r\n")
        self.assertEqual(form, expected)

    @given(
        st.lists(
            st.sampled_from(
                [b"--B", b"--B--", b"\r\n", b"\n", b"Content-Disposition:", b" form-data;"]
                + [b'name="a"', b"filename=", b"x", b"\\", b'"', b";", b"\xff", b":", b" "]
            )
        ).map(b"".join)
        | st.binary()
    )
    def test_any_body(self, body: bytes) -> None:
        """Any body is parsed or refused with HTTPInputError."""
        form: Form = ({}, {})
        try:
            parse_multipart_form_data(b"B", b"--B\r\n" + body, *form)
        except HTTPInputError:
            return
        self.assertLessEqual(sum(map(len, form[0].values())), 100)


def quoted(text: str) -> str:
    """Return ``text`` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
