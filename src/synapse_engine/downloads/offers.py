"""A repository's files -> the models that it offers. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from synapse_engine.catalog.names import FileName, name_words, parse_file_name
from synapse_engine.catalog.parts import PROJECTOR_WORDS
from synapse_engine.downloads.address import EXTENSION, Address, is_safe_path
from synapse_engine.downloads.errors import FileNotOffered

# What is taken where nobody said which: the first that there is.
PREFERRED = ("Q4_K_M", "UD-Q4_K_XL", "Q4_K_S", "Q4_0", "MXFP4", "Q5_K_M", "Q6_K", "Q8_0")
# As good as any for a projector, at half the size of F32; few GPUs do BF16 well.
PROJECTOR_PRECISIONS = ("F16", "BF16", "Q8_0", "F32")
PROCESS_BYTES = 300_000_000
NO_CHOICE = frozenset({"latest"})


class HubFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a repository. sha256: of its content, where the hub says it."""

    path: str
    size_bytes: int
    sha256: str | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a repository: its shards in order, and the projector that it sees with.

    quantization: as names have it, `UD-` included; None where the file's name does not tell.
    """

    quantization: str | None
    shards: tuple[HubFile, ...]
    projector: HubFile | None = None

    @property
    def files(self) -> tuple[HubFile, ...]:
        """All that is fetched."""
        return self.shards if self.projector is None else (*self.shards, self.projector)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def plan_offers(files: Iterable[HubFile]) -> list[Offer]:
    """Smallest first. Left out: incomplete sets of shards, parts, and paths that would lead elsewhere."""
    models: dict[tuple[str, str, int], dict[int, HubFile]] = defaultdict(dict)
    projectors: list[HubFile] = []
    for file in files:
        if not (file.path.lower().endswith(EXTENSION) and file.size_bytes and is_safe_path(file.path)):
            continue
        folder, name = _split(file)
        if name.part == "mmproj":
            projectors.append(file)
        elif name.part is None:
            models[folder, name.stem, name.shard_count][name.shard_number] = file
    offers = [
        _offer(shards, projectors)
        for (_, _, count), shards in models.items()
        if set(shards) == set(range(1, count + 1))
    ]
    return sorted(offers, key=lambda offer: (offer.size_bytes, offer.shards[0].path))


def choose_offer(offers: Sequence[Offer], wanted: Address) -> Offer:
    """The one that was asked for, or a good one where nothing was said. Raises FileNotOffered."""
    if wanted.file is not None:
        fitting = [offer for offer in offers if wanted.file in (shard.path for shard in offer.shards)]
    elif wanted.quantization is not None and wanted.quantization.lower() not in NO_CHOICE:
        fitting = _of_quantization(offers, wanted.quantization.upper())
    else:
        return recommended(offers, wanted.repo)
    if len(fitting) != 1:
        asked = wanted.file or wanted.quantization or ""
        raise FileNotOffered(wanted.repo, asked, [_described(offer) for offer in fitting or offers])
    return fitting[0]


def recommended(offers: Sequence[Offer], repo: str) -> Offer:
    """The one to take where nothing was said. Raises FileNotOffered where there is none."""
    by_name: dict[str | None, list[Offer]] = defaultdict(list)
    for offer in offers:
        by_name[offer.quantization].append(offer)
    if not offers:
        raise FileNotOffered(repo, "", [])
    for name in PREFERRED:
        if name in by_name:
            return by_name[name][0]
    return offers[0]


def plan_need_bytes(offer: Offer) -> int:
    """What it will take in memory, roughly: the header that would tell is not here yet. A fifth beside the
    weights is for what computes and for the caches of 8,192 tokens, which grow with a model too.
    """
    return offer.size_bytes * 6 // 5 + PROCESS_BYTES


def _of_quantization(offers: Sequence[Offer], asked: str) -> list[Offer]:
    exact = [offer for offer in offers if offer.quantization == asked]
    return exact or [offer for offer in offers if offer.quantization == f"UD-{asked}"]


def _offer(shards: dict[int, HubFile], projectors: Sequence[HubFile]) -> Offer:
    folder, name = _split(shards[1])
    dynamic = "UD-" if name.is_dynamic_quant else ""
    return Offer(
        quantization=None if name.quantization is None else dynamic + name.quantization,
        shards=tuple(shards[number] for number in sorted(shards)),
        projector=_projector(folder, name, projectors),
    )


def _projector(folder: str, model: FileName, projectors: Sequence[HubFile]) -> HubFile | None:
    """Beside the model if there is one, else at the top; by the model's words, then by its precision."""

    def rank(file: HubFile) -> tuple[bool, bool, int, str]:
        its_folder, name = _split(file)
        own_words = name_words(name.stem) - PROJECTOR_WORDS
        precision = name.quantization or ""
        order = (
            PROJECTOR_PRECISIONS.index(precision)
            if precision in PROJECTOR_PRECISIONS
            else len(PROJECTOR_PRECISIONS)
        )
        return its_folder != folder, not own_words <= name_words(model.stem), order, file.path

    near = [file for file in projectors if _split(file)[0] in (folder, "")]
    return min(near, key=rank, default=None)


def _described(offer: Offer) -> str:
    path = offer.shards[0].path
    return f"{offer.quantization} ({path})" if offer.quantization else path


def _split(file: HubFile) -> tuple[str, FileName]:
    folder, _, name = file.path.rpartition("/")
    return folder, parse_file_name(name)
