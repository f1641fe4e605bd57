"""What the Debian package, the container and the release are made of agrees with itself and with the server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import tomllib
import yaml
from machine import REPOSITORY

MANIFEST = tomllib.loads((REPOSITORY / "Cargo.toml").read_text(encoding="utf-8"))
DEB = MANIFEST["package"]["metadata"]["deb"]
VERSION = MANIFEST["package"]["version"]
CONTAINER = "contrib/container/Containerfile"
# The package's unit is that of the repository but for these lines: where it lies, whose it is.
PACKAGED = {
    "ExecStart": [
        "/usr/bin/vomeet serve --config /etc/vomeet/vomeet.toml --database /var/lib/vomeet/vomeet.db"
    ],
    "User": ["vomeet"],
    "Group": ["vomeet"],
    "DynamicUser": [],
}
RELEASED = [
    "Cargo.toml",
    "Cargo.lock",
    "clients/python/src/vomeet_client/__init__.py",
    "clients/typescript/package.json",
    "contrib/release",
]


def text_of(file):
    return (REPOSITORY / file).read_text(encoding="utf-8")


def unit(file):
    """The settings of a unit: each name with its values."""
    settings = {}
    for line in text_of(file).splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


def test_the_two_units_differ_in_where_they_lie_and_whose_they_are():
    expected = unit("deploy/vomeet.service") | PACKAGED
    expected = {name: values for name, values in expected.items() if values}
    assert unit("deploy/debian/vomeet.service") == expected


def test_the_package_has_what_its_unit_and_its_scripts_name():
    places = [destination for _, destination, _ in DEB["assets"]]
    assert "usr/bin/" in places
    # What lies in /etc is a configuration file of the package without being said.
    assert ["vomeet.toml", "etc/vomeet/vomeet.toml", "644"] in DEB["assets"]
    assert DEB["systemd-units"]["unit-scripts"] == DEB["maintainer-scripts"] == "deploy/debian"
    credential = unit("deploy/debian/vomeet.service")["LoadCredential"][0].partition(":")[2]
    for script in ("postinst", "postrm"):
        assert credential in text_of(f"deploy/debian/{script}")
        assert "\n#DEBHELPER#\n" in text_of(f"deploy/debian/{script}")
    [user] = unit("deploy/debian/vomeet.service")["User"]
    assert re.search(
        rf"adduser --system .* {user}$", text_of("deploy/debian/postinst"), re.MULTILINE
    )


def run_script(name, argument, folder, stubs):
    """Runs a script of the package on a folder in place of the system's, with these commands before the real ones."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for command, body in {"getent": "exit 0", **stubs}.items():
        (tools / command).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tools / command).chmod(0o755)
    script = text_of(f"deploy/debian/{name}")
    script = script.replace("/etc/vomeet", f"{folder}/etc")
    script = script.replace("/var/lib/vomeet", f"{folder}/data")
    return subprocess.run(
        ["sh", "-c", script, name, argument],
        check=False,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def test_an_admin_key_is_made_whole_or_not_at_all(tmp_path):
    key = tmp_path / "etc" / "admin-key"
    key.parent.mkdir()
    (tmp_path / "data").mkdir()
    ended = run_script("postinst", "configure", tmp_path, {"od": "echo 12"})
    assert ended.returncode == 1, ended
    assert "no admin key was made" in ended.stderr
    assert list(key.parent.iterdir()) == []
    (tmp_path / "tools" / "od").unlink()
    ended = run_script("postinst", "configure", tmp_path, {})
    assert ended.returncode == 0, ended
    made = key.read_text(encoding="ascii")
    assert re.fullmatch("[0-9a-f]{48}", made)
    assert key.stat().st_mode & 0o777 == 0o600
    assert run_script("postinst", "configure", tmp_path, {}).returncode == 0
    assert key.read_text(encoding="ascii") == made
    assert list(key.parent.iterdir()) == [key]


@pytest.mark.parametrize("is_link", [False, True])
def test_a_purge_deletes_the_data_and_of_a_link_says_what_stays(tmp_path, is_link):
    (tmp_path / "etc").mkdir()
    data = tmp_path / "data"
    kept = tmp_path / "disk"
    kept.mkdir()
    (kept / "vomeet.db").touch()
    if is_link:
        data.symlink_to(kept)
    else:
        kept.rename(data)
    ended = run_script("postrm", "purge", tmp_path, {})
    assert ended.returncode == 0, ended
    assert not data.exists() and not data.is_symlink()
    assert (kept / "vomeet.db").exists() == is_link
    assert (f"stays: {kept}" in ended.stdout) == is_link


def test_every_file_of_the_package_is_in_the_repository_or_written_by_the_binary():
    script = text_of("contrib/package")
    for source, _, _ in DEB["assets"]:
        if source.startswith("target/package/files/"):
            assert (
                f"$STAGE/{Path(source).parent.name if '*' in source else Path(source).name}"
                in script
            )
        elif source != "target/release/vomeet":
            assert list(REPOSITORY.glob(source)) != [], source


def instructions():
    """The instructions of the Containerfile's last image: each name with its arguments."""
    joined = text_of(CONTAINER).replace("\\\n", " ")
    last = joined[joined.rindex("\nFROM ") :]
    lines = [line for line in last.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(" ", 1)) for line in lines]


