/* SPDX-License-Identifier: MIT */
/* permessage-deflate over streams: negotiated by both ends; messages whole, in parts, as files; raw frames, reset. */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deflating.h"

#include <fastws/connect.h>
#include <fastws/error.h>

#include "scripted_io.h"

static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}; /* RFC 7692 7.2.3.1 */

static struct fastws_deflate_config deflate_config;

/* ---- Both ends ---- */

struct server {
    struct fastws_io io;
    struct fastws_upgrade_config upgrade;
    struct fastws_conn_config config;
    struct fastws_deflate_config deflate;
    struct fastws_deflate_params agreed;
    int has_deflate;
    pthread_t thread;
};

/* Echoes until the client closes: whole, in fragments, or as a file. */
static void echo(struct fastws_stream *stream) {
    struct fastws_event event;
    struct fastws_header header;
    uint8_t piece[3000];
    ptrdiff_t n;
    while (fastws_stream_next_frame(stream, &header) == 0) {
        assert_int_equal(fastws_stream_begin(stream, header.opcode), 0);
        while ((n = fastws_stream_read(stream, piece, sizeof piece)) > 0)
            assert_int_equal(fastws_stream_append(stream, piece, (size_t)n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(fastws_stream_finish(stream), 0);
        if (fastws_stream_read_data(stream, &event) < 0) return;
        assert_int_equal(fastws_stream_write_message(stream, event.opcode, event.ptr, (size_t)event.len), 0);
    }
}

static void *serve(void *argument) {
    struct server *server = argument;
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_accept(&server->io, &server->upgrade, &server->config, 5000, &stream), 0);
    server->has_deflate = fastws_conn_get_deflate(fastws_stream_get_conn(stream), &server->agreed);
    echo(stream);
    fastws_stream_free(stream);
    return NULL;
}

static struct fastws_io start_server(struct server *server, enum fastws_deflate_mode mode, int has_deflate) {
    int fds[2];
    struct fastws_io client;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fastws_io_from_fd(&server->io, fds[0]);
    fastws_io_from_fd(&client, fds[1]);
    fastws_upgrade_config_init(&server->upgrade);
    fastws_conn_config_init(&server->config, FASTWS_ROLE_SERVER);
    fastws_deflate_config_init(&server->deflate, mode);
    if (has_deflate) server->upgrade.deflate = &server->deflate;
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return client;
}

/* Sends messages of every length twice, whole and in fragments, and expects them back. */
static void converse(struct fastws_stream *stream) {
    static const size_t lens[] = {0, 1, 64, 1000, 5000, 70000, 99000, 300};
    uint8_t *message = malloc(MESSAGE_CAP);
    struct fastws_event event;
    assert_non_null(message);
    for (uint32_t i = 0; i < 2 * sizeof lens / sizeof lens[0]; i++) {
        size_t len = lens[i / 2] == 0 ? 0 : write_message(message, lens[i / 2], i);
        if (i % 2 == 0) {
            assert_int_equal(fastws_stream_write_message(stream, 1, message, len), 0);
        } else {
            assert_int_equal(fastws_stream_begin(stream, 1), 0);
            assert_int_equal(fastws_stream_append(stream, message, len / 2), 0);
            assert_int_equal(fastws_stream_flush_fragment(stream), 0);
            assert_int_equal(fastws_stream_append(stream, message + len / 2, len - len / 2), 0);
            assert_int_equal(fastws_stream_finish(stream), 0);
        }
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(event.len, len);
        if (len > 0) assert_memory_equal(event.ptr, message, len);
        int is_compressed = (event.flags & FASTWS_EVENT_COMPRESSED) != 0;
        int has_deflate = fastws_conn_has_deflate(fastws_stream_get_conn(stream));
        assert_int_equal(is_compressed, has_deflate && len >= deflate_config.threshold);
    }
    free(message);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
}

static void talk(enum fastws_deflate_mode server_mode, enum fastws_deflate_mode client_mode, int is_offered,
                 int is_accepted) {
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_TAIL);
    struct server server = {.has_deflate = -1};
    struct fastws_io io = start_server(&server, server_mode, is_accepted);
    struct fastws_deflate_config deflate;
    struct fastws_dial_config handshake;
    struct fastws_dial_options options;
    struct fastws_dial_report report;
    struct fastws_stream *stream;
    fastws_deflate_config_init(&deflate, client_mode);
    fastws_dial_config_init(&handshake);
    fastws_dial_options_init(&options);
    if (is_offered) handshake.deflate = &deflate;
    options.handshake = &handshake;
    options.report = &report;
    assert_int_equal(fastws_dial_over(&io, "ws://localhost/", &options, &stream), 0);
    struct fastws_deflate_params agreed;
    assert_int_equal(report.has_deflate, is_offered && is_accepted);
    assert_int_equal(fastws_conn_get_deflate(fastws_stream_get_conn(stream), &agreed), report.has_deflate);
    converse(stream);
    fastws_stream_free(stream);
    pthread_join(server.thread, NULL);
    assert_int_equal(server.has_deflate, report.has_deflate);
    if (!report.has_deflate) return;
    assert_memory_equal(&agreed, &report.deflate, sizeof agreed);
    assert_int_equal(agreed.client_no_context_takeover, server.agreed.client_no_context_takeover |
                                                            (client_mode == FASTWS_DEFLATE_NO_TAKEOVER));
}

