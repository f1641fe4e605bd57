"""The calls of an administrator's console: the server at one glance, and searches in all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ._connection import Connection
from ._http import given, path_of
from .types import (
    BotLog,
    Delivery,
    FoundMeeting,
    FoundToken,
    FoundUser,
    Overview,
    Refusals,
    Settings,
    Share,
    TranscriptionOverview,
    Webhook,
    WebhookEntry,
)


class ConsoleCalls(Connection):
    """What an administrator looks at; all of it needs the admin key."""

    def get_overview(self) -> Overview:
        """Tell of the server at one glance: bots, meetings, keys, webhooks, disk, usage, warnings."""
        return cast(Overview, self._as_admin("GET", path_of("admin", "overview")))

    def get_transcription(self) -> TranscriptionOverview:
        """Tell of the engines, how far words are behind their sound, and what is withheld."""
        path = path_of("admin", "transcription")
        return cast(TranscriptionOverview, self._as_admin("GET", path))

    def get_settings(self) -> Settings:
        """List the settings in force, each with its source; secrets are not shown."""
        return cast(Settings, self._as_admin("GET", path_of("admin", "settings")))

    def get_refusals(self, limit: int | None = None) -> Refusals:
        """List the keys that were refused since the start, newest first, ``limit`` (1 to 200) of them."""
        path = path_of("admin", "refusals")
        return cast(Refusals, self._as_admin("GET", path, params=given(limit=limit)))

    def search_users(self, q: str | None = None, state: str | None = None) -> Iterator[FoundUser]:
        """Yield users with their seats, tokens and last use, by id, page by page.

        ``q`` keeps those with this text in e-mail address or name, ``state`` is ``active`` or
        ``disabled``.
        """
        return self._pages("users", "after", given(q=q, state=state))

    def search_tokens(
        self,
        user_id: int | None = None,
        hint: str | None = None,
        ending_within: int | None = None,
        unused_for: int | None = None,
    ) -> Iterator[FoundToken]:
        """Yield tokens of all users, by id, page by page.

        ``hint`` is how they begin. ``ending_within`` keeps those that work now and end in so many
        seconds, ``unused_for`` those that were not used for so many.
        """
        sought = given(
            user_id=user_id, hint=hint, ending_within=ending_within, unused_for=unused_for
        )
        return self._pages("tokens", "after", sought)

    def search_meetings(
        self,
        user_id: int | None = None,
        platform: str | None = None,
        status: str | None = None,
        native_meeting_id: str | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
    ) -> Iterator[FoundMeeting]:
        """Yield meetings of all users, newest first, page by page.

        ``status`` is one, or ``open`` for all that are not over; times are RFC 3339 text, and of
        when the bot was asked for.
        """
        sought = given(
            user_id=user_id,
            platform=platform,
            status=status,
            native_meeting_id=native_meeting_id,
            **{"from": from_time, "to": to_time},
        )
        return self._pages("meetings", "before", sought)

    def get_bot_log(self, meeting_id: int, bytes_max: int | None = None) -> BotLog:
        """Fetch the end of what a meeting's bot has printed, at most ``bytes_max`` (1 to 65536).

        Status 404 if there is no such meeting.
        """
        path = path_of("admin", "meetings", meeting_id, "log")
        return cast(BotLog, self._as_admin("GET", path, params=given(bytes=bytes_max)))

    def get_user_webhook(self, user_id: int) -> Webhook:
        """Tell where changes of a user's meetings are posted. Status 404 if unknown."""
        return cast(Webhook, self._as_admin("GET", path_of("admin", "users", user_id, "webhook")))

    def list_user_webhooks(self, user_id: int) -> list[WebhookEntry]:
        """List a user's webhooks, without the secrets. Status 404 if unknown."""
        answer = self._as_admin("GET", path_of("admin", "users", user_id, "webhooks"))
        return cast("list[WebhookEntry]", answer["webhooks"])

    def delete_user_webhook(self, user_id: int, webhook_id: int) -> None:
        """Delete a user's webhook; what waits for it is given up. Status 404 if unknown."""
        self._as_admin("DELETE", path_of("admin", "users", user_id, "webhooks", webhook_id))

    def list_user_deliveries(
        self,
        user_id: int,
        limit: int | None = None,
        before: int | None = None,
        webhook_id: int | None = None,
    ) -> list[Delivery]:
        """List a user's webhook deliveries, newest first, ``limit`` (1 to 1000) at a time.

        ``before`` is the id of the last one that was seen, ``webhook_id`` keeps those of one
        webhook. Status 404 if the user is unknown.
        """
        path = path_of("admin", "users", user_id, "webhook", "deliveries")
        params = given(limit=limit, before=before, webhook_id=webhook_id)
        answer = self._as_admin("GET", path, params=params)
        return cast("list[Delivery]", answer["deliveries"])

    def list_user_shares(self, user_id: int) -> list[Share]:
        """List a user's share links that have not ended, newest first. Status 404 if unknown."""
        answer = self._as_admin("GET", path_of("admin", "users", user_id, "shares"))
        return cast("list[Share]", answer["shares"])

    def revoke_share(self, share_id: int) -> None:
        """Revoke a share link of any user. Status 404 if it has ended or is unknown."""
        self._as_admin("DELETE", path_of("admin", "shares", share_id))

    def resend_delivery(self, delivery_id: int) -> Delivery:
        """Post a user's event once more, whatever became of it. Status 404 if unknown."""
        path = path_of("admin", "deliveries", delivery_id, "resend")
        return cast(Delivery, self._as_admin("POST", path))

    def _pages(self, what: str, place: str, sought: dict[str, Any]) -> Iterator[Any]:
        """Yield what a search finds; a page may be empty although more follow."""
        at = None
        while True:
            params = {**sought, **({} if at is None else {place: at})}
            page = self._as_admin("GET", path_of("admin", what, "search"), params=params)
            yield from page[what]
            at = page["next"]
            if at is None:
                return
