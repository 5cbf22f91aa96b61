"""A source that says nothing for a while, noticed without losing what it says next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

T = TypeVar("T")


async def with_silences(source: AsyncGenerator[T], seconds: float) -> AsyncGenerator[T | None]:
    """What the source gives, to its end; None where nothing came for so long. It closes the source."""
    waiting: asyncio.Future[T | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(source, None))
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                yield None
                continue
            piece, waiting = waiting.result(), None
            if piece is None:
                return
            yield piece
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
        await source.aclose()
