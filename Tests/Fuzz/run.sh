#!/usr/bin/env bash
# Fuzzes. Usage: Tests/Fuzz/run.sh SECONDS [TARGET…] | seeds     (targets: see `all`; default all)
#
# Every target runs for SECONDS, as many at a time as there are cores. It starts from Corpus and Regressions; what it learns stays
# in a temporary folder. An input that breaks something is kept in .build/fuzz/crashes. Exit 1 on a finding. $FUZZ_JUNIT names a
# JUnit file to write. `seeds` writes Corpus anew.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=Tests/Fuzz
scratch=.build/fuzz
crashes=$scratch/crashes
program=$scratch/release/bulkhead-fuzz
all=(frames head messages server client answers json sse surfaces)
usage() { sed -n 's/^# Usage: \?//p; s/^# Fuzzes. //p' "$0" >&2; exit 64; }

seconds=${1:-}
shift || usage
targets=("${@:-${all[@]}}")
[[ $seconds == seeds || $seconds =~ ^[1-9][0-9]*$ ]] || usage
for target in "${targets[@]}"; do [[ " ${all[*]} " == *" $target "* ]] || usage; done

work=$(mktemp -d)
running=()
# Only what was started here, by pid.
trap 'for pid in "${running[@]}"; do kill "$pid" 2>/dev/null; done; rm -rf "$work"' EXIT

echo "building the fuzz targets (first time 4 minutes)"
if ! swift build -c release --package-path $here --scratch-path $scratch --sanitize=address --product bulkhead-fuzz \
    >"$work/build.log" 2>&1; then
    tail -40 "$work/build.log"
    exit 1
fi
if [[ $seconds == seeds ]]; then
    rm -rf $here/Corpus
    exec $program --seeds=$here/Corpus
fi

# Swift's own crash reporter would stand in front of AddressSanitizer's. A small quarantine keeps the targets in little memory.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=quarantine_size_mb=32:allocator_may_return_null=1
ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer || echo "$(dirname "$(readlink -f "$(command -v swift)")")/llvm-symbolizer")
export ASAN_SYMBOLIZER_PATH
# What a global keeps from its first use on is no leak; LeakSanitizer does not see references with the tag of an enum in them.
echo "leak:swift::threading_impl::once_slow" >"$work/kept"
export LSAN_OPTIONS=suppressions=$work/kept:print_suppressions=0
mkdir -p $crashes

# Longer inputs repeat what shorter ones do, slower.
declare -A longest=([frames]=4096 [head]=1024 [messages]=4096 [server]=512 [client]=512
    [answers]=4096 [json]=2048 [sse]=2048 [surfaces]=4096)

fuzz() {
    local target=$1 kept=("$here/Corpus/$target") words=()
    [[ -d $here/Regressions/$target ]] && kept+=("$here/Regressions/$target")
    mkdir -p "$work/$target"
    # Names of members, which chance would not find.
    grep -rohaE '"[A-Za-z_.-]{2,40}"' "${kept[@]}" | sort -u | sed 's/.*/"\\&"/; s/""$/\\""/' >"$work/$target.words"
    [[ -s $work/$target.words ]] && words=(-dict="$work/$target.words")
    timeout -k 10 $((seconds + 300)) $program --target="$target" -max_total_time="$seconds" -max_len="${longest[$target]}" \
        -len_control=0 "${words[@]}" -rss_limit_mb=2048 -malloc_limit_mb=64 -timeout=10 -detect_leaks=1 \
        -print_final_stats=1 -artifact_prefix="$crashes/$target-" "$work/$target" "${kept[@]}" >"$work/$target.log" 2>&1
    echo $? >"$work/$target.exit"
}

echo "fuzzing ${targets[*]} for $seconds s each, $(nproc) at a time"
for target in "${targets[@]}"; do
    while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n; done
    fuzz "$target" &
    running+=($!)
done
wait
running=()
python3 $here/report.py "$work" "$crashes" "${targets[@]}"
