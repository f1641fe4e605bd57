"""The audit log, and the export of one person's data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

from ._connection import Connection
from ._http import given, path_of, save
from .types import AuditEntry, Verification


class AuditCalls(Connection):
    """The calls for the audit log and the export of a user; they need the admin key."""

    def list_audit(
        self,
        user_id: int | None = None,
        action: str | None = None,
        actor: str | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
    ) -> Iterator[AuditEntry]:
        """Yield the entries of the audit log, newest first, page by page as they are asked for.

        ``action`` is one such as ``token.rotate``, ``actor`` one such as ``key:ada``; times are RFC
        3339. Status 422 for an invalid value.
        """
        sought = {"user_id": user_id, "action": action, "actor": actor}
        params = given(**sought, **{"from": from_time, "to": to_time})
        before = None
        while True:
            page = self._as_admin(
                "GET", path_of("admin", "audit"), params={**params, **given(before=before)}
            )
            yield from cast("list[AuditEntry]", page["entries"])
            before = page["next"]
            if before is None:
                return

    def verify_audit(self) -> Verification:
        """Verify the audit log: whether it is intact, and what is wrong with it."""
        path = path_of("admin", "audit", "verify")
        return cast(Verification, self._as_admin("GET", path))

    def export_user(self, user_id: int, path: str | os.PathLike[str]) -> None:
        """Write everything that the server has of a user into a file, as JSON.

        The file is complete if its last field is ``"complete": true``. Status 404 if unknown.
        """
        url = self._url(path_of("admin", "users", user_id, "export"))
        save(self._session, url, self._admin_header(), path, self.timeout)
