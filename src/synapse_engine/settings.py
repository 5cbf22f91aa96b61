"""One frozen `Settings`, from flags, environment and `.env`, in that order of strength.

Built by `cli` and handed on; no module builds one at import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# By field: what can be changed while it runs. Everything else takes effect at a start.
CHANGEABLE = frozenset(
    "start_concurrency max_startup_seconds stop_timeout_seconds drain_seconds keep_servers restart_max"
    " restart_window_seconds probe_seconds memory_limit_mb evict idle_stop_seconds log_max_mb activity_max"
    " benchmarks_max on_demand queue_max queue_seconds"
    " modes_start modes_seconds modes_news queries_max loading_news body_max_mb refresh_seconds".split()
)
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def _split(separator: str) -> BeforeValidator:
    def split(value: Any) -> Any:
        if isinstance(value, str):
            return [part.strip() for part in value.split(separator) if part.strip()]
        return value

    return BeforeValidator(split)


def _named_paths() -> BeforeValidator:
    def named(value: Any) -> Any:
        if isinstance(value, str):
            pairs = [part.partition("=") for part in value.split(os.pathsep) if part.strip()]
            if any(not (name.strip() and path.strip()) for name, _, path in pairs):
                raise ValueError("each engine is written as NAME=PATH")
            return {name.strip(): path.strip() for name, _, path in pairs}
        return value

    return BeforeValidator(named)


def _expand(path: Path) -> Path:
    return path.expanduser().absolute()


def _trimmed_key(key: SecretStr | None) -> SecretStr | None:
    """An empty key is none: it must never be one that everybody has."""
    trimmed = key.get_secret_value().strip() if key is not None else ""
    return SecretStr(trimmed) if trimmed else None


def _hub(endpoint: str) -> str:
    if not endpoint.startswith(("http://", "https://")) or not urlsplit(endpoint).hostname:
        raise ValueError("it is an address such as https://huggingface.co")
    return endpoint.rstrip("/")


Folder = Annotated[Path, AfterValidator(_expand)]
Words = Annotated[tuple[str, ...], NoDecode, _split(",")]
Port = Annotated[int, Field(ge=1, le=65535)]
Key = Annotated[SecretStr | None, AfterValidator(_trimmed_key)]


def _setting(name: str, default: Any, description: str, **kwargs: Any) -> Any:
    return Field(default, validation_alias=name, description=description, **kwargs)


class Settings(BaseSettings):
    """Every setting of the control plane. `docs/settings.md` lists them, and a test holds it complete."""

    model_config = SettingsConfigDict(
        frozen=True, env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    host: str = _setting(
        "SYNAPSE_HOST", "127.0.0.1", "Address to listen on. Any but loopback needs SYNAPSE_API_KEY."
    )
    port: Port = _setting("SYNAPSE_PORT", 8000, "Port of the page, the API and the gateway.")
    api_key: Key = _setting(
        "SYNAPSE_API_KEY", None, "Key that every request but the page itself and /health must carry."
    )
    insecure: bool = _setting("SYNAPSE_INSECURE", False, "Listen on any address without a key.")
    allowed_hosts: Words = _setting(
        "SYNAPSE_ALLOWED_HOSTS", (), "Further Host names that requests may carry, split at commas."
    )
    allowed_origins: Words = _setting(
        "SYNAPSE_ALLOWED_ORIGINS", (), "Further origins whose pages may call, split at commas."
    )
    data_dir: Folder = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("synapse-engine", appauthor=False)),
        validation_alias="SYNAPSE_DATA_DIR",
        description="Folder of the registry, logs and lock.",
    )
    scan_paths: Annotated[tuple[Folder, ...], NoDecode, _split(os.pathsep)] = _setting(
        "MODEL_SCAN_PATH", (), "Folders to search for models, split as PATH is."
    )
    scan_defaults: bool = _setting(
        "SYNAPSE_SCAN_DEFAULTS", True, "Search the places where others keep models, too."
    )
    port_range_start: Port = _setting(
        "MODEL_PORT_RANGE_START", 8080, "First port given to servers (inclusive)."
    )
    port_range_end: Port = _setting("MODEL_PORT_RANGE_END", 8099, "Last port given to servers (inclusive).")
    llama_server_path: Folder | None = _setting(
        "LLAMA_SERVER_PATH", None, "The llama-server to run; else the one on PATH, else the installed wheel."
    )
    engines: Annotated[dict[str, Folder], NoDecode, _named_paths()] = Field(
        default_factory=dict,
        validation_alias="SYNAPSE_ENGINES",
        description="Further engines that models may choose: NAME=PATH, several split as PATH is.",
    )
    start_concurrency: int = _setting(
        "SYNAPSE_START_CONCURRENCY",
        4,
        "Servers that a start-all loads at a time, at most one for two cores.",
        ge=1,
        le=10_000,
    )
    max_startup_seconds: float = _setting(
        "SYNAPSE_MAX_STARTUP_SECONDS",
        60,
        "Time limit of a start, plus 20 s per GiB of weights.",
        gt=0,
        le=1e9,
    )
    stop_timeout_seconds: float = _setting(
        "SYNAPSE_STOP_TIMEOUT_SECONDS", 10, "Time from SIGTERM to SIGKILL.", ge=0, le=1e9
    )
    drain_seconds: float = _setting(
        "SYNAPSE_DRAIN_SECONDS",
        30,
        "How long a stop waits for running requests before SIGTERM.",
        ge=0,
        le=1e9,
    )
    keep_servers: bool | None = _setting(
        "SYNAPSE_KEEP_SERVERS",
        None,
        "Leave the servers running at a graceful end; by default 1 as a systemd service, else 0.",
    )
    restart_max: int = _setting(
        "SYNAPSE_RESTART_MAX",
        5,
        "How often a server that ends by itself is started again, in a window.",
        ge=0,
        le=1_000_000,
    )
    restart_window_seconds: float = _setting(
        "SYNAPSE_RESTART_WINDOW_SECONDS", 600, "The window of SYNAPSE_RESTART_MAX.", gt=0, le=1e9
    )
    probe_seconds: float = _setting(
        "SYNAPSE_PROBE_SECONDS", 15, "How often a running server is asked whether it lives.", gt=0, le=1e9
    )
    memory_limit_mb: float | None = _setting(
        "SYNAPSE_MEMORY_LIMIT_MB",
        None,
        "Memory for all servers together, in MB; by default the machine's, or its control group's, less 10%.",
        gt=0,
        le=1e12,
    )
    evict: bool = _setting("SYNAPSE_EVICT", True, "Stop idle servers when another one needs their memory.")
    idle_stop_seconds: float = _setting(
        "SYNAPSE_IDLE_STOP_SECONDS",
        1800,
        "Stop servers that a request started after so long without one; 0 is never.",
        ge=0,
        le=1e9,
    )
    log_max_mb: float = _setting(
        "SYNAPSE_LOG_MAX_MB", 16, "How much of each server's log is kept, in MB (10^6 bytes).", gt=0, le=1e9
    )
    activity_max: int = _setting(
        "SYNAPSE_ACTIVITY_MAX",
        50_000,
        "Requests whose records are kept (about 140 bytes each); the oldest go first.",
        ge=0,
        le=10_000_000,
    )
    benchmarks_max: int = _setting(
        "SYNAPSE_BENCHMARKS_MAX",
        200,
        "Benchmarks that are kept with all their answers; the oldest go first.",
        ge=0,
        le=100_000,
    )
    on_demand: bool = _setting("SYNAPSE_ON_DEMAND", True, "Requests may start enabled models.")
    queue_max: int = _setting(
        "SYNAPSE_QUEUE_MAX",
        256,
        "How many requests may wait for a model; four times as many in all.",
        ge=0,
        le=1_000_000,
    )
    queue_seconds: float = _setting(
        "SYNAPSE_QUEUE_SECONDS", 300, "How long a request waits for its model, at most.", gt=0, le=1e9
    )
    loading_news: Literal["comments", "reasoning", "off"] = _setting(
        "SYNAPSE_LOADING_NEWS",
        "comments",
        "What a stream is told while its model loads: comments, which clients skip, reasoning text, or off.",
    )
    modes_start: bool = _setting(
        "SYNAPSE_MODES_START", True, "Modes of several models may start enabled ones that do not run."
    )
    modes_seconds: float = _setting(
        "SYNAPSE_MODES_SECONDS", 900, "How long a mode works on an answer, at most.", gt=0, le=1e9
    )
    modes_news: Literal["comments", "reasoning", "off"] = _setting(
        "SYNAPSE_MODES_NEWS",
        "comments",
        "What a stream of a mode's answer is told before it: comments, reasoning text, or off.",
    )
    queries_max: int = _setting(
        "SYNAPSE_QUERIES_MAX",
        1_000,
        "Queries to modes that are kept, with their answers; the oldest go first.",
        ge=0,
        le=1_000_000,
    )
    body_max_mb: float = _setting(
        "SYNAPSE_BODY_MAX_MB", 512, "How large a request to a model may be, in MB (10^6 bytes).", gt=0, le=1e9
    )
    refresh_seconds: float = _setting(
        "SYNAPSE_REFRESH_SECONDS", 30, "How often the page asks for the registry by itself.", gt=0, le=1e9
    )

    hf_endpoint: Annotated[str, AfterValidator(_hub)] = _setting(
        "HF_ENDPOINT", "https://huggingface.co", "The hub that models are fetched from."
    )
    hf_token: Key = _setting(
        "HF_TOKEN", None, "Token for that hub: for gated and private repositories. Sent nowhere else."
    )

    _flags: frozenset[str] = PrivateAttr(frozenset())

    def __init__(self, **flags: Any) -> None:
        super().__init__(**flags)
        self._flags = frozenset(name for name in flags if not name.startswith("_"))

    @property
    def flags(self) -> frozenset[str]:
        """Fields, or their names in the environment, that were given by hand."""
        return self._flags

    @property
    def own_models(self) -> Path:
        """Folder of the models that Synapse Engine itself brings; always searched."""
        return self.data_dir / "models"

    @property
    def hub_token(self) -> str | None:
        return None if self.hf_token is None else self.hf_token.get_secret_value()

    @property
    def memory_limit_bytes(self) -> int | None:
        return None if self.memory_limit_mb is None else int(self.memory_limit_mb * 1e6)

    @property
    def body_max_bytes(self) -> int:
        return int(self.body_max_mb * 1e6)

    @property
    def log_max_bytes(self) -> int:
        return int(self.log_max_mb * 1_000_000)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.port_range_end < self.port_range_start:
            raise ValueError(
                f"MODEL_PORT_RANGE_END ({self.port_range_end}) is below "
                f"MODEL_PORT_RANGE_START ({self.port_range_start})"
            )
        if self.host not in LOOPBACK_HOSTS and self.api_key is None and not self.insecure:
            raise ValueError(
                f"SYNAPSE_HOST={self.host} lets other machines in: set SYNAPSE_API_KEY, "
                "or say --insecure if that is what you want"
            )
        return self
