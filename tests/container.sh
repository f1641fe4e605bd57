#!/bin/bash
# Runs a static binary as contrib/container/Containerfile does, without a container engine: in a root that holds this file, a
# folder for the database and a secret, and nothing else, as the image's user, with its variables and a network of its own.
#
#     tests/container.sh target/x86_64-unknown-linux-musl/release/vomeet
#
# Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
SECONDS_TO_START=60
FILE=contrib/container/Containerfile

fail() { echo "FAILED: $*" >&2; exit 1; }

if [ "${1:-}" != --inside ]; then
  [ $# = 1 ] || fail 'say which: tests/container.sh BINARY'
  [ "$(id -u)" = 0 ] || fail 'only root can do this: sudo make container-test'
  folder=$(mktemp -d)
  trap 'rm -rf --one-file-system "${folder:?}"' EXIT
  unshare --mount --net --pid --ipc --uts --fork --kill-child "$0" --inside "$folder" "$1"
  exit
fi

root=$2/root
data=$2/data
ip link set lo up
mount --make-rprivate /

# The last image: what its instructions say.
of_image() { # INSTRUCTION
  sed -n "/^FROM scratch/,\$s/^$1 //p" $FILE
}
user=$(of_image USER)
read -r -a variables <<< "$(of_image ENV)"
entry=$(of_image ENTRYPOINT | tr -d '[]",')
check=$(of_image HEALTHCHECK | sed 's/.*CMD //' | tr -d '[]",')

install -D -m 755 "$3" "$root/usr/bin/vomeet"
install -d -m 700 -o "${user%:*}" -g "${user#*:}" "$data"
mkdir -p "$root/data" "$root/run/secrets"
install -m 444 <(od -An -N24 -tx1 /dev/urandom | tr -d ' \n') "$root/run/secrets/admin-key"
# Read-only but for the volume, as the compose file has it.
mount --bind "$root" "$root"
mount --bind "$data" "$root/data"
mount -o remount,bind,ro "$root"

unshare=$(command -v unshare)
# PATH is that of the image: `unshare` enters the root, and what it starts there is the image's.
IMAGE=(env -i "${variables[@]}" ADMIN_API_TOKEN_FILE=/run/secrets/admin-key
  "$unshare" --root="$root" --wd="$(of_image WORKDIR)" --setgid="${user#*:}" --setuid="${user%:*}")
in_image() {
  "${IMAGE[@]}" "$@"
}

echo "the files of the root: $(cd "$root" && find . -type f | tr '\n' ' ')"
read -r -a entry <<< "$entry"
read -r -a check <<< "$check"
"${IMAGE[@]}" "${entry[@]}" > "$2/log" 2>&1 &
server=$!
for _ in $(seq $((SECONDS_TO_START * 10))); do
  if health=$(in_image "${check[@]}" 2> /dev/null); then
    break
  fi
  kill -0 "$server" 2> /dev/null || break
  sleep 0.1
done
cat "$2/log"
[ "${health:-}" = ok ] || fail 'it does not start'
echo "${check[*]}: $health"
ss --listening --tcp --numeric --no-header | grep -F '0.0.0.0:18056' || fail 'it does not listen on every address'
in_image vomeet user add ada@example.com --name Ada
in_image vomeet user list
[ "$(stat --format '%u %a' "$data/vomeet.db")" = "${user%:*} 600" ] || fail 'the database is not of the user alone'
kill -TERM "$server"
wait "$server" || fail "it ended with $?"
if health=$(in_image "${check[@]}" 2> /dev/null); then
  fail 'the check says that a server works which has ended'
fi
echo 'PASSED, without a container engine: its root, user, variables and check were those of the file'
