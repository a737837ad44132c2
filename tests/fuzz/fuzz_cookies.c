/* SPDX-License-Identifier: MIT */
/* Cookie headers of any bytes, read with the flags that the first byte gives. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/cookies.h>
#include <fastws/error.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Reads all pairs. Returns how many there were; *error is what ended it. */
static size_t read_all(struct fastws_slice value, unsigned flags, int *error) {
    const char *at = value.ptr, *end = value.ptr + value.len;
    struct fastws_cookie cookie;
    size_t count = 0;
    while ((*error = fastws_cookie_next(&cookie, &value, flags)) > 0) {
        CHECK(cookie.name.ptr >= at);
        CHECK(cookie.value.ptr >= cookie.name.ptr + cookie.name.len);
        CHECK(cookie.value.ptr + cookie.value.len <= end);
        CHECK(memchr(cookie.value.ptr, ';', cookie.value.len) == NULL);
        CHECK((flags & FASTWS_COOKIE_ANY_NAME) || fastws_cookie_is_name(cookie.name));
        CHECK((flags & FASTWS_COOKIE_ANY_VALUE) || fastws_cookie_is_value(cookie.value, flags));
        at = cookie.value.ptr + cookie.value.len;
        count++;
    }
    CHECK(*error == 0 || *error == FASTWS_ERR_HTTP_COOKIE);
    return count;
}

/* What strict rules take is written and read as the same. */
static void check_writing(struct fastws_slice value) {
    char *bytes = malloc(2 * value.len + 2);
    CHECK(bytes != NULL);
    struct fastws_http_text text = {bytes, 2 * value.len + 2, 0};
    struct fastws_cookie cookie, again;
    struct fastws_slice rest = value;
    while (fastws_cookie_next(&cookie, &rest, FASTWS_COOKIE_STRICT) > 0)
        CHECK(fastws_cookie_write(&text, cookie.name, cookie.value) == 0);
    struct fastws_slice written = {bytes, text.len};
    rest = value;
    while (fastws_cookie_next(&cookie, &rest, FASTWS_COOKIE_STRICT) > 0) {
        CHECK(fastws_cookie_next(&again, &written, FASTWS_COOKIE_STRICT | FASTWS_COOKIE_STOP) == 1);
        CHECK(again.name.len == cookie.name.len && memcmp(again.name.ptr, cookie.name.ptr, again.name.len) == 0);
        CHECK(again.value.len == cookie.value.len);
        CHECK(again.value.len == 0 || memcmp(again.value.ptr, cookie.value.ptr, again.value.len) == 0);
    }
    CHECK(written.len == 0);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    unsigned flags = data[0] & 15u;
    struct fastws_slice value = {(const char *)data + 1, size - 1};
    int error, lenient_error;
    size_t count = read_all(value, flags, &error);
    size_t all = read_all(value, FASTWS_COOKIE_ANY_NAME | FASTWS_COOKIE_ANY_VALUE, &lenient_error);
    CHECK(lenient_error == 0);
    CHECK(count <= all);
    CHECK((flags & (FASTWS_COOKIE_STRICT | FASTWS_COOKIE_STOP)) || error == 0);
    check_writing(value);
    return 0;
}
