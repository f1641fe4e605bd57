#!/bin/sh
# Looks for what the commands of the Makefile need. What is missing is installed by the system's package manager, where this
# is allowed: as root, or where `sudo -n` works. Otherwise the script stops with the one line to type.
#
#     tests/prerequisites.sh rust python     looks for what the groups `rust` and `python` of the table need
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" # where rust-toolchain.toml names the compiler

PYTHON=${PYTHON:-python3}
RUST_VERSION=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
PYTHON_VERSION=3.11

# cargo-deny runs for seconds: to build it unoptimised takes a quarter of the time.
QUICK_BUILD='env CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64'

# A looked-for compiler is not a reason for rustup to fetch one.
export RUSTUP_AUTO_INSTALL=0

# Each tool, the groups that need it, and its packages by manager: "-" where there is none, "," between two.
table() {
  cat << 'END'
# tool      groups             apt-get        dnf            apk            pacman       brew
cc          all                gcc,libc6-dev  gcc            gcc,musl-dev   gcc          gcc
make        all                make           make           make           make         make
rustfmt     check,lint         rustfmt        rustfmt        rustfmt        rust         rust
clippy      check,lint,hear    rust-clippy    clippy         rust-clippy    rust         rust
cmake       hear,package  cmake       cmake          cmake          cmake        cmake
c++         hear,package  g++         gcc-c++        g++            gcc          gcc
cargo-deny  lint               -              -              cargo-deny     cargo-deny   cargo-deny
curl        rust,python        curl           curl           curl           curl         curl
strace      rust,bench         strace         strace         strace         strace       -
unshare     rust,package,container  util-linux     util-linux     util-linux     util-linux   -
mount       rust,package,container  mount          util-linux     util-linux     util-linux   -
setpriv     rust,package       util-linux     util-linux     util-linux     util-linux   -
prlimit     rust               util-linux     util-linux     util-linux     util-linux   -
ps          rust               procps         procps-ng      procps-ng      procps-ng    -
bash        python             bash           bash           bash           bash         bash
git         python,package     git            git            git            git          git
jq          python             jq             jq             jq             jq           jq
groff       python             groff-base     groff          groff          groff        groff
node        python,browser,hear  nodejs         nodejs         nodejs         nodejs       node
npm         python,browser,hear  npm            nodejs-npm     npm            npm          node
nginx       python             nginx-light    nginx          nginx          nginx        nginx
caddy       python             caddy          caddy          caddy          caddy        caddy
haproxy     python             haproxy        haproxy        haproxy        haproxy      haproxy
prometheus  python             prometheus     golang-github-prometheus  prometheus  prometheus  prometheus
promtool    python             prometheus     golang-github-prometheus  prometheus  prometheus  prometheus
initdb      python             postgresql     postgresql-server  postgresql  postgresql  postgresql
python3     python,browser,bench,hear  python3     python3        python3        python       python
venv        python,browser,hear  python3-venv   python3        python3        python       python
dpkg-deb    package            dpkg           dpkg           dpkg           dpkg         dpkg
dpkg-shlibdeps  package        dpkg-dev       dpkg-dev       dpkg-dev       dpkg         dpkg
ip          package,container  iproute2       iproute        iproute2       iproute2     -
ss          container          iproute2       iproute        iproute2       iproute2     -
musl-gcc    container          musl-tools     musl-gcc       musl-dev       musl         -
mmdebstrap  package            mmdebstrap     mmdebstrap     -              -            -
chromium    browser,hear       chromium       chromium       chromium       chromium     chromium
wrk         bench              wrk            wrk            wrk            wrk          wrk
END
}

