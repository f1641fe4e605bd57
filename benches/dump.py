"""Writes a plain dump as pg_dump does, with the tables that `vomeet import` reads, to standard output.

    python3 benches/dump.py --users 100000 --segments 10000000 > /tmp/dump.sql
    /usr/bin/time -v target/release/vomeet import /tmp/dump.sql --database /tmp/new.db

Each user has a key and a meeting; the segments of the meetings that are held at the same time come mixed, as a database has
them. The same numbers make the same dump.
"""

import argparse
import random
import sys

WORDS = (
    "we should look at the numbers again before friday because the customer asked for a second offer and nobody knows whether "
    "the new version of the program keeps what was agreed in spring when the budget for the whole project was half of this"
).split()
# Meetings that are held at the same time.
AT_ONCE = 200


def main():
    """Write the dump."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--users", type=int, default=1000)
    arguments.add_argument("--segments", type=int, default=100_000)
    arguments = arguments.parse_args()
    random.seed(1)
    out = sys.stdout
    out.write("--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n")
    users, meetings = arguments.users, arguments.users

    out.write("COPY public.api_tokens (id, token, user_id, created_at) FROM stdin;\n")
    for user in range(1, users + 1):
        out.write(f"{user}\t{random.getrandbits(240):040x}\t{user}\t2025-09-01 10:00:00\n")
    out.write("\\.\n\n")
    out.write(
        "COPY public.meeting_sessions (id, meeting_id, session_uid, session_start_time) FROM stdin;\n"
    )
    for meeting in range(1, meetings + 1):
        out.write(f"{meeting}\t{meeting}\t{uid(meeting)}\t2025-10-01 10:00:00.25+00\n")
    out.write("\\.\n\n")
    columns = "id, user_id, platform, platform_specific_id, status, start_time, end_time, data, created_at, updated_at"
    out.write(f"COPY public.meetings ({columns}) FROM stdin;\n")
    for meeting in range(1, meetings + 1):
        times = "2025-10-01 10:00:00\t2025-10-01 11:00:00"
        out.write(
            f"{meeting}\t{meeting}\tteams\t{meeting:013}\tcompleted\t{times}\t{{}}\t{times}\n"
        )
    out.write("\\.\n\n")
    write_segments(out, meetings, arguments.segments)
    out.write(
        "COPY public.users (id, email, name, created_at, max_concurrent_bots, data) FROM stdin;\n"
    )
    for user in range(1, users + 1):
        out.write(f"{user}\tuser{user}@example.com\tUser {user}\t2025-09-01 10:00:00\t1\t{{}}\n")
    out.write("\\.\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n")


def write_segments(out, meetings, segments):
    """Write what was said: so many meetings at a time, in turn."""
    columns = (
        "id, meeting_id, start_time, end_time, text, speaker, language, created_at, session_uid"
    )
    out.write(f"COPY public.transcriptions ({columns}) FROM stdin;\n")
    sentences = [" ".join(random.choices(WORDS, k=random.randint(4, 16))) for _ in range(20_000)]
    each = -(-segments // meetings)
    number = 0
    for first in range(1, meetings + 1, AT_ONCE):
        held = range(first, min(first + AT_ONCE, meetings + 1))
        for place in range(each):
            for meeting in held:
                number += 1
                if number > segments:
                    out.write("\\.\n\n")
                    return
                text = sentences[(number * 7919) % len(sentences)]
                start = place * 4.2
                out.write(
                    f"{number}\t{meeting}\t{start:.3f}\t{start + 3.9:.3f}\t{text}\tSpeaker {number % 5}\ten"
                    f"\t2025-10-01 10:00:05\t{uid(meeting)}\n"
                )
    out.write("\\.\n\n")


def uid(meeting):
    """The name of the session of a meeting."""
    return f"{meeting:08x}-0000-4000-8000-{meeting:012x}"


if __name__ == "__main__":
    main()
