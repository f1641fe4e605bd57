"""The command line as people use it: its document followed beside a server, and questions on a terminal."""

import os
import pty
import select
import shutil
import socket
import subprocess

import pytest
from documents import Reader, blocks_of
from live_server import REPOSITORY, binary, running

SECONDS = 30


def test_the_document_works_beside_a_running_server(tmp_path):
    with running(tmp_path) as base_url:
        reader = Reader(base_url, tmp_path)
        for block in blocks_of(REPOSITORY / "docs/command-line.md"):
            if not block.reason:
                reader.follow(block)


def vomeet(directory, *arguments, stdin=subprocess.DEVNULL):
    """Run a command to its end."""
    return subprocess.run(
        [binary(), *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"]},
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def on_a_terminal(directory, *arguments, typed):
    """Run a command on a terminal at which somebody types."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        return vomeet(directory, *arguments, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("typed", "is_deleted"),
    [
        ("y\n", True),
        ("YES\n", True),
        ("n\n", False),
        ("\n", False),
        ("yep\n", False),
        ("\x04", False),
    ],
)
@pytest.mark.parametrize("beside_a_server", [False, True])
def test_a_deletion_asks_and_accepts_no(tmp_path, typed, is_deleted, beside_a_server):
    vomeet(tmp_path, "user", "add", "ada@example.com", "--name", "Ada\u202e")

    def ask():
        done = on_a_terminal(tmp_path, "user", "remove", "1", typed=typed)
        assert "Delete user 1 (ada@example.com)" in done.stderr, done
        assert "[y/N]" in done.stderr, done
        assert done.returncode == (0 if is_deleted else 9), done
        assert ("ada@example.com" in vomeet(tmp_path, "user", "list").stdout) is not is_deleted

    if beside_a_server:
        with running(tmp_path):
            ask()
    else:
        ask()


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_manual_is_a_page_that_groff_can_set(tmp_path):
    page = vomeet(tmp_path, "man").stdout
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rLL=120n", "-P-cbou"],
        input=page,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stderr == ""
    assert "Exit codes:" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_completions_are_a_script_that_bash_can_read(tmp_path):
    script = vomeet(tmp_path, "completions", "bash").stdout
    asked = (
        f"{script}\nCOMP_WORDS=(vomeet token r) COMP_CWORD=2\n"
        '_vomeet vomeet r token; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash"], input=asked, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stdout.split() == ["rotate", "revoke"], done


@pytest.mark.parametrize(("typed", "is_created"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_database_is_created_if_the_terminal_agrees(tmp_path, typed, is_created):
    done = on_a_terminal(tmp_path, "user", "add", "ada@example.com", typed=typed)
    assert f"Create {tmp_path / 'vomeet.db'}? [y/N]" in done.stderr, done
    assert done.returncode == (0 if is_created else 9), done
    assert (tmp_path / "vomeet.db").exists() is is_created


def test_a_bar_shows_that_long_work_goes_on(tmp_path):
    """A server that takes its time: the bar is there before the answer, and gone after it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "vomeet.db.sock"))
    listener.listen()
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [binary(), "user", "list"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    try:
        connection, _ = listener.accept()
        connection.settimeout(SECONDS)
        assert connection.recv(10_000).startswith(b"GET /admin/users")
        seen = b""
        while b"[" not in seen or b"] " not in seen:
            assert select.select([ours], [], [], SECONDS)[0], f"no bar: {seen!r}"
            seen += os.read(ours, 1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]")
        out, _ = command.communicate(timeout=SECONDS)
        assert command.returncode == 0
        assert out.startswith(b"ID")
        while b"\x1b[K" not in seen:
            assert select.select([ours], [], [], SECONDS)[0], f"the bar stays: {seen!r}"
            seen += os.read(ours, 1000)
    finally:
        command.kill()
        os.close(ours)
        os.close(theirs)
        listener.close()