at_least() { # VERSION OLDEST
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

has_rust() {
  version=$(rustc --version 2> /dev/null | cut -d ' ' -f 2) && cargo --version > /dev/null 2>&1 \
    && [ -n "$version" ] && at_least "$version" "$RUST_VERSION"
}

# Debian keeps the programs of the server out of PATH.
has_postgres() {
  for program in /usr/lib/postgresql/*/bin/initdb; do
    [ ! -x "$program" ] || return 0
  done
  command -v initdb > /dev/null
}

has() { # TOOL
  case $1 in
    rustfmt) cargo fmt --version > /dev/null 2>&1 ;;
    clippy) cargo clippy --version > /dev/null 2>&1 ;;
    cargo-deny) cargo deny --version > /dev/null 2>&1 ;;
    python3) "$PYTHON" -c "import sys; sys.exit(sys.version_info < (${PYTHON_VERSION%.*}, ${PYTHON_VERSION#*.}))" 2> /dev/null ;;
    venv) "$PYTHON" -c 'import ensurepip, venv' 2> /dev/null ;;
    chromium) command -v chromium > /dev/null || command -v google-chrome > /dev/null ;;
    initdb) has_postgres ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

needed_by() { # GROUPS-OF-A-TOOL ASKED-GROUP...
  of=$1
  shift
  for group in "$@"; do
    case ",$of," in *,all,* | *",$group,"*) return 0 ;; esac
  done
  return 1
}

find_manager() {
  for manager in apt-get dnf apk pacman brew; do
    ! command -v $manager > /dev/null || return 0
  done
  manager=none
}

package_of() { # APT DNF APK PACMAN BREW
  case $manager in
    apt-get) echo "$1" ;;
    dnf) echo "$2" ;;
    apk) echo "$3" ;;
    pacman) echo "$4" ;;
    brew) echo "$5" ;;
    *) echo - ;;
  esac
}

# The version of Rust that the package manager would install, or nothing.
packaged_rust() {
  case $manager in
    apt-get) apt-cache policy rustc | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p' ;;
    dnf) dnf --quiet repoquery --latest-limit=1 --queryformat '%{version}\n' rust ;;
    apk) apk search --exact rust | sed -n 's/^rust-\([0-9.]*\)-.*/\1/p' ;;
    pacman) pacman -Si rust | sed -n 's/^Version *: [0-9]*:*\([0-9.]*\).*/\1/p' ;;
    brew) brew info rust | sed -n '1s/.*stable \([0-9.]*\).*/\1/p' ;;
  esac 2> /dev/null
}

# How Rust comes here: sets `packages`, `steps` that may be taken unasked, or `by_hand`, which must be typed;
# and `brings_components` where rustfmt and clippy come with it.
plan_rust() {
  toolchain='rustup toolchain install stable --profile minimal --component rustfmt --component clippy'
  brings_components=yes
  if command -v rustup > /dev/null; then
    by_hand=$toolchain
    return
  fi
  if [ -x "${HOME:-}/.cargo/bin/rustup" ]; then
    by_hand=". \"\$HOME/.cargo/env\""
    return
  fi
  packaged=$(packaged_rust)
  if [ -n "$packaged" ] && at_least "$packaged" "$RUST_VERSION"; then
    brings_components=no
    packages="$packages $(package_of rustc,cargo rust,cargo rust,cargo rust rust)"
  elif [ $manager = apt-get ] && apt-cache policy rustup 2> /dev/null | grep -q 'Candidate: [0-9]'; then
    packages="$packages rustup"
    steps=$toolchain
  else
    has curl || packages="$packages curl"
    by_hand="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
  fi
}

# Looks for all that the groups need: sets `missing`, and what to do about it.
look() { # GROUP...
  missing='' packages='' steps='' by_hand='' without_package='' brings_components=no
  if ! has_rust; then
    missing="Rust-$RUST_VERSION-or-newer"
    plan_rust
  fi
  rows=$(table | grep -v '^#')
  while read -r tool groups apt dnf apk pacman brew; do
    if ! needed_by "$groups" "$@" || has "$tool"; then
      continue
    fi
    case $tool in rustfmt | clippy)
      [ $brings_components = no ] || continue
      if command -v rustup > /dev/null; then
        missing="${missing:+$missing }$tool"
        by_hand="${by_hand:+$by_hand && }rustup component add $tool"
        continue
      fi
      ;;
    esac
    version=''
    [ "$tool" != python3 ] || version=-$PYTHON_VERSION-or-newer
    missing="${missing:+$missing }$tool$version"
    package=$(package_of "$apt" "$dnf" "$apk" "$pacman" "$brew")
    if [ "$package" != - ]; then
      packages="$packages $package"
    elif [ "$tool" = cargo-deny ]; then
      steps="${steps:+$steps && }$QUICK_BUILD cargo install --quiet --locked cargo-deny"
    else
      without_package="$without_package $tool"
    fi
  done << END
