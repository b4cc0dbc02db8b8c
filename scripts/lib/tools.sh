# Sourced by scripts that test: what they need on this machine, installed as root on Debian or named to whoever must install it, and a RabbitMQ.
# Not here: what is tested.

readonly broker_host=127.0.0.1
readonly broker_port=5672
readonly broker_deadline_s=90
# The newest that rust-toolchain.toml's compiler is known to build.
readonly nextest=0.9.143

fail() {
    printf 'scripts/%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# have COMMAND…: whether all of them are there.
have() { command -v "$@" >/dev/null 2>&1; }

# need PACKAGE…: installs Debian packages, or says which are missing.
need() {
    if [ "$(id -u)" -ne 0 ]; then
        fail "please install: $*"
    fi
    have apt-get || fail "this is no Debian; please install: $*"
    if [ -z "${apt_updated:-}" ]; then
        apt-get update -qq
        apt_updated=yes
    fi
    # In run level 1 a package's own start script does not start its daemon; we start what we need ourselves.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# What every test needs: a compiler, Python, RabbitMQ's programs, and npm for the emulators of stores.
install_tools() {
    have cargo || fail "there is no cargo; see https://rustup.rs (the toolchain itself is pinned in rust-toolchain.toml)"
    have cc || need gcc libc6-dev
    have curl || need curl ca-certificates
    have python3 || need python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
    have npm || need nodejs npm
    if ! broker_answers && ! have rabbitmq-server; then
        need rabbitmq-server
    fi
}

# The runner that times out what hangs and writes results down.
install_nextest() {
    cargo nextest --version >/dev/null 2>&1 || cargo install cargo-nextest --locked --version "$nextest"
}

# Whether an AMQP broker, and not merely an open port, is there: it answers our greeting with a frame of type 1.
broker_answers() {
    local answer
    answer=$(timeout 5 bash -c "
        exec 3<>/dev/tcp/$broker_host/$broker_port &&
        printf 'AMQP\\x00\\x00\\x09\\x01' >&3 &&
        head -c 1 <&3" 2>/dev/null) || return 1
    [ "$answer" = $'\x01' ]
}

start_broker() {
    if broker_answers; then
        return
    fi
    if [ "$(id -u)" -eq 0 ]; then
        rabbitmq-server -detached
    else
        # A private node: Debian's wrapper insists on its own user, the server itself does not.
        local folder=${XDG_CACHE_HOME:-$HOME/.cache}/tidemill-test-broker
        local server=/usr/lib/rabbitmq/bin/rabbitmq-server
        [ -x "$server" ] || server=rabbitmq-server
        mkdir -p "$folder"
        RABBITMQ_NODENAME="tidemill-test@localhost" RABBITMQ_MNESIA_BASE="$folder/data" \
            RABBITMQ_LOG_BASE="$folder/log" RABBITMQ_ENABLED_PLUGINS_FILE="$folder/plugins" \
            "$server" -detached
    fi
    local deadline=$((SECONDS + broker_deadline_s))
    until broker_answers; do
        [ "$SECONDS" -lt "$deadline" ] || fail "RabbitMQ did not answer on $broker_host:$broker_port within $broker_deadline_s s"
        sleep 0.5
    done
}
