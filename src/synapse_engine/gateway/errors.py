"""What can go wrong with a request to a model, and with what it names.

SynapseError
  NameTaken                409
  BadRequest               400
  BodyTooLarge             413
  HeadTooLarge             431
  RequestTimedOut          408
  QueueFull                429
  RequestCancelled         503
  WaitedTooLong            503
  UpstreamLoop             508
  UpstreamNotFound         404
  ServerRefused            (the server's own)
  CallCancelled            409
  NotOffered               501
  CallNotFound             404
  QueryNotFound            404
"""

from __future__ import annotations

from synapse_engine.errors import SynapseError


class NameTaken(SynapseError):
    code = "name_taken"
    status = 409

    def __init__(self, name: str, whose: str) -> None:
        super().__init__(f"Name is taken: {name}", f"It means {whose} already. Choose another one.")


class BadRequest(SynapseError):
    code = "bad_request"
    status = 400


class BodyTooLarge(SynapseError):
    code = "body_too_large"
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            "The body is too large",
            f"It may have {limit_bytes // 1_000_000} MB; SYNAPSE_BODY_MAX_MB sets that.",
        )


class HeadTooLarge(SynapseError):
    code = "head_too_large"
    status = 431

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("The request's head is too large", f"It may have {limit_bytes} bytes.")


class RequestTimedOut(SynapseError):
    """The client began a request and did not go on with it."""

    code = "request_timed_out"
    status = 408

    def __init__(self, limit_seconds: float) -> None:
        super().__init__("The request did not come to its end", f"Nothing came for {limit_seconds:.0f} s.")


class QueueFull(SynapseError):
    code = "queue_full"
    status = 429
    retry_after_seconds = 5

    def __init__(self, detail: str) -> None:
        super().__init__("Too many requests are waiting", detail)


class RequestCancelled(SynapseError):
    """By somebody who looked at what is under way."""

    code = "cancelled"
    status = 503
    retry_after_seconds = 0
    is_final = True

    def __init__(self) -> None:
        super().__init__("The request was cancelled", "Not by its client: on the page, or over the API.")


class WaitedTooLong(SynapseError):
    code = "waited_too_long"
    status = 503
    retry_after_seconds = 5

    def __init__(self, model_id: str, limit_seconds: float, what_for: str) -> None:
        super().__init__(
            f"Waited too long for {model_id}",
            f"{what_for}. SYNAPSE_QUEUE_SECONDS ({limit_seconds:.0f}) says how long a request waits.",
        )


class UpstreamLoop(SynapseError):
    """A request that has come back to where it was passed on before."""

    code = "upstream_loop"
    status = 508
    is_final = True

    def __init__(self, upstream: str) -> None:
        super().__init__(
            f"The upstream {upstream} leads back here",
            "This request has been here before. An upstream must not be ourselves: PUT another URL or model.",
        )


class UpstreamNotFound(SynapseError):
    code = "upstream_not_found"
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"No upstream of that name: {name}", "GET /api/upstreams lists those there are.")


class ServerRefused(SynapseError):
    """The server's own error, in words for a dialect that it does not speak."""

    code = "server_refused"

    def __init__(self, status: int, text: str) -> None:
        super().__init__("The model's server refused", text)
        self.status = status


class CallCancelled(SynapseError):
    """A request that somebody ended from outside."""

    code = "cancelled"
    status = 409
    is_final = True

    def __init__(self) -> None:
        super().__init__("Request cancelled", "Somebody ended it, on the page or over the API.")


class NotOffered(SynapseError):
    """A dialect's endpoint for what is not done here."""

    code = "not_offered"
    status = 501


class CallNotFound(SynapseError):
    code = "call_not_found"
    status = 404

    def __init__(self, call_id: int) -> None:
        super().__init__(
            f"No request in flight: {call_id}",
            "It has ended, or there was none. GET /api/activity/live lists them.",
        )


class QueryNotFound(SynapseError):
    code = "query_not_found"
    status = 404

    def __init__(self, query_id: int) -> None:
        super().__init__(f"No query of that number: {query_id}", "GET /api/query lists those that are kept.")
