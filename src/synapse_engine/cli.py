"""The shell: `serve` runs the control plane, `doctor` looks around; every other command calls the API."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

import synapse_engine
from synapse_engine import shell
from synapse_engine.bench import bench
from synapse_engine.errors import SynapseError, Unreachable

MODES = ("auto", "simple", "two_stage", "council", "debate", "benchmark")
LEVELS = ("debug", "info", "warning", "error")

as_json = click.option("--json", "as_json", is_flag=True, help="For programs: the API's JSON.")
model_ids = click.argument("names", metavar="[ID]...", nargs=-1)


class _Group(click.Group):
    """Turns our errors into two lines and an exit code of 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SynapseError as error:
            shell.fail(error.error, error.detail)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(synapse_engine.__version__, prog_name="synapse")
def main() -> None:
    """Run all your GGUF models behind one address."""


main.add_command(bench)


@main.command()
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=int, help="Port of the page, the API and the gateway (8000).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of registry, logs and lock.")
@click.option("--scan-path", "scan_paths", multiple=True, help="Folder to search for models; repeatable.")
@click.option("--llama-server", "llama_server_path", help="The llama-server to run.")
@click.option("--keep-servers", is_flag=True, default=None, help="Leave the servers running at the end.")
@click.option("--insecure", is_flag=True, default=None, help="Listen on any address without a key.")
def serve(**flags: Any) -> None:
    """Run the control plane; Ctrl-C stops it and every server."""
    from synapse_engine.app import serve as run
    from synapse_engine.ownlog import LOG_FORMAT

    settings = shell.settings(**{name: value for name, value in flags.items() if value not in (None, ())})
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    _run(
        run(settings, lambda address: click.echo(f"Synapse Engine is at {address} (Ctrl-C stops everything)"))
    )


@main.command()
@as_json
def models(as_json: bool) -> None:
    """List every model that was found."""
    registry = shell.call("GET", "/api/models/registry")
    if as_json:
        shell.print_json(registry)
        return
    columns = "model_id display_name size_b quantization tier context_length port status".split()
    rows = [["x" if m["enabled"] else "", *(m[c] for c in columns)] for m in registry["models"]]
    headers = ["on", "id", "name", "size (B)", "quantization", "tier", "context", "port", "status"]
    shell.print_table(rows, headers, "No models found. `synapse doctor` tells where was looked.")
    for problem in (m for m in registry["models"] if m["problem"]):
        click.echo(f"{problem['model_id']}: {problem['problem']}")


@main.command()
@as_json
def ps(as_json: bool) -> None:
    """List the servers that are not stopped, also when the control plane is gone."""
    answer = _servers()
    if as_json:
        shell.print_json(answer)
        return
    columns = "model_id replica status port pid memory_used_mb uptime_seconds active_requests".split()
    rows = [[server[column] for column in columns] for server in answer["servers"]]
    headers = ["id", "replica", "status", "port", "pid", "memory (MB)", "uptime (s)", "requests"]
    shell.print_table(rows, headers, "No server is running.")
    for server in answer["servers"]:
        if error := server["last_error"]:
            click.echo(f"{server['model_id']}: {error['error']}. {error['detail']}")


@main.command()
@model_ids
@click.option("--all", "all_", is_flag=True, help="Every enabled model.")
@as_json
def start(names: Sequence[str], all_: bool, as_json: bool) -> None:
    """Start servers and wait until they are ready."""
    _check_names(names, all_)
    answer = shell.call("POST", "/api/models/servers/start-all", None if all_ else {"model_ids": list(names)})
    if as_json:
        shell.print_json(answer)
    else:
        for model in answer["models"]:
            click.echo(f"{model['model_id']} is running on port {model['port']}")
        for failed in answer["failed"]:
            click.echo(f"{failed['model_id']}: {failed['error']}. {failed['detail']}", err=True)
        click.echo(f"{answer['message']} in {answer['startup_time_seconds']:.1f} s")
    if answer["failed"]:
        raise SystemExit(1)


