"""`synapse bench`: a benchmark begun and followed in the shell, and those of before shown and compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from synapse_engine import shell

if TYPE_CHECKING:
    from synapse_engine.client import Client

UNDER_WAY = ("queued", "running")
SEPARATOR = "---"
FIGURES = {
    "first_token_seconds": "first token (s)",
    "prompt_per_second": "prompt (tokens/s)",
    "output_per_second": "generation (tokens/s)",
    "total_seconds": "total (s)",
}
LINE_CHARACTERS = 110


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--set", "prompt_set", help="A built-in set of prompts (chat); --sets lists them.")
@click.option("--prompt", "prompts", multiple=True, help="A prompt of your own; repeatable.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Prompts in a file: a JSON list, or text with lines of {SEPARATOR} between them; repeatable.",
)
@click.option("--isolated", is_flag=True, help="One model after another, with everything else stopped.")
@click.option("--at-once", is_flag=True, help="Ask all models at the same time.")
@click.option("-r", "--repetitions", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--max-tokens", type=click.IntRange(1), help="Of every answer, in place of the prompts' own.")
@click.option("--fixed-length", is_flag=True, help="Every answer has exactly so many tokens.")
@click.option("--judge", help="A model that compares the answers in pairs, blind and in both orders.")
@click.option("--title", help="What it is called.")
@click.option("--json", "form", flag_value="json", help="All of it, for programs.")
@click.option("--csv", "form", flag_value="csv", help="A line for each request.")
@click.option("--markdown", "form", flag_value="markdown", help="Tables and answers.")
@click.option("--list", "lists", is_flag=True, help="List the latest benchmarks.")
@click.option("--sets", is_flag=True, help="List the built-in sets of prompts.")
@click.option("--show", type=int, metavar="ID", help="Show one that has run, or runs.")
@click.option("--compare", type=int, nargs=2, metavar="A B", help="How much B differs from A.")
@click.option("--cancel", type=int, metavar="ID", help="End one that runs or waits.")
@click.option("--delete", type=int, metavar="ID", help="Throw one away that has ended.")
def bench(
    form: str | None,
    lists: bool,
    sets: bool,
    show: int | None,
    compare: tuple[int, int] | None,
    cancel: int | None,
    delete: int | None,
    **asked: Any,
) -> None:
    """Measure models side by side; without names, every enabled one. Ctrl-C cancels it.

    Afterwards the same servers run as before.
    """
    client = shell.client()
    as_json = form == "json"
    if lists:
        _show(client.call("GET", "/api/benchmarks"), as_json, _list_text)
    elif sets:
        _show(client.call("GET", "/api/benchmarks/prompts"), as_json, _sets_text)
    elif compare:
        query = urlencode({"a": compare[0], "b": compare[1]})
        _show(client.call("GET", f"/api/benchmarks/compare?{query}"), as_json, comparison_text)
    elif cancel is not None:
        _show(client.call("POST", f"/api/benchmarks/{cancel}/cancel"), as_json, brief_line)
    elif delete is not None:
        _show(client.call("DELETE", f"/api/benchmarks/{delete}"), as_json, lambda answer: answer["message"])
    elif show is not None:
        _show_one(client, show, form)
    else:
        _run(client, _body(asked), form)


def _run(client: Client, body: dict[str, Any], form: str | None) -> None:
    """Begin one and follow it to its end; an interrupt cancels it, and a second one leaves it."""
    brief = client.call("POST", "/api/benchmarks", body)
    shows = sys.stderr.isatty()
    try:
        brief = _follow(client, brief, shows)
    except KeyboardInterrupt:
        brief = client.call("POST", f"/api/benchmarks/{brief['id']}/cancel")
        click.echo("\nCancelled; the fleet is being put back (Ctrl-C leaves that to itself).", err=True)
        brief = _follow(client, brief, shows)
    _show_one(client, brief["id"], form)
    if brief["status"] != "done":
        if error := brief["error"]:
            shell.fail(error["error"], error["detail"])
        raise SystemExit(1)


def _follow(client: Client, brief: Any, shows: bool) -> Any:
    """What was heard of it last. shows: write its progress on the terminal."""
    for news in _news(client, brief["id"]):
        brief = news
        if shows:
            click.echo(f"\r{brief_line(brief)[:LINE_CHARACTERS]:<{LINE_CHARACTERS}}", nl=False, err=True)
        if brief["status"] not in UNDER_WAY:
            break
    if shows:
        click.echo("", err=True)
    return brief


def _news(client: Client, benchmark_id: int) -> Iterator[Any]:
    """It as it is, then at each change."""
    for name, event in client.events("/api/events"):
        if name == "snapshot":
            active = [each for each in event["benchmarks"] if each["id"] == benchmark_id]
            yield from active or [client.call("GET", f"/api/benchmarks/{benchmark_id}")]
        elif name == "benchmark" and event["id"] == benchmark_id:
            yield event


def _body(asked: dict[str, Any]) -> dict[str, Any]:
    prompts: list[dict[str, Any]] = [{"text": text} for text in asked["prompts"]]
    for path in asked["files"]:
        prompts += read_prompts(path.read_text(), str(path))
    return {
        "models": list(asked["models"]) or None,
        "prompt_set": asked["prompt_set"],
        "prompts": prompts,
        "manner": "isolated" if asked["isolated"] else "together",
        "turns": "at_once" if asked["at_once"] else "in_turn",
        **{name: asked[name] for name in ("repetitions", "max_tokens", "fixed_length", "judge", "title")},
    }


def read_prompts(text: str, path: str) -> list[dict[str, Any]]:
    """Those of a file: a JSON list of texts or of the API's prompts, or texts with --- between them."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"{path} is not the JSON that it begins as: {error}") from error
        return [{"text": each} if isinstance(each, str) else each for each in listed]
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == SEPARATOR:
            parts.append([])
        else:
            parts[-1].append(line)
    texts = ["\n".join(part).strip() for part in parts]
    return [{"text": each} for each in texts if each]


