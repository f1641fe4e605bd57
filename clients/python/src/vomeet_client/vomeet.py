"""The client under the name by which published notebooks import it: ``vomeet_client.vomeet``."""

from __future__ import annotations

from .client import DEFAULT_BASE_URL, VomeetClient
from .errors import VomeetClientError
from .urls import parse_url

__all__ = ["DEFAULT_BASE_URL", "VomeetClient", "VomeetClientError", "parse_url"]
