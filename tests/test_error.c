/* SPDX-License-Identifier: MIT */
/* The error table: one row for each enumerator of error.h, with the close codes and statuses that the design gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/close.h>
#include <fastws/error.h>
#include <fastws/version.h>

/* Reads include/fastws/error.h, so that an enumerator added there without a row fails here. */
static char *read_header(void) {
    char path[1024];
    const char *tests = strstr(__FILE__, "tests/test_error.c");
    assert_non_null(tests);
    snprintf(path, sizeof path, "%.*sinclude/fastws/error.h", (int)(tests - __FILE__), __FILE__);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_in_range(fread(text, 1, 65535, file), 1000, 65534);
    fclose(file);
    return text;
}

/* Finds the next "FASTWS_ERR_NAME = -NUMBER" at or after text. Returns where it ends, NULL after the last. */
static const char *next_enumerator(const char *text, char *name, size_t cap, int *number) {
    while ((text = strstr(text, "FASTWS_ERR_")) != NULL) {
        size_t len = 0;
        while (isupper((unsigned char)text[len]) || isdigit((unsigned char)text[len]) || text[len] == '_')
            len++;
        assert_true(len < cap);
        memcpy(name, text, len);
        name[len] = '\0';
        text += len;
        if (sscanf(text, " = %d", number) == 1) return text;
    }
    return NULL;
}

static void has_a_row_for_every_enumerator(void **state) {
    (void)state;
    char *header = read_header();
    char name[64];
    int number = 0;
    int count = 0;
    for (const char *p = header; (p = next_enumerator(p, name, sizeof name, &number)) != NULL; count++) {
        assert_string_equal(fastws_error_name(number), name);
        assert_true(strlen(fastws_error_text(number)) > 0);
    }
    int rows = 0;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error))
        rows++;
    assert_int_equal(rows, count);
    assert_in_range(count, 1, 200);
    free(header);
}

static void walks_from_first_to_last(void **state) {
    (void)state;
    assert_int_equal(fastws_error_next(0), FASTWS_ERR_NOMEM);
    assert_int_equal(fastws_error_next(FASTWS_ERR_RANDOM), FASTWS_ERR_LEN_FORM);
    assert_int_equal(fastws_error_next(FASTWS_ERR_TLS_ALPN), FASTWS_ERR_BACKEND);
    assert_int_equal(fastws_error_next(FASTWS_ERR_MESSAGE_TIMEOUT), 0);
    assert_int_equal(fastws_error_next(1), 0);
    assert_int_equal(fastws_error_next(-100000), 0);
    assert_int_equal(fastws_error_next(INT32_MIN), 0);
    int previous = 0;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error)) {
        assert_true(error < previous);
        previous = error;
    }
}

static void says_that_other_numbers_are_unknown(void **state) {
    (void)state;
    const int numbers[] = {1, 2, 1000, INT32_MAX, -7, -19, -39, -132, -159, -189, -1000, INT32_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_string_equal(fastws_error_name(numbers[i]), "FASTWS_ERR_UNKNOWN");
        assert_string_equal(fastws_error_text(numbers[i]), "unknown error");
        assert_int_equal(fastws_error_close_code(numbers[i]), 0);
        assert_int_equal(fastws_error_http_status(numbers[i]), 0);
        assert_string_equal(fastws_error_rfc(numbers[i]), "");
    }
}

static void need_more_is_no_error(void **state) {
    (void)state;
    assert_string_equal(fastws_error_name(FASTWS_NEED_MORE), "FASTWS_NEED_MORE");
    assert_int_equal(fastws_error_close_code(FASTWS_NEED_MORE), 0);
    assert_int_equal(fastws_error_http_status(FASTWS_NEED_MORE), 0);
}

