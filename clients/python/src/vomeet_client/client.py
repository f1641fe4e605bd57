"""The client: one method for each thing that the API can do.

Every method that sends a request raises VomeetClientError when the server refuses it or does not
respond, or when the key that it needs is missing. Fields left at None are not sent.
"""

from __future__ import annotations

from ._admin_calls import AdminCalls
from ._audit_calls import AuditCalls
from ._backup_calls import BackupCalls
from ._connection import DEFAULT_BASE_URL
from ._console_calls import ConsoleCalls
from ._correction_calls import CorrectionCalls
from ._sound_calls import SoundCalls
from ._token_calls import TokenCalls
from ._user_calls import UserCalls

__all__ = ["DEFAULT_BASE_URL", "VomeetClient"]


class VomeetClient(
    UserCalls,
    CorrectionCalls,
    SoundCalls,
    AdminCalls,
    TokenCalls,
    AuditCalls,
    BackupCalls,
    ConsoleCalls,
):
    """Speaks to one server, with a user's key, the admin key, or both.

    ``base_url`` may end in a slash and may have a path prefix. ``api_key`` is for the calls of a
    user (header X-API-Key), ``admin_key`` for those of an administrator (X-Admin-API-Key).
    ``user_id`` is the user that ``create_token`` serves when it is not given another.
    ``timeout`` is in seconds, for connecting and for each wait for the response.
    """
