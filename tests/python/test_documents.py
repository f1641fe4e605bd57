"""What the documents name is there: every make target, every path of this repository, every link between them."""

import re
import shutil
import subprocess

import pytest
from machine import REPOSITORY

DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")),
]
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)|\]\(#([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
# What stands in the root of the repository and not only on somebody's machine, where paths may begin.
FOLDERS = {
    ".cargo",
    ".ci",
    "benches",
    "bots",
    "clients",
    "contrib",
    "deploy",
    "docs",
    "nbs",
    "src",
    "tests",
}
# These speak of the repository alone, so a file that they name without a folder stands in its root.
OF_THE_REPOSITORY = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"]
# A type, a function or a constant as Rust writes it: `Feed::deliver`, `create_token`, `Error`.
RUST_NAME = re.compile(r"[A-Za-z_]\w*::\w+|[a-z]+_\w+|[A-Z]\w+")
ROOT_FILE = re.compile(r"[\w-]+\.(?:md|rs|sh|sql|toml)|Makefile|LICENSE")


def text_of(document):
    return (REPOSITORY / document).read_text(encoding="utf-8")


def targets():
    """The targets of the Makefile that its own list names."""
    command = [shutil.which("make"), "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(TARGET.findall(done.stdout))


def code_of(text):
    """What is written as code: whole blocks, and words between backticks."""
    blocks = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        # What is printed is prose, with code between backticks.
        blocks += CODE.findall(block) if language == "text" else [block]
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return blocks + CODE.findall(rest)


def paths_in(text):
    """The paths of this repository that code names; `<family>` and `*` stand for any name."""
    for code in code_of(text):
        for word in re.findall(r"[\w.<>*/-]+", code):
            first, slash, _ = word.partition("/")
            if slash and first in FOLDERS:
                yield word.rstrip(".")


def is_there(path):
    """Whether at least one file or folder has this path."""
    pattern = re.sub(r"<\w+>", "*", path).rstrip("/")
    return any(True for _ in REPOSITORY.glob(pattern))


def anchors_of(document):
    """The anchors that a reader of Markdown gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_that_a_document_names_exists(document):
    named = {target for code in code_of(text_of(document)) for target in TARGET.findall(code)}
    assert named - targets() == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document):
    assert [path for path in paths_in(text_of(document)) if not is_there(path)] == []


@pytest.mark.parametrize("document", OF_THE_REPOSITORY)
def test_every_file_of_the_root_that_a_document_names_exists(document):
    named = {code for code in code_of(text_of(document)) if ROOT_FILE.fullmatch(code)}
    assert [name for name in sorted(named) if not is_there(name)] == []


def names_in(text):
    """The names of the code that stand between backticks."""
    return {code for code in CODE.findall(text) if RUST_NAME.fullmatch(code)}


def is_in_the_code(name, code):
    """Whether each part of a name stands in the code as a word."""
    return all(re.search(rf"\b{part}\b", code) for part in name.split("::"))


def test_every_name_in_the_architecture_is_in_the_code():
    code = "".join(
        path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "src").rglob("*.rs"))
    )
    code += text_of("schema.sql")
    named = names_in(text_of("ARCHITECTURE.md"))
    assert len(named) > 50
    assert [name for name in sorted(named) if not is_in_the_code(name, code)] == []


@pytest.mark.parametrize("file", ["schema.sql", "vomeet.toml", "deploy/vomeet.service"])
def test_every_path_in_a_comment_exists(file):
    named = re.findall(r"\b(?:docs|src)/[\w./-]+\.(?:md|rs)\b", text_of(file))
    assert named != []
    assert [path for path in named if not is_there(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document):
    broken = []
    for path, anchor, own_anchor in LINK.findall(text_of(document)):
        if path.startswith(("http://", "https://")):
            continue
        target = (REPOSITORY / document).parent / path if path else REPOSITORY / document
        anchor = anchor or own_anchor
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_contributing_names_every_target_of_a_contributor():
    named = set(TARGET.findall(text_of("CONTRIBUTING.md")))
    assert targets() - named == {"run", "ps"}


def test_what_is_not_there_is_noticed():
    text = "Run `make nothing`, see `src/nowhere.rs` and `src/api/<family>.rs`.\n```bash\ncat docs/gone.md\n```\n"
    assert set(TARGET.findall(text)) - targets() == {"nothing"}
    missing = [path for path in paths_in(text) if not is_there(path)]
    assert missing == ["docs/gone.md", "src/nowhere.rs"]
    names = names_in("`Feed::deliver` calls `no_such_function`, and `POST /bots` is no name.")
    assert [name for name in sorted(names) if not is_in_the_code(name, "Feed deliver")] == [
        "no_such_function"
    ]
