"""The live feed: one socket, and what comes out of it."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from .errors import VomeetClientError
from .types import LiveEvent

_PORTS = {"http": 80, "https": 443}


def watch(
    url: str, headers: dict[str, str], meetings: tuple[tuple[str, str], ...], timeout: float
) -> Iterator[LiveEvent]:
    """Subscribe at an http or https address and yield what is pushed, beginning with ``subscribed``.

    ``timeout`` is for connecting, in seconds; the server is then pinged, so a line that is dead
    does not go unnoticed. Raises VomeetClientError for every end that the caller did not choose.
    """
    names = [{"platform": platform, "native_id": native_id} for platform, native_id in meetings]
    # The socket is opened here, so that no redirect can take the key to another address.
    stream = _open(url, timeout)
    address = urlunsplit(urlsplit(url)._replace(scheme=_socket_scheme(url)))
    try:
        with connect(
            address, sock=stream, additional_headers=headers, open_timeout=timeout
        ) as connection:
            # A server that refuses the key says so and closes at once; what it said is still read.
            with contextlib.suppress(ConnectionClosed):
                connection.send(json.dumps({"action": "subscribe", "meetings": names}))
            while True:
                yield _next_event(connection, url)
    except (InvalidHandshake, InvalidURI, OSError, ValueError) as error:
        raise VomeetClientError(f"No live feed at {url}: {error}") from error


def _socket_scheme(url: str) -> str:
    return "wss" if urlsplit(url).scheme == "https" else "ws"


def _open(url: str, timeout: float) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise VomeetClientError(f"{url} is not an http or https address.")
    address = (parts.hostname, parts.port or _PORTS[parts.scheme])
    try:
        return socket.create_connection(address, timeout)
    except OSError as error:
        raise VomeetClientError(
            f"No connection for the live feed at {url}: check that the server runs. {error}"
        ) from error


def _next_event(connection: Connection, url: str) -> LiveEvent:
    try:
        event: Any = json.loads(connection.recv())
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else None
        reason = closed.rcvd.reason if closed.rcvd else "the connection broke"
        message = f"The live feed at {url} ended: {reason or 'no reason given'} (code {code})."
        raise VomeetClientError(message, detail=code) from closed
    if event.get("type") == "error":
        code, reason = event.get("code"), event.get("reason")
        more = reason or event.get("details", "")
        message = f"The live feed refused: {event.get('error')} {more}".strip()
        raise VomeetClientError(message, detail=event.get("error"), code=code, reason=reason)
    return event  # type: ignore[no-any-return]
