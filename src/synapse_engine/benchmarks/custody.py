"""The fleet, noted before a benchmark touches it, cleared for one that wants to be alone, and put back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

from synapse_engine.benchmarks.before import Before, Ran, plan_restoring
from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.admission import Terms
from synapse_engine.fleet.fleet import INACTIVE, Fleet
from synapse_engine.fleet.server import Server
from synapse_engine.launch.process import boot_id

log = logging.getLogger(__name__)


class Custody:
    """Notes, clears and restores."""

    def __init__(self, fleet: Fleet, registry: Registry) -> None:
        self._fleet = fleet
        self._registry = registry

    def note(self) -> Before:
        """As it is in this moment."""
        ran: dict[str, bool] = {}
        for server in self._up():
            ran[server.model_id] = ran.get(server.model_id, False) or server.by_hand
        return Before(
            tuple(Ran(model_id, by_hand) for model_id, by_hand in ran.items()), tuple(self._held()), boot_id()
        )

    async def clear(self) -> None:
        """Stop every server, letting running requests finish; nothing is held. Raises StillLooking."""
        await self._stop(dict.fromkeys(server.model_id for server in self._up()))

    async def restore(
        self, before: Before, asked: Iterable[str], holder: str | None, *, starts_again: bool
    ) -> list[str]:
        """As it was, but for what a person did since; answers what could not be done, in words.

        starts_again: start what ran before, too.
        """
        if before.boot_id != boot_id():
            names = ", ".join(each.model_id for each in before.ran) or "none"
            return [f"The machine was restarted since, so what ran before is not started again: {names}"]
        up = list(self._up())
        plan = plan_restoring(
            before,
            asked,
            {server.model_id for server in up},
            {server.model_id for server in up if server.by_hand},
            set(self._held()),
        )
        known = self._registry.entries
        problems = []
        try:
            await self._stop(plan.stop)
        except SynapseError as error:
            problems.append(f"Not everything could be stopped: {error}")
        for model_ids, by_request in ((plan.start_by_hand, False), (plan.start_by_request, True)):
            terms = Terms(by_request=by_request, holder=holder)
            wanted = [model_id for model_id in model_ids if starts_again and model_id in known]
            for outcome in await self._fleet.start_all(wanted, None, terms):
                if isinstance(outcome.result, SynapseError):
                    problems.append(
                        f"{outcome.entry.model_id} ran before and did not come back: {outcome.result}"
                    )
        await self._fleet.hold([model_id for model_id in plan.hold if model_id in known], True)
        for problem in problems:
            log.warning("After a benchmark: %s", problem)
        return problems

    async def _stop(self, model_ids: Iterable[str]) -> None:
        await asyncio.gather(*(self._fleet.unload(model_id) for model_id in model_ids))

    def _up(self) -> Iterator[Server]:
        """Those that run, or are to."""
        for server in self._fleet.servers.values():
            if server.state not in INACTIVE and not server.is_leaving:
                yield server

    def _held(self) -> Iterator[str]:
        for model_id, entry in self._registry.entries.items():
            if entry.choices.held:
                yield model_id
