#!/bin/bash
# Installs, starts, upgrades, removes and purges the Debian package in a clean Debian root of its own, with nothing of this
# machine but its kernel. No systemd runs there: the unit's ExecStart is run as the unit's user, with the unit's credential.
#
#     tests/package.sh OLD.deb NEW.deb     NEW has the higher version
#
# Needs root, mmdebstrap and a mirror of Debian's packages; the root file system is kept in target/package/root.tar.
# shellcheck disable=SC1091,SC2016 # files of the machine; what dpkg-query and not the shell expands
set -euo pipefail
cd "$(dirname "$0")/.."
SECONDS_TO_START=60
TAR=target/package/root.tar

say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# Outside: makes the root, and goes on in namespaces of its own, with a network of its own.
if [ "${1:-}" != --inside ]; then
  [ $# = 2 ] || fail 'say which: tests/package.sh OLD.deb NEW.deb'
  [ "$(id -u)" = 0 ] || fail 'only root can do this: sudo make package-test'
  if [ ! -s $TAR ]; then
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    say "a clean root of ${release:?no Debian or Ubuntu}"
    mmdebstrap --quiet --variant=apt --include=adduser,procps "$release" "${TAR%.tar}.new.tar"
    mv "${TAR%.tar}.new.tar" $TAR
  fi
  root=$(mktemp -d)
  trap 'rm -rf --one-file-system "${root:?}"' EXIT
  tar --extract --file $TAR --directory "$root" --exclude './dev/*'
  install -m 644 "$1" "$root/root/old.deb"
  install -m 644 "$2" "$root/root/new.deb"
  unshare --mount --net --pid --ipc --uts --fork --kill-child "$0" --inside "$root"
  exit
fi

root=$2
ip link set lo up
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
for device in null zero random urandom full; do
  touch "$root/dev/$device"
  mount --bind /dev/$device "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"

IN_ROOT=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
  chroot "$root")
in_root() {
  "${IN_ROOT[@]}" "$@"
}
apt() {
  in_root apt-get --quiet --quiet --yes -o Dpkg::Use-Pty=0 "$@"
}
of_unit() { # NAME: the value in the unit
  sed -n "s/^$1=//p" "$root/usr/lib/systemd/system/vomeet.service"
}
has() { # PATH OWNER MODE
  found=$(in_root stat --format '%U %a' "$1") || fail "$1 is not there"
  [ "$found" = "$2 $3" ] || fail "$1 is of $found, not of $2 $3"
  echo "$1: $found"
}
gone() {
  for path in "$@"; do
    if [ -e "$root$path" ] || [ -L "$root$path" ]; then
      fail "$path is still there"
    fi
  done
}
install_package() {
  apt install --no-install-recommends "$1"
  in_root dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\n' vomeet
}

# As systemd starts it: the unit's user, its folder, its variables and a copy of its credential.
start() {
  credentials=$root/run/credentials/vomeet.service
  user=$(of_unit User)
  mkdir -p "$credentials"
  credential=$(of_unit LoadCredential)
  install -m 400 -o "$(in_root id -u "$user")" "$root${credential#*:}" "$credentials/${credential%%:*}"
  variable=$(of_unit Environment | sed 's#%d#/run/credentials/vomeet.service#')
  # shellcheck disable=SC2046 # the words of a command line
  "${IN_ROOT[@]}" setpriv --reuid "$user" --regid "$(of_unit Group)" --init-groups --no-new-privs \
    env --chdir="$(of_unit WorkingDirectory)" "$variable" $(of_unit ExecStart) > "$root/root/log" 2>&1 &
  server=$!
  for _ in $(seq $((SECONDS_TO_START * 10))); do
    if in_root vomeet health > /dev/null 2>&1; then
      of_unit ExecStart
      [ "$(awk '/^Uid/ {print $2}' "$root/proc/$server/status")" = "$(in_root id -u "$user")" ] \
        || fail 'it runs as another user'
      echo "as $user: $(in_root vomeet health)"
      return
    fi
    kill -0 "$server" 2> /dev/null || break
    sleep 0.1
  done
  cat "$root/root/log" >&2
  fail 'it does not start'
}
stop() {
  kill -TERM "$server"
  wait "$server" || fail "it ended with $?"
  echo 'ended with 0'
}
all_files() {
  find "$root" -xdev ! -path "$root/root/*" ! -path "$root/var/lib/apt/*" ! -path "$root/var/lib/dpkg/*" \
    ! -path "$root/var/log/*" ! -path "$root/var/cache/*" -printf '%y /%P\n' | sort
}

