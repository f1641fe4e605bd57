"""A made-up machine: its PATH holds the programs that a test puts there, and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = 65534
SECONDS = 60

# What the scripts themselves are written with.
SHELL_TOOLS = [
    "basename",
    "bash",
    "cat",
    "cp",
    "cut",
    "date",
    "dirname",
    "env",
    "grep",
    "head",
    "id",
] + ["mktemp", "rm", "sed", "sh", "sort", "tee", "tr", "true"]

# What the groups of tests/prerequisites.sh look for, as it answers where all is well.
PROGRAMS = {
    "rustc": 'echo "rustc 1.95.0 (of a test)"',
    "cargo": "exit 0",
    "cc": "exit 0",
    "c++": "exit 0",
    "cmake": "exit 0",
    "make": "exit 0",
    "curl": "exit 0",
    "strace": "exit 0",
    "unshare": "exit 0",
    "mount": "exit 0",
    "setpriv": "exit 0",
    "prlimit": "exit 0",
    "ps": "exit 0",
    "git": "exit 0",
    "jq": "exit 0",
    "groff": "exit 0",
    "node": "exit 0",
    "npm": "exit 0",
    "nginx": "exit 0",
    "caddy": "exit 0",
    "haproxy": "exit 0",
    "prometheus": "exit 0",
    "promtool": "exit 0",
    "initdb": "exit 0",
    "python3": "exit 0",
    "dpkg-deb": "exit 0",
    "dpkg-shlibdeps": "exit 0",
    "ip": "exit 0",
    "ss": "exit 0",
    "musl-gcc": "exit 0",
    "mmdebstrap": "exit 0",
    "chromium": "exit 0",
    "wrk": "exit 0",
}

# A package manager writes down what it was told, and puts the programs of its packages into PATH.
MANAGER = """echo "$(basename "$0") $*" >> {root}/told
for word in "$@"; do
  [ ! -d {root}/packages/"$word" ] || cp {root}/packages/"$word"/* {root}/bin/
done"""


class Machine:
    """A folder with a PATH of its own, copies of our scripts, and users who may run them."""

    def __init__(self, root):
        self.root = root
        self.bin = root / "bin"
        for folder in (root, self.bin, root / "packages", root / "home"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        for name in SHELL_TOOLS:
            (self.bin / name).symlink_to(shutil.which(name))
        for name, script in PROGRAMS.items():
            self.add(name, script)

    def copy(self, *paths):
        """Bring files of the repository here."""
        for path in paths:
            target = self.root / path
            target.parent.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / path, target)

    def add(self, name, script="exit 0", folder=None):
        """Put a program into PATH, or into a package that can be installed."""
        folder = folder or self.bin
        folder.mkdir(exist_ok=True, parents=True)
        program = folder / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def remove(self, *names):
        """Take programs out of PATH."""
        for name in names:
            (self.bin / name).unlink()

    def add_manager(self, name, packages=()):
        """Add a package manager with these packages, each the name and its programs."""
        self.add(name, MANAGER.format(root=self.root))
        for package, programs in dict(packages).items():
            for program in programs.split():
                script = PROGRAMS.get(program, "exit 0")
                self.add(program, script, self.root / "packages" / package)

    @property
    def told(self):
        """What the package manager, or another program that writes it down, was told."""
        file = self.root / "told"
        return file.read_text().splitlines() if file.exists() else []

    def run(self, *command, as_root=True):
        """Run a command with this PATH, as root or as somebody who is not."""
        prefix = []
        if as_root and os.getuid() != 0:
            prefix = [shutil.which("unshare"), "--map-root-user"]
        elif not as_root and os.getuid() == 0:
            who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            prefix = [shutil.which("setpriv"), *who]
        return subprocess.run(
            [*prefix, *command],
            cwd=self.root,
            env={"PATH": str(self.bin), "HOME": str(self.root / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
