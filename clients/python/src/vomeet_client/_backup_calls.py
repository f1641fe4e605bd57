"""Backups of the server's database."""

from __future__ import annotations

from typing import cast

from ._connection import Connection
from ._http import path_of
from .types import Backup, BackupList


class BackupCalls(Connection):
    """The calls for backups; they need the admin key."""

    def create_backup(self) -> Backup:
        """Back up the database into the folder that the server is configured with, and wait for it.

        It may take longer than ``timeout``; the server goes on then, and ``list_backups`` shows the
        result. Status 409 if no folder is configured or a backup is being made already, 507 if
        there is no room for it.
        """
        return cast(Backup, self._as_admin("POST", path_of("admin", "backups")))

    def list_backups(self) -> BackupList:
        """List the backups in the configured folder, newest first, and when the next is due."""
        return cast(BackupList, self._as_admin("GET", path_of("admin", "backups")))
