# Sourced by benchmarks: starts the atticd of the folder ATTIC (with atticadm beside it) as its own template sets it up.
#
# attic_start FOLDER PORT sets attic_pid and attic_token.
attic_start() {
    local folder=$1 port=$2
    mkdir -p "$folder/storage"
    cat >"$folder/server.toml" <<TOML
listen = "127.0.0.1:$port"
[database]
url = "sqlite://$folder/server.db?mode=rwc"
[storage]
type = "local"
path = "$folder/storage"
[chunking]
nar-size-threshold = 65536
min-size = 16384
avg-size = 65536
max-size = 262144
[compression]
type = "zstd"
[garbage-collection]
interval = "12 hours"
[jwt.signing]
token-rs256-secret-base64 = "$(openssl genrsa -traditional 4096 2>/dev/null | base64 --wrap 0)"
TOML
    RUST_LOG=error "$ATTIC/atticd" --config "$folder/server.toml" --mode db-migrations
    attic_token=$("$ATTIC/atticadm" --config "$folder/server.toml" make-token --sub bench --validity 1d \
        --pull '*' --push '*' --create-cache '*' --configure-cache '*')
    RUST_LOG=error "$ATTIC/atticd" --config "$folder/server.toml" --mode api-server &
    attic_pid=$!
}
