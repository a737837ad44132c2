# SPDX-License-Identifier: MIT
"""The shared library exports what the public headers declare, all of it and nothing else."""

import re
import shutil
import subprocess

import checkout
import pytest


def exported(library):
    """The names that a shared library defines for others."""
    nm = shutil.which("nm")
    assert nm, "nm is missing: it comes with the compiler's binutils"
    result = subprocess.run([nm, "-D", "--defined-only", "-P", library], check=True, capture_output=True, text=True)
    return {line.split()[0] for line in result.stdout.splitlines()}


def problems(declared, found):
    for name in sorted(found - declared):
        yield f"{name} is exported, but no public header declares it"
    for name in sorted(declared - found):
        yield f"{name} is declared, but the library does not export it"
    for name in sorted(declared):
        if not re.fullmatch(r"fastws_[a-z0-9_]+", name):
            yield f"{name} is public and does not begin with fastws_"


def test_the_library_exports_what_the_headers_declare(tree):
    assert list(problems(set(checkout.public_functions(tree)), exported(checkout.find_library()))) == []


def test_each_public_function_is_declared_once(tree):
    headers = "\n".join(checkout.select(tree, r"include/fastws/\w+\.h").values())
    declarations = len(re.findall(r"^FASTWS_API\b", checkout.without_comments(headers), re.MULTILINE))
    assert declarations == len(checkout.public_functions(tree)) > 50


def test_reads_declarations_of_every_shape():
    header = """
/* Comments do not count: FASTWS_API int fastws_no(void); */
FASTWS_API int fastws_a(void);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) const char *fastws_b(
    int (*callback)(void), int c);
FASTWS_API FASTWS_NONNULL(3) ptrdiff_t
    fastws_c(void *dst, size_t cap, const struct fastws_frame *frame);
int fastws_hidden(void);
"""
    assert set(checkout.public_functions({"include/fastws/x.h": header})) == {"fastws_a", "fastws_b", "fastws_c"}


@pytest.mark.parametrize(
    "declared, found",
    [
        ({"fastws_a"}, {"fastws_a", "fws_b"}),
        ({"fastws_a", "fastws_b"}, {"fastws_a"}),
        ({"ws_a"}, {"ws_a"}),
    ],
)
def test_a_violation_is_found(declared, found):
    assert list(problems({"fastws_x"}, {"fastws_x"})) == []
    assert list(problems(declared, found)) != []
