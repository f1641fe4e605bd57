"""Batches that cost the server more than others: without a speaker, with drafts, or so long that they wait for room."""

from bots import BATCH, BOTS, as_user, file_of_bots, in_turn, post, with_bots
from load import cpu_ratios, load
from table import Bound, Row

EVENTS = 1000
# All segments of the load lie between the first event and the last one.
FIRST_EVENT_MS = 1_000_000_000
STRETCH_MS = 800_000
SPEAKERS = ("Ada", "Grace", "Edsger", "Barbara")
# The longest body, and more of them at once than have room.
UPLOADS, UPLOAD_BYTES = 16, 2**20


def naming(bench):
    """Batches that are named by the events of their stream, against batches that come with a name."""
    with with_bots(bench, BOTS) as (server, token, bots):
        for bot in bots:
            _say_who_speaks(server, bot)
        named, unnamed = in_turn(bench, server, bots, "segments", "segments_without_speaker")
        _require_names(server, token)
    ratios = [one.rate / other.rate for one, other in zip(unnamed, named)]
    return [
        Row("with a speaker", named),
        Row("without one: rate against those with one", unnamed, ratios, bound=Bound(least=0.2)),
        Row("  CPU time against those with one", None, cpu_ratios(unnamed, named), bound=Bound(below=3.5)),
    ]


def _say_who_speaks(server, bot):
    """Tells the speaker events of a stream, in which one speaks after the other."""
    events = []
    for n in range(EVENTS // 2):
        begins = FIRST_EVENT_MS + n * STRETCH_MS
        name = SPEAKERS[n % len(SPEAKERS)]
        for event_type, at in (("SPEAKER_START", begins), ("SPEAKER_END", begins + STRETCH_MS)):
            event = {"event_type": event_type, "participant_name": name, "relative_ms": at}
            events.append(event)
    batch = {"uid": bot["connectionId"], "segments": [], "speaker_events": events}
    headers = {"Authorization": f"Bearer {bot['token']}"}
    answer = post(server, "/bots/internal/segments", batch, headers)
    if answer.get("refused_events"):
        raise SystemExit(f"The server refused speaker events: {answer['refused_events'][0]}")


def _require_names(server, token):
    """The message if segments that came without a speaker got no name."""
    transcript = as_user(server, token, "GET", f"/transcripts/teams/{10**9}")
    sources = {segment["speaker_source"] for segment in transcript["segments"]}
    if sources != {"stream", "events"}:
        raise SystemExit(f"Not all segments were named by events: {sources}")


def drafts(bench):
    """Batches of which one half are drafts that the next batch withdraws, against batches without drafts."""
    with with_bots(bench, BOTS) as (server, token, bots):
        final, half_drafts = in_turn(bench, server, bots, "no_drafts", "drafts")
        _require_drafts_withdrawn(server, token)
    ratios = [one.rate / other.rate for one, other in zip(half_drafts, final)]
    return [
        Row("no drafts", final),
        Row("half drafts: rate against none", half_drafts, ratios, bound=Bound(least=0.5)),
        Row("  CPU time against none", None, cpu_ratios(half_drafts, final), bound=Bound(below=1.5)),
    ]


def _require_drafts_withdrawn(server, token):
    """The message if a meeting has other drafts than those of its last batch."""
    transcript = as_user(server, token, "GET", f"/transcripts/teams/{10**9}")
    left = sum(not segment["completed"] for segment in transcript["segments"])
    if left != BATCH // 2:
        raise SystemExit(f"A meeting has {left} drafts, and its last batch had {BATCH // 2}.")


def uploads(bench):
    """Long bodies of one bot, more of them at once than its share, against one after the other."""
    samples = {1: [], UPLOADS: []}
    with with_bots(bench, 1) as (server, _, bots):
        told = file_of_bots(bench, bots)
        for _ in range(bench.rounds):
            for number, taken in samples.items():
                taken.append(load(server, "uploads", told, UPLOAD_BYTES, connections=number))
    one, many = samples.values()
    ratios = [most.rate / single.rate for most, single in zip(many, one)]
    return [
        Row("one after the other", one),
        Row(f"{UPLOADS} side by side: rate against one", many, ratios, bound=Bound(least=0.5)),
    ]


SECTIONS = {
    "naming": (
        naming,
        f"batches of {BATCH} of {BOTS} bots, named by the {EVENTS:,} speaker events of each stream, default workers",
    ),
    "drafts": (
        drafts,
        f"batches of {BATCH} of {BOTS} bots, half of them drafts that the next batch withdraws, default workers",
    ),
    "uploads": (
        uploads,
        f"bodies of {UPLOAD_BYTES // 2**20} MiB of one bot; {UPLOADS} at once wait for room, which is 6 MiB; default workers",
    ),
}
