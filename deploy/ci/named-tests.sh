#!/usr/bin/env bash
# Every test that a certificate names as its witness is there. Takes the certificate (Markdown) and
# what `cargo test -- --list` says, both streams in one: "Running ... (.../TARGET-hash)" before the
# tests of each target.
set -euo pipefail
certificate=$1
listed=$(awk '/^ *Running / { sub(/-[0-9a-f]+\)$/, ""); sub(/.*\//, ""); target = $0 }
              /: test$/ { sub(/: test$/, ""); print target, $0 }' "$2")
named=$(grep -oE 'test `[a-z0-9_]+` in `[^`]+`' "$certificate" | sort -u)
[ -n "$named" ] || { echo "$certificate names no test"; exit 1; }
missing=0
while IFS='`' read -r _ name _ file _; do
  # The target and module that a file belongs to, as Cargo lays them out.
  in_crate=${file#crates/*/}
  case $in_crate in
    src/*) target=$(cut -d/ -f2 <<<"$file" | tr - _) module=${in_crate#src/} ;;
    tests/*/*) target=$(cut -d/ -f2 <<<"$in_crate") module=${in_crate#tests/*/} ;;
    *) target=$(basename "$file" .rs) module= ;;
  esac
  module=$(sed -E 's#\.rs$##; s#(^|/)(main|lib|mod)$##; s#/#::#g' <<<"$module")
  if ! grep -qE "^$target ${module:+$module::}(tests::)?$name\$" <<<"$listed"; then
    echo "no test $name in $file"
    missing=1
  fi
done <<<"$named"
[ $missing -eq 0 ] && echo "$(wc -l <<<"$named") tests are named and are there"
