"""`/api/folders`: where models are looked for, and further folders that a person adds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.wire.settings import FolderAsk, FolderList, FolderOut, FolderSource
from synapse_engine.errors import FolderNotAdded, InvalidChoice

router = APIRouter(prefix="/api/folders", tags=["folders"])


@router.get("", responses=documented())
async def list_folders(services: Wired) -> FolderList:
    """Every folder that is searched, with all folders in it."""
    return folder_list(services)


@router.post("", status_code=201, responses=documented(507))
async def add_folder(services: Wired, ask: FolderAsk) -> FolderList:
    """Search a further folder from now on, and at once."""
    folder = check_folder(ask.path, services.scanner.roots)
    await services.preferences.add_folder(folder)
    return await _search(services)


@router.delete("", responses=documented(404, 507))
async def remove_folder(
    services: Wired, path: Annotated[str, Query(description="as the list has it")]
) -> FolderList:
    """Search a folder no more that was added here. Its files stay; its models are missing, and keep what was
    chosen for them.
    """
    folder = Path(path)
    if folder not in services.preferences.folders:
        raise FolderNotAdded(path)
    await services.preferences.remove_folder(folder)
    return await _search(services)


def check_folder(path: str, searched: tuple[Path, ...]) -> Path:
    """The folder that a person named, if it can be searched and is not yet. Raises InvalidChoice."""
    folder = Path(os.path.normpath(os.path.expanduser(path.strip())))
    if not folder.is_absolute():
        raise InvalidChoice(
            f"Not a whole path: {path}", "Write it from the root on, such as /home/me/models."
        )
    problem = problem_of(folder)
    if problem is not None:
        raise InvalidChoice(f"Cannot be searched: {folder}", problem)
    if folder.parent == folder:
        raise InvalidChoice("Not the whole disk", "Name the folder that holds models.")
    for root in searched:
        if folder.is_relative_to(root):
            raise InvalidChoice(
                f"Already searched: {folder}", f"Models below {root} are found by themselves."
            )
    return folder


def problem_of(folder: Path) -> str | None:
    """Why nothing can be found there, and what to do."""
    try:
        if not folder.exists():
            return "It is not there. Check the spelling; in a container only what is mounted is there."
        if not folder.is_dir():
            return f"It is a file. Name its folder: {folder.parent}"
    except OSError as error:
        return f"It cannot be looked at: {error.strerror}."
    if not os.access(folder, os.R_OK | os.X_OK):
        return f"It may not be read by the user that the control plane runs as ({os.geteuid()})."
    return None


def folder_list(services: Services) -> FolderList:
    settings, added = services.settings, services.preferences.folders
    found = [Path(entry.model.path) for entry in services.registry.entries.values() if not entry.missing]

    def source(root: Path) -> FolderSource:
        if root in settings.scan_paths:
            return "settings"
        if root in added:
            return "added"
        return "own" if root == settings.own_models else "known"

    return FolderList(
        folders=[
            FolderOut(
                path=str(root),
                source=source(root),
                can_remove=source(root) == "added",
                problem=problem_of(root),
                models=sum(path.is_relative_to(root) for path in found),
            )
            for root in services.scanner.roots
        ]
    )


async def _search(services: Services) -> FolderList:
    await services.scanner.rescan()
    answer = folder_list(services)
    services.live.bus.publish("folders", answer.model_dump_json().encode())
    return answer
