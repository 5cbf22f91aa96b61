"""Upstreams by URL."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field, SecretStr

from synapse_engine.api.wire.base import Ask
from synapse_engine.gateway.remote import KeyHeader


class UpstreamAsk(Ask):
    url: str = Field(
        description="where it is, before or with `/v1`",
        examples=["http://10.0.0.5:8000", "https://api.example.com/v1"],
    )
    api_key: SecretStr | None = Field(
        None,
        description="what it wants for a key; null or empty for none. Absent, the one before stays, unless"
        " the URL is another host's",
    )
    key_header: KeyHeader = Field(
        "authorization", description="where the key is sent; `x-api-key` for APIs in Anthropic's shape"
    )
    model: str | None = Field(
        None, description="what NAME alone means there; null: the only model that it lists"
    )


class UpstreamOut(BaseModel):
    name: str = Field(description="its models are asked for as NAME/MODEL")
    url: str
    has_key: bool = Field(description="the key itself is never told")
    key_header: KeyHeader
    model: str | None
    reachable: bool | None = Field(description="whether it answered when it was last asked; null before")
    models: list[str] = Field(description="what it lists at /v1/models")
    problem: str | None = Field(description="why its models are not known")
    checked_at: datetime | None


class UpstreamList(BaseModel):
    upstreams: list[UpstreamOut]


class UpstreamRemoved(BaseModel):
    message: str
    name: str