def test_the_image_is_built_with_the_oldest_compiler_that_will_do():
    assert f"/rust:{MANIFEST['package']['rust-version']}-" in text_of(CONTAINER)


def test_the_image_holds_a_binary_and_a_folder_of_a_user_who_is_not_root():
    image = instructions()
    assert image[0] == ("FROM", "scratch")
    [(_, user)] = [line for line in image if line[0] == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    copied = [arguments.split() for name, arguments in image if name == "COPY"]
    assert [words[-1] for words in copied] == ["/usr/bin/vomeet", "/data"]
    assert f"--chown={user}" in copied[1]
    assert ("VOLUME", "/data") in image
    [(_, check)] = [line for line in image if line[0] == "HEALTHCHECK"]
    assert check.endswith('CMD ["vomeet", "health"]')
    [(_, environment)] = [line for line in image if line[0] == "ENV"]
    assert "VOMEET_DATABASE=/data/vomeet.db" in environment.split()
    [port] = [arguments for name, arguments in image if name == "EXPOSE"]
    assert f"VOMEET_LISTEN=0.0.0.0:{port}" in environment.split()


def test_the_variables_of_image_and_compose_file_are_settings():
    settings = set(re.findall(r"\[([A-Z_]+)\]$", text_of("vomeet.toml"), re.MULTILINE))
    [environment] = [arguments for name, arguments in instructions() if name == "ENV"]
    variables = {word.partition("=")[0] for word in environment.split()} - {"PATH"}
    service = yaml.safe_load(text_of("contrib/container/compose.yaml"))["services"]["vomeet"]
    variables |= set(service["environment"])
    assert len(variables) == 3
    assert variables - settings == set()


def test_the_compose_file_runs_that_image_with_its_volume_and_a_secret():
    compose = yaml.safe_load(text_of("contrib/container/compose.yaml"))
    service = compose["services"]["vomeet"]
    folder = REPOSITORY / "contrib/container" / service["build"]["context"]
    assert folder.resolve() == REPOSITORY
    assert (folder / service["build"]["dockerfile"]).samefile(REPOSITORY / CONTAINER)
    [volume] = service["volumes"]
    name, _, place = volume.partition(":")
    assert name in compose["volumes"]
    assert ("VOLUME", place) in instructions()
    [port] = service["ports"]
    assert port == "127.0.0.1:18056:18056"
    [secret] = service["secrets"]
    assert service["environment"]["ADMIN_API_TOKEN_FILE"] == f"/run/secrets/{secret}"
    assert list(compose["secrets"]) == [secret]


@pytest.fixture
def checkout(tmp_path):
    """The files that a release compares, where a test may change them."""
    for file in RELEASED:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, tmp_path / file)
    return tmp_path


def test_no_secret_of_the_checkout_gets_into_the_build_of_an_image():
    ignored = text_of(".dockerignore").split()
    for secret in (".env", "vomeet.env", "vomeet.key", "token.json"):
        assert f"{secret}\n" in text_of(".gitignore")
        assert secret in ignored, f".dockerignore has no {secret}"


def release(checkout, *arguments):
    command = [checkout / "contrib/release", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_version_numbers_of_a_release_agree(checkout):
    done = release(checkout, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    places = "Cargo.toml, Cargo.lock, clients/python and clients/typescript"
    assert done.stdout == f"version {VERSION} in {places}\n"


@pytest.mark.parametrize("file", RELEASED[1:4])
def test_a_release_whose_version_numbers_differ_is_refused(checkout, file):
    path = checkout / file
    changed = re.sub(
        rf'((?:name = "vomeet"\nversion|__version__) = |"version": )"{re.escape(VERSION)}"',
        r'\1"9.9.9"',
        path.read_text(encoding="utf-8"),
    )
    path.write_text(changed, encoding="utf-8")
    done = release(checkout, "--check")
    assert done.returncode == 1
    assert f"has version 9.9.9, Cargo.toml {VERSION}" in done.stderr


def test_a_dry_run_prints_the_steps_and_takes_none():
    before = set((REPOSITORY / "target").glob("release-*"))
    done = release(REPOSITORY, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    steps = [line for line in done.stdout.splitlines() if line.startswith("+ ")]
    for words in ("cargo build --release --locked", "contrib/package", "cyclonedx", "sha256sum"):
        assert [step for step in steps if words in step] != [], words
    assert set((REPOSITORY / "target").glob("release-*")) == before


def test_what_a_release_does_not_know_is_refused():
    done = release(REPOSITORY, "--nothing")
    assert (done.returncode, done.stderr) == (
        1,
        "release: say --dry-run, --check or nothing.\n",
    )