static void every_pair_of_modes_talks_once_it_agreed(void **state) {
    (void)state;
    for (int a = FASTWS_DEFLATE_TAKEOVER; a <= FASTWS_DEFLATE_NO_TAKEOVER; a++)
        for (int b = FASTWS_DEFLATE_TAKEOVER; b <= FASTWS_DEFLATE_NO_TAKEOVER; b++)
            talk((enum fastws_deflate_mode)a, (enum fastws_deflate_mode)b, 1, 1);
    talk(FASTWS_DEFLATE_TAIL, FASTWS_DEFLATE_TAIL, 1, 0);
    talk(FASTWS_DEFLATE_TAIL, FASTWS_DEFLATE_TAIL, 0, 1);
}

/* ---- One end, over a script ---- */

static uint8_t out[1 << 16];
static struct fastws_conn_config conn_config;
static const uint8_t mask[4] = {1, 2, 3, 4};

static struct fastws_stream *open_over(struct script *script, int has_deflate) {
    static const struct fastws_deflate_params agreed = {.client_no_context_takeover = 1};
    fastws_conn_config_init(&conn_config, FASTWS_ROLE_SERVER);
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_TAIL);
    script->out = out;
    script->out_cap = sizeof out;
    script->out_len = 0;
    struct fastws_io io = script_io(script);
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &conn_config, NULL, 0, &stream), 0);
    if (has_deflate) assert_int_equal(fastws_stream_set_deflate(stream, &deflate_config, &agreed), 0);
    return stream;
}

/* "Hello" in one frame, then in two with a ping between. */
static size_t write_hellos(uint8_t *in) {
    size_t len = script_frame(in, 0xc1, hello, 7, mask);
    len += script_frame(in + len, 0x41, hello, 3, mask);
    len += script_frame(in + len, 0x89, "?", 1, mask);
    return len + script_frame(in + len, 0x80, hello + 3, 4, mask);
}

static void the_header_tells_the_length_on_the_wire(void **state) {
    (void)state;
    uint8_t in[64], dst[16];
    size_t in_len = write_hellos(in);
    for (size_t slice = 0; slice < in_len; slice++) {
        struct script script = {.in = in, .in_len = in_len, .slice = slice};
        struct fastws_stream *stream = open_over(&script, 1);
        static const uint64_t lens[] = {7, 3};
        for (int i = 0; i < 2; i++) {
            struct fastws_header header;
            size_t len = 0;
            ptrdiff_t n;
            assert_int_equal(fastws_stream_next_frame(stream, &header), 0);
            assert_int_equal(header.length, lens[i]);
            assert_int_equal(header.rsv, FASTWS_RSV1);
            assert_int_equal(header.fin, i == 0);
            while ((n = fastws_stream_read(stream, dst + len, sizeof dst - len)) > 0) len += (size_t)n;
            assert_int_equal(n, 0);
            assert_int_equal(len, 5);
            assert_memory_equal(dst, "Hello", 5);
        }
        fastws_stream_free(stream);
    }
}

