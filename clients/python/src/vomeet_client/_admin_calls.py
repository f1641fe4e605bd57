"""The calls that need the admin key: users, tokens and analytics."""

from __future__ import annotations

from typing import Any, cast

from ._connection import Connection
from ._http import given, path_of, usage_params
from .errors import VomeetClientError
from .types import (
    MeetingSummary,
    MeetingsWithUsers,
    Telematics,
    UsageList,
    User,
    UserAnalytics,
    UserDetails,
    UserSummary,
)


class AdminCalls(Connection):
    """The calls that need the admin key."""

    # Users (admin)

    def create_user(
        self,
        email: str,
        name: str | None = None,
        image_url: str | None = None,
        max_concurrent_bots: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> User:
        """Create a user, or return the one that has this e-mail address, unchanged.

        ``email`` has at most 254 characters. ``max_concurrent_bots`` counts from 0, which is the
        default and allows no bot. ``data`` is free-form. Status 422 for a value that is not valid.
        """
        body = given(
            email=email,
            name=name,
            image_url=image_url,
            max_concurrent_bots=max_concurrent_bots,
            data=data,
        )
        return cast(User, self._as_admin("POST", path_of("admin", "users"), body=body))

    def create_user_and_set_id(
        self,
        email: str,
        name: str | None = None,
        image_url: str | None = None,
        max_concurrent_bots: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> User:
        """Do what ``create_user`` does, and keep the id in ``user_id`` for ``create_token``."""
        user = self.create_user(email, name, image_url, max_concurrent_bots, data)
        self.user_id = user["id"]
        return user

    def list_users(
        self, skip: int = 0, limit: int = 100, after: int | None = None, q: str | None = None
    ) -> list[User]:
        """List users by ascending id, ``limit`` (1 to 1000) at a time.

        ``after`` starts behind that user id: unlike with ``skip``, no user is missed or repeated
        when others are deleted between two pages. ``q`` keeps users with this text in their e-mail address or name.
        """
        params = given(skip=skip, limit=limit, after=after, q=q)
        return cast("list[User]", self._as_admin("GET", path_of("admin", "users"), params=params))

    def get_user(self, user_id: int) -> UserDetails:
        """Fetch a user with ``api_tokens``, the list of its tokens. Status 404 if unknown."""
        return cast(UserDetails, self._as_admin("GET", path_of("admin", "users", user_id)))

    def get_user_by_email(self, email: str) -> User:
        """Fetch a user by e-mail address, upper or lower case alike. Status 404 if unknown."""
        return cast(User, self._as_admin("GET", path_of("admin", "users", "email", email)))

    def update_user(
        self,
        user_id: int,
        name: str | None = None,
        image_url: str | None = None,
        max_concurrent_bots: int | None = None,
        data: dict[str, Any] | None = None,
        disabled: bool | None = None,
        stop_bots: bool | None = None,
    ) -> User:
        """Change fields of a user; what is left out stays, and ``data`` is replaced as a whole.

        ``disabled`` refuses all their tokens and deletes nothing; False accepts them again. Their
        bots go on, unless ``stop_bots`` is True; their webhook events wait until they are enabled.
        Status 404 if unknown. Raises VomeetClientError if nothing is given.
        """
        body = given(
            name=name,
            image_url=image_url,
            max_concurrent_bots=max_concurrent_bots,
            data=data,
            disabled=disabled,
            stop_bots=stop_bots,
        )
        if not body:
            raise VomeetClientError(
                "Nothing to change: give a name, image_url, max_concurrent_bots, data, disabled or stop_bots."
            )
        path = path_of("admin", "users", user_id)
        return cast(User, self._as_admin("PATCH", path, body=body))

    def delete_user(self, user_id: int) -> None:
        """Delete a user with its tokens, meetings and transcripts.

        Status 404 if unknown, 409 while a bot of theirs is in a meeting.
        """
        self._as_admin("DELETE", path_of("admin", "users", user_id))

    # Use (admin)

    def get_users_usage(
        self,
        from_day: str | None = None,
        to_day: str | None = None,
        user_id: int | None = None,
        token_id: int | None = None,
        by: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> UsageList:
        """Tell what everybody used, by day, user and token; days are ``YYYY-MM-DD`` in UTC, by default the last 30.

        ``by`` sums by ``day``, ``user`` or ``token``. ``limit`` is 1 to 10000, all lines unless
        given; ``after`` is ``next`` of the page before.
        """
        more = {
            "user_id": user_id,
            "token_id": token_id,
            "by": by,
            "after": after,
            "limit": limit,
        }
        params = usage_params(from_day, to_day, **more)
        return cast(UsageList, self._as_admin("GET", path_of("admin", "usage"), params=params))

    # Analytics (admin)

    def get_stats_meetings_users(self, skip: int = 0, limit: int = 100) -> MeetingsWithUsers:
        """List everybody's meetings with their owners, newest first, and how many there are in all.

        ``limit`` is 1 to 1000.
        """
        path, params = path_of("admin", "stats", "meetings-users"), given(skip=skip, limit=limit)
        return cast(MeetingsWithUsers, self._as_admin("GET", path, params=params))

    def get_analytics_users(self, skip: int = 0, limit: int = 100) -> list[UserSummary]:
        """List users by ascending id, ``limit`` (1 to 1000) at a time, without their data."""
        path, params = path_of("admin", "analytics", "users"), given(skip=skip, limit=limit)
        return cast("list[UserSummary]", self._as_admin("GET", path, params=params))

    def get_analytics_meetings(self, skip: int = 0, limit: int = 100) -> list[MeetingSummary]:
        """List everybody's meetings, newest first, ``limit`` (1 to 1000) at a time, without their data."""
        path, params = path_of("admin", "analytics", "meetings"), given(skip=skip, limit=limit)
        return cast("list[MeetingSummary]", self._as_admin("GET", path, params=params))

    def get_meeting_telematics(
        self,
        meeting_id: int,
        include_transcriptions: bool = False,
        include_sessions: bool = False,
    ) -> Telematics:
        """Tell how one meeting went; all durations are in seconds.

        ``transcription_stats`` is None and ``sessions`` empty unless they are asked for.
        Status 404 if the meeting is unknown.
        """
        path = path_of("admin", "analytics", "meetings", meeting_id, "telematics")
        params = _flags(
            include_transcriptions=include_transcriptions, include_sessions=include_sessions
        )
        return cast(Telematics, self._as_admin("GET", path, params=params))

    def get_user_analytics(self, user_id: int, include_tokens: bool = False) -> UserAnalytics:
        """Get statistics of one user's meetings; durations are in seconds.

        ``api_tokens`` is None unless they are asked for. Status 404 if the user is unknown.
        """
        path = path_of("admin", "analytics", "users", user_id, "details")
        params = _flags(include_tokens=include_tokens)
        return cast(UserAnalytics, self._as_admin("GET", path, params=params))


def _flags(**flags: bool) -> dict[str, str]:
    return {name: "true" for name, wanted in flags.items() if wanted}
