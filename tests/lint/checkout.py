# SPDX-License-Identifier: MIT
"""What the lints share: the files of the checkout, and just enough C to read its sources."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Products, and files of other origin: nothing in there is ours to judge.
NOT_OURS = re.compile(r"\.git|build|dist|\.venv.*|__pycache__|\.\w+_cache|\.hypothesis|.*\.egg-info")


def text_files(root=ROOT):
    """Reads every text file below root.

    Returns:
        Their text by their path, relative to root and with "/" between its parts. Of the fuzzers' corpora only the
        folders, without text: their files hold what a fuzzer made.
    """
    found = {}
    for folder, subfolders, names in os.walk(root):
        if Path(folder).parent.name == "corpus":
            found[Path(folder).relative_to(root).as_posix()] = ""
            subfolders[:] = names[:] = []
        subfolders[:] = sorted(name for name in subfolders if not NOT_OURS.fullmatch(name))
        for name in sorted(names):
            path = Path(folder, name)
            if NOT_OURS.fullmatch(name):
                continue
            try:
                found[path.relative_to(root).as_posix()] = path.read_text("utf-8")
            except UnicodeDecodeError:
                continue
    return found


def select(tree, pattern):
    """The part of a tree whose paths match a regular expression as a whole."""
    return {path: text for path, text in tree.items() if re.fullmatch(pattern, path)}


C_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def without_comments(text):
    """C without its comments; every line keeps its number."""

    def blank(match):
        token = match.group()
        return " " + "\n" * token.count("\n") if token.startswith("/") else token

    return C_TOKEN.sub(blank, text)


def includes(text):
    """The #include lines of a C file: (line number, spelling with its quotes or brackets)."""
    lines = without_comments(text).split("\n")
    found = ((number, re.match(r'\s*#\s*include\s+(<[^>]+>|"[^"]+")', line)) for number, line in enumerate(lines, 1))
    return [(number, match.group(1)) for number, match in found if match]


def public_functions(tree):
    """The functions that the public headers declare FASTWS_API: their header by their name."""
    found = {}
    for path, text in select(tree, r"include/fastws/\w+\.h").items():
        for declaration in re.findall(r"^FASTWS_API\b([^;{]*);", without_comments(text), re.MULTILINE):
            bare = re.sub(r"FASTWS_NONNULL\([^)]*\)", " ", declaration)
            found[re.search(r"(\w+)\s*\(", bare).group(1)] = path
    return found


def find_library():
    """The shared library to look into: FASTWS_LIBRARY, or what this checkout built last."""
    if os.environ.get("FASTWS_LIBRARY"):
        return Path(os.environ["FASTWS_LIBRARY"])
    names = ("libfastws.so", "libfastws.dylib")
    built = [ROOT / folder / name for folder in ("build", "build/clang") for name in names]
    built = [path for path in built if path.exists()]
    assert built, "no shared library: build first (cmake -S . -B build && cmake --build build), or set FASTWS_LIBRARY"
    return max(built, key=lambda path: path.stat().st_mtime)
