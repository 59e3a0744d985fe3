#!/bin/sh
# Besieges a release build at full size: 1,000 stops under each siege, half a minute of each hoard.
# Loopback alone, bounded in time (ten minutes), about 5,000 descriptors. Prints every figure.
set -eu
cd "$(dirname "$0")/../.."

[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 6000 ] ||
    { echo "siege: needs 6000 descriptors, the limit is $(ulimit -Hn)" >&2; exit 1; }

cargo build --release -p tve
TVE_SIEGE_BINARY="$PWD/target/release/tve" TVE_SIEGE_STOPS="${TVE_SIEGE_STOPS:-1000}" \
TVE_SIEGE_SECONDS="${TVE_SIEGE_SECONDS:-30}" \
    timeout 900 cargo test -p tve --test attack -- --nocapture --test-threads 1 a_stop_arrives memory_stays
