# SPDX-License-Identifier: MIT
"""How sources begin and what headers must say: the rules of docs/style.md that a machine can see."""

import posixpath
import re

import checkout
import pytest

SOURCES = r".*\.(?:c|h|cpp|py|pyi|sh|cmake)|.*CMakeLists\.txt|scripts/[^/.]+|\.ci/run|tests/(?:compile|install)/[^/.]+"


def licence_lines(tree):
    """One SPDX line: the first, or the second after #!."""
    for path, text in checkout.select(tree, SOURCES).items():
        lines = text.split("\n")
        first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        comment = "/* %s */" if path.endswith((".c", ".h", ".cpp")) else "# %s"
        if first != comment % "SPDX-License-Identifier: MIT":
            yield f"{path}: does not begin with its SPDX line"


def first_sentences(tree):
    """Each C file says in its second line what it is."""
    for path, text in checkout.select(
        tree, r"(?:include|src|simd|bench|tests|python|examples)/.*\.(?:c|h|cpp)"
    ).items():
        lines = text.split("\n")
        if len(lines) < 2 or not re.match(r"/\* \w", lines[1]):
            yield f"{path}: its second line is no sentence about it"


# Included several times by design: each row includes it once, with other macros.
TEMPLATES = (
    "simd/chacha_vector.h",
    "simd/frames_walk.h",
    "simd/http_scan_blocks.h",
    "simd/mask_utf8_blocks.h",
    "simd/mask_vector.h",
    "simd/utf8_vector.h",
)


def header_guards(tree):
    """Each header has a guard, and in include, src and simd the one that its name gives."""
    seen = {}
    for path, text in checkout.select(tree, r".*\.h").items():
        match = re.search(r"^#ifndef (\w+)\n#define (\w+)$", checkout.without_comments(text), re.MULTILINE)
        if not match or match.group(1) != match.group(2) or not text.rstrip().endswith("#endif"):
            if path not in TEMPLATES:
                yield f"{path}: has no guard around it"
            continue
        guard = match.group(1)
        stem = posixpath.basename(path)[:-2].upper()
        wanted = {
            "include": [f"FASTWS_{stem}_H"],
            "src": [f"FWS_{stem}_H", f"FWS_NET_{stem}_H"],
            "simd": [f"FWS_{stem}_H"],
        }
        if guard not in wanted.get(path.split("/")[0], [guard]):
            yield f"{path}: its guard is {guard}"
        if guard in seen:
            yield f"{path}: has the guard of {seen[guard]}"
        seen[guard] = path


def doc_comments(tree):
    """A comment stands in front of every public function, or of the group without empty lines that it is in. A type may
    carry its comments inside."""
    for path, text in checkout.select(tree, r"include/fastws/\w+\.h").items():
        for paragraph in re.split(r"\n[ \t]*\n", text):
            bare = checkout.without_comments(paragraph)
            public = re.search(r"^FASTWS_API|^(?:struct|enum|union) \w+ \{|^typedef", bare, re.MULTILINE)
            is_type = public and not public.group().startswith("FASTWS_API")
            if public and not re.match(r"\s*/\*", paragraph) and not (is_type and "/*" in paragraph):
                line = text.count("\n", 0, text.index(paragraph)) + 1
                yield f"{path}:{line}: no comment says what {public.group()} ... is for"


def error_table(tree):
    """Every error is described where it is declared and has its row in error.c; no row is without an error."""
    header = tree.get("include/fastws/error.h", "")
    block = re.search(r"enum fastws_error \{(.*?)\n\};", header, re.DOTALL)
    if not block:
        yield "include/fastws/error.h: enum fastws_error was not found"
        return
    declared = {}
    for group in re.split(r"\n[ \t]*\n", block.group(1)):
        heading = re.match(r"\s*/\*", group)
        for name, value, rest in re.findall(r"(FASTWS_\w+) = (-?\d+),?(.*)", group):
            if value in declared.values():
                yield f"include/fastws/error.h: {name} has a number that is taken"
            declared[name] = value
            if not heading and "/*" not in rest and value != "0":
                yield f"include/fastws/error.h: {name} is not described"
    rows = re.findall(
        r"^\s+ROW\((\w+), (\d+), (\d+), \"([^\"]*)\",\s+\"([^\"]+)\"\)", tree.get("src/error.c", ""), re.MULTILINE
    )
    names = ["FASTWS_ERR_" + row[0] for row in rows]
    for name in sorted(set(declared) - set(names) - {"FASTWS_NEED_MORE"}):
        yield f"src/error.c: {name} has no row"
    for name in sorted(set(names) - set(declared)):
        yield f"src/error.c: {name} is no error"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"src/error.c: {name} has two rows"


# Its number is kept for the extensions that the handshake will negotiate; today it declines them all.
NOT_RETURNED = ("FASTWS_ERR_HANDSHAKE_EXTENSIONS",)


def unused_errors(tree):
    """Every error is given by somebody: one that nobody returns is a promise that nobody keeps."""
    declared = re.findall(r"(FASTWS_ERR_\w+) = -", tree.get("include/fastws/error.h", ""))
    sources = checkout.select(tree, r"(?:src|simd|python/ext)/.*\.[ch]")
    code = "\n".join(checkout.without_comments(text) for path, text in sources.items() if path != "src/error.c")
    for name in declared:
        if name not in NOT_RETURNED and not re.search(rf"\b{name}\b", code):
            yield f"include/fastws/error.h: nothing returns {name}"


