# SPDX-License-Identifier: MIT
# Sourced by every command: where the checkout is, which Python it uses, and how its builds are made.
# shellcheck shell=bash
set -euo pipefail

called_from=$PWD # what relative paths on the command line are relative to
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
venv=$root/.venv
jobs=$(nproc)

say() { printf '== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# counted OPTION VALUE: what counts rounds has to be a whole number, and at least one.
counted() {
    [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || die "$1 takes a whole number from 1 to 999999, not \"$2\""
}

# The interpreter that .venv is made from: the first CPython of 3.11 or later that has headers and can make environments.
# PYTHON names another one. Prints nothing when there is none.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3 python3.{14,13,12,11}; do
        if "$candidate" - <<'PY' >/dev/null 2>&1; then
import ensurepip, os, sys, sysconfig, venv
assert sys.implementation.name == "cpython" and sys.version_info >= (3, 11)
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
PY
            "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return
        fi
    done
}

# CPython 2.7, which Autobahn needs: from PATH, or from pyenv wherever its root is. Prints nothing when there is none.
find_python27() {
    local candidate home
    home=$(getent passwd "$(id -u)" | cut -d : -f 6)
    for candidate in "$(command -v python2.7 || true)" \
        {"${PYENV_ROOT:-}","$HOME/.pyenv","$home/.pyenv"}/versions/2.7*/bin/python2.7; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; assert sys.version_info[:2] == (2, 7)' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

# configure DIR [CMAKE ARGUMENT...]: a build folder that was made for another place is made anew.
configure() {
    local dir=$1 generator=()
    shift
    if [ -f "$dir/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
        rm -rf "$dir"
    fi
    [ -f "$dir/CMakeCache.txt" ] || generator=(-G Ninja)
    mkdir -p "$dir"
    cmake -S "$root" -B "$dir" "${generator[@]}" "$@" >"$dir/configure.log" 2>&1 || {
        cat "$dir/configure.log" >&2
        die "cmake could not configure $dir"
    }
}

# build DIR COMPILER [CMAKE ARGUMENT...]: configures and builds, quietly unless something is wrong.
build() {
    local dir=$1 compiler=$2
    shift 2
    say "building ${dir#"$root/"} with $compiler"
    configure "$dir" -DCMAKE_C_COMPILER="$compiler" "$@"
    cmake --build "$dir" --parallel "$jobs" >"$dir/build.log" 2>&1 || {
        cat "$dir/build.log" >&2
        die "the build in $dir failed"
    }
}

# The normal build of this checkout: library, tests and examples, by gcc, in build/.
build_default() { build "$root/build" gcc "$@"; }

# Installs the Python package of this checkout into .venv. scikit-build-core keeps its objects in build/python.
install_package() {
    say "installing the Python package into .venv"
    mkdir -p "$root/build"
    "$venv/bin/python" -m pip install --quiet --no-build-isolation --no-deps --force-reinstall "$root" \
        >"$root/build/pip.log" 2>&1 || {
        cat "$root/build/pip.log" >&2
        die "pip could not install the package"
    }
}

# ctest_in DIR [ARGUMENT...]: every C test of a build folder. A test that hangs fails after TEST_SECONDS.
ctest_in() {
    local dir=$1
    shift
    (cd "$dir" && ctest --output-on-failure --no-tests=error --timeout "${TEST_SECONDS:-120}" --parallel "$jobs" "$@")
}
