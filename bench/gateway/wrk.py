"""wrk as the load, and a request of the kind that clients send."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The official Python client's order: the model's name stands behind the messages.
CHAT: dict[str, object] = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant. Answer in one sentence."},
        {"role": "user", "content": "What is the capital of France?"},
    ],
    "model": "",
    "max_tokens": 64,
    "temperature": 0,
}
TOKENIZE: dict[str, object] = {"content": "What is the capital of France?", "model": ""}
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
wrk.headers["Authorization"] = "Bearer none"
wrk.headers["User-Agent"] = "OpenAI/Python 2.8.1"
wrk.body = [==[%s]==]
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %%d, "us": %%d, "p50_us": %%d, "p99_us": %%d, "errors": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Answers:
    """One run of wrk. Microseconds from a request to its answer; errors of any kind."""

    requests: int
    per_second: float
    p50_us: float
    p99_us: float
    errors: int


def write_script(path: Path, body: dict[str, object], model: str) -> Path:
    path.write_text(SCRIPT % json.dumps({**body, "model": model}, separators=(",", ":")))
    return path


def run_wrk(script: Path, url: str, clients: int, seconds: int) -> Answers:
    """Raises SystemExit where not one answer came."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"wrk {url}: {done.stdout}{done.stderr}")
    told = json.loads(done.stdout.splitlines()[-1])
    if not told["requests"]:
        raise SystemExit(f"{url} answered nothing in {seconds} s: {done.stdout}")
    per_second = told["requests"] / told["us"] * 1e6
    return Answers(told["requests"], per_second, told["p50_us"], told["p99_us"], told["errors"])
