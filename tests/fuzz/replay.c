/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files of its corpus, so that what a fuzzer found once is tested by every build. */
#define _FILE_OFFSET_BITS 64 /* readdir() fails where places in a folder need more bits than struct dirent has */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs one file. The copy has exactly its size, so that a sanitizer sees the first byte read past it. */
static int replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return -1;
    uint8_t *data = malloc(size > 0 ? size : 1);
    int failed = data == NULL || fread(data, 1, size, file) != size;
    fclose(file);
    if (!failed) LLVMFuzzerTestOneInput(data, size);
    free(data);
    return failed ? -1 : 0;
}

/* Runs the regular files of one folder. Returns how many, -1 when one cannot be read. */
static int replay_folder(const char *folder) {
    DIR *dir = opendir(folder);
    if (dir == NULL) return -1;
    int count = 0;
    const struct dirent *entry;
    while (count >= 0 && (errno = 0, entry = readdir(dir)) != NULL) {
        char path[4096];
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct stat status;
        if (len < 0 || (size_t)len >= sizeof path || stat(path, &status) != 0) {
            count = -1;
        } else if (S_ISREG(status.st_mode)) {
            count = replay_file(path, (size_t)status.st_size) == 0 ? count + 1 : -1;
        }
    }
    if (errno != 0) count = -1;
    closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);
        if (count < 0) {
            fprintf(stderr, "replay: cannot read %s\n", argv[i]);
            return EXIT_FAILURE;
        }
        total += count;
    }
    printf("%d inputs replayed\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* An empty corpus tests nothing. */
}
