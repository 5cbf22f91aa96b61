"""Where people already have models: one small function for each store. What does not exist is left out.

Sources: huggingface_hub's constants.py; `fs_get_cache_directory` of llama.cpp; LM Studio's and Ollama's docs.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

LM_STUDIO_POINTER = ".lmstudio-home-pointer"
# Where Ollama keeps models when the system runs it: its own installer's place, and Arch Linux's.
OLLAMA_SERVICE_FOLDERS = ("/usr/share/ollama/.ollama/models", "/var/lib/ollama")


def default_roots(
    environ: Mapping[str, str], ollama_services: Iterable[str] = OLLAMA_SERVICE_FOLDERS
) -> list[Path]:
    """The known caches and stores that exist now."""
    home = Path(environ.get("HOME") or "~").expanduser()
    places = [
        _huggingface_cache(environ, home),
        _llama_cpp_cache(environ, home),
        *_lm_studio_folders(home),
        _ollama_folder(environ, home),
        *map(Path, ollama_services),
    ]
    return [place for place in dict.fromkeys(places) if is_there(place)]


def is_there(folder: Path) -> bool:
    """Whether it is a folder. One that may not be looked at is there: the walk says why it is of no use."""
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _huggingface_cache(environ: Mapping[str, str], home: Path) -> Path:
    """By the first variable that is set, as huggingface_hub and llama.cpp look for it."""
    if cache := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache).expanduser()
    if hf_home := environ.get("HF_HOME"):
        return Path(hf_home).expanduser() / "hub"
    return _cache_home(environ, home) / "huggingface" / "hub"


def _llama_cpp_cache(environ: Mapping[str, str], home: Path) -> Path:
    if cache := environ.get("LLAMA_CACHE"):
        return Path(cache).expanduser()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "llama.cpp"
    return _cache_home(environ, home) / "llama.cpp"


def _lm_studio_folders(home: Path) -> Iterator[Path]:
    """Today's place and the older one, and the one that LM Studio's pointer file names."""
    try:
        pointed = (home / LM_STUDIO_POINTER).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        pointed = ""
    if pointed:
        yield Path(pointed) / "models"
    yield home / ".lmstudio" / "models"
    yield home / ".cache" / "lm-studio" / "models"


def _ollama_folder(environ: Mapping[str, str], home: Path) -> Path:
    named = environ.get("OLLAMA_MODELS")
    return Path(named).expanduser() if named else home / ".ollama" / "models"


def _cache_home(environ: Mapping[str, str], home: Path) -> Path:
    named = environ.get("XDG_CACHE_HOME")
    return Path(named).expanduser() if named else home / ".cache"
