/* SPDX-License-Identifier: MIT */
/* The worker's side of the line protocol: says what it can measure, then measures what it is asked for. */
#define _POSIX_C_SOURCE 200809L
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CASES_MAX = 256, LINE_MAX_LEN = 256, IN_TURN_UP_TO = 512, TURNS = 16, TURN_STRIDE = 1088, ALIGNMENT = 4096 };

struct worker_case {
    const char *peer;
    char row[64];
    worker_run *run;
    void *context;
};

static struct worker_case cases[CASES_MAX];
static size_t case_count;
static const char *data; /* the folder */
static FILE *rows;

_Noreturn void worker_die(const char *reason, const char *what) {
    fprintf(stderr, "%s: %s\n", reason, what);
    exit(EXIT_FAILURE);
}

void *worker_alloc(size_t len) {
    void *memory = malloc(len);
    if (memory == NULL) worker_die("cannot go on", "no memory");
    return memory;
}

static FILE *open_data(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", data, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) worker_die("cannot open", path);
    return file;
}

void worker_open(const char *folder) {
    data = folder;
    rows = open_data("rows");
}

int worker_next_row(struct worker_row *row) {
    if (fscanf(rows, "%63s", row->name) != 1) return 0;
    const char *last = strrchr(row->name, '/');
    row->number = last != NULL ? strtoul(last + 1, NULL, 10) : 0;
    memcpy(row->file, row->name, sizeof row->file);
    for (char *ptr = row->file; *ptr != '\0'; ptr++) {
        if (*ptr == '/') *ptr = '-';
    }
    return 1;
}

int worker_row_is(const struct worker_row *row, const char *group) {
    size_t len = strlen(group);
    return strncmp(row->name, group, len) == 0 && (row->name[len] == '/' || row->name[len] == '\0');
}

void worker_peer(const char *name, const char *version) { printf("peer %s %s\n", name, version); }

void worker_add(const char *peer, const struct worker_row *row, worker_run *run, void *context) {
    if (case_count == CASES_MAX) worker_die("too many cases", row->name);
    struct worker_case *added = &cases[case_count++];
    *added = (struct worker_case){.peer = peer, .run = run, .context = context};
    memcpy(added->row, row->name, sizeof added->row);
    printf("case %s %s\n", peer, row->name);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const struct worker_case *find_case(const char *peer, const char *row) {
    for (size_t i = 0; i < case_count; i++) {
        if (strcmp(cases[i].peer, peer) == 0 && strcmp(cases[i].row, row) == 0) return &cases[i];
    }
    worker_die("no such case", row);
}

int worker_serve(void) {
    char line[LINE_MAX_LEN], peer[LINE_MAX_LEN], row[LINE_MAX_LEN];
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long long count;
        if (sscanf(line, "%255s %255s %llu", peer, row, &count) != 3) worker_die("not a question", line);
        const struct worker_case *found = find_case(peer, row);
        found->run(found->context, count / 16 + 1); /* others had the caches since the last question */
        uint64_t begin = now_ns();
        uint64_t done = found->run(found->context, count);
        uint64_t elapsed = now_ns() - begin;
        printf("%llu %llu\n", (unsigned long long)elapsed, (unsigned long long)done);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}

static uint8_t *make_buffer(size_t len) {
    void *buf;
    if (posix_memalign(&buf, ALIGNMENT, len) != 0) worker_die("cannot go on", "no memory");
    memset(buf, 0, len);
    return buf;
}

static uint8_t *load(const char *name, size_t *len) {
    FILE *file = open_data(name);
    if (fseek(file, 0, SEEK_END) != 0) worker_die("cannot read", name);
    long size = ftell(file);
    if (size < 0) worker_die("cannot read", name);
    rewind(file);
    *len = (size_t)size;
    uint8_t *bytes = make_buffer(*len + 1);
    if (fread(bytes, 1, *len, file) != *len) worker_die("cannot read", name);
    fclose(file);
    return bytes;
}

struct worker_turns *worker_turns_new(const struct worker_row *row) {
    size_t len;
    uint8_t *content = load(row->file, &len);
    size_t count = len <= IN_TURN_UP_TO ? TURNS : 1;
    struct worker_turns *turns = worker_alloc(sizeof *turns);
    *turns = (struct worker_turns){make_buffer(count * TURN_STRIDE + len), len, TURN_STRIDE, count - 1};
    for (size_t i = 0; i < count; i++) memcpy(turns->buf + i * TURN_STRIDE, content, len);
    free(content);
    return turns;
}

void worker_stream_init(struct worker_stream *stream, const struct worker_row *row) {
    stream->bytes = load(row->file, &stream->len);
    stream->pos = 0;
}

size_t worker_stream_read(struct worker_stream *stream, void *dst, size_t cap) {
    size_t left = stream->len - stream->pos;
    size_t len = cap < left ? cap : left;
    memcpy(dst, stream->bytes + stream->pos, len);
    stream->pos = len == left ? 0 : stream->pos + len;
    return len;
}
