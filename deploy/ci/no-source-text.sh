#!/usr/bin/env bash
# No Rust of this repository reads Rust as text: what a program does is asked of the program.
set -euo pipefail
cd "$(dirname "$0")/../.."
rust() { grep "$@" --include='*.rs' crates benches loadtests; }
found=$(
  rust -rnE 'include_(str|bytes)!\([^)]*\.rs"' || true
  # A file that names a source file, or looks for them, and opens files.
  for file in $(rust -rlE '"([^"]*\.)?rs"'); do
    grep -HnE 'read_to_string|fs::read\(|File::open|read_dir' "$file" || true
  done
)
[ -z "$found" ] || { printf 'Rust that reads Rust:\n%s\n' "$found"; exit 1; }
