# SPDX-License-Identifier: MIT
"""Measures files and C functions: the long ones are reported, none is forbidden."""

import re

import checkout

FILE_LINES = 400
FUNCTION_LINES = 60


SIGNATURE = re.compile(r"^[A-Za-z_][^;{}#=]*\([^;{}#=]*\)[^;{}#=]*\{", re.MULTILINE)


def name_in(signature):
    """The name that a signature gives: attributes in front of it have parentheses as well, so it is the last one."""
    depth, name = 0, None
    for match in re.finditer(r"(\w+)?\s*(\()|\)", signature):
        if match.group() == ")":
            depth -= 1
            continue
        if depth == 0 and match.group(1):
            name = match.group(1)
        depth += 1
    return name


def functions(text):
    """The functions of a C file: (name, first line, number of lines), from the signature to the closing brace."""
    found, end = [], 0
    bare = checkout.without_comments(text)
    for match in SIGNATURE.finditer(bare):
        if match.start() < end:
            continue
        line_end = bare.find("\n", match.end())
        is_one_line = bare[match.end() : line_end].rstrip().endswith("}")
        end = line_end if is_one_line else bare.find("\n}", match.end()) + 2
        if end < match.end():
            continue
        first = bare.count("\n", 0, match.start()) + 1
        found.append((name_in(match.group()), first, bare.count("\n", match.start(), end) + 1))
    return found


def report(tree):
    """Lines for people, longest first."""
    found = []
    for path, text in checkout.select(tree, r".*\.(?:c|h|cpp|py|pyi|sh)|scripts/[^/]+").items():
        lines = text.count("\n")
        if lines > FILE_LINES:
            found.append((lines, f"{path}: {lines} lines (over {FILE_LINES})"))
        if path.endswith(".c"):
            for name, first, count in functions(text):
                if count > FUNCTION_LINES:
                    found.append((count, f"{path}:{first}: {name} has {count} lines (over {FUNCTION_LINES})"))
    return [line for _, line in sorted(found, reverse=True)]