/* Groups of error.h: every error between the two has the close code and the status, unless it is listed below. */
static const struct {
    int first, last, close_code, http_status;
} groups[] = {
    {FASTWS_ERR_ARGUMENT, FASTWS_ERR_ISA, 0, 0},
    {FASTWS_ERR_LEN_FORM, FASTWS_ERR_CONTINUATION_UNEXPECTED, 1002, 0},
    {FASTWS_ERR_UTF8, FASTWS_ERR_DEFLATE_TRUNCATED, 1007, 0},
    {FASTWS_ERR_CLOSE_LEN, FASTWS_ERR_CLOSE_CODE_RANGE, 1002, 0},
    {FASTWS_ERR_CLOSE_UTF8, FASTWS_ERR_CLOSE_UTF8, 1007, 0},
    {FASTWS_ERR_FRAME_TOO_LARGE, FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS, 1009, 0},
    {FASTWS_ERR_INFLATED_TOO_LARGE, FASTWS_ERR_INFLATED_RATIO, 1009, 0},
    {FASTWS_ERR_DEFLATE_PARAM, FASTWS_ERR_DEFLATE_UNAVAILABLE, 0, 0},
    {FASTWS_ERR_HTTP_REQUEST_LINE, FASTWS_ERR_HTTP_REQUEST_LINE, 0, 400},
    {FASTWS_ERR_HTTP_TARGET, FASTWS_ERR_HTTP_HEADER_VALUE, 0, 400},
    {FASTWS_ERR_HTTP_BODY, FASTWS_ERR_HTTP_BODY, 0, 400},
    {FASTWS_ERR_HTTP_STATUS_LINE, FASTWS_ERR_HTTP_STATUS_LINE, 0, 0},
    {FASTWS_ERR_HTTP_OPTIONS, FASTWS_ERR_HTTP_TOKENS, 0, 400},
    {FASTWS_ERR_HANDSHAKE_HOST, FASTWS_ERR_HANDSHAKE_VERSION_MISSING, 0, 400},
    {FASTWS_ERR_HANDSHAKE_PROTOCOL, FASTWS_ERR_HANDSHAKE_EXTENSIONS, 0, 400},
    {FASTWS_ERR_HANDSHAKE_STATUS, FASTWS_ERR_TLS_ALPN, 0, 0},
    {FASTWS_ERR_QUEUE_FULL, FASTWS_ERR_DROPPED, 0, 0},
    {FASTWS_ERR_BACKEND, FASTWS_ERR_FORKED, 0, 0},
};

static const struct {
    int error, close_code, http_status;
} singles[] = {
    {FASTWS_ERR_NOMEM, 1011, 500},
    {FASTWS_ERR_RANDOM, 1006, 0},
    {FASTWS_ERR_CONTROL_FLOOD, 1008, 0},
    {FASTWS_ERR_CLOSED, 0, 0},
    {FASTWS_ERR_EOF, 1006, 0},
    {FASTWS_ERR_UNEXPECTED_EOF, 1006, 0},
    {FASTWS_ERR_PING_TIMEOUT, 1011, 0},
    {FASTWS_ERR_CLOSE_TIMEOUT, 1006, 0},
    {FASTWS_ERR_TIMEOUT, 0, 0},
    {FASTWS_ERR_IO, 1006, 0},
    {FASTWS_ERR_READER_BUSY, 0, 0},
    {FASTWS_ERR_EXTENSION, 1002, 0},
    {FASTWS_ERR_MESSAGE_KIND, 1003, 0},
    {FASTWS_ERR_SLOW_CONSUMER, 1008, 0},
    {FASTWS_ERR_SHUTDOWN, 1001, 503},
    {FASTWS_ERR_TLS_RECORD, 1006, 0},
    {FASTWS_ERR_MESSAGE_TIMEOUT, 1008, 0},
    {FASTWS_ERR_HTTP_METHOD, 0, 405},
    {FASTWS_ERR_HTTP_VERSION, 0, 505},
    {FASTWS_ERR_HTTP_HEAD_TOO_LARGE, 0, 431},
    {FASTWS_ERR_HTTP_TOO_MANY_HEADERS, 0, 431},
    {FASTWS_ERR_HANDSHAKE_VERSION, 0, 426},
    {FASTWS_ERR_HANDSHAKE_REJECTED, 0, 403},
    {FASTWS_ERR_HANDSHAKE_HEADER, 0, 500},
    {FASTWS_ERR_HANDSHAKE_TIMEOUT, 0, 408},
    {FASTWS_ERR_HANDSHAKE_ORIGIN, 0, 403},
};

