/* SPDX-License-Identifier: MIT */
/* The version of the headers (macros) and of the library that was linked (function). */
#ifndef FASTWS_VERSION_H
#define FASTWS_VERSION_H

#include <fastws/export.h>

/* Semantic versioning; the build system reads the three numbers from here. */
#define FASTWS_VERSION_MAJOR 0
#define FASTWS_VERSION_MINOR 1
#define FASTWS_VERSION_PATCH 0

FASTWS_BEGIN_DECLS

/* Returns the version of the library in use, such as "0.1.0": a static string.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD const char *fastws_version(void);

FASTWS_END_DECLS

#endif
