"""Where the server is, who calls it, and how a call is made."""

from __future__ import annotations

import time
from typing import Any

import requests

from ._http import exchange, exchange_text, key_header

DEFAULT_BASE_URL = "http://localhost:18056"
# The server closes a connection that was idle for 75 s, and so may a proxy before. A request that
# meets that moment gets no response, so connections are not used again after a shorter time.
_IDLE_SECONDS_MAX = 45.0


class Connection:
    """The keys and the connection that the calls of both kinds share."""

    def __init__(
        self,
        base_url: str = DEFAULT_BASE_URL,
        api_key: str | None = None,
        admin_key: str | None = None,
        user_id: int | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.base_url = str(base_url)
        self.user_id = user_id
        self.timeout = timeout
        self._api_key = api_key
        self._admin_key = admin_key
        self._pool = requests.Session()
        self._used_at = time.monotonic()

    def set_api_key(self, api_key: str) -> None:
        """Use this user key from now on."""
        self._api_key = api_key

    @property
    def _session(self) -> requests.Session:
        """The connections, without those that have been idle for too long."""
        now = time.monotonic()
        if now - self._used_at > _IDLE_SECONDS_MAX:
            self._pool.close()
        self._used_at = now
        return self._pool

    def _url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    def _user_header(self) -> dict[str, str]:
        return key_header("X-API-Key", self._api_key)

    def _admin_header(self) -> dict[str, str]:
        return key_header("X-Admin-API-Key", self._admin_key)

    def _as_user(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        url, headers = self._url(path), self._user_header()
        return exchange(self._session, method, url, headers, params, body, self.timeout)

    def _text_as_user(self, path: str, params: dict[str, Any]) -> str:
        url, headers = self._url(path), self._user_header()
        return exchange_text(self._session, url, headers, params, self.timeout)

    def _as_admin(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        url, headers = self._url(path), self._admin_header()
        return exchange(self._session, method, url, headers, params, body, self.timeout)
