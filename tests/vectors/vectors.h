/* SPDX-License-Identifier: MIT */
/* Reads the vector files of this folder: one case a line, columns between spaces, # starts a comment line. */
#ifndef FWS_TESTS_VECTORS_H
#define FWS_TESTS_VECTORS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#define VECTORS_COLUMN_MAX 8
#define VECTORS_BYTES_MAX 64

struct vectors {
    FILE *file;
    char line[512];
    const char *column[VECTORS_COLUMN_MAX];
};

struct vector_bytes {
    uint8_t bytes[VECTORS_BYTES_MAX];
    size_t len;
};

static inline void vectors_fail(const char *what, const char *where) {
    fprintf(stderr, "vectors: %s: %s\n", what, where);
    abort();
}

/* Opens a file of this folder. */
static inline void vectors_open(struct vectors *vectors, const char *name) {
    char path[1024];
    const char *slash = strrchr(__FILE__, '/');
    int folder_len = slash != NULL ? (int)(slash - __FILE__) : 0;
    int len = snprintf(path, sizeof path, "%.*s/%s", folder_len, __FILE__, name);
    if (len < 0 || (size_t)len >= sizeof path) vectors_fail("path is too long", name);
    vectors->file = fopen(path, "r");
    if (vectors->file == NULL) vectors_fail("cannot open", path);
}

/* Splits the line into its columns and returns how many there are. */
static inline int vectors_split(struct vectors *vectors) {
    int count = 0;
    for (char *word = strtok(vectors->line, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        if (count == VECTORS_COLUMN_MAX) vectors_fail("too many columns", word);
        vectors->column[count++] = word;
    }
    return count;
}

/* Reads the next case, which must have column_count columns. Returns 1, or 0 at the end: then the file is closed. */
static inline int vectors_next(struct vectors *vectors, int column_count) {
    while (fgets(vectors->line, sizeof vectors->line, vectors->file) != NULL) {
        if (vectors->line[0] == '#' || vectors->line[0] == '\n') continue;
        if (vectors_split(vectors) != column_count) vectors_fail("wrong number of columns", vectors->line);
        return 1;
    }
    fclose(vectors->file);
    return 0;
}

/* Returns the value of an unsigned decimal column. */
static inline uint64_t vectors_number(const char *column) {
    char *end;
    uint64_t value = strtoull(column, &end, 10);
    if (*end != '\0' || end == column) vectors_fail("not a number", column);
    return value;
}

/* Returns the bytes of a hexadecimal column; none for "-". */
static inline struct vector_bytes vectors_bytes(const char *column) {
    struct vector_bytes result = {{0}, 0};
    if (strcmp(column, "-") == 0) return result;
    size_t digits = strlen(column);
    if (digits % 2 != 0 || digits / 2 > sizeof result.bytes) vectors_fail("not hexadecimal bytes", column);
    for (; result.len < digits / 2; result.len++) {
        unsigned byte;
        if (sscanf(column + 2 * result.len, "%2x", &byte) != 1) vectors_fail("not hexadecimal bytes", column);
        result.bytes[result.len] = (uint8_t)byte;
    }
    return result;
}

/* Returns the error that a column names, 0 for "0". */
static inline int vectors_error(const char *column) {
    if (strcmp(column, "0") == 0) return 0;
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error))
        if (strcmp(fastws_error_name(error), column) == 0) return error;
    vectors_fail("not an error", column);
    return 0;
}

#endif
