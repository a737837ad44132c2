# SPDX-License-Identifier: MIT
"""The floors of docs/architecture.md: a file includes its own floor and those below, nothing else."""

import posixpath
import re

import checkout
import pytest

# A new concept is given its floor here. A file NAME_PART.c or .h belongs to the concept NAME.
FLOORS = {
    0: "platform export version event allocator limits iovec",
    1: "error buf cpu base64 random text",
    2: "header frame mask utf8 close http options cookies handshake deflate extension pool prepared url",
    3: "reader writer",
    4: "conn upgrade dial",
    5: "stream connect tls proxy loop io",
    6: "fastws",
}
FLOOR_OF = {concept: floor for floor, concepts in FLOORS.items() for concept in concepts.split()}
NET = 5

KERNELS = "mask utf8 is_utf8 mask_utf8 frames accept chacha http_scan"
ISAS = "scalar sse2 sse4 avx2 avx512 sha neon armv8"

# What the core may take from C itself: no files, no clock, no threads, no signals.
C_NAMES = "assert ctype errno float inttypes limits stdalign stdarg stdatomic stdbool stddef stdint stdlib string"
C_HEADERS = {f"<{name}.h>" for name in C_NAMES.split()}
# And who may take more, from the system or from another library.
SYSTEM_OF = {
    "src/random.c": r"<(?:errno|fcntl|unistd|sys/stat|sys/random)\.h>",
    "src/cpu.c": r"<(?:cpuid|sys/auxv|sys/sysctl)\.h>",
    "src/deflate.c": r"<zlib(?:-ng)?\.h>",
}
OWNER_OF = {  # library: who alone includes it
    r"<(?:zlib(?:-ng)?|zconf)\.h>": r"src/deflate\.c",
    r"<openssl/.*>": r"src/net/tls(?:_stream|_memory)?\.c",
    r"<Python\.h>": r"python/ext/.*",
    r"<(?:\w*intrin|arm_\w+)\.h>": r"simd/.*",
    r'["<](?:.*/)?simde/.*': r"tests/.*",
    r"<(?:cpuid|sys/auxv)\.h>": r"src/cpu\.c",
}
# Across the grid only, and why.
EXCEPTIONS = {
    ("simd/intrinsics.h", "tests/simde.h"),  # the tests compile every row a second time, through SIMDe
}


def concept_of(path):
    """The concept that a file is about: the longest beginning of its stem that has a floor."""
    parts = posixpath.basename(path).rsplit(".", 1)[0].split("_")
    names = ("_".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOOR_OF), None)


def floor_of(path):
    """The floor that a file of include, src or simd stands on; None for one that has no floor yet."""
    if re.fullmatch(r"simd/[^/]+\.[ch]", path):
        return 1
    if not re.fullmatch(r"(?:include/fastws|src|src/net)/[^/]+\.[ch]", path):
        return None
    concept = concept_of(path)
    if concept is None or path.startswith("src/net/") != (FLOOR_OF[concept] == NET and path.startswith("src/")):
        return None
    return FLOOR_OF[concept]


def target_of(tree, path, spelling):
    """The file of the checkout that an include means, or None for one of the system."""
    if spelling.startswith("<fastws/"):
        return "include/" + spelling[1:-1]
    if spelling.startswith("<"):
        return None
    # The tests are compiled with -I for the checkout and for tests/.
    folders = [posixpath.dirname(path)] + (["", "tests"] if path.startswith("tests/") else [])
    targets = [posixpath.normpath(posixpath.join(folder, spelling[1:-1])) for folder in folders]
    return next((target for target in targets if target in tree), targets[0])


def allowed_system(path, spelling):
    if path.startswith(("include/", "simd/", "src/")) and not path.startswith("src/net/"):
        return (
            spelling in C_HEADERS
            or bool(re.fullmatch(SYSTEM_OF.get(path, r"(?!)"), spelling))
            or (path.startswith("simd/") and owner_allows(path, spelling) is True)
        )
    return True


def owner_allows(path, spelling):
    """True or False where a library has an owner, None where it has none."""
    for library, owner in OWNER_OF.items():
        if re.fullmatch(library, spelling):
            return bool(re.fullmatch(owner, path)) or path.startswith(("tests/", "bench/"))
    return None


def allowed_target(path, target):
    """Whether a file may include another file of the checkout."""
    if path.startswith("tests/") or (path, target) in EXCEPTIONS:
        return True
    if path.startswith("include/"):
        return target.startswith("include/") and floor_of(target) <= floor_of(path)
    if path.startswith("bench/"):
        return target == "simd/kernels.h" or target.startswith(("include/", "bench/"))
    if path.startswith(("examples/", "python/ext/")):
        return target.startswith("include/") or posixpath.dirname(target) == posixpath.dirname(path)
    if target.startswith("simd/"):
        return path.startswith("simd/") or target == "simd/kernels.h"
    if target.startswith(("src/", "include/")):
        return floor_of(target) is not None and floor_of(target) <= floor_of(path)
    return False


