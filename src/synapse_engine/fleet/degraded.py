"""Whether a model runs on less than it could: no layer on a GPU that is there, or replicas are missing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence

from synapse_engine.fleet.life import Failure
from synapse_engine.launch.base import Command, Device, Launcher

# What a load prints at the most, before the first request.
LOAD_LINES = 2000

log = logging.getLogger(__name__)

_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")


async def find_degradation(launcher: Launcher, command: Command) -> str | None:
    """What is amiss, in words and with what to do; None where all is well or nothing can be told."""
    try:
        lines = await launcher.log_tail(command.server_id, LOAD_LINES)
        return plan_degradation(lines, command.settings, await launcher.devices(command.argv[0]))
    except OSError as error:
        log.warning("%s: where its layers are could not be looked up: %s", command.server_id, error)
        return None


def plan_degradation(
    lines: Iterable[str], settings: Mapping[str, object], devices: Iterable[Device]
) -> str | None:
    """The same from what is known. A person who chose the processor gets what was chosen."""
    gpus = [device.name for device in devices if device.kind == "gpu"]
    chose_cpu = settings.get("devices") == "cpu" or settings.get("n_gpu_layers") == 0
    found = [match for line in lines if (match := _OFFLOADED.search(line))]
    if not gpus or chose_cpu or not found or int(found[-1][1]) > 0:
        return None
    return (
        f"None of its {found[-1][2]} layers is on a GPU, though there is {', '.join(gpus)}: it will be slow. "
        "Stop other models, or choose a smaller ctx_size or quantization."
    )


def explain_missing(failures: Sequence[Failure | None]) -> str | None:
    """Which replicas of a model that runs do not, and why; None where none is missing. In their order."""
    missing = {number: failure for number, failure in enumerate(failures, 1) if failure is not None}
    if not missing:
        return None
    reasons = " ".join(f"Replica {n}: {failure.error}. {failure.detail}" for n, failure in missing.items())
    return f"{len(failures) - len(missing)} of {len(failures)} replicas run. {reasons}"