/* A hook that reads what a continuation frame holds: inflated, as far as the frame goes. */
struct noted {
    struct fastws_header header;
    char text[16];
    size_t len;
};

static int note_continuation(void *context, const struct fastws_header *header, struct fastws_body *body) {
    struct noted *noted = context;
    ptrdiff_t n;
    noted->header = *header;
    while ((n = fastws_body_read(body, noted->text + noted->len, 1)) > 0) noted->len++;
    return (int)n;
}

static void a_hook_reads_a_fragment_inflated(void **state) {
    (void)state;
    uint8_t in[64], dst[16];
    size_t in_len = write_hellos(in);
    for (size_t slice = 0; slice < in_len; slice++) {
        struct script script = {.in = in, .in_len = in_len, .slice = slice};
        struct fastws_stream *stream = open_over(&script, 1);
        struct noted noted = {.len = 0};
        struct fastws_stream_hooks hooks = {.on_continuation = note_continuation, .context = &noted};
        struct fastws_header header;
        size_t len = 0;
        ptrdiff_t n;
        fastws_stream_set_hooks(stream, &hooks);
        assert_int_equal(fastws_stream_next_frame(stream, &header), 0);
        assert_int_equal(fastws_stream_next_frame(stream, &header), 0);
        while ((n = fastws_stream_read(stream, dst + len, sizeof dst - len)) > 0) len += (size_t)n;
        assert_int_equal(n, 0);
        assert_int_equal(noted.header.length, 4);
        assert_int_equal(noted.header.opcode, FASTWS_OPCODE_CONTINUATION);
        assert_int_equal(noted.header.rsv, 0);
        assert_int_equal(len + noted.len, 5);
        assert_memory_equal(dst, "Hello", len);
        assert_memory_equal(noted.text, &"Hello"[len], noted.len);
        fastws_stream_free(stream);
    }
}

static void raw_frames_are_left_as_they_are(void **state) {
    (void)state;
    uint8_t in[64], payload[7];
    struct script script = {.in = in, .in_len = script_frame(in, 0xc1, hello, 7, mask)};
    script.in_len += script_frame(in + script.in_len, 0xc1, hello, 7, mask);
    struct fastws_stream *stream = open_over(&script, 1);
    struct fastws_header header;
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_header(stream, &header), 6);
    assert_int_equal(header.rsv, FASTWS_RSV1);
    assert_int_equal(fastws_stream_read_exactly(stream, payload, 7), 0);
    fastws_mask(payload, payload, 7, header.key, 0);
    assert_memory_equal(payload, hello, 7);
    header = (struct fastws_header){.length = 7, .opcode = FASTWS_OPCODE_TEXT, .rsv = FASTWS_RSV1, .fin = 1};
    assert_int_equal(fastws_stream_write_frame(stream, &header, payload), 0);
    assert_int_equal(script.out_len, 9);
    assert_memory_equal(out, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
    /* A message after it is inflated: the peer keeps no context. */
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(event.len, 5);
    assert_memory_equal(event.ptr, "Hello", 5);
    fastws_stream_free(stream);
}

static void reset_turns_it_off_and_it_may_be_turned_on_again(void **state) {
    (void)state;
    static const struct fastws_deflate_params agreed = {.client_no_context_takeover = 1};
    uint8_t in[64];
    struct script script = {.in = in, .in_len = script_frame(in, 0xc1, hello, 7, mask)};
    struct script other = {.in = in, .in_len = script.in_len}, third = other;
    struct fastws_stream *stream = open_over(&script, 1);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(fastws_stream_set_deflate(stream, &deflate_config, &agreed), FASTWS_ERR_STATE);
    other.out = third.out = out;
    other.out_cap = third.out_cap = sizeof out;
    struct fastws_io io = script_io(&other);
    assert_int_equal(fastws_stream_reset(stream, &io, NULL, NULL, 0), 0);
    assert_int_equal(fastws_conn_has_deflate(fastws_stream_get_conn(stream)), 0);
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_RSV);
    assert_int_equal(event.close_code, 1002);
    io = script_io(&third);
    assert_int_equal(fastws_stream_reset(stream, &io, NULL, NULL, 0), 0);
    assert_int_equal(fastws_stream_set_deflate(stream, &deflate_config, &agreed), 0);
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(event.len, 5);
    fastws_stream_free(stream);
}

