"""File and repository names -> what a model is called, how large it is and how it is quantized.

The file's name is read into words first; the header's hints then fill in or overrule. Pure text: no file
is opened here. The rules are tabulated in `tests/catalog/gguf_file_names.tsv`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from synapse_engine.catalog.model import Tier

SHARD = re.compile(r"-(\d{5})-of-(\d{5})$", re.IGNORECASE)
SEPARATORS = re.compile(r"[-_\s]+")
QUANTIZATION = re.compile(
    r"(?:^|[-_.\s])(?P<dynamic>UD[-_])?(?P<name>"
    r"BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4|TQ[12]_0"
    r"|IQ[1-4]_(?:XXS|XS|S|M|NL)(?:_XL)?"
    r"|Q[2-8]_K(?:_(?:XXS|XS|S|M|L|XL|XXL))?"
    r"|Q[1-8]_[01](?:_\d_\d)?"
    r"|Q[2-8]"
    r")(?=$|[-_.\s])",
    re.IGNORECASE,
)
SPELLINGS = {"FP16": "F16", "FP32": "F32", "MXFP4_MOE": "MXFP4"}
K_QUANTIZATION = re.compile(r"Q\d_K")

SIZE = re.compile(r"(?:(?P<experts>\d+)x)?E?(?P<number>\d+(?:\.\d+)?)(?P<unit>[TBM])", re.IGNORECASE)
BILLIONS = {"T": 1000.0, "B": 1.0, "M": 0.001}
VERSION = re.compile(r"v?(?P<number>[1-9]\d?(?:\.\d+)*|0\.\d+)", re.IGNORECASE)
FAMILY = re.compile(r"(?P<family>[^\W\d]+)(?P<version>\d+(?:\.\d+)*)", re.IGNORECASE)
NOT_IN_AN_ID = re.compile(r"[^\w.+]+")

FORMAT_WORDS = frozenset({"gguf", "ud", "i1", "imat"})
ID_NOISE = FORMAT_WORDS | {"instruct", "chat", "it", "hf"}
NAMELESS_WORDS = ID_NOISE | {"ggml", "model", "base"}
MAKERS = frozenset({"meta", "google", "microsoft", "nvidia", "ibm", "openai", "mistralai", "c4ai"})

PART_MARKS = {
    "mmproj": re.compile(r"mmproj", re.IGNORECASE),
    "imatrix": re.compile(r"imatrix", re.IGNORECASE),
    # A model may carry MTP layers and say so further on in its name; only the head alone begins with it.
    "draft": re.compile(r"^mtp-|(?:^|[-_.])eagle3-", re.IGNORECASE),
}

FAST_BELOW_B, POWERFUL_ABOVE_B = 8.0, 14.0
FAST_BELOW_BYTES, BALANCED_BELOW_BYTES = 5_000_000_000, 10_000_000_000


class FileName(NamedTuple):
    """A GGUF file's name, taken apart.

    stem: without extension and shard suffix. base: the stem without its quantization.
    shard_number counts from 1; a file that is no shard is 1 of 1.
    part: `mmproj`, `imatrix` or `draft` for what cannot be launched alone, else None.
    """

    stem: str
    base: str
    quantization: str | None
    is_dynamic_quant: bool
    shard_number: int
    shard_count: int
    part: str | None


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What the header knows about names. `tensor_type` is the commonest one, by elements."""

    name: str | None = None
    size_label: str | None = None
    parameter_count: int | None = None
    file_type: str | None = None
    tensor_type: str | None = None


class ModelName(msgspec.Struct, frozen=True, kw_only=True):
    """The name side of a `Model`; fields as there."""

    base_id: str
    display_name: str
    family: str
    version: str | None
    variant: str | None
    nominal_size_b: float | None
    quantization: str | None
    is_dynamic_quant: bool
    tier: Tier


