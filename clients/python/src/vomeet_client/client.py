"""The client: one method for each thing that the API can do.

Every method that sends a request raises VomeetClientError when the server refuses it, does not
answer, or when the key that it needs is missing. Fields left at None are not sent.
"""

from __future__ import annotations

from typing import Any, cast

import requests

from ._http import exchange, given, key_header, path_of
from .errors import VomeetClientError
from .types import (
    Caller,
    Meeting,
    Message,
    NewToken,
    RunningBot,
    Token,
    Transcript,
    User,
    UserDetails,
)
from .urls import parse_url

DEFAULT_BASE_URL = "http://localhost:18056"


class VomeetClient:
    """Speaks to one server, with a user's key, the admin key, or both.

    ``base_url`` may end in a slash and may have a path prefix. ``api_key`` is for the calls of a
    user (header X-API-Key), ``admin_key`` for those of an administrator (X-Admin-API-Key).
    ``user_id`` is the user that ``create_token`` serves when it is not told another.
    ``timeout`` is in seconds, for connecting and for each wait on the answer.
    """

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
        self._session = requests.Session()

    def set_api_key(self, api_key: str) -> None:
        """Use this user key from now on."""
        self._api_key = api_key

    # Bots

    def request_bot(
        self,
        platform: str,
        native_meeting_id: str,
        bot_name: str | None = None,
        language: str | None = None,
        task: str | None = None,
        passcode: str | None = None,
    ) -> Meeting:
        """Send a bot to a meeting and return the meeting, status ``requested``.

        ``platform`` is ``google_meet`` or ``teams``. ``language`` is a Whisper language code,
        ``task`` is ``transcribe`` or ``translate``, ``passcode`` (Teams only) has 8 to 20 letters
        and digits. Status 409 if a bot is already there, 403 at the user's limit of bots.
        """
        body = given(
            platform=platform,
            native_meeting_id=native_meeting_id,
            bot_name=bot_name,
            language=language,
            task=task,
            passcode=passcode,
        )
        return cast(Meeting, self._as_user("POST", path_of("bots"), body=body))

    def request_bot_from_url(
        self,
        meeting_url: str,
        bot_name: str | None = None,
        language: str | None = None,
        task: str | None = None,
    ) -> Meeting:
        """Send a bot to the meeting behind a link: ``parse_url``, then ``request_bot``.

        Raises ValueError for a link that is not a Google Meet or Teams meeting.
        """
        platform, native_meeting_id, passcode = parse_url(meeting_url)
        return self.request_bot(platform, native_meeting_id, bot_name, language, task, passcode)

    def stop_bot(self, platform: str, native_meeting_id: str) -> Message:
        """Ask the bot to leave; the answer comes before it has left. Status 404 if there is none."""
        path = path_of("bots", platform, native_meeting_id)
        return cast(Message, self._as_user("DELETE", path))

    def update_bot_config(
        self,
        platform: str,
        native_meeting_id: str,
        language: str | None = None,
        task: str | None = None,
    ) -> Message:
        """Change language or task of an active bot.

        Status 404 if there is no such meeting, 409 if its bot is not active. Raises
        VomeetClientError if neither is given.
        """
        body = given(language=language, task=task)
        if not body:
            raise VomeetClientError("Nothing to change: give a language or a task.")
        path = path_of("bots", platform, native_meeting_id, "config")
        return cast(Message, self._as_user("PUT", path, body=body))

    def get_running_bots_status(self) -> list[RunningBot]:
        """List the user's bots that are at work."""
        answer = self._as_user("GET", path_of("bots", "status"))
        return cast("list[RunningBot]", answer["running_bots"])

    # Meetings and transcripts

    def get_meetings(
        self,
        limit: int | None = None,
        skip: int | None = None,
        status: str | None = None,
        platform: str | None = None,
    ) -> list[Meeting]:
        """List the user's meetings, newest first; by default all of them.

        ``limit`` and ``skip`` cut out a page, ``status`` and ``platform`` keep what is equal.
        """
        params = given(limit=limit, skip=skip, status=status, platform=platform)
        answer = self._as_user("GET", path_of("meetings"), params=params)
        return cast("list[Meeting]", answer["meetings"])

    def get_meeting_by_id(self, platform: str, native_meeting_id: str) -> Meeting | None:
        """Find the user's newest meeting with this platform and native id; None without one."""
        for meeting in self.get_meetings():
            if (meeting["platform"], meeting["native_meeting_id"]) == (platform, native_meeting_id):
                return meeting
        return None

    @staticmethod
    def get_meeting_metadata(meeting: Meeting) -> dict[str, Any]:
        """Return what is noted about a meeting: name, participants, languages, notes."""
        return meeting.get("data", {})

    @staticmethod
    def get_meeting_participants(meeting: Meeting) -> list[str]:
        """Return the names of a meeting's participants; empty if none are known."""
        return cast("list[str]", meeting.get("data", {}).get("participants", []))

    @staticmethod
    def get_meeting_languages(meeting: Meeting) -> list[str]:
        """Return the codes of the languages spoken in a meeting; empty if none are known."""
        return cast("list[str]", meeting.get("data", {}).get("languages", []))

    def get_transcript(
        self, platform: str, native_meeting_id: str, meeting_id: int | None = None
    ) -> Transcript:
        """Fetch a meeting with its segments, by default the newest meeting of that native id.

        ``meeting_id`` picks one meeting by the server's own id. Status 404 if there is none.
        """
        path = path_of("transcripts", platform, native_meeting_id)
        return cast(Transcript, self._as_user("GET", path, params=given(meeting_id=meeting_id)))

    def update_meeting_data(
        self,
        platform: str,
        native_meeting_id: str,
        name: str | None = None,
        participants: list[str] | None = None,
        languages: list[str] | None = None,
        notes: str | None = None,
    ) -> Meeting:
        """Change what is noted about a meeting; what is left out stays.

        Status 404 if there is no such meeting. Raises VomeetClientError if nothing is given.
        """
        data = given(name=name, participants=participants, languages=languages, notes=notes)
        if not data:
            raise VomeetClientError(
                "Nothing to change: give a name, participants, languages or notes."
            )
        path = path_of("meetings", platform, native_meeting_id)
        return cast(Meeting, self._as_user("PATCH", path, body={"data": data}))

    def delete_meeting(self, platform: str, native_meeting_id: str) -> Message:
        """Delete a finished meeting's transcript and personal data.

        Status 404 if there is no such meeting, 409 while it is not over.
        """
        path = path_of("meetings", platform, native_meeting_id)
        return cast(Message, self._as_user("DELETE", path))

    # The caller

    def whoami(self) -> Caller:
        """Tell whose key this is: the user, and the token without its secret."""
        return cast(Caller, self._as_user("GET", path_of("user")))

    def set_webhook_url(self, webhook_url: str) -> User:
        """Have changes of the user's meetings posted to this https address."""
        body = {"webhook_url": webhook_url}
        return cast(User, self._as_user("PUT", path_of("user", "webhook"), body=body))

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

        ``after`` starts behind that user id and costs the same on every page, where ``skip``
        counts its way there. ``q`` keeps users with this text in their e-mail address or name.
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
    ) -> User:
        """Change fields of a user; what is left out stays, and ``data`` is replaced as a whole.

        Status 404 if unknown. Raises VomeetClientError if nothing is given.
        """
        body = given(
            name=name, image_url=image_url, max_concurrent_bots=max_concurrent_bots, data=data
        )
        if not body:
            raise VomeetClientError(
                "Nothing to change: give a name, image_url, max_concurrent_bots or data."
            )
        path = path_of("admin", "users", user_id)
        return cast(User, self._as_admin("PATCH", path, body=body))

    def delete_user(self, user_id: int) -> None:
        """Delete a user with its tokens, meetings and transcripts.

        Status 404 if unknown, 409 while a bot of theirs is in a meeting.
        """
        self._as_admin("DELETE", path_of("admin", "users", user_id))

    # Tokens (admin)

    def create_token(
        self, user_id: int | None = None, name: str | None = None, expires_in: int | None = None
    ) -> NewToken:
        """Create a token for a user, by default the one in ``self.user_id``.

        ``expires_in`` is in seconds; without it the token does not expire. The secret is in
        ``token`` of this answer and nowhere else. Status 404 if the user is unknown. Raises
        VomeetClientError if there is no user id.
        """
        owner = self.user_id if user_id is None else user_id
        if owner is None:
            raise VomeetClientError("Whose token? Give user_id, here or to the client.")
        path = path_of("admin", "users", owner, "tokens")
        body = given(name=name, expires_in=expires_in)
        return cast(NewToken, self._as_admin("POST", path, body=body or None))

    def list_tokens(self, user_id: int) -> list[Token]:
        """List a user's tokens, without their secrets. Status 404 if the user is unknown."""
        path = path_of("admin", "users", user_id, "tokens")
        return cast("list[Token]", self._as_admin("GET", path))

    def delete_token(self, token_id: int) -> None:
        """Revoke a token; the next request with it is refused. Status 404 if unknown."""
        self._as_admin("DELETE", path_of("admin", "tokens", token_id))

    def _as_user(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        return self._call(method, path, key_header("X-API-Key", self._api_key), params, body)

    def _as_admin(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        key = key_header("X-Admin-API-Key", self._admin_key)
        return self._call(method, path, key, params, body)

    def _call(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        params: dict[str, Any] | None,
        body: dict[str, Any] | None,
    ) -> Any:
        url = self.base_url.rstrip("/") + path
        return exchange(self._session, method, url, headers, params, body, self.timeout)
