"""The audit log, the health of the server, and the export of one person's data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

from ._connection import Connection
from ._http import exchange, given, path_of, save
from .errors import VomeetClientError
from .types import AuditEntry, Health, Verification

UNAVAILABLE = 503


class AuditCalls(Connection):
    """The calls for the audit log, the health and the export of a user; they need the admin key."""

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

    def get_health(self, check_file: bool = False) -> Health:
        """Return everything that the health check finds, with what to do about each finding.

        ``check_file`` checks all bytes of the database and the audit log too, which takes as long as
        reading the file.
        """
        params = {"check_file": "true"} if check_file else {}
        return cast(Health, self._as_admin("GET", path_of("admin", "health"), params=params))

    def is_ready(self) -> bool:
        """Tell whether the server should get requests; False where it says that it should not.

        Needs no key. A server that does not respond is an error as for every call.
        """
        try:
            exchange(self._session, "GET", self._url("/ready"), {}, None, None, self.timeout)
        except VomeetClientError as error:
            if error.status_code == UNAVAILABLE:
                return False
            raise
        return True

    def export_user(self, user_id: int, path: str | os.PathLike[str]) -> None:
        """Write everything that the server has of a user into a file, as JSON.

        The file is complete if its last field is ``"complete": true``. Status 404 if unknown.
        """
        url = self._url(path_of("admin", "users", user_id, "export"))
        save(self._session, url, self._admin_header(), path, self.timeout)