def parse_file_name(file_name: str) -> FileName:
    """`file_name` without folders, with or without `.gguf` in any case."""
    stem = re.sub(r"\.gguf$", "", file_name, flags=re.IGNORECASE)
    shard_number = shard_count = 1
    if shard := SHARD.search(stem):
        shard_number, shard_count = int(shard[1]), int(shard[2])
        stem = stem[: shard.start()]
    base, quantization, is_dynamic = _take_quantization(stem)
    part = next((part for part, mark in PART_MARKS.items() if mark.search(stem)), None)
    return FileName(stem, base, quantization, is_dynamic, shard_number, shard_count, part)


def name_words(stem: str) -> set[str]:
    """The lower-case words that name a model, without its quantization: for telling what belongs together."""
    return {word.lower() for word in _words(_without_uploader(_take_quantization(stem)[0]))}


def shard_file_name(file_name: str, number: int) -> str:
    """The name of another shard of the same model."""
    stem, extension = file_name[:-5], file_name[-5:]
    return SHARD.sub(lambda found: f"-{number:05}-of-{found[2]}", stem) + extension


def name_model(file: FileName, repo: str | None, hints: Hints, file_size_bytes: int) -> ModelName:
    """Every name of a model. `repo` is `org/name` where the file's place tells it."""
    words = _words(_named_base(file, repo, hints)) or ["model"]
    named_size = _size_word(words)
    label = named_size or _size_from_header(hints)
    size_b = parse_size(label) if label else None
    tier = tier_of(size_b, file_size_bytes)
    quantization = choose_quantization(file.quantization, hints)
    id_words = [word.lower() for word in words if word.lower() not in ID_NOISE] or ["model"]
    if label and not named_size:
        id_words.append(label.lower())
    family, version, variant = _family(words, named_size)
    return ModelName(
        base_id="_".join([*id_words, tier]),
        display_name=_display(words, named_size, quantization, file.is_dynamic_quant),
        family=family,
        version=version,
        variant=variant,
        nominal_size_b=size_b,
        quantization=quantization,
        is_dynamic_quant=file.is_dynamic_quant,
        tier=tier,
    )


def tier_of(size_b: float | None, file_size_bytes: int) -> Tier:
    """FAST below 8 billion parameters, POWERFUL above 14; of an unknown size, by the file's."""
    if size_b is None:
        if file_size_bytes < FAST_BELOW_BYTES:
            return Tier.FAST
        return Tier.BALANCED if file_size_bytes < BALANCED_BELOW_BYTES else Tier.POWERFUL
    if size_b < FAST_BELOW_B:
        return Tier.FAST
    return Tier.POWERFUL if size_b > POWERFUL_ABOVE_B else Tier.BALANCED


def parse_size(word: str) -> float | None:
    """Billions of parameters that a word names: `7B` 7, `135M` 0.135, `8x7B` 56, `E4B` 4; else None."""
    found = SIZE.fullmatch(word)
    if found is None:
        return None
    experts = int(found["experts"] or 1)
    return round(experts * float(found["number"]) * BILLIONS[found["unit"].upper()], 6)


def choose_quantization(named: str | None, hints: Hints) -> str | None:
    """The header's word counts; the name's may be finer (`Q4_K_XL` where the header says Q4_K_M)."""
    told = hints.file_type or hints.tensor_type
    if told is None or named is None:
        return told or named
    return named if _base_type(named) == _base_type(told) and named != _base_type(told) else told


def assign_ids(newcomers: Sequence[tuple[str, str | None, Tier]], taken: Collection[str]) -> list[str]:
    """An id for each (base id, quantization, tier), given in path order; none of `taken`, none twice.

    A base id that several want, or that is taken, goes to nobody: each gets its quantization before the
    tier, and then a number.
    """
    wanted = Counter(base for base, _, _ in newcomers)
    given = set(taken)
    ids: list[str] = []
    for base, quantization, tier in newcomers:
        if wanted[base] > 1 or base in given:
            base = _with_quantization(base, quantization, tier)
        model_id, number = base, 1
        while model_id in given:
            number += 1
            model_id = f"{base}_{number}"
        given.add(model_id)
        ids.append(model_id)
    return ids


