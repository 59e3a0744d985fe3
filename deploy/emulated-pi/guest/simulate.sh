# Scenarios on the simulator, on this architecture: prints "trace SCENARIO HASH" for each.
set -e
for scenario in *.toml; do
    # Whether expectations hold is judged elsewhere; here only the trace counts.
    trace=$(tve simulate "$scenario" 2>/dev/null | sed -n 's/^trace //p')
    echo "trace $scenario $trace"
done
