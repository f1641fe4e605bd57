"""Sound that the server makes words of, or keeps, and words that it is given."""

from __future__ import annotations

import os
from typing import Any, cast

from ._connection import Connection
from ._http import exchange_file, given, path_of, save
from .types import Meeting, Transcription

# The server answers within two minutes once it has the sound.
_WORDS_SECONDS_MAX = 150.0


class SoundCalls(Connection):
    """The calls that hand in sound, which needs a key with ``transcribe``, or words, or get sound."""

    def transcribe_file(
        self,
        path: str | os.PathLike[str],
        language: str | None = None,
        prompt: str | None = None,
        words: bool = False,
    ) -> Transcription:
        """Have words made of a sound of at most 25 MiB and ten minutes, and wait for them.

        ``language`` is a code such as ``en``; without it the engine finds out. ``prompt`` holds names
        and terms that may occur. ``words`` asks for the times of words too. Nothing is stored. Status
        415 for a form that no engine takes, 429 beyond a limit, 503 if no engine is there.
        """
        fields = given(language=language, prompt=prompt, response_format="verbose_json")
        if words:
            fields["timestamp_granularities[]"] = "word"
        with open(path, "rb") as file:
            files = {"file": (os.path.basename(path), file)}
            answer = self._send_file(("v1", "audio", "transcriptions"), {}, fields, files)
        return cast(Transcription, answer)

    def upload_meeting(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        start_time: str | None = None,
        language: str | None = None,
        platform: str | None = None,
        native_meeting_id: str | None = None,
        speakers: list[str] | None = None,
    ) -> Meeting:
        """Upload a recording: it becomes a finished meeting, whose words are made behind it.

        ``speakers`` are the names of those who speak in each channel. ``get_meeting`` says in
        ``transcription`` how far the words are. Status 415 for a form that is not known, 503 if no
        engine is configured.
        """
        names = None if speakers is None else ",".join(speakers)
        params = given(
            name=name,
            start_time=start_time,
            language=language,
            platform=platform,
            native_meeting_id=native_meeting_id,
            speakers=names,
        )
        with open(path, "rb") as file:
            answer = self._send_file(("meetings", "upload"), params, file, None)
        return cast(Meeting, answer)

    def import_meeting(
        self,
        transcript: str,
        format: str | None = None,
        start_time: str | None = None,
        name: str | None = None,
        platform: str | None = None,
        native_meeting_id: str | None = None,
    ) -> Meeting:
        """Make a finished meeting of a transcript: ``json`` as it is exported, ``srt`` or ``vtt``.

        ``start_time`` is when the meeting began; JSON may say it itself. Status 422 names the line
        of what cannot be read.
        """
        params = given(
            format=format,
            start_time=start_time,
            name=name,
            platform=platform,
            native_meeting_id=native_meeting_id,
        )
        answer = self._send_file(("meetings", "import"), params, transcript.encode(), None)
        return cast(Meeting, answer)

    def get_meeting_audio(
        self, meeting_id: int, path: str | os.PathLike[str], sound_id: int | None = None
    ) -> None:
        """Write a sound of a meeting into a file, while the server keeps it: Ogg with Opus, or WAV.

        ``explain_meeting`` lists the sounds in ``sounds``; without ``sound_id`` it is the first.
        Status 404 where nothing of it is kept.
        """
        url, params = self._url(path_of("meetings", meeting_id, "audio")), given(sound=sound_id)
        save(self._session, url, self._user_header(), path, self.timeout, params)

    def delete_meeting_audio(self, meeting_id: int) -> None:
        """Delete the sound of a meeting, and nothing else of it. What was not heard yet never is."""
        self._as_user("DELETE", path_of("meetings", meeting_id, "audio"))

    def _send_file(
        self, segments: tuple[str, ...], params: dict[str, Any], data: Any, files: Any
    ) -> Any:
        url, headers = self._url(path_of(*segments)), self._user_header()
        timeout = max(self.timeout, _WORDS_SECONDS_MAX)
        return exchange_file(self._session, url, headers, params, data, files, timeout)
