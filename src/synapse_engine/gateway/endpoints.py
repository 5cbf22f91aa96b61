"""Which requests the relay takes, and where each says whom it is for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl, unquote, urlencode

from synapse_engine.catalog.model import Kind
from synapse_engine.gateway.dialect import Dialect
from synapse_engine.gateway.errors import BadRequest

UPSTREAM = b"/upstream/"


class NamedBy(Enum):
    """Where a request says which model it is for."""

    BODY = "body"
    QUERY = "query"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """kind: of the models that answer there."""

    dialect: Dialect
    named_by: NamedBy
    kind: Kind = Kind.CHAT


_BY_BODY = {
    Dialect.OPENAI: "/v1/chat/completions /v1/completions /v1/embeddings /v1/rerank /v1/reranking"
    " /v1/responses /v1/chat/completions/input_tokens /v1/responses/input_tokens",
    Dialect.ANTHROPIC: "/v1/messages /v1/messages/count_tokens",
    Dialect.LLAMA_SERVER: "/chat/completions /completions /completion /responses /embeddings /embedding"
    " /rerank /reranking /infill /tokenize /detokenize /apply-template"
    " /chat/completions/input_tokens /responses/input_tokens",
}
_KINDS = dict.fromkeys(["/embeddings", "/embedding"], Kind.EMBEDDING) | dict.fromkeys(
    ["/rerank", "/reranking"], Kind.RERANKING
)
_BY_QUERY = frozenset([b"/props", b"/slots"])
_IN_PATH = Endpoint(Dialect.OPENAI, NamedBy.PATH)
_IN_QUERY = Endpoint(Dialect.LLAMA_SERVER, NamedBy.QUERY)

ENDPOINTS: dict[tuple[bytes, bytes], Endpoint] = {
    (b"POST", path.encode()): Endpoint(dialect, NamedBy.BODY, _KINDS.get(path.removeprefix("/v1"), Kind.CHAT))
    for dialect, paths in _BY_BODY.items()
    for path in paths.split()
}


def find_endpoint(method: bytes, url: bytes) -> Endpoint | None:
    """None where the request is not the relay's."""
    endpoint = ENDPOINTS.get((method, url))
    if endpoint is not None:
        return endpoint
    path = url.partition(b"?")[0]
    if path in _BY_QUERY and method == b"GET":
        return _IN_QUERY if _may_start(url) else None
    if path.startswith(UPSTREAM) and method not in (b"OPTIONS", b"CONNECT"):
        return _IN_PATH
    return ENDPOINTS.get((method, path))


def name_in_query(url: bytes) -> str | None:
    return _query(url).get("model")


def with_name_in_query(url: bytes, name: str) -> bytes:
    path, _, query = url.partition(b"?")
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    renamed = [(key, name if key == "model" else value) for key, value in pairs]
    return path + b"?" + urlencode(renamed).encode()


def name_and_path(url: bytes) -> tuple[str, bytes]:
    """`/upstream/NAME/rest?query` -> the name and `/rest?query`. A name with slashes has them as %2F.

    Raises BadRequest.
    """
    name, slash, rest = url.removeprefix(UPSTREAM).partition(b"/")
    if not name:
        raise BadRequest("No model named", "The path is /upstream/MODEL/... with a name of GET /v1/models.")
    return unquote(name.decode("latin-1")), slash + rest or b"/"


def _may_start(url: bytes) -> bool:
    """Whether it names a model, and may start it: `autoload` is llama-server's router's word."""
    query = _query(url)
    return "model" in query and query.get("autoload") not in ("false", "0")


def _query(url: bytes) -> dict[str, str]:
    return dict(parse_qsl(url.partition(b"?")[2].decode("latin-1")))
