"""How a stream ended for its client: in every dialect it can be told from one that just ended."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.raw_client import Answer, Cut, RawClient

SAID = {"messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi"}


async def fate(port: int, path: str, model_id: str, *, patience_seconds: float = 5.0, **asked: Any) -> str:
    """Ask for a stream and read it: `whole`, `told` (by an error, at its end or instead of it) or `refused`.

    Fails where it just ended.
    """
    body = json.dumps({"model": model_id, **SAID, "stream": True, **asked}).encode()
    client = RawClient.connect(port)
    client.patience_seconds = patience_seconds
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        await client.send(head.encode() + body)
        answer = await client.answer()
        is_cut = False
    except Cut as cut:
        answer, is_cut = cut.answer, True
    finally:
        client.close()
    if answer.status != 200:
        assert not is_cut and answer.json()["error"]
        return {502: "told", 503: "refused"}[answer.status]
    return _fate_of_records(answer) if path.startswith("/api/") else _fate_of_events(answer, path, is_cut)


def _fate_of_events(answer: Answer, path: str, is_cut: bool) -> str:
    *_, last, rest = answer.body.split(b"\n\n")
    assert rest == b"", "cut within an event"
    if not is_cut:
        assert last == b"data: [DONE]" or b"message_stop" in last
        return "whole"
    name, _, data = last.rpartition(b"data: ")
    error = json.loads(data)["error"]
    assert error["message"] and error["type"]
    assert name == (b"event: error\n" if path == "/v1/messages" else b"")
    return "told"


def _fate_of_records(answer: Answer) -> str:
    """Ollama's clients look for `error` in a record."""
    last = json.loads(answer.body.splitlines()[-1])
    if "error" in last:
        assert isinstance(last["error"], str)
        return "told"
    assert last["done"]
    return "whole"
