/* SPDX-License-Identifier: MIT */
/* A WebSocket server that adds: json [--host H] [--port P]
 *
 *     {"id": 1, "numbers": [1, 2.5]}   is answered with   {"id": 1, "sum": 3.5}
 *     anything else                    with               {"id": null, "error": "..."}
 *
 * JSON is read and written by cJSON. */
#define _POSIX_C_SOURCE 200809L
#include "server.h"

#include <cjson/cJSON.h>

/* Adds the result to the response. Returns NULL, or what is wrong with the request. */
static const char *add_sum(cJSON *response, const cJSON *request) {
    if (request == NULL) return "not JSON";
    const cJSON *numbers = cJSON_GetObjectItemCaseSensitive(request, "numbers");
    if (!cJSON_IsArray(numbers)) return "numbers is not an array";
    double sum = 0;
    const cJSON *number;
    cJSON_ArrayForEach(number, numbers) {
        if (!cJSON_IsNumber(number)) return "numbers holds something else";
        sum += number->valuedouble;
    }
    cJSON_AddNumberToObject(response, "sum", sum);
    return NULL;
}

static cJSON *answer(const cJSON *request) {
    cJSON *response = cJSON_CreateObject();
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(request, "id");
    cJSON_AddItemToObject(response, "id", id != NULL ? cJSON_Duplicate(id, 1) : cJSON_CreateNull());
    const char *error = add_sum(response, request);
    if (error != NULL) cJSON_AddStringToObject(response, "error", error);
    return response;
}

/* Writes value as one text message. Returns 0 or an error. */
static int write_json(struct fastws_stream *stream, const cJSON *value) {
    char *text = cJSON_PrintUnformatted(value);
    if (text == NULL) return FASTWS_ERR_NOMEM;
    int error = fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, text, strlen(text));
    cJSON_free(text);
    return error;
}

/* Binary messages are refused with 1003: JSON is text. */
static void serve(struct fastws_stream *stream) {
    struct fastws_event message;
    while (fastws_stream_read_text(stream, &message) == 0) {
        cJSON *request = cJSON_ParseWithLength((const char *)message.ptr, (size_t)message.len);
        cJSON *response = answer(request);
        int error = write_json(stream, response);
        cJSON_Delete(request);
        cJSON_Delete(response);
        if (error != 0) break;
    }
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
}

int main(int argc, char **argv) {
    server.name = "json";
    server.serve = serve;
    fastws_conn_config_init(&server.config, FASTWS_ROLE_SERVER);
    server.config.limits.max_message = 64 * 1024;
    return run_server(argc, argv);
}
