"""Corrections of a transcript with a user's key, and why words of a meeting are missing."""

from __future__ import annotations

from typing import cast

from ._connection import Connection
from ._http import path_of
from .types import Explanation, RenamedSpeaker, Segment


class CorrectionCalls(Connection):
    """The calls that correct a transcript, and that explain a meeting."""

    def correct_segment(self, meeting_id: int, segment_id: str, text: str | None) -> Segment:
        """Show other words in a segment of the meeting with this id of the server; at most 8192.

        What came is kept as ``original_text``, and stays so when the bot sends it again. None takes
        the correction back. Status 404 without such a segment, 409 while its words are a draft.
        """
        path = path_of("transcripts", "by-id", meeting_id, "segments", segment_id)
        return cast(Segment, self._as_user("PATCH", path, body={"text": text}))

    def withdraw_correction(self, meeting_id: int, segment_id: str) -> Segment:
        """Take the correction of a segment back: it shows what came."""
        path = path_of("transcripts", "by-id", meeting_id, "segments", segment_id, "correction")
        return cast(Segment, self._as_user("DELETE", path))

    def rename_speaker(
        self, meeting_id: int, from_name: str | None, to_name: str | None
    ) -> RenamedSpeaker:
        """Give a speaker another name in a whole meeting, also in what is said later.

        ``from_name`` is the name as it is shown, None for segments without one. ``to_name`` None
        takes back the name that was given. Status 404 if nothing shows ``from_name``.
        """
        path = path_of("transcripts", "by-id", meeting_id, "speakers")
        body = {"from": from_name, "to": to_name}
        return cast(RenamedSpeaker, self._as_user("PATCH", path, body=body))

    def explain_meeting(self, meeting_id: int) -> Explanation:
        """Tell what happened to a meeting, whose fault it is that words are missing, what to do."""
        return cast(Explanation, self._as_user("GET", path_of("meetings", meeting_id, "explain")))

    def explain_any_meeting(self, meeting_id: int) -> Explanation:
        """Tell the same of any user's meeting; with the admin key."""
        path = path_of("admin", "meetings", meeting_id, "explain")
        return cast(Explanation, self._as_admin("GET", path))
