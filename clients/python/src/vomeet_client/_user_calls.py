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
    MeetingById,
    Message,
    NewShare,
    RunningBot,
    SearchResults,
    Sent,
    Share,
    Transcript,
    UsageList,
    User,
    UserTranscription,
    Webhook,
    WebhookEntry,
    WebhookTest,
    WebhookWithSecret,
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
        voice_agent_enabled: bool | None = None,
        join_at: str | None = None,
        vocabulary: list[str] | None = None,
    ) -> Meeting:
        """Send a bot to a meeting and return the meeting, status ``requested``.

        ``platform`` is ``google_meet``, ``teams``, ``zoom`` or ``jitsi``, where the server sends
        bots there. ``language`` is a Whisper language code, ``task`` is ``transcribe`` or
        ``translate``. ``passcode`` is for Teams (1 to 64 letters and digits) and Zoom. Most bots
        speak only where ``voice_agent_enabled`` is true. Status 409 if a bot is already there, 403
        at the user's limit of bots.

        ``join_at`` is RFC 3339 text: the bot is planned for that time, status ``scheduled``. Call it
        again to move the plan, ``stop_bot`` cancels it. Status 422 for a time that is over.

        ``vocabulary`` are at most 200 names and terms that engines are told, so that they write them
        right.
        """
        body = given(
            platform=platform,
            native_meeting_id=native_meeting_id,
            bot_name=bot_name,
            language=language,
            task=task,
            passcode=passcode,
            voice_agent_enabled=voice_agent_enabled,
            join_at=join_at,
            vocabulary=vocabulary,
        )
        return cast(Meeting, self._as_user("POST", path_of("bots"), body=body))

    def request_bot_from_url(
        self,
        meeting_url: str,
        bot_name: str | None = None,
        language: str | None = None,
        task: str | None = None,
        voice_agent_enabled: bool | None = None,
        join_at: str | None = None,
        vocabulary: list[str] | None = None,
    ) -> Meeting:
        """Send a bot to the meeting behind a link, as it was pasted; the server reads it.

        ``join_at`` plans it, and ``vocabulary`` is told, as in ``request_bot``. Status 422 for a link that leads to no meeting,
        or to none that this server sends bots to.
        """
        body = given(
            meeting_url=meeting_url,
            bot_name=bot_name,
            language=language,
            task=task,
            voice_agent_enabled=voice_agent_enabled,
            join_at=join_at,
            vocabulary=vocabulary,
        )
        return cast(Meeting, self._as_user("POST", path_of("bots"), body=body))

    def stop_bot(self, platform: str, native_meeting_id: str) -> Message:
        """Stop a bot, or cancel a planned one; the response comes before it has left.

        Status 404 if there is none.
        """
        path = path_of("bots", platform, native_meeting_id)
        return cast(Message, self._as_user("DELETE", path))

    def retry_bot(self, platform: str, native_meeting_id: str) -> Meeting:
        """Send a bot again to a meeting that has failed, told what the one before was told.

        Returns the new meeting. Status 409 unless the newest meeting of that name has failed.
        """
        return cast(
            Meeting, self._as_user("POST", path_of("bots", platform, native_meeting_id, "retry"))
        )

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

    def speak(
        self,
        platform: str,
        native_meeting_id: str,
        text: str,
        provider: str | None = None,
        voice: str | None = None,
    ) -> Sent:
        """Let a bot say a text, of 2000 characters at most, aloud in its meeting.

        The response says that the bot was told; whether it speaks is a matter of its version, and
        for most of how it was sent (``voice_agent_enabled``). Status 404 if there is no such
        meeting, 409 if it is not active or its bot does not listen, 503 while too much waits for
        the bot.
        """
        body = given(text=text, provider=provider, voice=voice)
        path = path_of("bots", platform, native_meeting_id, "speak")
        return cast(Sent, self._as_user("POST", path, body=body))

    def send_chat_message(self, platform: str, native_meeting_id: str, text: str) -> Sent:
        """Let a bot write a text into the chat of its meeting; limits and errors as for ``speak``."""
        path = path_of("bots", platform, native_meeting_id, "chat")
        return cast(Sent, self._as_user("POST", path, body={"text": text}))

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

    def get_meeting(self, meeting_id: int) -> MeetingById:
        """Fetch a meeting by the server's own id, with what it misses (``alarms``).

        Status 404 if the user has none of that id.
        """
        return cast(MeetingById, self._as_user("GET", path_of("meetings", meeting_id)))

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
        self,
        platform: str,
        native_meeting_id: str,
        meeting_id: int | None = None,
        after: str | None = None,
        withheld: bool | None = None,
    ) -> Transcript:
        """Fetch a meeting with its segments, by default the newest meeting of that native id.

        ``meeting_id`` picks one meeting by the server's own id. ``after`` is the ``cursor`` of an
        earlier response: only what has changed since is sent. If ``is_whole`` is true, drop what you
        have; drop the segments of ``removed``, then take in ``segments`` by ``segment_id``. With
        ``withheld`` true, ``withheld`` lists what an engine heard and is not believed. Status 404 if
        there is no such meeting, 422 for what is no cursor.
        """
        path = path_of("transcripts", platform, native_meeting_id)
        params = given(meeting_id=meeting_id, after=after, withheld=_flag(withheld))
        return cast(Transcript, self._as_user("GET", path, params=params))

    def get_transcript_by_id(
        self, meeting_id: int, after: str | None = None, withheld: bool | None = None
    ) -> Transcript:
        """Fetch a meeting with its segments by the server's own id. Status 404 without one.

        ``after`` and ``withheld`` are as in ``get_transcript``.
        """
        path = path_of("transcripts", "by-id", meeting_id)
        params = given(after=after, withheld=_flag(withheld))
        return cast(Transcript, self._as_user("GET", path, params=params))

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
        vocabulary: list[str] | None = None,
    ) -> Meeting:
        """Update a meeting's data; what is left out stays.

        ``vocabulary`` are at most 200 names and terms that engines are told in this meeting.

        ``meeting_id`` picks one of several by the server's own id; otherwise it is the newest.
        Status 404 if there is no such meeting. Raises VomeetClientError if nothing is given.
        """
        data = _notes(name, participants, languages, notes, vocabulary)
        path = path_of("meetings", platform, native_meeting_id)
        params = given(meeting_id=meeting_id)
        return cast(Meeting, self._as_user("PATCH", path, params=params, body={"data": data}))

    def update_meeting_data_by_id(
        self,
        meeting_id: int,
        name: str | None = None,
        participants: list[str] | None = None,
        languages: list[str] | None = None,
        notes: str | None = None,
        vocabulary: list[str] | None = None,
    ) -> Meeting:
        """Update the data of the meeting with this id of the server; what is left out stays."""
        data = _notes(name, participants, languages, notes, vocabulary)
        path = path_of("meetings", meeting_id)
        return cast(Meeting, self._as_user("PATCH", path, body={"data": data}))

    def delete_meeting(
        self, platform: str, native_meeting_id: str, meeting_id: int | None = None
    ) -> Message:
        """Delete a finished meeting's transcript and personal data; its row stays, without a name.

        ``meeting_id`` picks one meeting by the server's own id, also once its name is gone.
        Status 404 if there is no such meeting, 409 while it is not over.
        """
        path = path_of("meetings", platform, native_meeting_id)
        return cast(Message, self._as_user("DELETE", path, params=given(meeting_id=meeting_id)))

    def delete_meeting_by_id(self, meeting_id: int) -> Message:
        """Delete what :meth:`delete_meeting` deletes, of the meeting with this id of the server."""
        return cast(Message, self._as_user("DELETE", path_of("meetings", meeting_id)))

    # Share links

    def create_share(
        self,
        platform: str,
        native_meeting_id: str,
        expires_in: int | None = None,
        meeting_id: int | None = None,
    ) -> NewShare:
        """Make a link by which anyone reads the words of a meeting, without a key.

        ``expires_in`` is 60 to 7776000 seconds, 7 days unless given. The ``url`` is shown this once;
        it ends in ``.txt``, and opens Markdown or JSON with ``.md`` or ``.json`` instead.
        """
        path = path_of("transcripts", platform, native_meeting_id, "share")
        body = given(expires_in=expires_in)
        params = given(meeting_id=meeting_id)
        return cast(NewShare, self._as_user("POST", path, params=params, body=body))

    def list_shares(self) -> list[Share]:
        """List the user's share links that have not ended, newest first."""
        answer = self._as_user("GET", path_of("user", "shares"))
        return cast("list[Share]", answer["shares"])

    def delete_share(self, share_id: int) -> None:
        """Revoke a share link: it opens nothing any more. Status 404 if it has ended or is unknown."""
        self._as_user("DELETE", path_of("user", "shares", share_id))

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

    def get_user_transcription(self) -> UserTranscription:
        """Return the user's own engine, without its key, and vocabulary."""
        path = path_of("user", "transcription")
        return cast(UserTranscription, self._as_user("GET", path))

    def set_vocabulary(self, vocabulary: list[str]) -> UserTranscription:
        """Set the names and terms that engines are told in all meetings, at most 200 of 64 characters.

        Those of a meeting are in ``update_meeting_data``, and are told first.
        """
        path = path_of("user", "transcription")
        body = {"vocabulary": vocabulary}
        return cast(UserTranscription, self._as_user("PUT", path, body=body))

    def set_engine(self, url: str, model: str, key: str | None = None) -> UserTranscription:
        """Have the user's sound heard by an engine of their own, which speaks as OpenAI's does.

        ``url`` is the address of its ``/v1/audio/transcriptions``. Without ``key`` the one before
        stays if the address is the same; an empty one deletes it. Status 403 unless the server
        allows engines of users, 422 for a private address.
        """
        engine: dict[str, Any] = {"url": url, "model": model}
        if key is not None:
            engine["key"] = key or None
        path = path_of("user", "transcription")
        return cast(UserTranscription, self._as_user("PUT", path, body={"engine": engine}))

    def remove_engine(self) -> UserTranscription:
        """Have the user's sound heard by the server's engines again; the key is deleted."""
        path = path_of("user", "transcription")
        return cast(UserTranscription, self._as_user("PUT", path, body={"engine": None}))

    def delete_user_transcription(self) -> None:
        """Delete the user's own engine with its key, and vocabulary."""
        self._as_user("DELETE", path_of("user", "transcription"))

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
        self, limit: int | None = None, before: int | None = None, webhook_id: int | None = None
    ) -> list[Delivery]:
        """List what was posted or waits to be, newest first, ``limit`` (1 to 1000) at a time.

        ``before`` is the id of the last one that was seen, ``webhook_id`` keeps those of one webhook.
        """
        path = path_of("user", "webhook", "deliveries")
        params = given(limit=limit, before=before, webhook_id=webhook_id)
        answer = self._as_user("GET", path, params=params)
        return cast("list[Delivery]", answer["deliveries"])

    def test_webhook(self) -> WebhookTest:
        """Post a test event now, and tell how that went. Status 404 if no address is set."""
        return cast(WebhookTest, self._as_user("POST", path_of("user", "webhook", "test")))

    def resend_webhook_delivery(self, delivery_id: int) -> Delivery:
        """Post an event once more, whatever became of it. Status 404 if unknown."""
        path = path_of("user", "webhook", "deliveries", delivery_id, "resend")
        return cast(Delivery, self._as_user("POST", path))

    def list_webhooks(self) -> list[WebhookEntry]:
        """List the user's webhooks; the one that ``set_webhook_url`` sets is the first, with id 0."""
        answer = self._as_user("GET", path_of("user", "webhooks"))
        return cast("list[WebhookEntry]", answer["webhooks"])

    def create_webhook(
        self, url: str, events: list[str] | None = None, secret: str | None = None
    ) -> WebhookWithSecret:
        """Add a webhook with events and a secret of its own; status 409 if there are ten.

        ``events`` is a list of ``meeting.status_change``, which is meant when it is left out,
        ``transcript.ready`` and ``meeting.silent``. Without ``secret`` the server makes one,
        ``whsec_`` and base64, and this is the only time that it is shown.
        """
        body = given(url=url, events=events, secret=secret)
        return cast(
            WebhookWithSecret, self._as_user("POST", path_of("user", "webhooks"), body=body)
        )

    def get_webhook_by_id(self, webhook_id: int) -> WebhookEntry:
        """Return one of the user's webhooks. Status 404 if unknown."""
        return cast(WebhookEntry, self._as_user("GET", path_of("user", "webhooks", webhook_id)))

    def update_webhook(
        self, webhook_id: int, url: str | None = None, events: list[str] | None = None
    ) -> WebhookEntry:
        """Change a webhook's address or events; what is left out stays. Status 404 if unknown.

        Raises VomeetClientError if neither is given.
        """
        body = given(url=url, events=events)
        if not body:
            raise VomeetClientError("Nothing to change: give a url or events.")
        path = path_of("user", "webhooks", webhook_id)
        return cast(WebhookEntry, self._as_user("PATCH", path, body=body))

    def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook with its secret; what waits for it is given up. Status 404 if unknown."""
        self._as_user("DELETE", path_of("user", "webhooks", webhook_id))

    def rotate_webhook_secret(
        self, webhook_id: int, grace_seconds: int | None = None, secret: str | None = None
    ) -> WebhookWithSecret:
        """Give a webhook another secret: ``secret``, or one that the server makes and shows once.

        The one before signs as well for ``grace_seconds``, a day if left out, at most 30 days.
        Status 404 if unknown.
        """
        body = given(grace_seconds=grace_seconds, secret=secret)
        path = path_of("user", "webhooks", webhook_id, "rotate")
        return cast(WebhookWithSecret, self._as_user("POST", path, body=body))

    def test_webhook_by_id(self, webhook_id: int) -> WebhookTest:
        """Post a test event to one webhook now, and tell how that went. Status 404 if unknown."""
        path = path_of("user", "webhooks", webhook_id, "test")
        return cast(WebhookTest, self._as_user("POST", path))


def _notes(
    name: str | None,
    participants: list[str] | None,
    languages: list[str] | None,
    notes: str | None,
    vocabulary: list[str] | None,
) -> dict[str, Any]:
    data = given(
        name=name,
        participants=participants,
        languages=languages,
        notes=notes,
        vocabulary=vocabulary,
    )
    if not data:
        raise VomeetClientError(
            "Nothing to change: give a name, participants, languages, notes or a vocabulary."
        )
    return data


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
