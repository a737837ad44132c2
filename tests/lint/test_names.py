# SPDX-License-Identifier: MIT
"""What the documents name exists: functions, macros, Python names, files, options of commands."""

import fnmatch
import posixpath
import re

import documents
import names
import pytest

FILE_ENDINGS = {"h", "c", "so", "a", "py", "pyi", "map", "md", "pc"}


def unknown_names(known, text):
    """The names in a text that are in none of the known ones: FASTWS_ERR_* means any that begins so."""
    for number, line in enumerate(text.split("\n"), 1):
        for name, star in re.findall(r"(?<![\w/.-])((?:fastws|FASTWS|fws|FWS)_\w*)(\*?)", line):
            is_prefix = star or name.endswith("_")
            if name not in known and not (is_prefix and any(other.startswith(name) for other in known)):
                yield number, name


def unknown_python_names(text):
    for number, line in enumerate(text.split("\n"), 1):
        for name in re.findall(r"(?<![\w/.<:@-])fastws(?:\.[A-Za-z_]\w*)+", line):
            if name.rsplit(".", 1)[1] not in FILE_ENDINGS and not names.has_python_name(name):
                yield number, name


def documented_names(tree):
    known = names.c_names(tree) | names.private_names(tree)
    for path, text in documents.documents(tree).items():
        for number, name in unknown_names(known, text):
            yield f"{path}:{number}: there is no {name}"
        for number, name in unknown_python_names(text):
            yield f"{path}:{number}: the Python package has no {name}"


def commented_names(tree):
    """Comments of the public headers name what exists, too."""
    known = names.c_names(tree)
    for path in fnmatch.filter(tree, "include/fastws/*.h"):
        for number, name in unknown_names(known, tree[path]):
            yield f"{path}:{number}: there is no {name}"


def exists(tree, path):
    """Whether a path is there: capital words and stars in it stand for anything."""
    pattern = re.sub(
        r"\b(?:NAME|KERNEL|ISA|TARGET|CONCEPT|WORD)\b|(?<=_)(?:NAME|KERNEL|ISA|TARGET|CONCEPT|WORD)(?=[_.])|KERNEL_ISA",
        "*",
        path,
    )
    pattern = pattern.rstrip("/")
    return any(fnmatch.fnmatchcase(other, pattern) or fnmatch.fnmatchcase(other, pattern + "/*") for other in tree)


def documented_paths(tree):
    """Code spans that look like paths of this checkout, and links to them."""
    tops = {path.split("/")[0] for path in tree}
    for path, text in documents.documents(tree).items():
        prose = documents.prose(text)
        for number, span in documents.spans(prose):
            looks_so = re.fullmatch(r"\.?[\w*-]+(?:\.[\w-]+)*(?:/[\w.*-]+)*/?", span)
            is_file = "/" in span or re.fullmatch(r"[A-Z]+\.md|CMakeLists\.txt|pyproject\.toml|\.[\w-]+", span)
            if looks_so and is_file and span.split("/")[0] in tops and not exists(tree, span):
                yield f"{path}:{number}: there is no {span}"
        for number, link in documents.links(prose):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            aim = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
            if not exists(tree, aim):
                yield f"{path}:{number}: links to {link}, which is not there"
            elif anchor and anchor not in documents.anchors(tree.get(aim, "")):
                yield f"{path}:{number}: links to {link}, but no heading is called so"


def unlinked_pages(tree):
    """Every page of docs is linked from somewhere."""
    linked = set()
    for path, text in documents.documents(tree).items():
        for _, link in documents.links(documents.prose(text)):
            linked.add(posixpath.normpath(posixpath.join(posixpath.dirname(path), link.partition("#")[0])))
    for path in fnmatch.filter(tree, "docs/*.md"):
        if path not in linked:
            yield f"{path}: nothing links to it"


LINTS = (documented_names, commented_names, documented_paths, unlinked_pages)


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.__name__)
def test_this_checkout(lint, tree):
    assert list(lint(tree)) == []


HOUSE = {
    "include/fastws/mask.h": "/* fastws_mask() masks. */\nvoid fastws_mask(void);\n#define FASTWS_KEY_LEN 24\n",
    "src/platform.h": "#define FWS_TARGET(isa)\n",
    "scripts/test": "",
    "docs/page.md": "# A page\n",
    "README.md": """# Title, with `code`

`fastws_mask`, `FASTWS_KEY_*`, `FWS_TARGET`, `fastws.mask` and `fastws.Header.parse` in `src/platform.h`; libfastws.so,
`include/fastws/NAME.h`, `mask/avx2/64`, [a page](docs/page.md#a-page), [above](#title-with-code), [web](https://x.y/z).
""",
}


def test_a_sound_tree_has_no_problem():
    assert [problem for lint in LINTS for problem in lint(HOUSE)] == []


@pytest.mark.parametrize(
    "line",
    [
        "`fastws_no_such_thing`",
        "fastws_no_such_thing()",
        "`FASTWS_NONE`",
        "`FASTWS_NONE_*`",
        "`FWS_NONE`",
        "`fastws.no_such_thing`",
        "fastws.Header.no_such_thing",
        "`src/none.c`",
        "`scripts/none`",
        "`src/none_NAME.c`",
        "[a](docs/none.md)",
        "[a](docs/page.md#none)",
        "[a](#none)",
        "```c\nfastws_no_such_thing();\n```",
    ],
)
def test_a_violation_is_found(line):
    text = HOUSE["README.md"] + line + "\n"
    assert [problem for lint in LINTS for problem in lint({**HOUSE, "README.md": text})] != []


def test_a_page_that_nothing_links_to_is_found():
    assert list(unlinked_pages({**HOUSE, "docs/lost.md": "# Lost\n"})) != []


def test_a_comment_that_names_what_is_not_there_is_found():
    assert list(commented_names({"include/fastws/mask.h": "/* Like fastws_none(). */\n"})) != []