before=$(all_files)

say 'installed'
install_package /root/old.deb
has /usr/bin/vomeet root 755
has /etc/vomeet/vomeet.toml root 644
has /etc/vomeet/admin-key root 600
has /var/lib/vomeet vomeet 700
for file in share/man/man1/vomeet-token-create.1.gz share/bash-completion/completions/vomeet \
  share/zsh/vendor-completions/_vomeet share/fish/vendor_completions.d/vomeet.fish lib/systemd/system/vomeet.service; do
  has /usr/$file root 644
done
[ "$(in_root dpkg-query --show --showformat '${Conffiles}' vomeet | awk 'NF {print $1}')" = /etc/vomeet/vomeet.toml ] \
  || fail 'vomeet.toml is no conffile'
[ -L "$root/etc/systemd/system/multi-user.target.wants/vomeet.service" ] || fail 'the unit is not enabled'
in_root vomeet --version
key=$(cat "$root/etc/vomeet/admin-key")
for program in $(of_unit 'Exec[A-Za-z]*' | awk '{print $1}'); do
  in_root test -x "$program" || fail "the unit needs $program, and nothing that the package depends on brings it"
done
[ ${#key} = 48 ] || fail 'the admin key is not 24 bytes long'

say 'started'
start
in_root vomeet user add ada@example.com --name Ada
has /var/lib/vomeet/vomeet.db vomeet 600
stop

say 'upgraded, with settings of its own'
sed -i -e 's/^# listen = .*/listen = "127.0.0.1:18099"/' -e 's#^\# socket = .*#socket = "/var/lib/vomeet/admin.sock"#' \
  "$root/etc/vomeet/vomeet.toml"
settings=$(cat "$root/etc/vomeet/vomeet.toml")
install_package /root/new.deb
[ "$(cat "$root/etc/vomeet/vomeet.toml")" = "$settings" ] || fail 'the settings were replaced'
[ "$(cat "$root/etc/vomeet/admin-key")" = "$key" ] || fail 'the admin key was replaced'
start
grep :18099 "$root/root/log" || { cat "$root/root/log"; fail 'it does not read /etc/vomeet/vomeet.toml'; }
in_root vomeet user list | grep ada@example.com || fail 'the user is gone'
stop

say 'removed'
apt remove vomeet
gone /usr/bin/vomeet /usr/lib/systemd/system/vomeet.service /usr/share/man/man1/vomeet.1.gz /usr/share/doc/vomeet
has /var/lib/vomeet/vomeet.db vomeet 600
has /etc/vomeet/admin-key root 600
has /etc/vomeet/vomeet.toml root 644

say 'installed again'
install_package /root/new.deb
start
in_root vomeet user list | grep ada@example.com || fail 'the user is gone'
stop

say 'purged'
apt purge vomeet
gone /var/lib/vomeet /etc/vomeet /etc/systemd/system/multi-user.target.wants/vomeet.service /usr/share/doc/vomeet
# Copies of the lists of users, which adduser leaves, are not the package's.
left=$(diff <(echo "$before") <(all_files) | grep '^>' | grep -v -E '^> f /etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' || true)
[ -z "$left" ] || fail "purged, and still there: $left"
in_root getent passwd vomeet
echo 'nothing is left but the user'

say 'PASSED, without systemd: its ExecStart was run as its user'
