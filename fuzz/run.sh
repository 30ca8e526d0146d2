#!/usr/bin/env bash
# Fuzzes each target for SECONDS_EACH (default half an hour), beginning with the seeds.
# Needs nightly Rust, a C++ compiler, and `cargo install cargo-fuzz`.
#
# What it finds goes to artifacts/: `cargo fuzz tmin` makes it small, and with its cause mended it goes to
# regressions/, which the crate's ordinary tests replay.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("$@")
[[ $# -gt 0 ]] || targets=(extract parse compare)
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    # No sanitizer: the crate forbids unsafe code, and time is part of what is tested.
    cargo +nightly fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" \
        "fuzz/regressions/$target" -- -dict=fuzz/math.dict -max_total_time="${SECONDS_EACH:-1800}" \
        -max_len=2048 -len_control=20 -rss_limit_mb=512 -timeout=2 -print_final_stats=1
done
