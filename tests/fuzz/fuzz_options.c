/* SPDX-License-Identifier: MIT */
/* Lists of options of any bytes: what is read lies in the input, can be written, and is read as the same again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/options.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { OPTION_CAP = 64, PARAMETER_CAP = 64 };

static void check_inside(struct fastws_slice part, struct fastws_slice whole) {
    CHECK(part.ptr >= whole.ptr && part.len <= whole.len);
    CHECK((size_t)(part.ptr - whole.ptr) <= whole.len - part.len);
}

/* Takes an option apart and writes it from its parts. */
static void check_parts(const struct fastws_option *option, struct fastws_slice list) {
    struct fastws_option_parameter parameters[PARAMETER_CAP];
    struct fastws_slice rest = option->parameters;
    size_t count = 0;
    int result;
    check_inside(option->name, list);
    CHECK(fastws_http_is_token(option->name));
    while (count < PARAMETER_CAP && (result = fastws_option_next_parameter(&parameters[count], &rest)) > 0) {
        check_inside(parameters[count].name, list);
        CHECK(fastws_http_is_token(parameters[count].name));
        if (parameters[count].has_value) check_inside(parameters[count].value, list);
        CHECK(parameters[count].has_value || !parameters[count].is_quoted);
        CHECK(parameters[count].is_quoted || !parameters[count].has_escapes);
        count++;
    }
    if (count == PARAMETER_CAP) return;
    CHECK(result == 0);
    struct fastws_http_text text = {NULL, 0, 0};
    CHECK(fastws_option_write(&text, option->name, parameters, count) == FASTWS_ERR_BUFFER_SIZE);
    char *bytes = malloc(text.len);
    CHECK(bytes != NULL);
    text = (struct fastws_http_text){bytes, text.len, 0};
    CHECK(fastws_option_write(&text, option->name, parameters, count) == 0);
    struct fastws_slice written = {bytes, text.len};
    struct fastws_option again;
    CHECK(fastws_option_next(&again, &written) == 1);
    CHECK(written.len == 0);
    CHECK(fastws_option_equals(option, &again));
    free(bytes);
}

static void check_all(const struct fastws_option *options, size_t count) {
    struct fastws_http_text text = {NULL, 0, 0};
    if (count == 0) return;
    CHECK(fastws_options_write(&text, options, count) == FASTWS_ERR_BUFFER_SIZE);
    char *bytes = malloc(text.len);
    CHECK(bytes != NULL);
    text = (struct fastws_http_text){bytes, text.len, 0};
    CHECK(fastws_options_write(&text, options, count) == 0);
    CHECK(fastws_http_is_value((struct fastws_slice){bytes, text.len}));
    struct fastws_option again[OPTION_CAP];
    size_t again_count = 0;
    CHECK(fastws_options_parse(again, OPTION_CAP, &again_count, (struct fastws_slice){bytes, text.len}, 0) == 0);
    CHECK(again_count == count);
    for (size_t i = 0; i < count; i++) CHECK(fastws_option_equals(&options[i], &again[i]));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fastws_slice list = {(const char *)data, size};
    struct fastws_option options[OPTION_CAP], unique[OPTION_CAP];
    size_t count = 0, unique_count = 0;
    int result = fastws_options_parse(options, OPTION_CAP, &count, list, 0);
    CHECK(result == 0 || result == FASTWS_ERR_HTTP_OPTIONS || result == FASTWS_ERR_BUFFER_SIZE);
    for (size_t i = 0; i < count; i++) check_parts(&options[i], list);
    check_all(options, count);
    int unique_result = fastws_options_parse(unique, OPTION_CAP, &unique_count, list, FASTWS_OPTIONS_UNIQUE);
    CHECK(unique_count <= count || result == FASTWS_ERR_BUFFER_SIZE);
    CHECK(result == FASTWS_ERR_BUFFER_SIZE || unique_result == result);
    /* Parameters without an option in front. */
    struct fastws_option_parameter parameter;
    struct fastws_slice rest = list;
    while (fastws_option_next_parameter(&parameter, &rest) > 0) check_inside(parameter.name, list);
    return 0;
}