@main.command()
@model_ids
@click.option("--all", "all_", is_flag=True, help="Every server.")
@click.option("--now", is_flag=True, help="Kill, without waiting for running requests.")
@as_json
def stop(names: Sequence[str], all_: bool, now: bool, as_json: bool) -> None:
    """Stop servers; running requests are let finish first."""
    _check_names(names, all_)
    try:
        answers = _stop(names, all_, now)
    except Unreachable:
        answers = _stop_left(names, all_, now)
    if as_json:
        shell.print_json(answers[0] if all_ else answers)
        return
    for answer in answers:
        click.echo(answer["message"] if all_ else f"{answer['model_id']}: {answer['status']}")


@main.command()
@model_ids
@click.option("--all", "all_", is_flag=True, help="Every model that can be launched.")
@as_json
def enable(names: Sequence[str], all_: bool, as_json: bool) -> None:
    """Let START ALL include models."""
    _set_enabled(names, all_, True, as_json)


@main.command()
@model_ids
@click.option("--all", "all_", is_flag=True, help="Every model.")
@as_json
def disable(names: Sequence[str], all_: bool, as_json: bool) -> None:
    """Let START ALL leave models out. Running ones go on."""
    _set_enabled(names, all_, False, as_json)


@main.command()
@as_json
def rescan(as_json: bool) -> None:
    """Search every folder again."""
    answer = shell.call("POST", "/api/models/rescan")
    if as_json:
        shell.print_json(answer)
        return
    click.echo(
        f"{answer['message']}: {answer['added']} new, {answer['changed']} changed, "
        f"{answer['removed']} gone, in {answer['scan_seconds']:.2f} s"
    )


@main.command()
@click.argument("name", metavar="ORG/REPO[:QUANTIZATION]")
@click.option("--file", help="Its path in the repository, where the quantization does not tell which.")
@click.option("--list", "lists", is_flag=True, help="Only list what the repository offers.")
@as_json
def pull(name: str, file: str | None, lists: bool, as_json: bool) -> None:
    """Fetch a model from Hugging Face. Ctrl-C pauses it; the same command goes on with it."""
    from synapse_engine import pull

    if lists:
        found = shell.call("GET", f"/api/downloads/search?{urlencode({'repo': name})}")
        if as_json:
            shell.print_json(found)
        else:
            shell.print_table(pull.rows(found), pull.COLUMNS, f"{found['repo']} has no GGUF files.")
        return
    download = pull.fetch(shell.client(), name, file, shows=not as_json and sys.stderr.isatty())
    if download["status"] != "done":
        error = pull.why_not(download)
        shell.fail(error["error"], error["detail"])
    if as_json:
        shell.print_json(download)
    else:
        click.echo(pull.ending(download))


@main.command()
@click.argument("name", metavar="ID")
@click.option("-n", "--lines", default=200, show_default=True, help="How many of the last lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come; Ctrl-C ends it.")
@click.option("--level", type=click.Choice(LEVELS), default=LEVELS[0], help="Lines at or above it.")
@click.option("--search", default="", help="Lines that hold this text.")
@as_json
def logs(name: str, lines: int, follow: bool, level: str, search: str, as_json: bool) -> None:
    """Show a server's log, of its newest start."""
    query = urlencode({"tail": lines, "level": level, "search": search, "ansi": str(follow).lower()})
    path = f"/api/models/servers/{shell.quoted(name)}/logs?{query}"
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for _, chunk in shell.events(path):
                for line in chunk["lines"]:
                    click.echo(line)
        return
    answer = shell.call("GET", path)
    if as_json:
        shell.print_json(answer)
        return
    for line in answer["lines"]:
        click.echo(line)


