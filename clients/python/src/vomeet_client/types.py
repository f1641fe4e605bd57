"""The shapes of the server's answers. Times are RFC 3339 text in UTC."""

from __future__ import annotations

from typing import Any, TypedDict


class Message(TypedDict):
    """A confirmation in words."""

    message: str


class User(TypedDict):
    """A user account."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    max_concurrent_bots: int
    data: dict[str, Any]
    created_at: str


class Token(TypedDict):
    """An API token without its secret; ``hint`` is the start of it."""

    id: int
    user_id: int
    name: str | None
    hint: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class NewToken(TypedDict):
    """A token just created: the only answer that holds the secret, in ``token``."""

    id: int
    token: str
    user_id: int
    name: str | None
    created_at: str
    expires_at: str | None


class UserDetails(User):
    """A user account with its tokens."""

    api_tokens: list[Token]


class CallerToken(TypedDict):
    """The token that a request was made with."""

    id: int
    name: str | None
    hint: str
    created_at: str
    expires_at: str | None


class Caller(TypedDict):
    """Who is calling, and with which token."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    max_concurrent_bots: int
    token: CallerToken


class Meeting(TypedDict):
    """A meeting; ``native_meeting_id`` is None once its personal data has been scrubbed."""

    id: int
    user_id: int
    platform: str
    native_meeting_id: str | None
    constructed_meeting_url: str | None
    status: str
    bot_container_id: str | None
    start_time: str | None
    end_time: str | None
    data: dict[str, Any]
    created_at: str
    updated_at: str


class Segment(TypedDict):
    """One stretch of speech; ``start`` and ``end`` are seconds from the start of the session."""

    start: float
    end: float
    text: str
    language: str | None
    speaker: str | None
    created_at: str | None
    absolute_start_time: str
    absolute_end_time: str


class Transcript(Meeting):
    """A meeting with what was said in it."""

    segments: list[Segment]


class RunningBot(TypedDict):
    """A bot at work; ``normalized_status`` is Requested, Starting, Up, Stopping, Exited or Failed."""

    container_id: str | None
    container_name: str | None
    platform: str | None
    native_meeting_id: str | None
    status: str | None
    normalized_status: str
    created_at: str | None
    labels: dict[str, str]
    meeting_id_from_name: str | None
