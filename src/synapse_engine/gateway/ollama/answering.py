"""What Ollama's clients ask a model: seated, asked in llama-server's words, told in Ollama's."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec

from synapse_engine.catalog.model import Kind
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.gateway.activity import Stage
from synapse_engine.gateway.as_models.told import finish_reason, thinking_of
from synapse_engine.gateway.as_models.voice import Utterance, Voice
from synapse_engine.gateway.asking import Asking, Sent
from synapse_engine.gateway.body import in_memory
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.lines import Seat
from synapse_engine.gateway.names import RESERVED, Names, Target
from synapse_engine.gateway.ollama.asked import (
    CHAT,
    Asked,
    EmbedAsked,
    EmbeddingsAsked,
    Generating,
    Order,
    ignored_options,
)
from synapse_engine.gateway.ollama.keeping import keep_alive_seconds
from synapse_engine.gateway.ollama.shown import LATEST
from synapse_engine.gateway.ollama.told import Piece, Teller
from synapse_engine.modes.steps import Mode

Records = AsyncGenerator[dict[str, Any]]

log = logging.getLogger(__name__)


def known_name(names: Names, name: str) -> str:
    """As it is called here: `latest` is what Ollama means without a tag."""
    short = name.removesuffix(LATEST)
    if short == name or names.knows(short):
        return short
    return short if short.casefold() in RESERVED and not names.knows(name) else name


class Answers:
    """Each a generator of records, run by `Translated`."""

    def __init__(self, gateway: Gateway, fleet: Fleet) -> None:
        self._names = gateway.names
        self._gateway = gateway
        self._fleet = fleet
        self._told_of: set[tuple[str, str]] = set()

    async def generated(
        self,
        asking: Asking,
        asked: Generating,
        sent: Sent,
        order: Order | None,
        in_shape: Callable[[Piece], dict[str, Any]],
    ) -> Records:
        """A chat's or a completion's; without an order the model is only loaded, or unloaded.

        in_shape: a record's share of the answer.
        """
        began = time.monotonic()
        seconds = keep_alive_seconds(asked.keep_alive)
        target = self._target(asking, asked, sent)
        if target.mode is not None:
            async with aclosing(self._played(asking, asked, target.mode, order, in_shape)) as records:
                async for record in records:
                    yield record
            return
        if order is None and seconds == 0.0 and target.remote is None:
            model_id = asking.call.model_id = target.model_ids[0]
            await self._fleet.unload(model_id)
            yield _record(asked.model or model_id) | in_shape(Piece()) | _done("unload")
            return
        with await asking.seat(target, sent) as seat:
            self._keep(seat, target, asked, seconds)
            name = asked.model or seat.model_id
            if order is None:
                yield _record(name) | in_shape(Piece()) | _done("load")
                return
            teller, whole = Teller(order.begun), Piece()
            events = asking.events(seat, target, order.path, order.body)
            async with aclosing(events):
                async for event in events:
                    piece = teller.read(event)
                    if piece and asked.stream is not False:
                        yield _record(name) | in_shape(piece) | {"done": False}
                    else:
                        whole.add(piece)
            rest = teller.finish()
            if rest and asked.stream is not False:
                yield _record(name) | in_shape(rest) | {"done": False}
            else:
                whole.add(rest)
            yield (_record(name) | in_shape(whole) | {"done": True, **_durations(began, seat)} | teller.end())

    async def embedded(self, asking: Asking, asked: EmbedAsked, sent: Sent, order: Order | None) -> Records:
        """Of /api/embed."""
        began = time.monotonic()
        target = self._target(asking, asked, sent, Kind.EMBEDDING)
        with await asking.seat(target, sent) as seat:
            self._keep(seat, target, asked, keep_alive_seconds(asked.keep_alive))
            vectors, tokens = await _embed(asking, seat, target, order)
            yield {
                "model": asked.model or seat.model_id,
                "embeddings": [_shortened(vector, asked.dimensions) for vector in vectors],
                **_durations(began, seat),
                "prompt_eval_count": tokens,
            }

    async def embedding(
        self, asking: Asking, asked: EmbeddingsAsked, sent: Sent, order: Order | None
    ) -> Records:
        """Of /api/embeddings, the older one of a single text."""
        target = self._target(asking, asked, sent, Kind.EMBEDDING)
        with await asking.seat(target, sent) as seat:
            self._keep(seat, target, asked, keep_alive_seconds(asked.keep_alive))
            vectors, _ = await _embed(asking, seat, target, order)
            yield {"embedding": vectors[0] if vectors else []}

    async def _played(
        self,
        asking: Asking,
        asked: Generating,
        mode: Mode,
        order: Order | None,
        in_shape: Callable[[Piece], dict[str, Any]],
    ) -> Records:
        """A mode's answer to a chat; there is nothing of it that could be loaded or unloaded."""
        name, began = asked.model or "", time.monotonic()
        if order is None:
            yield _record(name) | in_shape(Piece()) | _done("load")
            return
        if order.path != CHAT:
            raise BadRequest(
                "A mode is asked in chats only", "Leave out `raw`, `template` and `suffix`, or ask a model."
            )
        modes, whole, call, asker = self._gateway.modes, Piece(), asking.call, asking.asker
        body = msgspec.json.encode({**order.body, "model": name})
        query = modes.read(order.path.decode(), body, mode, asker.priority).query
        run = modes.queries.begin(await modes.queries.prepare(query), asker.client)
        call.seated, call.stage, voice = time.monotonic(), Stage.ANSWERING, Voice(modes.manner)
        try:
            async with aclosing(run.follow(is_owner=True)) as steps:
                async for step in steps:
                    for said in voice.hear(step):
                        piece = _piece(said)
                        if piece and asked.stream is not False:
                            yield _record(name) | in_shape(piece) | {"done": False}
        finally:
            run.cancel()
        if run.error is not None:
            raise run.error
        if asked.stream is False and run.record.answer is not None:
            whole = Piece(run.record.answer.text, thinking_of(run.record))
        usage = run.record.usage
        counts = {"prompt_eval_count": usage.prompt_tokens, "eval_count": usage.output_tokens}
        durations = {"total_duration": int((time.monotonic() - began) * 1e9), "load_duration": 0}
        yield _record(name) | in_shape(whole) | _done(finish_reason(run.record)) | durations | counts

    def _target(self, asking: Asking, asked: Asked, sent: Sent, kind: Kind = Kind.CHAT) -> Target:
        asking.call.asked, asking.call.bytes_in = asked.model or "", sent.size
        name = known_name(self._names, asked.model or "")
        target = self._names.find(name, in_memory(sent.data), kind)
        if target.mode is not None and kind is not Kind.CHAT:
            raise BadRequest("A mode is asked in chats only", "Ask a model for that.")
        return target

    def _keep(self, seat: Seat, target: Target, asked: Asked, seconds: float | None) -> None:
        if target.remote is not None:
            return  # how long it stays loaded is its owner's business
        if seconds is not None:
            self._fleet.keep_alive(seat.model_id, seconds)
        for option, setting in ignored_options(asked).items():
            if (seat.model_id, option) not in self._told_of:
                self._told_of.add((seat.model_id, option))
                log.info(
                    "%s: a client asked for %s, which no request can change; the model's setting %s does",
                    seat.model_id,
                    option,
                    setting,
                )


