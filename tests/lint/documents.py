# SPDX-License-Identifier: MIT
"""How the lints read the documents: Markdown in paragraphs, code spans, links, tables and fenced blocks."""

import re

import checkout

DOCUMENTS = r"[A-Z]+\.md|docs/[\w-]+\.md"


def documents(tree):
    return checkout.select(tree, DOCUMENTS)


def blocks(text):
    """The fenced blocks: (line number of the first line inside, language, text)."""
    found, language, start, lines = [], None, 0, []
    for number, line in enumerate(text.split("\n"), 1):
        fence = re.match(r"```(\w*)\s*$", line)
        if fence and language is None:
            language, start, lines = fence.group(1), number + 1, []
        elif fence:
            found.append((start, language, "\n".join(lines) + "\n"))
            language = None
        else:
            lines.append(line)
    assert language is None, f"the block that begins in line {start} has no end"
    return found


def prose(text):
    """The text without its fenced blocks; every line keeps its number."""
    return re.sub(
        r"^```.*?^```\s*?$", lambda match: "\n" * match.group().count("\n"), text, flags=re.DOTALL | re.MULTILINE
    )


def spans(text):
    """The code spans of a text without blocks: (line number, content)."""
    return [
        (number, span) for number, line in enumerate(text.split("\n"), 1) for span in re.findall(r"`([^`]+)`", line)
    ]


def links(text):
    """The targets of the links of a text without blocks: (line number, target)."""
    bare = re.sub(r"`[^`\n]*`", "", text)
    return [
        (number, target)
        for number, line in enumerate(bare.split("\n"), 1)
        for target in re.findall(r"\]\(([^)\s]+)\)", line)
    ]


def anchors(text):
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def tables(text):
    """The rows of every table: (line number, heading above it, its column names, the cells)."""
    found, heading, columns = [], "", None
    lines = prose(text).split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if not line.startswith("|"):
            columns = None
            continue
        # A bar inside a code span is part of it.
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if columns is None:
            columns = cells
        elif not re.fullmatch(r":?-+:?", cells[0]):
            found.append((number, heading, columns, cells))
    return found
