"""tests/prerequisites.sh finds what is missing, installs it where it may, and else says what to type."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from machine import REPOSITORY, Machine

SCRIPT = "tests/prerequisites.sh"
GROUPS = [
    "rust",
    "python",
    "browser",
    "bench",
    "package",
    "container",
    "hear",
    "check",
    "lint",
]
STRACE_BY_APT = [
    "apt-get update --quiet",
    "apt-get install --quiet --yes --no-install-recommends strace",
]
TOOLCHAIN = (
    "rustup toolchain install stable --profile minimal --component rustfmt --component clippy"
)
RUSTUP = """curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . "$HOME/.cargo/env\""""


@pytest.fixture
def machine():
    """A machine that has everything but a package manager."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        machine.copy(SCRIPT, "Cargo.toml")
        yield machine


def lines_to_type(done):
    """What a run that stopped told its user to type."""
    assert done.returncode == 1, done
    return [line.strip() for line in done.stderr.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("as_root", [True, False])
@pytest.mark.parametrize("group", GROUPS)
def test_nothing_is_said_or_done_where_nothing_is_missing(machine, group, as_root):
    machine.add_manager("apt-get")
    done = machine.run(SCRIPT, group, as_root=as_root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.told == []


@pytest.mark.parametrize(
    ("group", "tool", "package"),
    [
        ("rust", "cc", "gcc libc6-dev"),
        ("rust", "strace", "strace"),
        ("rust", "unshare", "util-linux"),
        ("rust", "setpriv", "util-linux"),
        ("rust", "prlimit", "util-linux"),
        ("rust", "mount", "mount"),
        ("rust", "ps", "procps"),
        ("rust", "curl", "curl"),
        ("python", "jq", "jq"),
        ("python", "git", "git"),
        ("python", "groff", "groff-base"),
        ("browser", "chromium", "chromium"),
        ("bench", "wrk", "wrk"),
        ("package", "mmdebstrap", "mmdebstrap"),
        ("package", "dpkg-shlibdeps", "dpkg-dev"),
        ("package", "ip", "iproute2"),
        ("container", "musl-gcc", "musl-tools"),
        ("hear", "cmake", "cmake"),
        ("hear", "c++", "g++"),
        ("package", "c++", "g++"),
    ],
)
def test_root_installs_what_a_group_needs(machine, group, tool, package):
    machine.remove(tool)
    machine.add_manager("apt-get", {package.split()[0]: tool})
    done = machine.run(SCRIPT, group)
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.told[-1].endswith(f" {package}")
    assert f"missing: {tool}." in done.stdout


def test_a_group_does_not_ask_for_what_others_need(machine):
    machine.remove("strace", "jq", "chromium", "wrk", "mmdebstrap", "python3")
    assert machine.run(SCRIPT, "check", "lint").returncode == 0


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt-get", "apt-get install --quiet --yes --no-install-recommends jq strace"),
        ("dnf", "dnf install --assumeyes jq strace"),
        ("apk", "apk add jq strace"),
        ("pacman", "pacman -Sy --noconfirm --needed jq strace"),
    ],
)
def test_each_package_manager_is_told_in_its_own_words(machine, manager, line):
    machine.remove("jq", "strace")
    machine.add_manager(manager, {"jq": "jq", "strace": "strace"})
    done = machine.run(SCRIPT, "rust", "python")
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.told[-1] == line


def test_brew_is_told_without_root_and_has_no_strace(machine):
    machine.remove("jq")
    machine.add_manager("brew", {"jq": "jq"})
    assert machine.run(SCRIPT, "python", as_root=False).returncode == 0
    assert machine.told == ["brew install jq"]
    machine.remove("strace")
    done = machine.run(SCRIPT, "rust", as_root=False)
    assert done.returncode == 1
    assert "brings: strace. The tests need Linux" in done.stderr


def test_without_a_package_manager_the_programs_are_named(machine):
    machine.remove("jq", "git")
    done = machine.run(SCRIPT, "python")
    assert done.returncode == 1
    assert "no package manager here brings: git jq." in done.stderr


@pytest.mark.parametrize("sudo", ["missing", "asks", "allowed"])
def test_a_plain_user_installs_by_sudo_or_is_told_the_line(machine, sudo):
    machine.remove("strace")
    machine.add_manager("apt-get", {"strace": "strace"})
    if sudo != "missing":
        asked = 'exec "$@"' if sudo == "allowed" else "exit 1"
        machine.add("sudo", f'[ "$1" = -n ] || exit 9\nshift\n{asked}')
    done = machine.run(SCRIPT, "rust", as_root=False)
    if sudo == "allowed":
        assert (done.returncode, done.stderr) == (0, "")
        assert machine.told == STRACE_BY_APT
        return
    update, install = STRACE_BY_APT
    as_root = {
        "missing": f"su -c '{update} && {install}'",
        "asks": f"sudo {update} && sudo {install}",
    }
    assert lines_to_type(done) == [as_root[sudo]]
    assert machine.told == []


def test_an_installation_that_fails_or_brings_nothing_is_no_success(machine):
    machine.remove("strace")
    machine.add_manager("apt-get")
    done = machine.run(SCRIPT, "rust")
    assert done.returncode == 1
    assert "installed, and still missing: strace" in done.stderr
    machine.add("apt-get", "exit 100")
    done = machine.run(SCRIPT, "rust")
    assert lines_to_type(done) == [" && ".join(STRACE_BY_APT)]


@pytest.mark.parametrize("version", ["1.9.0", "1.94.1", "0.99.0", ""])
@pytest.mark.parametrize("installed_by", ["nobody", "rustup"])
def test_a_missing_or_old_compiler_is_not_fetched_unasked(machine, version, installed_by):
    machine.add_manager("apt-get")
    machine.add("apt-cache", "[ $2 != rustc ] || echo '  Candidate: 1.63.0+dfsg1-2'")
    machine.add("rustc", f'echo "rustc {version}"' if version else "exit 1")
    if installed_by == "rustup":
        machine.add("rustup", f"echo rustup >> {machine.root}/told")
    done = machine.run(SCRIPT, "rust")
    assert lines_to_type(done) == [TOOLCHAIN if installed_by == "rustup" else RUSTUP]
    assert "Rust-1.95-or-newer" in done.stderr
    assert machine.told == []


def test_the_line_is_in_the_order_in_which_it_works(machine):
    machine.remove("rustc", "cargo", "curl", "jq")
    machine.add_manager("apt-get")
    (line,) = lines_to_type(machine.run(SCRIPT, "python", "lint", as_root=False))
    steps = [" curl jq' &&", RUSTUP, "cargo install --quiet --locked cargo-deny"]
    places = [line.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("version", ["1.95.0", "1.96.0-nightly", "1.100.0", "2.0.0"])
def test_a_newer_compiler_will_do(machine, version):
    machine.add("rustc", f'echo "rustc {version}"')
    assert machine.run(SCRIPT, "rust").returncode == 0


@pytest.mark.parametrize(
    ("manager", "query", "answer"),
    [
        ("apt-get", "apt-cache", "  Candidate: 1.96.1+dfsg1-1"),
        ("dnf", None, "1.96.1"),
        ("apk", None, "rust-1.96.1-r0"),
        ("pacman", None, "Version         : 1:1.96.1-1"),
        ("brew", None, "==> rust: stable 1.96.1 (bottled), HEAD"),
    ],
)
def test_a_package_of_rust_that_is_new_enough_is_installed(machine, manager, query, answer):
    machine.remove("rustc", "cargo")
    package = "rustc" if manager == "apt-get" else "rust"
    machine.add_manager(manager, {package: "rustc cargo"})
    if query:
        machine.add(query, f"echo '{answer}'")
    else:
        text = (machine.bin / manager).read_text()
        asked = '*repoquery* | "search "* | "-Si "* | "info "*'
        machine.add(manager, f"case \"$*\" in {asked}) echo '{answer}'; exit ;; esac\n{text}")
    done = machine.run(SCRIPT, "rust", as_root=manager != "brew")
    assert (done.returncode, done.stderr) == (0, "")
    assert f" {package}" in machine.told[-1]


def test_a_packaged_rustup_brings_the_compiler_where_the_packaged_one_is_old(machine):
    machine.remove("rustc")
    machine.add_manager("apt-get")
    machine.add(
        "apt-cache", "[ $2 = rustc ] && echo ' Candidate: 1.85.0' || echo ' Candidate: 1.27.1-4'"
    )
    rustc = machine.root / "packages" / "stable"
    machine.add("rustc", 'echo "rustc 1.95.0"', rustc)
    brought = f'echo "rustup $*" >> {machine.root}/told; cp {rustc}/rustc {machine.bin}/'
    machine.add("rustup", brought, machine.root / "packages" / "rustup")
    done = machine.run(SCRIPT, "rust", "lint")
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.told[-2:] == [f"{STRACE_BY_APT[1].removesuffix('strace')}rustup", TOOLCHAIN]


def test_what_lint_needs_of_cargo(machine):
    machine.add_manager("apt-get")
    marker = machine.root / "home" / "installed"
    machine.add(
        "cargo",
        f'[ "$1" != install ] || {{ echo "cargo $*" >> {machine.root}/told; : > {marker}; }}\n'
        f'[ "$1" != deny ] || [ -e {marker} ]',
    )
    done = machine.run(SCRIPT, "lint", as_root=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.told == ["cargo install --quiet --locked cargo-deny"]
    machine.add("cargo", '[ "$1" != fmt ] && [ "$1" != clippy ]')
    machine.add("rustup")
    wanted = "rustup component add rustfmt && rustup component add clippy"
    assert lines_to_type(machine.run(SCRIPT, "check")) == [wanted]


def test_python_must_be_new_enough_and_have_venv(machine):
    machine.add_manager("apt-get")
    machine.add("python3", 'case "$2" in *version_info*) exit 1 ;; esac')
    assert "still missing: python3-3.11-or-newer" in machine.run(SCRIPT, "python").stderr
    machine.add("python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    assert "still missing: venv" in machine.run(SCRIPT, "python").stderr
    assert machine.told[-1].endswith(" python3-venv")


def test_a_kernel_that_forbids_namespaces_or_tracing_is_named(machine):
    machine.add("unshare", "exit 1")
    done = machine.run(SCRIPT, "rust")
    assert done.returncode == 1
    assert "user namespaces are" in done.stderr
    assert machine.run(SCRIPT, "python").returncode == 0
    machine.add("unshare")
    machine.add("strace", "exit 1")
    done = machine.run(SCRIPT, "rust")
    assert done.returncode == 1
    assert "strace may not trace here" in done.stderr


def test_a_group_must_be_named_and_known(machine):
    assert "say for what" in machine.run(SCRIPT).stderr
    done = machine.run(SCRIPT, "rust", "everything")
    assert done.returncode == 1
    assert "there is no group everything" in done.stderr


def test_this_machine_has_what_the_running_tests_need(machine):
    for manager in ["apt-get", "dnf", "apk", "pacman", "brew"]:
        machine.add(manager, "exit 1", machine.root / "managers")
    done = subprocess.run(
        [REPOSITORY / SCRIPT, "rust", "python"],
        env={**os.environ, "PATH": f"{machine.root}/managers:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("target", "groups"),
    [
        ("check", "check"),
        ("lint", "lint"),
        ("test", "rust python"),
        ("test-rust", "rust"),
        ("test-one", "rust"),
        ("test-python", "python"),
        ("long", "rust"),
        ("snapshots", "rust"),
        ("browser", "browser"),
        ("bench", "bench"),
        ("package", "package"),
        ("hear", "hear"),
        ("container-test", "container"),
    ],
)
def test_a_command_looks_first_for_what_it_needs(target, groups, tmp_path):
    # Another folder for the virtual environment, for one that is ready is not looked at.
    command = [shutil.which("make"), "--dry-run", target, "T=x", f"VENV={tmp_path}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("make")]
    looks = [line for line in lines if line.startswith(SCRIPT)]
    assert lines[0].startswith(SCRIPT), lines
    assert f"{SCRIPT} {groups}" in looks, looks
