#!/bin/sh
# Holds the dependencies against deny.toml: licences, bans and sources, and the known vulnerabilities where their database
# can be reached. Where it cannot, one loud line says that they were not checked; .ci/run repeats it at its end.
set -eu
cd "$(dirname "$0")/.."

if cargo deny fetch db; then
  cargo deny check advisories bans licenses sources
else
  cargo deny check bans licenses sources
  echo "NOT CHECKED: known vulnerabilities of the dependencies (advisories): their database cannot be reached from here." >&2
fi