def _piece(said: Utterance) -> Piece:
    """A comment has no place in Ollama's records."""
    if said.kind == "text":
        return Piece(content=said.text)
    return Piece(thinking=said.text) if said.kind == "thinking" else Piece()


async def _embed(
    asking: Asking, seat: Seat, target: Target, order: Order | None
) -> tuple[list[list[float]], int]:
    """The vectors in the order of the texts, and the texts' tokens; without an order there are none."""
    if order is None:
        return [], 0
    answer = await asking.whole(seat, target, order.path, order.body)
    found = sorted(answer.get("data") or [], key=lambda each: int(each["index"]))
    return [each["embedding"] for each in found], (answer.get("usage") or {}).get("prompt_tokens", 0)


def _shortened(vector: list[float], dimensions: int | None) -> list[float]:
    """Its first dimensions, of length 1 again."""
    if not dimensions or dimensions >= len(vector):
        return vector
    short = vector[:dimensions]
    length = sum(part * part for part in short) ** 0.5
    return [part / length for part in short] if length else short


def _record(name: str) -> dict[str, Any]:
    return {"model": name, "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z")}


def _done(reason: str) -> dict[str, Any]:
    return {"done": True, "done_reason": reason}


def _durations(began: float, seat: Seat) -> dict[str, int]:
    """In nanoseconds."""
    return {
        "total_duration": int((time.monotonic() - began) * 1e9),
        "load_duration": int(seat.load_seconds * 1e9),
    }