C_FILE = r"(?:include|src|simd|bench|tests|python|examples)/.*\.(?:c|h|cpp)"


def include_problems(tree):
    for path, text in checkout.select(tree, C_FILE).items():
        for number, spelling in checkout.includes(text):
            where = f"{path}:{number}: includes {spelling}"
            target = target_of(tree, path, spelling)
            if path.startswith("include/") and spelling.startswith('"'):
                yield f"{where}: public headers include <fastws/...> only"
            elif target is None:
                if owner_allows(path, spelling) is False:
                    yield f"{where}: another file is its only home"
                elif not allowed_system(path, spelling):
                    yield f"{where}: the core takes standard C headers only, without files, clock and threads"
            elif target not in tree:
                yield f"{where}: there is no {target}"
            elif (
                floor_of(path) is not None or not path.startswith(("include/", "src/", "simd/"))
            ) and not allowed_target(path, target):
                yield f"{where}: that is on a floor above, or in another house"


def unknown_files(tree):
    for path in checkout.select(tree, r"(?:include|src|simd)/.*"):
        if floor_of(path) is None:
            yield f"{path}: has no floor: give its concept one in tests/lint/test_floors.py"
    kernel = "|".join(KERNELS.split())
    isa = "|".join(ISAS.split())
    for path in checkout.select(tree, r"simd/.*"):
        if not re.fullmatch(
            rf"simd/(?:kernels\.[ch]|intrinsics\.h|(?:{kernel})_(?:{isa})\.[ch]|(?:{kernel})_\w+\.h)", path
        ):
            yield f"{path}: files of simd are called KERNEL_ISA.c, and KERNEL_WORD.h where rows share code"
    for path in checkout.select(tree, r"src/.*\.c|include/.*\.h"):
        known = concept_of(path)
        homes = (f"include/fastws/{known}.h", f"src/{known}.h", f"src/net/{known}.h")
        if known is not None and path.endswith(".c") and not any(home in tree for home in homes):
            yield f"{path}: no header declares what it does"


EMPTY_NAMES = {"util", "utils", "utility", "common", "helper", "helpers", "misc", "stuff"}


def empty_names(tree):
    for path in tree:
        words = re.split(r"[/._-]", path.lower())
        for word in sorted(EMPTY_NAMES.intersection(words)):
            yield f"{path}: {word} says nothing: name the concept"


COMPILER_MACROS = re.compile(
    r"\b(?:__GNUC__|__clang__|_MSC_VER|__INTEL_\w+|__x86_64__|__i386__|_M_X64|_M_IX86|__aarch64__|__arm__|__ARM_\w+|"
    r"__SSE\w*__|__AVX\w*__|__BMI\w*__|__SHA__|__BYTE_ORDER__|__ORDER_\w+|__LITTLE_ENDIAN__|__BIG_ENDIAN__|"
    r"__has_builtin|__has_attribute)\b"
)
ASKS_THE_CPU = re.compile(r"\b(?:__(?:get_)?cpuid\w*|__builtin_cpu_\w+|_?xgetbv|getauxval|sysctlbyname)\b")
INTRINSIC = re.compile(r"\b(?:_mm(?:256|512)?_\w+|v(?:ld|st)[1-4]q?_\w+|__m(?:128|256|512)i?)\b")


def machine_problems(tree):
    for path, text in checkout.select(tree, r"(?:include|src|simd|bench|python|examples)/.*\.(?:c|h|cpp)").items():
        for number, line in enumerate(checkout.without_comments(text).split("\n"), 1):
            where = f"{path}:{number}: "
            tested = COMPILER_MACROS.search(line) if re.match(r"\s*#", line) else None
            if tested and path not in ("src/platform.h", "include/fastws/export.h"):
                yield f"{where}tests {tested.group()}: only platform.h does (and export.h, for users)"
            asked = ASKS_THE_CPU.search(line)
            if asked and path != "src/cpu.c":
                yield f"{where}{asked.group()}: only cpu.c asks the CPU"
            intrinsic = INTRINSIC.search(line)
            if intrinsic and not path.startswith("simd/"):
                yield f"{where}{intrinsic.group()}: intrinsics are for simd/"


# Who may keep something that changes at file scope: the row in use, and the count of forks.
GLOBALS = ("simd/kernels.c", "src/random.c")


def globals_of(tree):
    for path, text in checkout.select(tree, r"(?:src|simd)/[^/]+\.[ch]").items():
        if path in GLOBALS:
            continue
        for number, line in enumerate(checkout.without_comments(text).split("\n"), 1):
            if re.match(r"\s*(?:static|_Thread_local)\b(?!.*\bconst\b)[^(]*[;=]", line):
                yield f"{path}:{number}: state that outlives its object: {line.strip()}"


