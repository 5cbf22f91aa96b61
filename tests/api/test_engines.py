"""The engines on the wire: which there are, and what each accepts."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.control_plane import open_control_plane
from tests.fakes.stage import Stage


async def test_engines_their_options_and_a_model_that_chooses_one(
    tmp_path: Path, engine: Path, stage: Stage
) -> None:
    other = tmp_path / "other-server"
    more_help = 'echo "--only-here N   What it does."'
    other.write_text(f'#!/bin/sh\n[ "$1" = --help ] && {more_help}\nexec {engine} "$@"\n')
    other.chmod(0o755)
    named = {"other": other, "gone": tmp_path / "gone"}
    async with open_control_plane(tmp_path, engine, stage, engines=named) as plane:
        listed = (await plane.get("/api/engines")).json()["engines"]
        assert [(one["name"], one["path"]) for one in listed] == [
            (None, str(engine)),
            ("other", str(other)),
            ("gone", None),
        ]
        assert str(tmp_path / "gone") in listed[2]["problem"]
        options = (await plane.get("/api/engines/options")).json()["options"]
        by_name = {option["name"]: option for option in options}
        assert by_name["ctx_size"]["hint"] == "N"
        assert "context" in by_name["ctx_size"]["help"]
        assert (by_name["ctx_size"]["kind"], by_name["ctx_size"]["default"]) == ("number", "0")
        assert by_name["flash_attn"]["choices"] == ["on", "off", "auto"]
        assert not {"host", "port", "model", "api_key", "alias", "usage", "version"} & by_name.keys()
        of_other = (await plane.get("/api/engines/options?engine=other")).json()["options"]
        assert "only_here" in {option["name"] for option in of_other}
        assert (await plane.get("/api/engines/options?engine=gone")).status_code == 503
        assert (await plane.get("/api/engines/options?engine=x")).status_code == 422
