"""What a user's key opens: bots, meetings, transcripts, the live feed and webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ._connection import Connection
from ._http import given, path_of, usage_params
from .errors import VomeetClientError
from .types import (
    Caller,
    Delivery,
    LiveEvent,
    Meeting,
    Message,
    RunningBot,
    SearchResults,
    Transcript,
    UsageList,
    User,
    Webhook,
    WebhookTest,
)


class UserCalls(Connection):
    """The calls that need a user's key."""

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

        ``platform`` is ``google_meet``, ``teams``, ``zoom`` or ``jitsi``, where the server sends
        bots there. ``language`` is a Whisper language code, ``task`` is ``transcribe`` or
        ``translate``. ``passcode`` is for Teams (1 to 64 letters and digits) and Zoom. Status 409
        if a bot is already there, 403 at the user's limit of bots.
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
        """Send a bot to the meeting behind a link, as it was pasted; the server reads it.

        Status 422 for a link that leads to no meeting, or to none that this server sends bots to.
        """
        body = given(meeting_url=meeting_url, bot_name=bot_name, language=language, task=task)
        return cast(Meeting, self._as_user("POST", path_of("bots"), body=body))

    def stop_bot(self, platform: str, native_meeting_id: str) -> Message:
        """Stop a bot; the response comes before it has left. Status 404 if there is none."""
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
        """Return a meeting's data: name, participants, languages, notes."""
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

    def get_transcript_text(
        self,
        platform: str,
        native_meeting_id: str,
        format: str = "txt",
        meeting_id: int | None = None,
    ) -> str:
        """Fetch a transcript as text: ``txt``, or subtitles as ``srt`` or ``vtt``.

        Status 404 if there is no such meeting, 422 for another format.
        """
        path = path_of("transcripts", platform, native_meeting_id)
        return self._text_as_user(path, given(format=format, meeting_id=meeting_id))

    def search_transcripts(
        self,
        q: str,
        speaker: str | None = None,
        platform: str | None = None,
        meeting_id: int | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> SearchResults:
        """Find words in the user's transcripts, the last stored first, ``limit`` (1 to 100) at a time.

        All words must be in a segment; ``"two words"`` must follow each other, ``begin*`` stands for
        any ending. ``from_time`` and ``to_time`` are RFC 3339 text. ``before`` is ``next`` of the
        page before.
        """
        times = {"from": from_time, "to": to_time}
        params = given(
            q=q,
            speaker=speaker,
            platform=platform,
            meeting_id=meeting_id,
            **times,
            limit=limit,
            before=before,
        )
        path = path_of("transcripts", "search")
        return cast(SearchResults, self._as_user("GET", path, params=params))

    def update_meeting_data(
        self,
        platform: str,
        native_meeting_id: str,
        name: str | None = None,
        participants: list[str] | None = None,
        languages: list[str] | None = None,
        notes: str | None = None,
        meeting_id: int | None = None,
    ) -> Meeting:
        """Update a meeting's data; what is left out stays.

        ``meeting_id`` picks one of several by the server's own id; otherwise it is the newest.
        Status 404 if there is no such meeting. Raises VomeetClientError if nothing is given.
        """
        data = given(name=name, participants=participants, languages=languages, notes=notes)
        if not data:
            raise VomeetClientError(
                "Nothing to change: give a name, participants, languages or notes."
            )
        path = path_of("meetings", platform, native_meeting_id)
        params = given(meeting_id=meeting_id)
        return cast(Meeting, self._as_user("PATCH", path, params=params, body={"data": data}))

    def delete_meeting(
        self, platform: str, native_meeting_id: str, meeting_id: int | None = None
    ) -> Message:
        """Delete a finished meeting's transcript and personal data; its row stays, without a name.

        ``meeting_id`` picks one meeting by the server's own id, also once its name is gone.
        Status 404 if there is no such meeting, 409 while it is not over.
        """
        path = path_of("meetings", platform, native_meeting_id)
        return cast(Message, self._as_user("DELETE", path, params=given(meeting_id=meeting_id)))

    # The caller

    def whoami(self) -> Caller:
        """Tell whose key this is: the user, and the token without its secret."""
        return cast(Caller, self._as_user("GET", path_of("user")))

    def get_usage(
        self,
        from_day: str | None = None,
        to_day: str | None = None,
        token_id: int | None = None,
        by: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> UsageList:
        """Tell what the user used, by day and token; days are ``YYYY-MM-DD`` in UTC, by default the last 30.

        ``by`` sums by ``day`` or ``token``. ``limit`` is 1 to 10000, all lines unless given;
        ``after`` is ``next`` of the page before.
        """
        more = {"token_id": token_id, "by": by, "after": after, "limit": limit}
        params = usage_params(from_day, to_day, **more)
        return cast(UsageList, self._as_user("GET", path_of("user", "usage"), params=params))

    # The live feed

    def watch_meetings(self, *meetings: tuple[str, str]) -> Iterator[LiveEvent]:
        """Follow meetings, each given as ``(platform, native_meeting_id)``, until the caller stops.

        The first event has the type ``subscribed``: what a transcript fetched after it does not
        have comes as a later event. ``transcript.mutable`` brings segments that are new or that
        replace the one with the same ``absolute_start_time``, ``meeting.status`` a new status.

        Needs the extra ``vomeet-client[live]``. Raises VomeetClientError when the server refuses
        the key or a meeting, ends the feed, or cannot be reached.
        """
        try:
            from ._live import watch
        except ImportError as error:
            raise VomeetClientError(
                "The live feed needs the package websockets: pip install 'websockets>=15'."
            ) from error
        return watch(self._url(path_of("ws")), self._user_header(), meetings, self.timeout)

    # Webhooks

    def set_webhook_url(self, webhook_url: str, secret: str | None = None) -> User:
        """Have changes of the user's meetings posted to this address; an empty one stops it.

        ``secret``, 16 to 256 printable ASCII characters without spaces, signs what is posted: header
        ``X-Vomeet-Signature``. Left out, it stays as it is; an empty one deletes it.
        """
        body: dict[str, Any] = {"webhook_url": webhook_url}
        if secret is not None:
            body["webhook_secret"] = secret or None
        return cast(User, self._as_user("PUT", path_of("user", "webhook"), body=body))

    def get_webhook(self) -> Webhook:
        """Tell where changes of the user's meetings are posted, and whether they are signed."""
        return cast(Webhook, self._as_user("GET", path_of("user", "webhook")))

    def list_webhook_deliveries(
        self, limit: int | None = None, before: int | None = None
    ) -> list[Delivery]:
        """List what was posted or waits to be, newest first, ``limit`` (1 to 1000) at a time.

        ``before`` is the id of the last one that was seen.
        """
        path = path_of("user", "webhook", "deliveries")
        answer = self._as_user("GET", path, params=given(limit=limit, before=before))
        return cast("list[Delivery]", answer["deliveries"])

    def test_webhook(self) -> WebhookTest:
        """Post a test event now, and tell how that went. Status 404 if no address is set."""
        return cast(WebhookTest, self._as_user("POST", path_of("user", "webhook", "test")))

    def resend_webhook_delivery(self, delivery_id: int) -> Delivery:
        """Post an event once more, whatever became of it. Status 404 if unknown."""
        path = path_of("user", "webhook", "deliveries", delivery_id, "resend")
        return cast(Delivery, self._as_user("POST", path))