HOMES = re.compile("(?<![\\w.~-])/(?:" + "|".join(("home", "Users", "root", "work", "tmp/build")) + ")[/-][\\w.]")


def machine_paths(tree):
    """No path of the machine on which something was written."""
    for path, text in tree.items():
        for number, line in enumerate(text.split("\n"), 1):
            if HOMES.search(line):
                yield f"{path}:{number}: a path of one machine: {line.strip()}"


# gofmt indents with tabs, and so does the go command in its own files.
TABS = r".*\.go|.*/go\.mod"


def white_space(tree):
    for path, text in tree.items():
        if path.startswith("tests/vectors/") and not path.endswith(".h"):
            continue
        if text and not text.endswith("\n"):
            yield f"{path}: its last line has no end"
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip() or ("\t" in line and not re.fullmatch(TABS, path)):
                yield f"{path}:{number}: a tab, or white space at the end"


def unfinished(tree):
    """Nothing is left for later without an issue that says so, and nothing is switched off."""
    mark = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\(#\d+\))|^\s*#\s*if 0\b")
    for path, text in checkout.select(tree, SOURCES).items():
        for number, line in enumerate(text.split("\n"), 1):
            if mark.search(line):
                yield f"{path}:{number}: left for later without an issue: {line.strip()}"


def columns(tree):
    """No line is wider than a screen: 120 columns of C, C++ and Python."""
    for path, text in checkout.select(tree, r".*\.(?:c|h|cpp|py)").items():
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > 120:
                yield f"{path}:{number}: {len(line)} columns"


LINTS = (
    columns,
    licence_lines,
    first_sentences,
    header_guards,
    doc_comments,
    error_table,
    unused_errors,
    machine_paths,
    white_space,
    unfinished,
)


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.__name__)
def test_this_checkout(lint, tree):
    assert list(lint(tree)) == []


SPDX = "SPDX-License-Identifier: MIT"
HOUSE = {
    "include/fastws/error.h": f"""/* {SPDX} */
/* Errors. */
#ifndef FASTWS_ERROR_H
#define FASTWS_ERROR_H

/* All of them. */
enum fastws_error {{
    FASTWS_NEED_MORE = 0,

    /* The call. */
    FASTWS_ERR_ONE = -1,
    FASTWS_ERR_TWO = -2 /* the second */
}};

/* Says which. */
FASTWS_API int fastws_which(void);
FASTWS_API int fastws_which_else(void);

#endif
""",
    "src/error.c": f'/* {SPDX} */\n/* The table. */\n    ROW(ONE, 0, 0, "", "one"),\n    ROW(TWO, 0, 0, "", "two"),\n',
    "src/which.c": f"/* {SPDX} */\n/* Which. */\nint x[] = {{FASTWS_ERR_ONE, FASTWS_ERR_TWO}};\n",
    "scripts/run": f"#!/bin/sh\n# {SPDX}\n",
    "README.md": "text\n",
}


def test_a_sound_tree_has_no_problem():
    assert [problem for lint in LINTS for problem in lint(HOUSE)] == []


def changed(path, old, new):
    assert old in HOUSE[path]
    return {path: HOUSE[path].replace(old, new)}


@pytest.mark.parametrize(
    "lint, change",
    [
        (licence_lines, {"src/a.c": "/* A file. */\n"}),
        (licence_lines, {"scripts/run": "#!/bin/sh\n\n"}),
        (first_sentences, {"src/a.c": f"/* {SPDX} */\nint a;\n"}),
        (header_guards, {"src/a.h": f"/* {SPDX} */\n/* A. */\nint a;\n"}),
        (header_guards, {"src/a.h": "#ifndef FWS_B_H\n#define FWS_B_H\n#endif\n"}),
        (header_guards, {"tests/e.h": HOUSE["include/fastws/error.h"]}),
        (doc_comments, changed("include/fastws/error.h", "/* Says which. */\n", "")),
        (doc_comments, changed("include/fastws/error.h", "int fastws_which(void);\n", "int fastws_which(void);\n\n")),
        (doc_comments, changed("include/fastws/error.h", "/* All of them. */\n", "")),
        (error_table, changed("include/fastws/error.h", "    /* The call. */\n", "")),
        (error_table, changed("include/fastws/error.h", "= -2", "= -1")),
        (error_table, changed("src/error.c", '    ROW(TWO, 0, 0, "", "two"),\n', "")),
        (error_table, changed("src/error.c", "ROW(TWO", "ROW(THREE")),
        (error_table, changed("src/error.c", "ROW(TWO", "ROW(ONE")),
        (unused_errors, changed("src/which.c", ", FASTWS_ERR_TWO", "")),
        (machine_paths, {"README.md": "see /ho" + "me/somebody/x\n"}),
        (machine_paths, {"scripts/run": "cd /tmp/bui" + "ld-mine\n"}),
        (columns, {"src/a.c": "x" * 121 + "\n"}),
        (white_space, {"README.md": "text \n"}),
        (white_space, {"README.md": "text"}),
        (white_space, {"src/a.c": "\tint a;\n"}),
        (unfinished, {"src/a.c": "/* TO" + "DO: more */\n"}),
        (unfinished, {"src/a.c": "#if 0\n#endif\n"}),
    ],
)
def test_a_violation_is_found(lint, change):
    assert list(lint({**HOUSE, **change})) != []
