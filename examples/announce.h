/* SPDX-License-Identifier: MIT */
/* The line by which a server says that it is ready. */
#ifndef EXAMPLES_ANNOUNCE_H
#define EXAMPLES_ANNOUNCE_H

#include <stdio.h>
#include <string.h>

/* Says where clients find us.
 *   port   the one that the system gave, where port 0 was asked for */
static void announce(const char *host, const char *port) {
    int is_ipv6 = strchr(host, ':') != NULL;
    printf("listening on ws://%s%s%s:%s/\n", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
    fflush(stdout);
}

#endif
