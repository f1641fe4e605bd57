""".ci/run runs its stages in order and ends with their seconds; it prints what it could not check."""

import re
import tempfile
from pathlib import Path

import pytest
from machine import Machine

RUN = ".ci/run"
DEPENDENCIES = "tests/dependencies.sh"
STAGES = ["prerequisites", "lint", "test", "browser"]
UNCHECKED = "NOT CHECKED: known vulnerabilities of the dependencies (advisories)"


@pytest.fixture
def machine():
    """A checkout whose stages write down that they ran, and succeed."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        machine.copy(RUN, DEPENDENCIES)
        told = machine.root / "told"
        machine.add(
            "prerequisites.sh", f'echo "prerequisites $*" >> {told}', machine.root / "tests"
        )
        machine.add("make", f'echo "make $*" >> {told}')
        yield machine


def test_the_stages_run_in_order_and_their_seconds_are_told(machine):
    done = machine.run(RUN)
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.told == [
        "prerequisites lint rust python browser",
        "make lint",
        "make test",
        "make browser",
    ]
    table = [line.split() for line in done.stdout.splitlines() if line]
    assert [row[0] for row in table] == ["stage", *STAGES, "total"]
    assert all(re.fullmatch(r"\d+", row[1]) for row in table[1:])


def test_a_stage_that_fails_is_the_last(machine):
    machine.add("make", f'echo "make $*" >> {machine.root}/told; [ "$1" != test ] || exit 7')
    done = machine.run(RUN)
    assert done.returncode == 7
    assert machine.told[-1] == "make test"
    assert done.stdout.splitlines()[-1] == "FAILED: test"
    assert re.search(r"^test +\d+$", done.stdout, re.MULTILINE)


def test_what_was_not_checked_is_the_last_that_is_told(machine):
    machine.add("make", f'[ "$1" != lint ] || echo "{UNCHECKED}" >&2')
    done = machine.run(RUN)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == UNCHECKED


@pytest.mark.parametrize(
    ("is_reachable", "has_fault", "code"),
    [(True, False, 0), (True, True, 4), (False, False, 0), (False, True, 4)],
)
def test_vulnerabilities_are_looked_for_or_said_to_be_unknown(
    machine, is_reachable, has_fault, code
):
    machine.add(
        "cargo",
        f'echo "$*" >> {machine.root}/told\n'
        f'[ "$2" != fetch ] || exit {0 if is_reachable else 1}\n'
        f"exit {code if has_fault else 0}",
    )
    done = machine.run(DEPENDENCIES)
    assert done.returncode == code
    checks = "bans licenses sources"
    checks = f"advisories {checks}" if is_reachable else checks
    assert machine.told == ["deny fetch db", f"deny check {checks}"]
    assert (UNCHECKED in done.stderr) is (not is_reachable and not has_fault)