static void a_flag_beside_the_opcode_chooses(void **state) {
    (void)state;
    struct script script = {.in_len = 0};
    struct fastws_stream *stream = open_over(&script, 1);
    assert_int_equal(fastws_stream_write_message(stream, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), 0);
    assert_memory_equal(out, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
    assert_int_equal(fastws_stream_begin(stream, 1 | FASTWS_SEND_PLAIN), 0);
    assert_int_equal(fastws_stream_append(stream, "Hello", 5), 0);
    assert_int_equal(fastws_stream_finish(stream), 0);
    assert_int_equal(script.out_len, 16);
    assert_memory_equal(out + 9, "\x81\x05Hello", 7);
    fastws_stream_free(stream);
}

static void a_silent_stream_holds_its_tail_and_nothing_else(void **state) {
    (void)state;
    struct memory memory;
    struct fastws_pool_config pool_config;
    static const struct fastws_deflate_params agreed = {.client_no_context_takeover = 1};
    uint8_t in[64], message[1000];
    struct script script = {.in = in, .in_len = script_frame(in, 0xc1, hello, 7, mask)};
    memory_init(&memory);
    fastws_pool_config_init(&pool_config);
    pool_config.allocator = &memory.allocator;
    fastws_conn_config_init(&conn_config, FASTWS_ROLE_SERVER);
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_TAIL);
    script.out = out;
    script.out_cap = sizeof out;
    struct fastws_io io = script_io(&script);
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open_with(&io, &conn_config, &pool_config, NULL, 0, &stream), 0);
    assert_int_equal(fastws_stream_set_deflate(stream, &deflate_config, &agreed), 0);
    fastws_stream_idle(stream);
    size_t before = memory.live;
    struct fastws_event event;
    assert_int_equal(fastws_stream_write_message(stream, 1, message, write_message(message, sizeof message, 1)), 0);
    fastws_stream_idle(stream);
    assert_int_equal(fastws_conn_deflate_held(fastws_stream_get_conn(stream)), deflate_config.tail_len);
    /* Beside the tail: the pool of streams itself. */
    assert_true(memory.live <= before + deflate_config.tail_len + 512);
    /* What inflates a message is given back, too, and at the end the tail. */
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_EOF);
    fastws_stream_idle(stream);
    assert_int_equal(fastws_conn_deflate_held(fastws_stream_get_conn(stream)), 0);
    assert_true(memory.live <= before + 512);
    fastws_stream_free(stream);
    assert_int_equal(memory.live, 0);
}

static void refuses_what_was_never_agreed(void **state) {
    (void)state;
    static const struct fastws_deflate_params bad = {.server_max_window_bits = 7};
    struct script script = {.in_len = 0};
    struct fastws_stream *stream = open_over(&script, 0);
    assert_int_equal(fastws_stream_set_deflate(stream, &deflate_config, &bad), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_has_deflate(fastws_stream_get_conn(stream)), 0);
    fastws_stream_free(stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_modes_talks_once_it_agreed),
        cmocka_unit_test(the_header_tells_the_length_on_the_wire),
        cmocka_unit_test(a_hook_reads_a_fragment_inflated),
        cmocka_unit_test(raw_frames_are_left_as_they_are),
        cmocka_unit_test(reset_turns_it_off_and_it_may_be_turned_on_again),
        cmocka_unit_test(a_flag_beside_the_opcode_chooses),
        cmocka_unit_test(a_silent_stream_holds_its_tail_and_nothing_else),
        cmocka_unit_test(refuses_what_was_never_agreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