/* Checks one error and returns 1, to be counted. */
static int expect(int error, int close_code, int http_status) {
    assert_int_equal(fastws_error_close_code(error), close_code);
    assert_int_equal(fastws_error_http_status(error), http_status);
    return 1;
}

static void maps_every_error_to_close_code_and_status(void **state) {
    (void)state;
    int checked = 0;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        for (int error = groups[i].first; error >= groups[i].last; error = fastws_error_next(error)) {
            checked += expect(error, groups[i].close_code, groups[i].http_status);
            if (error == groups[i].last) break;
        }
    }
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        checked += expect(singles[i].error, singles[i].close_code, singles[i].http_status);
    int rows = 0;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error))
        rows++;
    assert_int_equal(checked, rows);
}

static void gives_close_codes_that_may_be_sent_or_1006(void **state) {
    (void)state;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error)) {
        int code = fastws_error_close_code(error);
        if (code == 0 || code == FASTWS_CLOSE_ABNORMAL_CLOSURE) continue;
        assert_int_equal(fastws_close_check((uint16_t)code, NULL, 0), 0);
    }
}

static void names_the_section_of_every_rule_a_peer_can_break(void **state) {
    (void)state;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error)) {
        const char *rfc = fastws_error_rfc(error);
        int is_own = error == FASTWS_ERR_TIMEOUT || error == FASTWS_ERR_READER_BUSY || error == FASTWS_ERR_QUEUE_FULL ||
                     error == FASTWS_ERR_DROPPED || error == FASTWS_ERR_DEFLATE_UNAVAILABLE ||
                     (error <= FASTWS_ERR_BACKEND && error >= FASTWS_ERR_FORKED);
        int is_of_peer = error <= FASTWS_ERR_LEN_FORM && !is_own;
        if (is_of_peer) assert_int_equal(strncmp(rfc, "RFC ", 4), 0);
        if (!is_of_peer && error != FASTWS_ERR_RANDOM) assert_string_equal(rfc, "");
    }
    assert_string_equal(fastws_error_rfc(FASTWS_ERR_LEN_FORM), "RFC 6455 5.2");
}

/* Texts become close reasons and HTTP bodies: one line, no full stop, short enough for a close frame. */
static void writes_texts_as_one_short_sentence(void **state) {
    (void)state;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error)) {
        const char *text = fastws_error_text(error);
        size_t len = strlen(text);
        assert_in_range(len, 5, FASTWS_CLOSE_REASON_MAX);
        assert_true(text[len - 1] != '.');
        for (size_t i = 0; i < len; i++)
            assert_true(isprint((unsigned char)text[i]));
    }
}

static void spells_the_version_of_the_headers(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", FASTWS_VERSION_MAJOR, FASTWS_VERSION_MINOR, FASTWS_VERSION_PATCH);
    assert_string_equal(fastws_version(), expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_a_row_for_every_enumerator),
        cmocka_unit_test(walks_from_first_to_last),
        cmocka_unit_test(says_that_other_numbers_are_unknown),
        cmocka_unit_test(need_more_is_no_error),
        cmocka_unit_test(maps_every_error_to_close_code_and_status),
        cmocka_unit_test(gives_close_codes_that_may_be_sent_or_1006),
        cmocka_unit_test(names_the_section_of_every_rule_a_peer_can_break),
        cmocka_unit_test(writes_texts_as_one_short_sentence),
        cmocka_unit_test(spells_the_version_of_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