@main.command()
@click.option("-n", "--lines", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--model", help="Only those to this model.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that end from now on; Ctrl-C ends it.")
@as_json
def activity(lines: int, model: str | None, follow: bool, as_json: bool) -> None:
    """List requests to models: the latest that have ended, then those in flight."""
    query = {"limit": lines} | ({} if model is None else {"model": model})
    ended = shell.call("GET", f"/api/activity?{urlencode(query)}")["calls"]
    live = shell.call("GET", "/api/activity/live")["calls"]
    if as_json:
        shell.print_json({"ended": ended, "live": live})
        return
    calls = [*reversed(ended), *live]
    headers = ["id", "at", "model", "outcome", "first byte (s)", "total (s)", "prompt", "output", "tokens/s"]
    shell.print_table(map(_call_row, calls), headers, "No request yet.")
    if not follow:
        return
    with contextlib.suppress(KeyboardInterrupt):
        for name, event in shell.events("/api/events"):
            for call in event["ended"] if name == "activity" else ():
                if model in (None, call["model_id"], call["asked"]):
                    click.echo("  ".join("-" if cell is None else str(cell) for cell in _call_row(call)))


def _call_row(call: Any) -> list[object]:
    """One that has ended, or is in flight."""
    return [
        call["id"],
        datetime.fromisoformat(call["began_at"]).astimezone().strftime("%H:%M:%S"),
        call["model_id"] or call["asked"] or None,
        call.get("outcome") or call["stage"],
        _rounded(call["first_byte_seconds"]),
        _rounded(call.get("total_seconds", call.get("seconds"))),
        call.get("prompt_tokens"),
        call.get("output_tokens"),
        _rounded(call.get("output_per_second"), 1),
    ]


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)


@main.command()
@click.argument("question", nargs=-1)
@click.option("--mode", type=click.Choice(MODES), default=MODES[0], show_default=True, help="How to answer.")
@click.option("-m", "--models", multiple=True, help="Whom to ask, split at commas; repeatable.")
@click.option("-o", "--option", "options", multiple=True, help="NAME=VALUE of the mode's; repeatable.")
@as_json
def ask(
    question: Sequence[str], mode: str, models: Sequence[str], options: Sequence[str], as_json: bool
) -> None:
    """Ask one or more models; a - in the QUESTION, or none at all, is what stdin has.

    The answer goes to stdout, who speaks and how long it takes to stderr. Ctrl-C ends it.
    """
    from synapse_engine import ask as asking

    query = asking.query_of(question, mode, models, options, sys.stdin)
    if as_json:
        shell.print_json(shell.call("POST", "/api/query", query))
    else:
        show = asking.Show(asking.write, is_live=sys.stdout.isatty())
        asking.follow(shell.client().events("/api/query", {**query, "stream": True}), show)


@main.command()
@as_json
def doctor(as_json: bool) -> None:
    """Tell what is found, what is missing, and what to do."""
    from synapse_engine.doctor import examine

    findings = list(examine(shell.settings()))
    if as_json:
        shell.print_json({"findings": [finding.as_json() for finding in findings]})
    else:
        for finding in findings:
            click.echo(f"{finding.verdict:<8}{finding.subject}: {finding.found}")
            if finding.advice:
                click.echo(f"        {finding.advice}")
    if any(finding.verdict == "missing" for finding in findings):
        raise SystemExit(1)


def _run(work: Any) -> None:
    import asyncio

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def _servers() -> Any:
    try:
        return shell.call("GET", "/api/models/servers")
    except Unreachable as unreachable:
        from synapse_engine.offline import list_left

        click.echo(f"{unreachable.error}; this is what it left running.", err=True)
        servers = list_left(shell.settings())
        return {"servers": servers, "total_running": len(servers)}


def _stop(names: Sequence[str], all_: bool, now: bool) -> list[Any]:
    if all_:
        return [shell.call("POST", "/api/models/servers/stop-all")]
    query = "?now=true" if now else ""
    return [shell.call("POST", f"/api/models/servers/{shell.quoted(name)}/stop{query}") for name in names]


def _stop_left(names: Sequence[str], all_: bool, now: bool) -> list[Any]:
    from synapse_engine.offline import stop_left

    stopped = stop_left(shell.settings(), None if all_ else names, now=now)
    if all_:
        return [{"message": f"Stopped {len(stopped)} servers", "stopped": len(stopped)}]
    return [{"model_id": model_id, "status": "stopped"} for model_id in stopped]


def _set_enabled(names: Sequence[str], all_: bool, enabled: bool, as_json: bool) -> None:
    _check_names(names, all_)
    body: dict[str, Any] = {"enabled": enabled} | ({} if all_ else {"model_ids": list(names)})
    answer = shell.call("POST", "/api/models/enable", body)
    if as_json:
        shell.print_json(answer)
    else:
        click.echo(answer["message"])


def _check_names(names: Sequence[str], all_: bool) -> None:
    if bool(names) == all_:
        raise click.UsageError("Name models, or say --all.")
