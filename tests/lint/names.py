# SPDX-License-Identifier: MIT
"""Which names exist: those of the C library, of its build, and of the Python package."""

import importlib
import re

import checkout


def c_names(tree):
    """Names that begin with fastws_ or FASTWS_ and exist for users: in headers (members of a struct
    as STRUCT.MEMBER), in the build, in the environment."""
    found = set()
    for text in checkout.select(tree, r"include/fastws/\w+\.h").values():
        bare = checkout.without_comments(text)
        found.update(re.findall(r"\b(?:fastws|FASTWS)_\w+", bare))
        for struct, members in re.findall(r"^struct (\w+) \{(.*?)^\};", bare, re.DOTALL | re.MULTILINE):
            found.update(f"{struct}.{member}" for member in re.findall(r"\b(\w+)\)?(?:\[\w+\]|\([^;]*)?;", members))
    for text in checkout.select(tree, r"(?:tests/|bench/|python/|examples/)?CMakeLists\.txt").values():
        found.update(re.findall(r"\b(?:fastws|FASTWS)_\w+", text))
    found.update(re.findall(r'"(FASTWS_\w+)"', tree.get("src/error.c", "")))
    for text in checkout.select(tree, r"(?:src|simd)/.*\.c|scripts/.*|tests/(?:lint|examples)/\w+\.py").values():
        found.update(re.findall(r"""(?:getenv\("|environ\.get\("|environ\["|\$\{)((?:FASTWS|FUZZ)_\w+)""", text))
    return found


def private_names(tree):
    """Names that begin with fws_ or FWS_, which the files of the library share."""
    found = set()
    for text in checkout.select(tree, r"(?:src|simd)/.*\.[ch]").values():
        found.update(re.findall(r"\b(?:fws|FWS)_\w+", checkout.without_comments(text)))
    return found


def has_python_name(dotted):
    """Whether a dotted name that begins with fastws can be reached: modules, their contents, and members of classes."""
    here = importlib.import_module("fastws")
    for name in dotted.split(".")[1:]:
        try:
            here = getattr(here, name)
            continue
        except AttributeError:
            pass
        try:
            here = importlib.import_module(f"{here.__name__}.{name}")
        except (ImportError, AttributeError):
            return name in getattr(here, "__annotations__", {})
    return True
