/* SPDX-License-Identifier: MIT */
/* The first program of a user: sees the library's headers, and both floors of the library. Good C11 and good C++. */
#include <fastws/fastws.h>
#include <stdio.h>

int main(void) {
    const uint8_t key[4] = {1, 2, 3, 4};
    char text[] = "igohn";
    fastws_mask(text, text, 5, key, 0);
    fastws_stream_free(NULL);
    return printf("fastws %s says %s\n", fastws_version(), text) < 0;
}