def _with_quantization(base_id: str, quantization: str | None, tier: Tier) -> str:
    if quantization is None:
        return base_id
    return f"{base_id.removesuffix(f'_{tier}')}_{quantization.lower()}_{tier}"


def _take_quantization(stem: str) -> tuple[str, str | None, bool]:
    """The stem without its quantization (the last one named), the quantization, and whether UD marks it."""
    matches = list(QUANTIZATION.finditer(stem))
    if not matches:
        return stem, None, False
    found = matches[-1]
    name = found["name"].upper()
    rest = stem[: found.start()] + stem[found.end() :]
    return rest, SPELLINGS.get(name, name), found["dynamic"] is not None


def _base_type(quantization: str) -> str:
    found = K_QUANTIZATION.match(quantization)
    return found[0] if found else quantization


def _named_base(file: FileName, repo: str | None, hints: Hints) -> str:
    """The text that names the model: the stem's; the repository's, else the header's, if it has none."""
    if _has_own_name(file.base):
        return _without_uploader(file.base)
    fallback = repo.rpartition("/")[2] if repo else hints.name
    return _without_uploader(fallback) if fallback and _words(fallback) else file.base


def _has_own_name(base: str) -> bool:
    return any(
        not (word.lower() in NAMELESS_WORDS or parse_size(word) or VERSION.fullmatch(word))
        for word in _words(base)
    )


def _without_uploader(text: str) -> str:
    """`google_gemma-3-27b-it` is gemma's: an uploader stands before a `_` in the first dash-word."""
    first, dash, _ = text.partition("-")
    prefix, underscore, name = first.partition("_")
    if dash and underscore and prefix and name[:1].isalpha():
        return text[len(prefix) + 1 :]
    return text


def _words(text: str) -> list[str]:
    cleaned = (NOT_IN_AN_ID.sub("", word).strip(".") for word in SEPARATORS.split(text))
    return [word for word in cleaned if word and word.lower() not in FORMAT_WORDS]


def _size_word(words: list[str]) -> str | None:
    """The first word that names billions, else millions: `7B-Instruct-1M` is 7B with a long context."""
    sizes = [word for word in words if SIZE.fullmatch(word)]
    in_billions = [word for word in sizes if word[-1] not in "mM"]
    return next(iter(in_billions or sizes), None)


def _size_from_header(hints: Hints) -> str | None:
    """A size as a word: the label's first part (`17B-16E` is 17B), else the tensor count rounded."""
    for word in re.split(r"[-_\s]", hints.size_label or ""):
        if parse_size(word):
            return word
    count = hints.parameter_count
    if not count:
        return None
    if count < 999_500_000:
        return f"{max(1, round(count / 1e6))}M"
    billions = count / 1e9
    return f"{billions:.0f}B" if billions >= 9.95 else f"{billions:.1f}B".replace(".0B", "B")


def _display(words: list[str], size: str | None, quantization: str | None, is_dynamic: bool) -> str:
    text = " ".join(word.upper() if word == size else word for word in words)
    if quantization is None:
        return text
    return f"{text} ({'UD-' if is_dynamic else ''}{quantization})"


def _family(words: list[str], size: str | None) -> tuple[str, str | None, str | None]:
    rest = [word for word in words if word != size]
    if len(rest) > 1 and rest[0].lower() in MAKERS:
        rest = rest[1:]
    if not rest:
        return "unknown", None, None
    first, *others = rest
    version = None
    if found := FAMILY.fullmatch(first):
        first, version = found["family"], found["version"]
    for word in others if version is None else ():
        if found := VERSION.fullmatch(word):
            version = found["number"]
            others.remove(word)
            break
    return first.lower(), version, " ".join(others) or None
