"""One HTTP request: send it, check the response, turn failures into errors."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import requests

from .errors import VomeetClientError, describe

_PIECE_BYTES = 64 * 1024
_EXCERPT_CHARACTERS = 200
# A request of these methods is sent again where the connection broke before a response came: sent
# twice, it does what it does once.
_SAFE_METHODS = ("GET", "PUT")


def path_of(*segments: object) -> str:
    """Join path segments, each percent-encoded. Raises VomeetClientError for one that is empty or dots."""
    texts = [str(segment) for segment in segments]
    for text in texts:
        if text in ("", ".", ".."):
            raise VomeetClientError(f"{text!r} cannot be part of a path.")
    return "".join("/" + quote(text, safe="") for text in texts)


def given(**fields: object) -> dict[str, Any]:
    """Keep the fields that have a value: a field that is None is never sent."""
    return {name: value for name, value in fields.items() if value is not None}


def usage_params(from_day: str | None, to_day: str | None, **fields: object) -> dict[str, Any]:
    """Build the query of a call for usage: ``from`` cannot be the name of an argument."""
    return given(**{"from": from_day, "to": to_day}, **fields)


def key_header(name: str, key: str | None) -> dict[str, str]:
    """Build the header that carries a key. Raises VomeetClientError without one, or if it cannot be sent."""
    if not key:
        raise VomeetClientError(f"This call needs a key for the header {name}, and none was given.")
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise VomeetClientError(
            f"The key for the header {name} has characters no header can carry."
        )
    return {name: key}


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    headers: dict[str, str],
    params: dict[str, Any] | None,
    body: dict[str, Any] | None,
    timeout: float,
) -> Any:
    """Send one request and return the JSON of the response, None for a response without body.

    Redirects are refused: following one would hand the key to another address.
    Raises VomeetClientError for no response within ``timeout`` seconds, any status from 300 on, or bad JSON.
    """
    response = _send(session, method, url, headers, params, body, timeout)
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except requests.JSONDecodeError as error:
        message = f"The answer to {method} {url} is not JSON (HTTP {response.status_code})."
        raise VomeetClientError(message, response.status_code) from error


def exchange_text(
    session: requests.Session,
    url: str,
    headers: dict[str, str],
    params: dict[str, Any],
    timeout: float,
) -> str:
    """Get a response that is text in UTF-8. Raises VomeetClientError as ``exchange`` does."""
    response = _send(session, "GET", url, headers, params, None, timeout)
    return response.content.decode("utf-8", "replace")


def exchange_file(
    session: requests.Session,
    url: str,
    headers: dict[str, str],
    params: dict[str, Any],
    data: Any,
    files: Any,
    timeout: float,
) -> Any:
    """Send a file, alone or in a form, and return the JSON of the response.

    A file alone is read while it is sent. Raises VomeetClientError as ``exchange`` does.
    """
    try:
        response = session.post(
            url,
            headers=headers,
            params=params,
            data=data,
            files=files,
            timeout=timeout,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise VomeetClientError(_no_answer("POST", url, timeout, error)) from error
    _refuse_failure("POST", url, response)
    return response.json()


def save(
    session: requests.Session,
    url: str,
    headers: dict[str, str],
    path: str | os.PathLike[str],
    timeout: float,
    params: dict[str, Any] | None = None,
) -> None:
    """Write a response into a file, piece by piece. Raises VomeetClientError as ``exchange`` does."""
    response = _send(session, "GET", url, headers, params, None, timeout, stream=True)
    try:
        with response, open(path, "wb") as file:
            file.writelines(response.iter_content(_PIECE_BYTES))
    except requests.RequestException as error:
        raise VomeetClientError(_no_answer("GET", url, timeout, error)) from error


def _send(
    session: requests.Session,
    method: str,
    url: str,
    headers: dict[str, str],
    params: dict[str, Any] | None,
    body: dict[str, Any] | None,
    timeout: float,
    stream: bool = False,
) -> requests.Response:
    def request() -> requests.Response:
        return session.request(
            method,
            url,
            headers=headers,
            params=params,
            json=body,
            timeout=timeout,
            allow_redirects=False,
            stream=stream,
        )

    try:
        try:
            response = request()
        except requests.ConnectionError as error:
            if method not in _SAFE_METHODS or isinstance(error, requests.Timeout):
                raise
            response = request()
    except requests.RequestException as error:
        raise VomeetClientError(_no_answer(method, url, timeout, error)) from error
    _refuse_failure(method, url, response)
    return response


def _no_answer(method: str, url: str, timeout: float, error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"No answer to {method} {url} within {timeout:g} s."
    if isinstance(error, requests.ConnectionError):
        return f"No connection for {method} {url}: check that the server runs (`make ps`). {error}"
    return f"{method} {url} could not be sent: {error}"


def _refuse_failure(method: str, url: str, response: requests.Response) -> None:
    status = response.status_code
    if 300 <= status < 400:
        target = response.headers.get("Location", "nowhere")
        message = f"{method} {url} was redirected to {target}: use the final address as base_url."
        raise VomeetClientError(message, status)
    if status >= 400:
        answer = _answer(response)
        parts = answer if isinstance(answer, dict) else {}
        detail, reason = parts.get("detail", answer), parts.get("reason")
        said = " ".join(filter(None, (describe(detail), reason)))
        message = f"{said} (HTTP {status} for {method} {url})"
        raise VomeetClientError(message, status, detail, parts.get("code"), reason)


def _answer(response: requests.Response) -> Any:
    try:
        return response.json()
    except requests.JSONDecodeError:
        return response.text[:_EXCERPT_CHARACTERS] or response.reason
