"""The OpenAPI document: complete, and true."""

from __future__ import annotations

from typing import Any

from tests.fakes.control_plane import ControlPlane

from synapse_engine.gateway.dialect import Dialect, dialect_of

METHODS = ("get", "post", "patch", "put", "delete")
ERROR = {"$ref": "#/components/schemas/ErrorBody"}


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


async def test_every_route_has_an_answer_and_its_errors(plane: ControlPlane) -> None:
    document = (await plane.get("/openapi.json")).json()
    for name, operation in operations(document).items():
        responses = operation["responses"]
        good = [code for code in responses if code.startswith("2")]
        assert good, name
        if "/api/" not in name or dialect_of(name.split()[1]) is not Dialect.OURS:
            continue
        for code, response in responses.items():
            streams = code == "200" and "text/event-stream" in response["content"]
            kind = "text/event-stream" if streams else "application/json"
            schema = response["content"][kind]["schema"]
            assert schema, (name, code)
            if not code.startswith("2"):
                assert schema == ERROR, (name, code)
        assert {"401", "403", "422"} <= set(responses), name
        if "{model_id}" in name:
            assert {"404", "409"} <= set(responses), name
        assert operation["summary"] or operation["description"]


async def test_every_field_has_a_type(plane: ControlPlane) -> None:
    document = (await plane.get("/openapi.json")).json()
    for name, schema in document["components"]["schemas"].items():
        for field, facts in schema.get("properties", {}).items():
            known = {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "additionalProperties"}
            assert known & set(facts) or field == "ctx", (name, field)


async def test_the_answers_are_as_documented(plane: ControlPlane) -> None:
    document = (await plane.get("/openapi.json")).json()
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    plane.path("broken.gguf").write_bytes(b"no model")
    for method, path, body in (
        ("POST", "/api/models/rescan", None),
        ("POST", "/api/models/enable", {"enabled": True}),
        ("PATCH", "/api/models/{model_id}", {"settings": {"threads": 1}, "aliases": ["a"]}),
        ("POST", "/api/models/servers/start-all", None),
        ("POST", "/api/models/servers/{model_id}/start", None),
        ("GET", "/api/models/registry", None),
        ("GET", "/api/models/{model_id}", None),
        ("GET", "/api/models/servers", None),
        ("GET", "/api/models/servers/{model_id}", None),
        ("GET", "/api/models/servers/{model_id}/logs", None),
        ("GET", "/api/system", None),
        ("GET", "/health", None),
        ("GET", "/health/ready", None),
        ("POST", "/api/models/servers/{model_id}/stop", None),
        ("POST", "/api/models/servers/stop-all", None),
        ("PATCH", "/api/models/{model_id}", {"bogus": 1}),
    ):
        response = await plane.http.request(method, path.replace("{model_id}", model_id), json=body)
        documented = document["paths"][path][method.lower()]["responses"][str(response.status_code)]
        schema = documented["content"]["application/json"]["schema"]
        check(response.json(), schema, document, f"{method} {path}")


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def check(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str) -> None:
    """Fail where the value is not what the schema says; only what our document uses of JSON Schema."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        failures = [
            failure for option in schema["anyOf"] if (failure := _failure(value, option, document, place))
        ]
        assert len(failures) < len(schema["anyOf"]), failures
        return
    if "type" in schema:
        assert isinstance(value, TYPES[schema["type"]]), (place, value)
        assert schema["type"] == "boolean" or not isinstance(value, bool), (place, value)
    assert value in schema.get("enum", [value]), (place, value)
    assert value == schema.get("const", value), (place, value)
    if isinstance(value, list):
        for item in value:
            check(item, schema.get("items", {}), document, f"{place}[]")
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        assert set(schema.get("required", [])) <= set(value) <= set(properties), (place, set(value))
        for name, item in value.items():
            check(item, properties[name], document, f"{place}.{name}")


def _failure(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str) -> str | None:
    try:
        check(value, schema, document, place)
    except AssertionError as error:
        return str(error)
    return None
