# SPDX-License-Identifier: MIT
"""docs/parity.md keeps its word: the names of each line exist, and the tests that it names exist and are run."""

import ast
import re

import checkout
import documents
import names
import pytest

PAGE = "docs/parity.md"
COLUMNS = ["gobwas/ws", "C", "Python", "Shown by"]
NOT_YET, NEVER = "-", "none"


def c_tests(tree):
    """The tests that cmocka runs: "test_x.c:name"."""
    found = set()
    for path, text in checkout.select(tree, r"tests/(?:kernels/)?test_\w+\.c").items():
        code = checkout.without_comments(text)
        for name in re.findall(r"\bcmocka_unit_test\w*\(\s*(\w+)", code):
            if re.search(rf"^static void {name}\(", code, re.MULTILINE):
                found.add(f"{path.rsplit('/', 1)[1]}:{name}")
    return found


def python_tests(tree):
    """The tests that pytest collects: "test_x.py::name", without their parameters."""
    found = set()
    for path, text in checkout.select(tree, r"tests/(?:python|lint|examples)/test_\w+\.py").items():
        file = path.rsplit("/", 1)[1]
        for node in ast.parse(text).body:
            members = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
            inside = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
            for member in members:
                if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)) and member.name.startswith("test_"):
                    found.add(f"{file}::{inside}{member.name}")
    return found


def entries(cell):
    """The code spans of a cell; a cell holds those and commas, or one of the two words for nothing."""
    if cell in (NOT_YET, NEVER):
        return []
    assert re.fullmatch(r"`[^`]+`(?:, `[^`]+`)*", cell), f"not a list of code spans: {cell}"
    return re.findall(r"`([^`]+)`", cell)


def c_problems(known, name):
    """NAME, NAME_* for all that begin so, STRUCT.FIELD, or the path of an example."""
    is_prefix = name.endswith("*")
    if not (any(other.startswith(name[:-1]) for other in known) if is_prefix else name in known):
        yield f"there is no C name {name}"


def line_problems(known, run, cells):
    """What is wrong with one line of a table."""
    if len(cells) != len(COLUMNS):
        yield f"{len(cells)} cells"
        return
    try:
        gobwas, c, python, tests = [entries(cell) for cell in cells]
    except AssertionError as error:
        yield str(error)
        return
    if not gobwas:
        yield "names nothing of gobwas/ws"
    for name in c:
        yield from c_problems(known, name)
    for name in python:
        if not re.fullmatch(r"fastws(?:\.\w+)+", name) or not names.has_python_name(name):
            if name not in known:
                yield f"there is no Python name {name}"
    for test in tests:
        if test not in run:
            yield f"there is no test {test}, or it is not run"
    if c and not any(".c:" in test for test in tests) and not all("/" in name for name in c):
        yield "exists in C, but no C test shows it"
    if python and not any("::" in test for test in tests):
        yield "exists in Python, but no Python test shows it"
    if tests and not (c or python):
        yield "names a test of nothing"


def problems(tree):
    known = names.c_names(tree) | set(checkout.select(tree, r"examples/\w+\.(?:c|py)"))
    run = c_tests(tree) | python_tests(tree)
    rows = [row for row in documents.tables(tree[PAGE]) if row[2][0] == COLUMNS[0]]
    if not rows:
        yield f"{PAGE}: no table with the columns {COLUMNS}"
    seen = {}
    for number, heading, columns, cells in rows:
        if columns != COLUMNS:
            yield f"{PAGE}:{number}: the columns are {columns}"
        for problem in line_problems(known, run, cells):
            yield f"{PAGE}:{number}: {problem}"
        for name in re.findall(r"`([^`]+)`", cells[0]):
            if (heading, name) in seen:
                yield f"{PAGE}:{number}: {name} stands in line {seen[heading, name]} already"
            seen[heading, name] = number


def test_this_checkout(tree):
    assert list(problems(tree)) == []


def test_every_section_of_the_list_has_its_table(tree):
    """gobwas/ws has 19 groups of features; the ones to come are listed too."""
    headings = {heading.split(" ")[0] for _, heading, columns, _ in documents.tables(tree[PAGE]) if columns == COLUMNS}
    assert headings == {f"1.{number}" for number in range(1, 20)}


HOUSE = {
    "include/fastws/mask.h": "void fastws_mask(void);\n",
    "tests/test_mask.c": """
static void masks(void **state) {
}
static void forgotten(void **state) {
}
/* cmocka_unit_test(commented_out) */
int main(void) { cmocka_unit_test(masks), cmocka_unit_test(not_there); }
""",
    "tests/python/test_mask.py": "def test_masks(): pass\ndef other(): pass\nclass TestMask:\n    def test_it(self): pass\n",
}
SOUND = "| `Cipher` | `fastws_mask` | `fastws.mask` | `test_mask.c:masks`, `test_mask.py::test_masks` |"


def page(line):
    return {**HOUSE, PAGE: "# 1.1 Masks\n\n| " + " | ".join(COLUMNS) + " |\n|---|---|---|---|\n" + line + "\n"}


@pytest.mark.parametrize(
    "line",
    [
        SOUND,
        "| `Cipher`, `Other` | `fastws_*` | - | `test_mask.c:masks` |",
        "| `Cipher` | - | `fastws.mask` | `test_mask.py::TestMask::test_it` |",
        "| `Later` | - | - | - |",
        "| `MustCipher` | none | none | - |",
    ],
)
def test_a_sound_line_has_no_problem(line):
    assert list(problems(page(line))) == []


@pytest.mark.parametrize(
    "line",
    [
        SOUND.replace("fastws_mask", "fastws_none"),
        SOUND.replace("fastws_mask", "fastws_none_*"),
        SOUND.replace("fastws.mask", "fastws.none"),
        SOUND.replace("`test_mask.c:masks`, ", "`test_mask.c:forgotten`, "),
        SOUND.replace("`test_mask.c:masks`, ", "`test_mask.c:commented_out`, "),
        SOUND.replace("`test_mask.c:masks`, ", "`test_mask.c:not_there`, "),
        SOUND.replace("::test_masks", "::other"),
        SOUND.replace(", `test_mask.py::test_masks`", ""),
        "| `Cipher` | `fastws_mask` | - | - |",
        "| `Cipher` | - | - | `test_mask.c:masks` |",
        "| Cipher | `fastws_mask` | - | `test_mask.c:masks` |",
        "| - | - | - | - |",
        SOUND + "\n" + SOUND,
        "| `Cipher` | `fastws_mask` |",
    ],
)
def test_a_violation_is_found(line):
    assert list(problems(page(line))) != []
