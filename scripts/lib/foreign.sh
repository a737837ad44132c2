# SPDX-License-Identifier: MIT
# Sourced by scripts/sanitize: the C tests as programs of other machines, built by cross compilers and run by qemu.
# shellcheck shell=bash
: "${root:?is set by env.sh}"
# What bounds a run, by default: see the usage of scripts/sanitize.
export TEST_SECONDS=${TEST_SECONDS:-120}
MACHINE_SECONDS=${MACHINE_SECONDS:-300}
samples=${FASTWS_TEST_SAMPLES:-13}

# Name, triplet, emulator of qemu-user, flags. armv7 has NEON by a flag only; s390x is the big-endian one.
foreign_machines=(
    "aarch64 aarch64-linux-gnu qemu-aarch64"
    "armv7 arm-linux-gnueabihf qemu-arm -mfpu=neon"
    "s390x s390x-linux-gnu qemu-s390x"
    "i386 i686-linux-gnu qemu-i386"
)

# emulator_of TRIPLET QEMU: what runs a program of that machine, as a CMake list. The libraries of cross compilers lie
# where no loader looks for them. i386 programs are static: an x86-64 kernel may run them as they are, and children of
# dynamic ones hang in the qemu-i386 of Debian 12.
emulator_of() {
    local triplet=$1 qemu=$2
    if [ "$triplet" != i686-linux-gnu ]; then
        printf '%s;-L;/usr/%s\n' "$qemu" "$triplet"
    elif ! "/usr/$triplet/lib/ld-linux.so.2" --version >/dev/null 2>&1; then
        printf '%s\n' "$qemu"
    fi
}

# Why a machine cannot be tested here; prints nothing when it can.
missing_for() {
    local triplet=$1 qemu=$2
    if [ "$(gcc -dumpmachine)" = "$triplet" ]; then
        echo "this machine is one: scripts/test runs them"
    elif ! command -v "$triplet-gcc" >/dev/null; then
        echo "there is no package gcc-$triplet here"
    elif ! command -v "$qemu" >/dev/null; then
        echo "there is no $qemu here"
    fi
}

# test_foreign NAME TRIPLET QEMU [FLAG...]: builds and runs every C test.
test_foreign() {
    local name=$1 triplet=$2 emulator link='' dir=$root/build/foreign/$1
    [ "$triplet" != i686-linux-gnu ] || link=-static
    emulator=$(emulator_of "$triplet" "$3")
    shift 3
    # SIMDe alone: beside it lie the headers of this machine's own C library, as zlib does.
    mkdir -p "$dir/include"
    ln -sfn /usr/include/simde "$dir/include/simde"
    build "$dir" "$triplet-gcc" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="${triplet%%-*}" \
        -DFASTWS_BUILD_EXAMPLES=OFF -DFASTWS_DEFLATE=OFF -DCMAKE_C_FLAGS="$*" -DCMAKE_EXE_LINKER_FLAGS="$link" \
        -DCMAKE_CROSSCOMPILING_EMULATOR="$emulator" -DSIMDE_INCLUDE_DIR="$dir/include"
    [ -n "$emulator" ] || samples=1
    say "C tests on $name by ${emulator:-this kernel}, rows: $(${emulator//;/ } "$dir/tests/isas" | tr '\n' ' ')"
    FASTWS_TEST_SAMPLES=$samples ctest_in "$dir" --stop-time "$(date -d "+$MACHINE_SECONDS seconds" +%H:%M:%S)"
}

# Goes on after a failure; the last lines are ctest's totals, one machine each.
test_foreign_machines() {
    local machine fields name reason totals=() failed=0 log started
    mkdir -p "$root/build/foreign"
    for machine in "${foreign_machines[@]}"; do
        read -r -a fields <<<"$machine"
        name=${fields[0]}
        reason=$(missing_for "${fields[1]}" "${fields[2]}")
        if [ -n "$reason" ]; then
            totals+=("SKIPPED $name: $reason")
            continue
        fi
        log=$root/build/foreign/$name.log
        started=$SECONDS
        # In a shell of its own: where the status is asked for, a function does not stop at its first failure.
        "$BASH" -c '. scripts/lib/env.sh; . scripts/lib/foreign.sh; test_foreign "$@"' "${0##*/}" "${fields[@]}" \
            2>&1 | tee "$log" || failed=1
        totals+=("$name: $(totals_of "$log"), with its build $((SECONDS - started)) s")
    done
    say "left out: C++ in headers_stand_alone (no cross compiler of C++ is installed)"
    say "left out: TLS (Debian has no OpenSSL for cross compilers)"
    say "left out: programs that use an installed library (it belongs to this machine)"
    say "left out on s390x: kernel rows through SIMDe (they count on little-endian lanes)"
    printf '%s\n' "${totals[@]}"
    return "$failed"
}

# What ctest said last in a log.
totals_of() {
    local line
    line=$(sed -n -e '/tests passed,/p' -e 's/^Total Test time (real) = */in /p' "$1" | tr '\n' ' ')
    line=${line% }
    printf '%s\n' "${line:-not built}"
}
