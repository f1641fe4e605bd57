"""Python client for Vomeet, the self-hosted meeting-bot and transcription API."""

from .client import DEFAULT_BASE_URL, VomeetClient
from .errors import VomeetClientError
from .urls import parse_url

__version__ = "0.1.0"

__all__ = ["DEFAULT_BASE_URL", "VomeetClient", "VomeetClientError", "parse_url"]
