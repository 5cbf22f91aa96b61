"""What a request's head must not leave open: where it goes, and where its body ends. Pure.

The parser has seen to it that every line is well-formed. What is checked here it would let pass, and another
reader might take it for something else.
"""

from __future__ import annotations

from synapse_engine.gateway.errors import BadRequest

FRAMING = (b"content-length", b"transfer-encoding")
VERSIONS = ("1.0", "1.1")

Headers = list[tuple[bytes, bytes]]
Fields = dict[bytes, bytes]


def check_head(version: str, target: bytes, headers: Headers, fields: Fields) -> bytes:
    """The target's path and query; fields: the headers by name. Raises BadRequest."""
    if version not in VERSIONS:
        raise _refusal(f"This address speaks HTTP/1.1 and not HTTP/{version}.")
    host = fields.get(b"host")
    # A name that comes twice makes the one smaller than the other.
    is_twice = len(fields) < len(headers) and sum(name == b"host" for name, _ in headers) > 1
    if is_twice or (host is None and version != "1.0"):
        raise _refusal("It has to have one Host header.")
    if version == "1.0" and b"transfer-encoding" in fields:
        raise _refusal("HTTP/1.0 has no Transfer-Encoding.")
    if not target.startswith(b"/"):
        target = _path_of(target, host)
    if b"#" in target:
        raise _refusal("Its target has a fragment.")
    return target


def framing_lines(headers: Headers) -> bytes:
    """Those lines that say where the body ends."""
    return b"".join([b"%b: %b\r\n" % header for header in headers if header[0] in FRAMING])


def _path_of(target: bytes, host: bytes | None) -> bytes:
    """Of an absolute address, which has to be that of the Host header (RFC 9112, 3.2.2)."""
    scheme, separator, rest = target.partition(b"://")
    authority, slash, path = rest.partition(b"/")
    if not separator or scheme.lower() != b"http" or host is None or authority.lower() != host.lower():
        raise _refusal("Its target is neither a path nor an address of this host.")
    return slash + path or b"/"


def _refusal(detail: str) -> BadRequest:
    return BadRequest("The request is not HTTP", detail)