$rows
END
  # shellcheck disable=SC2086 # one word a package
  packages=$(printf '%s\n' $packages | tr , '\n' | sort -u | tr '\n' ' ')
  packages=${packages% }
}

# The line that installs `packages`, each command begun with the given words.
install_line() { # nothing, "sudo " or "sudo -n "
  case $manager in
    apt-get) echo "$1apt-get update --quiet && $1apt-get install --quiet --yes --no-install-recommends $packages" ;;
    dnf) echo "$1dnf install --assumeyes $packages" ;;
    apk) echo "$1apk add $packages" ;;
    pacman) echo "$1pacman -Sy --noconfirm --needed $packages" ;;
    brew) echo "brew install $packages" ;;
  esac
}

# The whole line: packages first, then the compiler, then what needs it.
whole_line() { # as root: nothing, "sudo ", "sudo -n " or "su "
  line=''
  if [ -n "$packages" ]; then
    case $1 in
      'su ') line="su -c '$(install_line '')'" ;;
      *) line=$(install_line "$1") ;;
    esac
  fi
  [ -z "$by_hand" ] || line="${line:+$line && }$by_hand"
  [ -z "$steps" ] || line="${line:+$line && }$steps"
  echo "$line"
}

stop() { # MESSAGE [LINE]
  echo "prerequisites: $1" >&2
  [ -z "${2:-}" ] || printf '\n    %s\n\n' "$2" >&2
  exit 1
}

install() {
  if [ -n "$without_package" ]; then
    stop "no package manager here brings:$without_package. The tests need Linux with these programs; install them by hand."
  fi
  may_install=yes
  as_root=''
  if [ -n "$packages" ] && [ "$(id -u)" != 0 ] && [ $manager != brew ]; then
    as_root='su '
    ! command -v sudo > /dev/null || as_root='sudo '
    sudo -n true 2> /dev/null || may_install=no
  fi
  if [ $may_install = no ] || [ -n "$by_hand" ]; then
    stop "missing: $missing. This installs it:" "$(whole_line "$as_root")"
  fi
  line=$(whole_line "${as_root:+sudo -n }")
  echo "prerequisites: missing: $missing. Running: $line"
  DEBIAN_FRONTEND=noninteractive sh -c "$line" < /dev/null || stop "this did not work; type it to see why:" "$(whole_line "$as_root")"
  hash -r
}

# What no package brings: the kernel must allow it.
look_at_kernel() {
  if ! unshare --mount --map-root-user sh -c 'mount -t tmpfs tmpfs /tmp' 2> /dev/null; then
    for switch in kernel/apparmor_restrict_unprivileged_userns=0 kernel/unprivileged_userns_clone=1 user/max_user_namespaces=10000; do
      file=/proc/sys/${switch%=*}
      forbidden=0
      case $switch in *=0) forbidden=1 ;; esac
      if [ -r "$file" ] && [ "$(cat "$file")" = $forbidden ]; then
        stop "user namespaces are switched off, a disk that fills cannot be tested. This allows them:" \
          "sudo sysctl --write $(echo "$switch" | tr / .)"
      fi
    done
    stop "user namespaces are not allowed here, a disk that fills cannot be tested. A container needs: docker run --privileged"
  fi
  if ! strace -qq -o /dev/null true 2> /dev/null; then
    stop "strace may not trace here, a disk that fails cannot be tested. A container needs: docker run --cap-add SYS_PTRACE"
  fi
}

[ $# -gt 0 ] || stop "say for what: rust, python, browser, bench, package, container, hear, check, lint"
for group in "$@"; do
  case $group in
    rust | python | browser | bench | package | container | hear | check | lint) ;;
    *) stop "there is no group $group: rust, python, browser, bench, package, container, hear, check, lint" ;;
  esac
done
find_manager
look "$@"
if [ -n "$missing" ]; then
  install
  look "$@"
  [ -z "$missing" ] || stop "installed, and still missing: $missing"
fi
if needed_by rust "$@"; then
  look_at_kernel
fi
