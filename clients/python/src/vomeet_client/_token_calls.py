"""Tokens and admin keys: create, rotate, disable and revoke them."""

from __future__ import annotations

from typing import Any, cast

from ._connection import Connection
from ._http import given, path_of
from .errors import VomeetClientError
from .types import AdminKey, NewAdminKey, NewToken, RotatedToken, ScopedMeeting, Ticket, Token


class TokenCalls(Connection):
    """The calls about tokens and admin keys; all but the caller's own need the admin key."""

    # Tokens (admin)

    def create_token(
        self,
        user_id: int | None = None,
        name: str | None = None,
        expires_in: int | None = None,
        disuse_seconds: int | None = None,
        read_only: bool | None = None,
        platforms: list[str] | None = None,
        meeting: ScopedMeeting | None = None,
        transcribe: bool | None = None,
        transcribe_only: bool | None = None,
    ) -> NewToken:
        """Create a token for a user, by default the one in ``self.user_id``.

        ``expires_in`` is in seconds; without it the token does not expire. After ``disuse_seconds``
        without use it expires too. ``read_only``, ``platforms`` and ``meeting`` limit what it may do;
        such a token has sound transcribed only with ``transcribe``, and one with
        ``transcribe_only`` does nothing else.
        The secret is in ``token`` of this response and nowhere else. Status 404 if the user is
        unknown. Raises VomeetClientError if there is no user id.
        """
        owner = self.user_id if user_id is None else user_id
        if owner is None:
            raise VomeetClientError("Whose token? Give user_id, here or to the client.")
        path = path_of("admin", "users", owner, "tokens")
        body = given(
            name=name,
            expires_in=expires_in,
            disuse_seconds=disuse_seconds,
            read_only=read_only,
            platforms=platforms,
            meeting=meeting,
            transcribe=transcribe,
            transcribe_only=transcribe_only,
        )
        return cast(NewToken, self._as_admin("POST", path, body=body or None))

    def list_tokens(self, user_id: int) -> list[Token]:
        """List a user's tokens, without their secrets. Status 404 if the user is unknown."""
        path = path_of("admin", "users", user_id, "tokens")
        return cast("list[Token]", self._as_admin("GET", path))

    def get_token(self, token_id: int) -> Token:
        """Fetch a token without its secret. Status 404 if unknown."""
        return cast(Token, self._as_admin("GET", path_of("admin", "tokens", token_id)))

    def update_token(
        self,
        token_id: int,
        name: str | None = None,
        disabled: bool | None = None,
        expires_in: int | None = None,
        disuse_seconds: int | None = None,
        read_only: bool | None = None,
        platforms: list[str] | None = None,
        meeting: ScopedMeeting | None = None,
        transcribe: bool | None = None,
        transcribe_only: bool | None = None,
    ) -> Token:
        """Change a token; what is left out stays. A disabled one is refused until it is enabled.

        ``expires_in`` and ``disuse_seconds`` are in seconds from now on; 0 means never.
        ``read_only``, ``platforms``, ``meeting``, ``transcribe=False`` and ``transcribe_only`` narrow
        what it may do. Status 404 if unknown,
        409 if that would be wider. Raises VomeetClientError if nothing is given.
        """
        body: dict[str, Any] = given(
            name=name,
            disabled=disabled,
            read_only=read_only,
            platforms=platforms,
            meeting=meeting,
            transcribe=transcribe,
            transcribe_only=transcribe_only,
        )
        ends = given(expires_in=expires_in, disuse_seconds=disuse_seconds)
        body.update({field: seconds or None for field, seconds in ends.items()})
        if not body:
            raise VomeetClientError(
                "Nothing to change: give a name, disabled, expires_in, disuse_seconds or a scope."
            )
        path = path_of("admin", "tokens", token_id)
        return cast(Token, self._as_admin("PATCH", path, body=body))

    def rotate_token(
        self, token_id: int, grace_seconds: int | None = None, expires_in: int | None = None
    ) -> RotatedToken:
        """Rotate a token: create one in its place, with the same scope.

        The old one is revoked, or works for ``grace_seconds`` more and never longer than it would
        have. Status 404 if unknown, 409 if it was rotated before or is disabled.
        """
        path = path_of("admin", "tokens", token_id, "rotate")
        body = given(grace_seconds=grace_seconds, expires_in=expires_in)
        return cast(RotatedToken, self._as_admin("POST", path, body=body or None))

    def delete_token(self, token_id: int) -> None:
        """Revoke a token, and those that its holder rotated it to.

        The next request with any of them is refused. Status 404 if unknown.
        """
        self._as_admin("DELETE", path_of("admin", "tokens", token_id))

    # Admin keys

    def create_admin_key(self, name: str, expires_in: int | None = None) -> NewAdminKey:
        """Create an admin key for one administrator; the secret is in ``key`` of this response only.

        Status 409 if the name is taken.
        """
        body = given(name=name, expires_in=expires_in)
        return cast(NewAdminKey, self._as_admin("POST", path_of("admin", "keys"), body=body))

    def list_admin_keys(self) -> list[AdminKey]:
        """List the named admin keys; the one of the server's settings is not among them."""
        return cast("list[AdminKey]", self._as_admin("GET", path_of("admin", "keys")))

    def rotate_admin_key(self, key_id: int, grace_seconds: int | None = None) -> NewAdminKey:
        """Rotate an admin key; the old one is revoked, or works for ``grace_seconds`` more.

        Status 404 if unknown.
        """
        path = path_of("admin", "keys", key_id, "rotate")
        body = given(grace_seconds=grace_seconds)
        return cast(NewAdminKey, self._as_admin("POST", path, body=body or None))

    def delete_admin_key(self, key_id: int) -> None:
        """Revoke an admin key, and the one before its rotation. Status 404 if unknown."""
        self._as_admin("DELETE", path_of("admin", "keys", key_id))

    # The caller's own

    def list_own_tokens(self) -> list[Token]:
        """List the caller's tokens, without their secrets."""
        return cast("list[Token]", self._as_user("GET", path_of("user", "tokens")))

    def rotate_own_token(self, grace_seconds: int | None = None) -> RotatedToken:
        """Rotate the token in use, and use the new one from now on.

        It ends when the old one would have, which is revoked, or works for ``grace_seconds`` more,
        at most 3600. Status 429 after five rotations in an hour, 409 if it was rotated
        before.
        """
        path = path_of("user", "tokens", "rotate")
        body = given(grace_seconds=grace_seconds)
        rotated = cast(RotatedToken, self._as_user("POST", path, body=body or None))
        self.set_api_key(rotated["token"])
        return rotated

    def create_own_token(
        self,
        name: str | None = None,
        expires_in: int | None = None,
        disuse_seconds: int | None = None,
        read_only: bool | None = None,
        platforms: list[str] | None = None,
        meeting: ScopedMeeting | None = None,
        transcribe: bool | None = None,
        transcribe_only: bool | None = None,
    ) -> NewToken:
        """Create a token of the caller's own, never wider than the one in use, which ends it too.

        What is left out is as with the token in use. The secret is in ``token`` of this response
        and nowhere else. Status 403 for more than the token in use may, 409 if there are 50 such
        tokens, 429 after five in an hour, rotations included.
        """
        body = given(
            name=name,
            expires_in=expires_in,
            disuse_seconds=disuse_seconds,
            read_only=read_only,
            platforms=platforms,
            meeting=meeting,
            transcribe=transcribe,
            transcribe_only=transcribe_only,
        )
        path = path_of("user", "tokens")
        return cast(NewToken, self._as_user("POST", path, body=body or None))

    def delete_own_token(self, token_id: int) -> None:
        """Revoke a token of the caller's own, what it was rotated to, and what it has made.

        Status 404 if unknown, or another user's.
        """
        self._as_user("DELETE", path_of("user", "tokens", token_id))

    def create_ticket(self, path: str = "/ws") -> Ticket:
        """Create a ticket, which opens the live feed once within a minute, in place of the token.

        It is for browsers, where the token would stand in the address: ``/ws?ticket=…``. One for
        ``/meetings/{id}/audio`` plays the sound of that meeting for ten minutes.
        """
        return cast(Ticket, self._as_user("POST", path_of("tickets"), body={"path": path}))
