"""The client of OpenAI, unmodified, with this server in the place of theirs."""

import wave

import openai
import pytest
from live_server import ADMIN_KEY, running
from sound_engine import Engine
from vomeet_client import VomeetClient

SECONDS = 3


@pytest.fixture
def engines():
    both = [Engine("the first engine"), Engine("the second engine")]
    yield both
    for engine in both:
        engine.close()


@pytest.fixture
def base_url(tmp_path, engines):
    settings = "[transcription]\ngate = false\n"
    settings += "".join(engine.settings(f"e{n}") for n, engine in enumerate(engines))
    (tmp_path / "vomeet.toml").write_text(settings)
    with running(tmp_path) as url:
        yield url


@pytest.fixture
def key(base_url):
    admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
    user = admin.create_user("ada@example.com")
    return admin.create_token(user["id"])["token"]


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\x10\x00" * 16000 * SECONDS)
    return path


def test_the_client_of_openai_gets_words_while_an_engine_dies(base_url, key, sound, engines):
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)

    def ask(**fields):
        with sound.open("rb") as file:
            return client.audio.transcriptions.create(file=file, model="whisper-1", **fields)

    assert ask().text == "the first engine"
    engines[0].die()
    assert ask().text == "the second engine"
    verbose = ask(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert verbose.duration == pytest.approx(SECONDS, abs=0.1)
    assert [segment.text for segment in verbose.segments] == ["the second engine"]
    assert ask(response_format="text") == "the second engine\n"
    assert ask(response_format="srt").startswith("1\n00:00:00,250 --> 00:00:00,750\n")
    assert ask(response_format="vtt").startswith("WEBVTT\n\n")


def test_the_client_of_openai_understands_our_errors(base_url, key, sound):
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key="wrong", max_retries=0)
    with sound.open("rb") as file, pytest.raises(openai.AuthenticationError) as refused:
        client.audio.transcriptions.create(file=file, model="whisper-1")
    assert refused.value.type == "authentication_error"
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(file=("a.txt", b"plain words"), model="whisper-1")
    assert refused.value.status_code == 415
    assert "WAV" in refused.value.message


def test_our_client_uploads_imports_and_transcribes(base_url, key, sound):
    client = VomeetClient(base_url, api_key=key)
    heard = client.transcribe_file(sound, language="en", words=True)
    assert heard["text"] == "the first engine" and heard["words"] == []
    meeting = client.upload_meeting(sound, name="Weekly", start_time="2025-10-10T12:00:00Z")
    assert meeting["status"] == "completed" and meeting["data"]["name"] == "Weekly"
    assert "transcription" in client.get_meeting(meeting["id"])
    srt = "1\n00:00:01,500 --> 00:00:02,000\nAda: Good morning.\n"
    imported = client.import_meeting(srt, format="srt", start_time="2025-10-10T12:00:00Z")
    segments = client.get_transcript_by_id(imported["id"])["segments"]
    assert [(one["speaker"], one["text"]) for one in segments] == [("Ada", "Good morning.")]
