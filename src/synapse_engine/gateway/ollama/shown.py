"""Models in the shapes of Ollama's lists. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from synapse_engine.catalog.model import Kind, Model
from synapse_engine.gateway.listing import Listed, ListedMode, ListedRemote

LATEST = ":latest"
CAPABILITIES = ("tools", "vision", "thinking")
# As far away as Ollama puts the end of what is kept for ever; its client calls that so.
FOR_EVER = datetime(2318, 1, 1, tzinfo=UTC)
NO_DETAILS = {
    "parent_model": "",
    "format": "",
    "family": "",
    "families": [],
    "parameter_size": "",
    "quantization_level": "",
}


def tagged(name: str) -> str:
    """Ollama lists no name without a tag."""
    return name if ":" in name.rpartition("/")[2] else name + LATEST


def tag_of(listed: Listed, name: str) -> dict[str, Any]:
    """An entry of /api/tags."""
    model = listed.entry.model
    return {
        "name": name,
        "model": name,
        "modified_at": listed.modified_at.isoformat(),
        "size": model.file_size_bytes,
        "digest": _digest(listed),
        "details": _details(model),
    }


def tag_without_file(listed: ListedRemote | ListedMode) -> dict[str, Any]:
    """The same of what may be asked for and has no file here."""
    name = tagged(listed.name)
    return {
        "name": name,
        "model": name,
        "modified_at": listed.modified_at.isoformat(),
        "size": 0,
        "digest": hashlib.sha256(name.encode(errors="replace")).hexdigest(),
        "details": NO_DETAILS,
    }


def running(
    listed: Listed, name: str, *, now: datetime, left_seconds: float, memory_bytes: int, gpu_bytes: int
) -> dict[str, Any]:
    """An entry of /api/ps. left_seconds: until it stops if nobody asks it anything."""
    far = (FOR_EVER - now).total_seconds()
    expires = now + timedelta(seconds=left_seconds) if left_seconds < far else FOR_EVER
    return {
        "name": name,
        "model": name,
        "size": memory_bytes,
        "digest": _digest(listed),
        "details": _details(listed.entry.model),
        "expires_at": expires.isoformat(),
        "size_vram": gpu_bytes,
        "context_length": listed.context_tokens or 0,
    }


def description(listed: Listed) -> dict[str, Any]:
    """What /api/show answers. The context length is that of one request, as clients go by it."""
    model = listed.entry.model
    architecture, geometry = model.architecture or "unknown", model.geometry
    info = {
        "general.architecture": architecture,
        "general.basename": model.display_name,
        "general.parameter_count": model.parameter_count,
        f"{architecture}.context_length": listed.context_tokens,
        f"{architecture}.embedding_length": geometry.embedding_length,
        f"{architecture}.block_count": geometry.block_count,
    }
    has = [word for word in CAPABILITIES if word in model.capabilities]
    return {
        "modelfile": f"FROM {model.path}\n",
        "parameters": "" if listed.context_tokens is None else f"num_ctx {listed.context_tokens}",
        "template": "",
        "details": _details(model),
        "model_info": {name: value for name, value in info.items() if value is not None},
        "capabilities": ["completion", *has] if model.kind is Kind.CHAT else [str(model.kind)],
        "modified_at": listed.modified_at.isoformat(),
    }


def description_without_file(listed: ListedRemote | ListedMode) -> dict[str, Any]:
    """The same of what has no file here: it may be asked, and no more is known."""
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": NO_DETAILS,
        "model_info": {"general.architecture": "unknown", "general.basename": listed.display_name},
        "capabilities": ["completion"],
        "modified_at": listed.modified_at.isoformat(),
    }


def _details(model: Model) -> dict[str, Any]:
    family = model.architecture or model.family
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": _size(model.size_b),
        "quantization_level": model.quantization or "",
    }


def _size(billions: float | None) -> str:
    if billions is None:
        return ""
    return f"{billions:.1f}B" if billions >= 1 else f"{billions * 1000:.1f}M"


def _digest(listed: Listed) -> str:
    """64 hex digits that change with the model; Ollama's are of a manifest, which there is none of."""
    model = listed.entry.model
    facts = f"{model.identity}\n{model.header_digest}\n{model.file_size_bytes}\n{listed.variant}"
    return hashlib.sha256(facts.encode(errors="replace")).hexdigest()
