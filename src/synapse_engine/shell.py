"""What every command of the shell works with: the settings, the API, and how answers are printed.

What takes long to import is imported where it is needed: `synapse --help` is to come at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import click

if TYPE_CHECKING:
    from synapse_engine.client import Client
    from synapse_engine.settings import Settings


def settings(**flags: Any) -> Settings:
    """From flags, environment and `.env`; what cannot be taken ends the command."""
    from pydantic import ValidationError

    from synapse_engine.settings import Settings

    try:
        return Settings(**flags)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, p['loc'])) or 'settings'}: {p['msg'].removeprefix('Value error, ')}"
            for p in error.errors()
        ]
        fail("Settings cannot be taken", "\n".join(lines))


def client() -> Client:
    """The way to the control plane that the settings name."""
    from synapse_engine.client import Client

    return Client(settings())


def call(method: str, path: str, body: object = None) -> Any:
    """The JSON that the API answers. Raises Unreachable, Answered."""
    return client().call(method, path, body)


def events(path: str) -> Iterator[tuple[str, Any]]:
    """Server-sent events, name and JSON, until they end. Raises Unreachable, Answered."""
    return client().events(path)


def quoted(name: str) -> str:
    """As a part of a path."""
    return quote(name, safe="")


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def print_table(rows: Iterable[Sequence[object]], headers: Sequence[str], empty: str) -> None:
    """empty: what is said where there are no rows."""
    from tabulate import tabulate

    rows = list(rows)
    click.echo(tabulate(rows, headers=headers, missingval="-") if rows else empty)


def fail(error: str, detail: str) -> NoReturn:
    """Two lines, and an exit code of 1."""
    click.echo(f"{error}\n{detail}", err=True)
    raise SystemExit(1)
