/* SPDX-License-Identifier: MIT */
/* A client for the fuzzing server of the Autobahn test suite: autobahn_client [--agent NAME] URL
 *
 * Runs every case that the server has: connects, echoes what comes until the server closes, and goes on with the next
 * one. In the end it has the server write its report. URL is that of the server, such as ws://127.0.0.1:9001. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/fastws.h>

static struct fastws_deflate_config deflate; /* offered for every case */

static int complain(const char *what, int error) {
    fprintf(stderr, "%s: %s\n", what, fastws_error_text(error));
    return 1;
}

/* Opens one of the server's resources. */
static int open_resource(const char *url, const char *resource, struct fastws_stream **out) {
    char address[512];
    struct fastws_dial_config handshake;
    struct fastws_dial_options options;
    int len = snprintf(address, sizeof address, "%s%s", url, resource);
    if (len < 0 || (size_t)len >= sizeof address) return FASTWS_ERR_BUFFER_SIZE;
    fastws_dial_config_init(&handshake);
    fastws_dial_options_init(&options);
    handshake.deflate = &deflate;
    options.handshake = &handshake;
    return fastws_dial(address, &options, out);
}

/* Sends back what comes until the connection ends, however it does: that is for the server to judge. */
static void echo(struct fastws_stream *stream) {
    struct fastws_event message;
    while (fastws_stream_read_data(stream, &message) == 0) {
        if (fastws_stream_write_message(stream, message.opcode, message.ptr, (size_t)message.len) < 0) break;
    }
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
    fastws_stream_free(stream);
}

/* Asks how many cases there are: one message, a number. Returns it, or an error. */
static int count_cases(const char *url) {
    struct fastws_stream *stream;
    struct fastws_event message;
    char text[16] = "";
    int error = open_resource(url, "/getCaseCount", &stream);
    if (error < 0) return error;
    error = fastws_stream_read_data(stream, &message);
    if (error == 0 && message.len < sizeof text) memcpy(text, message.ptr, (size_t)message.len);
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
    fastws_stream_free(stream);
    return error < 0 ? error : atoi(text);
}

static int run(const char *url, const char *agent) {
    int count = count_cases(url);
    if (count < 0) return complain("getCaseCount", count);
    for (int i = 1; i <= count; i++) {
        char resource[256];
        struct fastws_stream *stream;
        snprintf(resource, sizeof resource, "/runCase?case=%d&agent=%s", i, agent);
        int error = open_resource(url, resource, &stream);
        if (error < 0) return complain(resource, error);
        echo(stream);
    }
    char resource[256];
    struct fastws_stream *stream;
    snprintf(resource, sizeof resource, "/updateReports?agent=%s", agent);
    int error = open_resource(url, resource, &stream);
    if (error < 0) return complain(resource, error);
    echo(stream);
    printf("%d cases\n", count);
    return 0;
}

int main(int argc, char **argv) {
    const char *agent = "fastws";
    int i = 1;
    if (argc == 4 && strcmp(argv[1], "--agent") == 0) {
        agent = argv[2];
        i = 3;
    }
    if (i + 1 != argc || argv[i][0] == '-') {
        fputs("usage: autobahn_client [--agent NAME] URL\n", stderr);
        return 2;
    }
    fastws_deflate_config_init(&deflate, FASTWS_DEFLATE_TAKEOVER);
    return run(argv[i], agent);
}
