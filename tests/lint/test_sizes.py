# SPDX-License-Identifier: MIT
"""The report of sizes fails nobody, so it is tested itself: it must see what is long."""

import sizes


def body(name, lines):
    return f"static int {name}(int n,\n    int m) {{\n" + "    n++;\n" * (lines - 4) + "    return n;\n}\n"


def test_counts_a_function_from_its_signature_to_its_brace():
    text = (
        "/* A file. */\n#include <x.h>\n\nstruct pair {\n    int a;\n};\n\nstatic const int table[] = {\n    1,\n};\n\n"
        + "int one(void) { return 1; }\n\n"
        + body("ten", 10)
        + "\n"
        + body("five", 5)
    )
    assert [(name, count) for name, _, count in sizes.functions(text)] == [("one", 1), ("ten", 10), ("five", 5)]


def test_reports_what_is_over_the_limit_and_nothing_else():
    tree = {
        "src/a.c": body("short", 60),
        "src/b.c": body("long_one", 61),
        "src/c.h": "\n" * 401,
        "docs/d.md": "\n" * 999,
    }
    assert sizes.report(tree) == [
        "src/c.h: 401 lines (over 400)",
        "src/b.c:1: long_one has 61 lines (over 60)",
    ]


def test_sees_the_functions_of_this_checkout(tree):
    """A report that finds no function is no report: every public one is there."""
    import checkout

    seen = set()
    for text in checkout.select(tree, r"src/.*\.c").values():
        seen.update(name for name, _, _ in sizes.functions(text))
    defined = set(checkout.public_functions(tree))
    assert len(defined & seen) > 0.9 * len(defined), sorted(defined - seen)
