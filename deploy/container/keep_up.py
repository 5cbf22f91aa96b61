"""Runs `synapse serve` under the container's init, and runs it again when it crashes.

The llama-servers go on meanwhile, and the next control plane adopts them. An end that was asked for, or
a start that was refused, is the container's end too.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

PAUSE_SECONDS = 0.5


def main() -> int:
    asked_to_end = False
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    while True:
        child = subprocess.Popen(["synapse", "serve", *sys.argv[1:]])
        code = child.wait()
        # Below zero: a signal, such as the kernel's for want of memory. Its own exit codes are answers.
        if asked_to_end or code >= 0:
            return code if code >= 0 else 128 - code
        sys.stderr.write(f"The control plane was ended by signal {-code}; it is started again.\n")
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
