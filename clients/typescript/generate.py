"""Writes what is generated of the TypeScript client: api.d.ts and dist/.

The types come from the OpenAPI document as it was reviewed, or from another one; dist/ is what the
compiler makes of src/. Both are committed, so that the server is built without Node.
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path

CLIENT = Path(__file__).resolve().parent
REPOSITORY = CLIENT.parents[1]
TOOLS = REPOSITORY / ".venv/node/node_modules/.bin"
REVIEWED = REPOSITORY / "tests/it/snapshots/it__openapi__openapi.snap"
SOURCES = ("package.json", "tsconfig.json", "src")
# What is wrong is one error for every call, whatever its status.
FIRST_ERROR = 400


def read(path):
    """The document in a file; that of a snapshot stands behind a head of its own."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".snap":
        text = text.split("---\n", 2)[2]
    return json.loads(text)


def without_errors(document):
    """The document with those responses alone whose types the client hands on, without headers."""
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            operation["responses"] = {
                status: {name: part for name, part in response.items() if name != "headers"}
                for status, response in responses.items()
                if int(status) < FIRST_ERROR
            }
    return document


def generate(document, folder):
    """Write api.d.ts and dist/ into a folder that has the sources."""
    given = folder / "openapi.json"
    # The order of its members is not the same everywhere.
    given.write_text(json.dumps(without_errors(document), sort_keys=True))
    types = [TOOLS / "openapi-typescript", given, "--output", folder / "api.d.ts"]
    types += ["--empty-objects-unknown"]
    subprocess.run(types, check=True, stdout=subprocess.DEVNULL)
    given.unlink()
    shutil.rmtree(folder / "dist", ignore_errors=True)
    subprocess.run([TOOLS / "tsc", "--project", folder], check=True)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--document", type=Path, default=REVIEWED, help="the OpenAPI document")
    parser.add_argument("--into", type=Path, help="a folder that is not there; default: the client")
    asked = parser.parse_args()
    folder = asked.into or CLIENT
    if asked.into:
        folder.mkdir()
        for name in SOURCES:
            copy = shutil.copytree if (CLIENT / name).is_dir() else shutil.copy
            copy(CLIENT / name, folder / name)
    generate(read(asked.document), folder)


if __name__ == "__main__":
    main()
