# Shared by tests/run and .ci/run, which source it from the root of the project.

target=${CARGO_TARGET_DIR:-$PWD/target}
if [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi

# step NAME COMMAND...: runs the command, and says its name and its seconds.
step() {
    local start=$SECONDS
    current_step=$1
    echo "== $1"
    shift
    "$@"
    echo "== $current_step: $((SECONDS - start)) s"
    current_step=
}
trap 'if [ -n "${current_step:-}" ]; then echo "== $current_step: failed" >&2; fi' EXIT

die() {
    echo "$*" >&2
    exit 1
}

# install_packages PACKAGE...: with apt-get, on Debian as root; elsewhere it says what is missing.
install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "missing: $* (Debian's names); install them, or run this on Debian as root"
    fi
    echo "installing $*"
    timeout 300 apt-get update -qq </dev/null >/dev/null
    DEBIAN_FRONTEND=noninteractive timeout 600 \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

# need COMMAND=PACKAGE...: installs the packages whose commands are missing.
need() {
    local pair missing=()
    for pair; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
}

need_cargo() {
    command -v cargo >/dev/null || die "missing: cargo (Rust)"
}

# java_version HOME: its feature release, or 0 if it has no compiler (Kafka needs 17, the tests compile).
java_version() {
    local version=
    if [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ]; then
        version=$("$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    fi
    echo "${version:-0}"
}

# find_java: sets JAVA_HOME to a JDK 17 if there is one, or else to a newer one.
find_java() {
    local homes=(${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/*17*) home path
    if path=$(command -v javac); then
        homes+=("$(dirname "$(dirname "$(readlink -f "$path")")")")
    fi
    homes+=(/usr/lib/jvm/*)
    for home in "${homes[@]}"; do
        if [ "$(java_version "$home")" = 17 ]; then
            export JAVA_HOME=$home
            return
        fi
    done
    for home in "${homes[@]}"; do
        if [ "$(java_version "$home")" -gt 17 ]; then
            export JAVA_HOME=$home
            return
        fi
    done
    return 1
}

# set_up_kafka: Java, Maven, kcat and Kafka's jars; sets JAVA_HOME and OTTLA_KAFKA_LIBS.
set_up_kafka() {
    if ! find_java; then
        install_packages openjdk-17-jdk-headless
        find_java || die "missing: a JDK, version 17 or newer"
    fi
    local home=$target/kafka-4.3.1
    local new=$home/libs.$$
    if [ -d "$home/libs" ]; then
        need kcat=kcat
    else
        need mvn=maven kcat=kcat
        mkdir -p "$home"
        if ! timeout 300 mvn --batch-mode --file tests/kafka/pom.xml dependency:copy-dependencies \
            -DoutputDirectory="$new" </dev/null >"$new.log" 2>&1; then
            tail -n 20 "$new.log" >&2
            die "Maven did not fetch Kafka; all it said is in $new.log"
        fi
        rm "$new.log"
        mv "$new" "$home/libs"
    fi
    export OTTLA_KAFKA_LIBS=$home/libs
}

# set_up_neighbours: other people's Kafka programs, for tests/brokers; sets OTTLA_NEIGHBOURS.
set_up_neighbours() {
    local home=$target/neighbours sources=tests/brokers stamp
    need_neighbours_tools
    # What they are made from, and with.
    stamp=$(python3 --version && cat $sources/go/go.* $sources/go/*/*.go $sources/python/requirements.txt \
        $sources/node/package*.json | cksum)
    if [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$home"
        mkdir -p "$home/node"
        neighbour go 300 go build -C $sources/go -o "$home/bin/" ./...
        neighbour venv 60 python3 -m venv "$home/venv"
        neighbour pip 300 "$home/venv/bin/pip" --disable-pip-version-check install --require-hashes \
            --only-binary :all: --requirement $sources/python/requirements.txt
        cp $sources/node/package*.json "$home/node"
        neighbour npm 120 npm ci --prefix "$home/node" --ignore-scripts --no-audit --no-fund
        echo "$stamp" >"$home/stamp"
    fi
    export OTTLA_NEIGHBOURS=$home
}

need_neighbours_tools() {
    command -v go >/dev/null || die "missing: go (version 1.26, or one from 1.21 that fetches it)"
    python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        die "missing: python3, version 3.10 or newer, with venv (Debian's python3-venv)"
    command -v npm >/dev/null || die "missing: node and npm"
}

# neighbour NAME SECONDS COMMAND...: a part of the set-up, whose output is shown if it fails.
neighbour() {
    local log=$target/neighbours/$1.log
    if ! timeout --kill-after=10 "$2" "${@:3}" </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "the set-up of tests/brokers failed: ${*:3}"
    fi
}
