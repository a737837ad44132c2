/* SPDX-License-Identifier: MIT */
/* The version of the library, spelled from the numbers of version.h. */
#include <fastws/version.h>

#define QUOTE(x) #x
#define DOTTED(major, minor, patch) QUOTE(major) "." QUOTE(minor) "." QUOTE(patch)

const char *fastws_version(void) { return DOTTED(FASTWS_VERSION_MAJOR, FASTWS_VERSION_MINOR, FASTWS_VERSION_PATCH); }
