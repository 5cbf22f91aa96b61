"""Which mmproj file and which draft serve a model: pure choice among the files that lie beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from synapse_engine.catalog.model import Model
from synapse_engine.catalog.names import FileName, name_words

PROJECTOR_WORDS = frozenset({"mmproj", "model", "vision", "projector"})
DRAFT_WORDS = frozenset({"draft", "drafter", "mtp", "eagle3", "model"})
# Best first. F16 stands before BF16, which few GPUs do well.
PRECISIONS = ("F32", "F16", "BF16", "Q8_0")
# llama.cpp takes a draft whose vocabulary differs by no more (`SPEC_VOCAB_MAX_SIZE_DIFFERENCE`).
MOST_VOCABULARY_DIFFERENCE = 128
SAYS_DRAFT = re.compile(r"(?:^|[-_.\s])draft(?:er)?(?=$|[-_.\s])", re.IGNORECASE)


class Part(NamedTuple):
    """A file that serves models. width: of an mmproj, the embedding length of the models that it feeds.
    vocabulary_size, parameter_count: of a draft. is_head: a draft that is no model by itself.
    """

    path: str
    name: FileName
    quantization: str | None
    is_in_repo: bool
    width: int | None = None
    vocabulary_size: int | None = None
    parameter_count: int | None = None
    is_head: bool = False


def pick_projector(candidates: Iterable[Part], model: Model, *, is_alone: bool) -> Part | None:
    """The best fit, or None. `is_alone`: no other model, by name, shares the folder.

    In a repository every mmproj is for its models. In a plain folder it has to bear the model's name, or no
    name at all while the model is alone there.
    """
    fitting = [part for part in candidates if part.is_in_repo or _is_its(part, model, is_alone=is_alone)]
    return min(fitting, key=lambda part: _projector_rank(part, model), default=None)


def pick_draft(candidates: Iterable[Part], model: Model, *, is_alone: bool) -> Part | None:
    """The one draft that is unmistakably the model's, in the finest precision there is; else None.

    A head (EAGLE-3, MTP) needs the model's name, or to share a folder with this model only. A small model
    that calls itself a draft needs the model's name, its vocabulary, and at most half its parameters.
    """
    fitting = [part for part in candidates if _drafts_for(part, model, is_alone=is_alone)]
    if len({part.name.base for part in fitting}) != 1:
        return None
    return min(fitting, key=lambda part: (_precision(part), part.path))


def _drafts_for(part: Part, model: Model, *, is_alone: bool) -> bool:
    if part.is_head:
        return is_alone or _bears_name(part, model, DRAFT_WORDS)
    own, its = part.vocabulary_size, model.geometry.vocabulary_size
    if own is None or its is None or abs(own - its) > MOST_VOCABULARY_DIFFERENCE:
        return False
    is_smaller = 2 * (part.parameter_count or 0) <= (model.parameter_count or 0)
    return is_smaller and part.path != model.path and _bears_name(part, model, DRAFT_WORDS)


def _is_its(part: Part, model: Model, *, is_alone: bool) -> bool:
    if _own_words(part, PROJECTOR_WORDS):
        return _bears_name(part, model, PROJECTOR_WORDS)
    return is_alone


def _projector_rank(part: Part, model: Model) -> tuple[bool, bool, int, str]:
    """Low is good: the model's width, then its name, then the most precise."""
    has_width = part.width is not None and part.width == model.geometry.embedding_length
    return not has_width, not _bears_name(part, model, PROJECTOR_WORDS), _precision(part), part.path


def _precision(part: Part) -> int:
    return PRECISIONS.index(part.quantization) if part.quantization in PRECISIONS else len(PRECISIONS)


def _bears_name(part: Part, model: Model, marks: frozenset[str]) -> bool:
    """All its words but the marks (and a draft's sizes, which are its own) are the model's."""
    words = _own_words(part, marks)
    if marks is DRAFT_WORDS:
        words = {word for word in words if not word[0].isdigit()}
        return bool(words) and words <= name_words(model.stem)
    return words <= name_words(model.stem)


def _own_words(part: Part, marks: frozenset[str]) -> set[str]:
    return name_words(part.name.stem) - marks
