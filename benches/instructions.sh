#!/usr/bin/env bash
# How many instructions the matcher takes a message, against those on record in instructions.txt: more than a tenth more is a failure.
#
#   bash benches/instructions.sh           compares
#   bash benches/instructions.sh --bless   puts today's figures on record; the commit says why they grew
#
# Time on a shared machine says little, instructions do not depend on its load. They do depend a little on the processor, since
# the C library and memchr choose their code by what it can do, and on the compiler: measured is what runs.
set -euo pipefail
cd "$(dirname "$0")/.."

record=benches/instructions.txt
command -v valgrind >/dev/null || { echo 'valgrind is needed' >&2; exit 1; }
cargo build --release --locked --quiet -p taskbot-benches --bin instructions
binary=${CARGO_TARGET_DIR:-target}/release/instructions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

count() {
    local case=$1 messages total
    messages=$(valgrind --quiet --tool=callgrind --toggle-collect='instructions::counted*' \
        --callgrind-out-file="$work/$case.out" "$binary" run "$work" "$case")
    total=$(awk '/^(summary|totals):/ { print $2; exit }' "$work/$case.out")
    ((total > 0)) || { echo "$case: nothing was counted" >&2; return 1; }
    echo "$case $((total / messages))"
}

"$binary" prepare "$work" >"$work/cases"
while read -r case; do
    count "$case"
done <"$work/cases" >"$work/figures"

if [[ ${1:-} == --bless ]]; then
    cp "$work/figures" "$record"
    cat "$record"
    exit
fi

awk '
    NR == FNR { recorded[$1] = $2; next }
    !($1 in recorded) { print $1 ": " $2 " instructions a message, none on record"; failed = 1; next }
    {
        change = 100 * ($2 - recorded[$1]) / recorded[$1]
        printf "%s: %d instructions a message, %d on record, %+.1f %%\n", $1, $2, recorded[$1], change
        if (change > 10) failed = 1
        if (change < -10) better = 1
    }
    END {
        if (better) print "better by more than a tenth: put it on record with `bash benches/instructions.sh --bless`"
        if (failed) print "more than a tenth more; if that is meant, `bash benches/instructions.sh --bless` and say why in the commit"
        exit failed
    }
' "$record" "$work/figures"
