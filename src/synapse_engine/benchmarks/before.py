"""The fleet as a benchmark found it, and what has to be done for it to be so again. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec


class Ran(msgspec.Struct, frozen=True):
    """A model that ran, or was coming. by_hand: a person wanted it, not a request."""

    model_id: str
    by_hand: bool


class Before(msgspec.Struct, frozen=True):
    """held: models that requests must not start. boot_id: of that run of the machine."""

    ran: tuple[Ran, ...]
    held: tuple[str, ...]
    boot_id: str


class Restoring(msgspec.Struct, frozen=True):
    """Models to stop first, then to start, for a person and for requests, then to hold."""

    stop: tuple[str, ...]
    start_by_hand: tuple[str, ...]
    start_by_request: tuple[str, ...]
    hold: tuple[str, ...]


def plan_restoring(
    before: Before,
    asked: Iterable[str],
    runs: Collection[str],
    runs_by_hand: Collection[str],
    held: Collection[str],
) -> Restoring:
    """asked: the models that the benchmark may have started. The rest: how it is now, by model id.

    What a person did meanwhile is the later word: a model that one has stopped since stays stopped, and a
    model that one has started goes on.
    """
    ran = {each.model_id for each in before.ran}
    missing = [each for each in before.ran if each.model_id not in runs and each.model_id not in held]
    stop = [
        model_id
        for model_id in dict.fromkeys(asked)
        if model_id in runs and model_id not in ran and model_id not in runs_by_hand
    ]
    return Restoring(
        stop=tuple(stop),
        start_by_hand=tuple(each.model_id for each in missing if each.by_hand),
        start_by_request=tuple(each.model_id for each in missing if not each.by_hand),
        hold=tuple(
            model_id
            for model_id in before.held
            if model_id not in held and (model_id not in runs or model_id in stop)
        ),
    )
