"""Everything that the API can do, the page can do: the table in `docs/page.md` says where."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
OPERATION = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`")
SOURCES = sorted(
    path
    for path in (ROOT / "web" / "src").rglob("*.ts*")
    if ".test." not in path.name and path.name != "api.gen.ts" and "testing" not in str(path)
)
# A helper that only makes a path, or a path that has a name: `const NAME = (..) => "..."`.
HELPER = re.compile(r"const (\w+) = (?:\([^)]*\) => )?([`\"]/api/[^`\"]*[`\"]);")
# A template or a text that begins a path of the API, and whatever belongs to the same call after it.
PATH = re.compile(r"""([`"])(/api/(?:\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|[^`"$])*)\1""")
METHOD = re.compile(r'method: "(\w+)"')
HOLE = re.compile(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


def table(part: str) -> list[str]:
    """The operations that a part of the page's table names."""
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    return [operation for row in rows for operation in OPERATION.findall(row.split("|")[1])]


def parts() -> tuple[list[str], list[str]]:
    """What the table says is done on the page, and what is left to programs."""
    _, text = (ROOT / "docs" / "page.md").read_text().split("## What the API can do, and where")
    done, left = text.split("### For programs")
    return table(done), table(left)


def offered() -> set[str]:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def called(source: str) -> set[str]:
    """Every request to the API that a source of the page makes, its variable parts as `{}`."""
    helpers = HELPER.findall(source)
    source = HELPER.sub("", source)
    for name, text in helpers:
        path = text[1:-1]
        source = re.sub(rf"\$\{{{name}(?:\([^()]*\))?\}}", path, source)
        source = re.sub(rf"(?<=[(]){name}(?:\([^()]*\))?(?=[,)])", f"`{path}`", source)
    found = set()
    for match in PATH.finditer(source):
        arguments = rest_of_call(source[match.end() :])
        method = METHOD.search(arguments)
        # What a stream is asked for with, where there is something to ask.
        is_asked = re.fullmatch(r",.*, ask", arguments)
        found.add(f"{method[1] if method else 'POST' if is_asked else 'GET'} {shape(match[2])}")
    return found


def rest_of_call(source: str) -> str:
    """Up to the bracket that ends what was open before."""
    depth = 0
    for at, sign in enumerate(source):
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return source[:at]
    return source


def shape(path: str) -> str:
    """Without its query, whole or appended as one hole, and its variable parts as `{}`."""
    bare = re.sub(r"\{[^{}]*\}", "{}", HOLE.sub("{}", path)).split("?")[0]
    return re.sub(r"(?<!/)\{\}$", "", bare)


def test_every_operation_is_in_the_table_once_and_no_other() -> None:
    done, left = parts()
    counted = Counter(done + left)
    assert {operation for operation, times in counted.items() if times > 1} == set()
    assert offered() - counted.keys() == set()
    assert counted.keys() - offered() == set()


def test_what_the_table_says_is_done_on_the_page_the_page_asks_for() -> None:
    calls = set().union(*(called(path.read_text()) for path in SOURCES))
    done, left = parts()
    unheard = [operation for operation in done if shape_of(operation) not in calls]
    assert unheard == []
    # And nothing is asked for that the table leaves to programs.
    assert [operation for operation in left if shape_of(operation) in calls] == []


def shape_of(operation: str) -> str:
    method, path = operation.split(" ")
    return f"{method} {shape(path)}"


def test_a_call_is_read_with_its_method_and_its_holes() -> None:
    source = """
        const pathOf = (id: string) => `/api/things/${encodeURIComponent(id)}`;
        one: request<T>(pathOf(id), { method: "DELETE" }),
        two: request<T>(`${pathOf(id)}/again?x=${x ? "y" : ""}`, { method: "POST" }),
        three: grow("/api/things", tell, signal, ask),
        four: request<T>("/api/others", { signal }),
    """
    assert called(source) == {
        "DELETE /api/things/{}",
        "POST /api/things/{}/again",
        "POST /api/things",
        "GET /api/others",
    }