def foreign_cells(tree):
    """A file of simd holds the cell that it is named for, and no other name that the linker sees."""
    for path, text in checkout.select(tree, r"simd/[a-z0-9]+_[a-z0-9]+\.c").items():
        own = "fws_" + posixpath.basename(path)[:-2]
        for name in re.findall(
            r"^(?:[A-Za-z_][\w \t*]*[ \t*])?(fws_\w+)\s*\(", checkout.without_comments(text), re.MULTILINE
        ):
            if name != own:
                yield f"{path}: defines {name}, but is the home of {own}"
        if own not in text:
            yield f"{path}: does not define {own}"


LINTS = (include_problems, unknown_files, empty_names, machine_problems, globals_of, foreign_cells)


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.__name__)
def test_this_checkout(lint, tree):
    assert list(lint(tree)) == []


HOUSE = {
    "include/fastws/export.h": "#if defined(__GNUC__)\n#endif",
    "include/fastws/event.h": "#include <stdint.h>\n#include <fastws/export.h>",
    "include/fastws/error.h": "#include <fastws/export.h>",
    "include/fastws/mask.h": "#include <fastws/export.h>",
    "include/fastws/conn.h": "#include <fastws/event.h>",
    "include/fastws/stream.h": "#include <fastws/conn.h>",
    "src/platform.h": "#include <string.h>\n#if defined(__x86_64__)\n#endif",
    "src/mask.c": '#include <fastws/mask.h>\n#include "../simd/kernels.h"\n'
    "static const int a[] = {1};\nstatic int f(void) {\n}",
    "src/conn.c": "#include <fastws/conn.h>",
    "src/net/stream.c": "#include <fastws/stream.h>\n#include <poll.h>\nstatic int mutex;",
    "simd/kernels.h": '#include <fastws/event.h>\n#include "../src/platform.h"',
    "simd/mask_avx2.c": '#include "kernels.h"\n#include <immintrin.h>\nvoid fws_mask_avx2(void) { _mm_pause(); }',
    "bench/bench_mask.cpp": '#include <benchmark/benchmark.h>\n#include "../simd/kernels.h"',
    "tests/test_mask.c": '#include "../src/platform.h"\n#include <immintrin.h>',
}


def test_a_sound_house_has_no_problem():
    assert [problem for lint in LINTS for problem in lint(HOUSE)] == []


@pytest.mark.parametrize(
    "path, text",
    [
        ("include/fastws/mask.h", "#include <fastws/conn.h>"),  # a floor above
        ("include/fastws/mask.h", '#include "event.h"'),  # a public header reaches beside itself
        ("include/fastws/mask.h", "#include <fastws/nothing.h>"),  # not there
        ("src/mask.c", "#include <fastws/conn.h>"),
        ("src/mask.c", '#include "net/stream.c"'),
        ("src/mask.c", '#include "../simd/mask_avx2.c"'),  # past kernels.h
        ("src/mask.c", "#include <immintrin.h>"),
        ("src/mask.c", "#include <sys/socket.h>"),
        ("src/mask.c", "#include <time.h>"),
        ("src/mask.c", "#include <zlib.h>"),
        ("src/net/stream.c", "#include <openssl/ssl.h>"),
        ("src/net/stream.c", "#include <Python.h>"),
        ("src/mask.c", "#include <fastws/mask.h>\n#ifdef __AVX2__\n#endif"),
        ("simd/mask_avx2.c", "#if defined(__clang__)\nvoid fws_mask_avx2(void) {}\n#endif"),
        ("src/mask.c", "int x = __builtin_cpu_supports;"),
        ("src/mask.c", "static int calls;"),
        ("src/mask.c", "void f(void) {\n    static int calls = 0;\n}"),
        ("simd/mask_avx2.c", "void fws_mask_avx2(void) {}\nvoid fws_other(void) {}"),
        ("simd/mask_avx2.c", "static void mask(void) {}"),
        ("simd/mask_avx2.c", '#include "../src/mask.c"\nvoid fws_mask_avx2(void) {}'),
        ("bench/bench_mask.cpp", '#include "../src/platform.h"'),
        ("examples/echo.c", '#include "../src/platform.h"'),
        ("python/ext/mask.c", '#include "../../src/platform.h"'),
        ("python/ext/mask.c", "__m256i lane;"),
        ("src/net/tls.c", '#include "../../simd/mask_avx2.c"'),
        # Files without a floor, in the wrong place, or with a name that says nothing.
        ("src/turbo.c", ""),
        ("src/net/mask.c", ""),
        ("src/stream.c", ""),
        ("src/deflate.c", ""),
        ("simd/mask_haswell.c", "void fws_mask_haswell(void) {}"),
        ("simd/fast.c", ""),
        ("tests/test_util.c", ""),
        ("scripts/lib/helpers.py", ""),
    ],
)
def test_a_violation_is_found(path, text):
    assert [problem for lint in LINTS for problem in lint({**HOUSE, path: text})] != []
