"""Which mmproj file serves a model: pure choice among those that lie beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from synapse_engine.catalog.model import Model
from synapse_engine.catalog.names import FileName, name_words

MARK_WORDS = frozenset({"mmproj", "model", "vision", "projector"})
# Best first. F16 stands before BF16, which few GPUs do well.
PRECISIONS = ("F32", "F16", "BF16", "Q8_0")


class Projector(NamedTuple):
    """An mmproj file. `width` is the embedding length of the models that it feeds, where the header says."""

    path: str
    name: FileName
    quantization: str | None
    width: int | None
    is_in_repo: bool


def pick_projector(candidates: Iterable[Projector], model: Model, *, is_alone: bool) -> Projector | None:
    """The best fit, or None. `is_alone`: no other model, by name, shares the folder.

    In a repository every mmproj is for its models. In a plain folder it has to bear the model's name, or no
    name at all while the model is alone there.
    """
    fitting = [candidate for candidate in candidates if _fits(candidate, model, is_alone=is_alone)]
    return min(fitting, key=lambda candidate: _rank(candidate, model), default=None)


def _fits(projector: Projector, model: Model, *, is_alone: bool) -> bool:
    if projector.is_in_repo or _own_words(projector) and _bears_name(projector, model):
        return True
    return is_alone and not _own_words(projector)


def _rank(projector: Projector, model: Model) -> tuple[bool, bool, int, str]:
    """Low is good: the model's width, then its name, then the most precise."""
    has_width = projector.width is not None and projector.width == model.geometry.embedding_length
    precision = projector.quantization if projector.quantization in PRECISIONS else None
    order = PRECISIONS.index(precision) if precision else len(PRECISIONS)
    return not has_width, not _bears_name(projector, model), order, projector.path


def _bears_name(projector: Projector, model: Model) -> bool:
    return _own_words(projector) <= name_words(model.stem)


def _own_words(projector: Projector) -> set[str]:
    return name_words(projector.name.stem) - MARK_WORDS