def _show_one(client: Client, benchmark_id: int, form: str | None) -> None:
    if form in ("csv", "markdown"):
        click.echo(client.text(f"/api/benchmarks/{benchmark_id}/export?format={form}"), nl=False)
    else:
        _show(client.call("GET", f"/api/benchmarks/{benchmark_id}"), form == "json", benchmark_text)


def _show(answer: Any, as_json: bool, text_of: Callable[[Any], str]) -> None:
    if as_json:
        shell.print_json(answer)
    else:
        click.echo(text_of(answer))


def brief_line(brief: Any) -> str:
    """How far it is: `benchmark 3: measuring qwen_7b_fast, tea (2), 7 of 18, 40 s left`."""
    now = brief["now"]
    doing = [now["stage"].replace("_", " ") if now else brief["status"]]
    if now and now["model"]:
        doing.append(now["model"])
    line = f"benchmark {brief['id']}: {' '.join(doing)}"
    if now and now["prompt"]:
        line += f", {now['prompt']} ({now['repetition']})"
    line += f", {brief['done_requests']} of {brief['total_requests']}"
    if brief["failed_requests"]:
        line += f", {brief['failed_requests']} failed"
    if brief["eta_seconds"] is not None:
        line += f", {brief['eta_seconds']:.0f} s left"
    return line


def benchmark_text(benchmark: Any) -> str:
    """A table of the models, and what is to be known about it."""
    headers = ["model", *FIGURES.values(), "load (s)", "memory (MB)", "failed"]
    is_judged = benchmark["judgement"] is not None
    rows = []
    for each in benchmark["by_model"]:
        row = [
            each["model"],
            *(_spread(each["figures"][name]) for name in FIGURES),
            _number(each["load_seconds"]),
            _number(each["memory_used_mb"]),
            each["failed"],
        ]
        rows.append([*row, _number((each["standing"] or {}).get("score"))] if is_judged else row)
    lines = [brief_line(benchmark), "", _table(rows, [*headers, "score"] if is_judged else headers), ""]
    lines += [
        f"{each['model']}: {each['error']['error']}. {each['error']['detail']}"
        for each in benchmark["by_model"]
        if each["error"]
    ]
    lines += ["Medians, with p10 to p90 in brackets.", *benchmark["notes"]]
    if benchmark["machine"]["energy"] is None:
        lines.append("This machine does not tell what energy it uses.")
    lines.append(f"Its answers: synapse bench --show {benchmark['id']} --markdown")
    return "\n".join(lines)


def comparison_text(answer: Any) -> str:
    """A line for each model and prompt; an asterisk where it is clear."""
    rows = [
        [each["model"], each["prompt"] or "all", *(_ratio(each["ratios"][name]) for name in FIGURES)]
        for each in answer["compared"]
    ]
    a, b = answer["a"]["id"], answer["b"]["id"]
    lines = [
        f"Benchmark {b} divided by benchmark {a}; * where p10 to p90 of both do not overlap.",
        "",
        _table(rows, ["model", "prompt", *FIGURES.values()])
        if rows
        else "They have no model and prompt in common.",
    ]
    for side, benchmark_id in (("a", a), ("b", b)):
        for kind in ("models", "prompts"):
            if only := answer[f"{kind}_only_in_{side}"]:
                lines.append(f"{kind} only in {benchmark_id}: {', '.join(only)}")
    lines += [f"Different: {difference}" for difference in answer["differences"]]
    return "\n".join(lines)


def _list_text(answer: Any) -> str:
    rows = [
        [
            each["id"],
            each["created_at"][:16].replace("T", " "),
            each["status"],
            each["manner"],
            ", ".join(each["models"]),
            f"{each['done_requests']}/{each['total_requests']}",
            each["title"],
        ]
        for each in answer["benchmarks"]
    ]
    headers = ["id", "at (UTC)", "status", "manner", "models", "requests", "title"]
    return _table(rows, headers) if rows else "No benchmark yet."


def _sets_text(answer: Any) -> str:
    rows = [[each["name"], len(each["prompts"]), each["description"]] for each in answer["sets"]]
    return _table(rows, ["set", "prompts", "what for"])


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    from tabulate import tabulate

    return str(tabulate(rows, headers=headers, missingval="-", disable_numparse=True))


def _spread(figures: Any) -> str | None:
    if figures is None:
        return None
    return f"{_number(figures['median'])} ({_number(figures['p10'])} to {_number(figures['p90'])})"


def _ratio(ratio: Any) -> str | None:
    if ratio is None:
        return None
    mark = "*" if ratio["is_clear"] else ""
    return f"{ratio['ratio']:.2f}x ({ratio['low']:.2f} to {ratio['high']:.2f}){mark}"


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
