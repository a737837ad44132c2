/* SPDX-License-Identifier: MIT */
/* Tests of permessage-deflate on event loops: agreed on by both ends, in callbacks and lines, shared, and idle. */
#include "loop_clients.h"

#define REQUEST_DEFLATE                                                                                                \
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"  \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}; /* RFC 7692 7.2.3.1 */

/* A server that compresses, and whoever talks to it. */
struct pair {
    struct server server;
    struct dialer dialer;
    struct fastws_deflate_config server_deflate;
    struct fastws_deflate_config client_deflate;
    int compressed; /* messages that came so to the server */
};

static int backend_of(void **state) { return *(int *)*state; }

static void skip_without_zlib(void) {
    if (!fastws_deflate_is_available()) skip();
}

static struct pair *pair_of(struct fastws_socket *socket) { return (struct pair *)(void *)server_of(socket); }

static void echo(struct fastws_socket *socket, const struct fastws_event *event) {
    pair_of(socket)->compressed += (event->flags & FASTWS_EVENT_COMPRESSED) != 0;
    note_message(socket, event);
}

static void pair_prepare(struct pair *pair, int backend, enum fastws_deflate_mode mode) {
    memset(pair, 0, sizeof *pair);
    server_prepare(&pair->server, backend);
    dialer_prepare(&pair->dialer);
    fastws_deflate_config_init(&pair->server_deflate, mode);
    fastws_deflate_config_init(&pair->client_deflate, mode);
    pair->server.upgrade_config.deflate = &pair->server_deflate;
    pair->server.config.on_message = echo;
    pair->dialer.dial_config.deflate = &pair->client_deflate;
}

static void pair_open(struct pair *pair) {
    server_open(&pair->server);
    dial_server(&pair->dialer, &pair->server, "ws", "127.0.0.1");
    UNTIL(&pair->server, pair->dialer.opens == 1);
}

static void pair_close(struct pair *pair) {
    dialer_close(&pair->dialer, &pair->server);
    server_close(&pair->server);
}

/* Writes a text that compresses well and differs with its number. */
static void write_text(char *dst, size_t len, unsigned number) {
    static const char words[] = "{\"symbol\":\"ETH-USD\",\"side\":\"buy\",\"price\":";
    for (size_t i = 0; i < len; i++) {
        char varied = (char)('a' + (i / 50 + number * 7 + i) % 26);
        dst[i] = i % 50 < 41 ? words[i % 50] : varied;
    }
}

static void echo_text(struct pair *pair, size_t len, unsigned number) {
    char *text = malloc(len + 1);
    int before = pair->dialer.messages;
    write_text(text, len, number);
    pair->dialer.in.len = 0;
    assert_int_equal(fastws_socket_send(pair->dialer.socket, FASTWS_OPCODE_TEXT, text, len), 0);
    UNTIL(&pair->server, pair->dialer.messages == before + 1);
    assert_int_equal(pair->dialer.in.len, len);
    assert_memory_equal(pair->dialer.in.ptr, text, len);
    free(text);
}

static struct fastws_deflate_stats deflate_stats(struct pair *pair) {
    struct fastws_deflate_stats stats;
    fastws_pool_get_deflate_stats(fastws_loop_get_pool(pair->server.loop), &stats);
    return stats;
}

/* ---- Agreeing ---- */

static void talks_in_every_mode(void **state) {
    static const size_t lens[] = {1, 63, 64, 1000, 4095, 4096, 70000, 300000};
    skip_without_zlib();
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct pair pair;
        struct fastws_deflate_params ours, theirs;
        pair_prepare(&pair, backend_of(state), (enum fastws_deflate_mode)mode);
        pair_open(&pair);
        assert_int_equal(fastws_conn_get_deflate(fastws_socket_get_conn(pair.server.sockets[0]), &ours), 1);
        assert_int_equal(fastws_conn_get_deflate(fastws_socket_get_conn(pair.dialer.socket), &theirs), 1);
        assert_memory_equal(&ours, &theirs, sizeof ours);
        for (unsigned i = 0; i < 8; i++) echo_text(&pair, lens[i], i);
        for (unsigned i = 0; i < 8; i++) echo_text(&pair, lens[7 - i], 8 + i);
        assert_int_equal(pair.compressed, 12); /* those of 64 bytes and more */
        pair_close(&pair);
    }
}

static void is_off_where_one_end_does_not_want_it(void **state) {
    for (int is_server = 0; is_server < 2; is_server++) {
        struct pair pair;
        pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
        if (is_server) pair.dialer.dial_config.deflate = NULL;
        if (!is_server) pair.server.upgrade_config.deflate = NULL;
        pair_open(&pair);
        assert_int_equal(fastws_conn_has_deflate(fastws_socket_get_conn(pair.server.sockets[0])), 0);
        assert_int_equal(fastws_conn_has_deflate(fastws_socket_get_conn(pair.dialer.socket)), 0);
        echo_text(&pair, 5000, 1);
        assert_int_equal(pair.compressed, 0);
        pair_close(&pair);
    }
}

static void is_off_without_zlib(void **state) {
    if (fastws_deflate_is_available()) skip();
    struct pair pair;
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
    pair_open(&pair);
    assert_int_equal(fastws_conn_has_deflate(fastws_socket_get_conn(pair.server.sockets[0])), 0);
    echo_text(&pair, 5000, 1);
    pair_close(&pair);
}

static void refuses_a_configuration_out_of_range(void **state) {
    struct server server;
    struct dialer dialer;
    struct fastws_deflate_config deflate;
    server_start(&server, backend_of(state));
    dialer_prepare(&dialer);
    fastws_deflate_config_init(&deflate, FASTWS_DEFLATE_TAIL);
    deflate.level = 10;
    server.upgrade_config.deflate = &deflate;
    assert_int_equal(fastws_loop_listen(server.loop, &server.config, "127.0.0.1", "0", 0, NULL), FASTWS_ERR_ARGUMENT);
    dialer.dial_config.deflate = &deflate;
    assert_int_equal(dial(&dialer, &server, "ws://127.0.0.1:1/"), FASTWS_ERR_ARGUMENT);
    server_close(&server);
}

static void adopts_what_was_agreed_elsewhere(void **state) {
    skip_without_zlib();
    struct pair pair;
    struct fastws_deflate_params agreed = {.client_no_context_takeover = 1};
    struct fastws_socket *ends[2];
    int fds[2];
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
    server_open(&pair.server);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    /* What came behind the handshake is compressed already: FIN RSV1 text, masked with zeros, "Hello". */
    uint8_t initial[6 + sizeof hello] = {0xc1, 0x80 | sizeof hello};
    memcpy(initial + 6, hello, sizeof hello);
    assert_int_equal(
        fastws_loop_adopt(pair.server.loop, &pair.server.config, fds[0], initial, sizeof initial, &ends[0]), 0);
    assert_int_equal(fastws_loop_adopt(pair.server.loop, &pair.dialer.config, fds[1], NULL, 0, &ends[1]), 0);
    assert_int_equal(fastws_socket_set_deflate(ends[0], &pair.server_deflate, &agreed), 0);
    assert_int_equal(fastws_socket_set_deflate(ends[0], &pair.server_deflate, &agreed), FASTWS_ERR_STATE);
    assert_int_equal(fastws_socket_set_deflate(ends[1], &pair.client_deflate, &agreed), 0);
    pair.dialer.socket = ends[1];
    UNTIL(&pair.server, pair.dialer.messages == 1);
    assert_int_equal(pair.dialer.in.len, 5);
    assert_memory_equal(pair.dialer.in.ptr, "Hello", 5);
    echo_text(&pair, 20000, 3);
    assert_int_equal(pair.compressed, 2);
    assert_int_equal(fastws_socket_set_deflate(ends[0], &pair.server_deflate, &agreed), FASTWS_ERR_STATE);
    pair_close(&pair);
}

/* ---- Clients that are plain sockets ---- */

static void client_open_deflate(struct client *client, struct server *server) {
    client_connect(client, server);
    client_send_text(server, client, REQUEST_DEFLATE);
    assert_int_equal(client_head(server, client), 101);
}

/* What inflates the messages of a server. */
struct inflating {
    struct fastws_deflate_config config;
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    struct fastws_deflate_buffer out;
};

static void inflating_open(struct inflating *it) {
    const struct fastws_deflate_params agreed = {.client_no_context_takeover = 1};
    memset(it, 0, sizeof *it);
    fastws_deflate_config_init(&it->config, FASTWS_DEFLATE_NO_TAKEOVER);
    assert_int_equal(fastws_deflate_pool_new(NULL, 1, &it->pool), 0);
    assert_int_equal(fastws_deflate_new(&it->config, FASTWS_STATE_CLIENT, &agreed, it->pool, &it->deflate), 0);
}

static void inflating_close(struct inflating *it) {
    fastws_deflate_buffer_free(&it->out);
    fastws_deflate_free(it->deflate);
    fastws_deflate_pool_free(it->pool);
}

/* Takes a message of the server, compressed or not. Returns the first byte of its frame. */
static unsigned take_message(struct server *server, struct client *client, struct inflating *it) {
    struct frame frame = client_frame(server, client);
    it->out.len = 0;
    if (frame.first & 0x40) {
        assert_int_equal(fastws_deflate_decompress(it->deflate, frame.payload, frame.len, 1, &it->out, NULL),
                         FASTWS_DEFLATE_DONE);
        return frame.first;
    }
    it->out.ptr = realloc(it->out.ptr, frame.len + 1);
    it->out.cap = frame.len + 1;
    it->out.len = frame.len;
    memcpy(it->out.ptr, frame.payload, frame.len);
    return frame.first;
}

static void answers_a_batch_in_one_write(void **state) {
    enum { COUNT = 64 };
    skip_without_zlib();
    struct pair pair;
    struct client client;
    struct inflating inflating;
    struct bytes wire = {0};
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
    pair.server_deflate.threshold = 0;
    server_open(&pair.server);
    client_open_deflate(&client, &pair.server);
    inflating_open(&inflating);
    for (int i = 0; i < COUNT; i++) put_frame(&wire, FASTWS_ROLE_SERVER, 0xc1, hello, sizeof hello);
    uint64_t writes = stats_of(&pair.server).writes;
    client_send(&pair.server, &client, wire.ptr, wire.len);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(take_message(&pair.server, &client, &inflating), 0xc1);
        assert_int_equal(inflating.out.len, 5);
        assert_memory_equal(inflating.out.ptr, "Hello", 5);
    }
    assert_int_equal(stats_of(&pair.server).writes, writes + 1);
    assert_int_equal(deflate_stats(&pair).streams_made, 2);
    bytes_free(&wire);
    inflating_close(&inflating);
    client_close(&client);
    UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
    server_close(&pair.server);
}

static void takes_requests_and_messages_cut_anywhere(void **state) {
    skip_without_zlib();
    struct pair pair;
    struct bytes wire = {0};
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
    server_open(&pair.server);
    bytes_put(&wire, REQUEST_DEFLATE, strlen(REQUEST_DEFLATE));
    put_frame(&wire, FASTWS_ROLE_SERVER, 0xc1, hello, sizeof hello);
    for (size_t cut = 0; cut <= wire.len; cut++) {
        struct client client;
        client_connect(&client, &pair.server);
        client_send(&pair.server, &client, wire.ptr, cut);
        for (int i = 0; i < 3; i++) turn(&pair.server, 0);
        client_send(&pair.server, &client, wire.ptr + cut, wire.len - cut);
        assert_int_equal(client_head(&pair.server, &client), 101);
        expect_frame(&pair.server, &client, 0x81, "Hello", 5); /* too short to be compressed again */
        client_close(&client);
        UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
    }
    assert_int_equal(pair.compressed, (int)wire.len + 1);
    bytes_free(&wire);
    server_close(&pair.server);
}

static void compresses_a_prepared_message_once(void **state) {
    enum { CLIENTS = 20, LEN = 3000 };
    skip_without_zlib();
    struct pair pair;
    struct client clients[CLIENTS];
    struct fastws_prepared *prepared;
    struct inflating inflating;
    char text[LEN];
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_NO_TAKEOVER);
    server_open(&pair.server);
    inflating_open(&inflating);
    write_text(text, LEN, 1);
    for (int i = 0; i < CLIENTS; i++) client_open_deflate(&clients[i], &pair.server);
    assert_int_equal(fastws_prepared_new(NULL, FASTWS_OPCODE_TEXT, text, LEN, &prepared), 0);
    assert_int_equal(fastws_socket_send_prepared(pair.server.sockets[0], prepared), 0);
    uint64_t calls = pair.server.memory.calls;
    for (int i = 1; i < CLIENTS; i++) {
        assert_int_equal(fastws_socket_send_prepared(pair.server.sockets[i], prepared), 0);
    }
    assert_int_equal(pair.server.memory.calls, calls);
    assert_int_equal(deflate_stats(&pair).streams_made, 1);
    fastws_prepared_release(prepared);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(take_message(&pair.server, &clients[i], &inflating), 0xc1);
        assert_int_equal(inflating.out.len, LEN);
        assert_memory_equal(inflating.out.ptr, text, LEN);
        client_close(&clients[i]);
    }
    inflating_close(&inflating);
    UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
    server_close(&pair.server);
}

/* Numbered messages, every third of them sent as it is, to a client that does not read. */
static void lines_up_what_is_compressed_later(void **state) {
    enum { COUNT = 600, LEN = 4000 };
    skip_without_zlib();
    struct pair pair;
    struct client client;
    struct inflating inflating;
    uint8_t message[LEN];
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_NO_TAKEOVER);
    pair.server.config.slow_policy = FASTWS_SLOW_DROP_OLDEST;
    server_open(&pair.server);
    client_open_deflate(&client, &pair.server);
    inflating_open(&inflating);
    struct fastws_socket *socket = pair.server.sockets[0];
    assert_int_equal(setsockopt(fastws_socket_fd(socket), SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)), 0);
    for (int i = 0; i < COUNT; i++) {
        int way = i % 3 == 0 ? FASTWS_SEND_PLAIN : 0;
        fill_pattern(message, sizeof message, (uint32_t)i + 1);
        message[0] = (uint8_t)i;
        message[1] = (uint8_t)(i >> 8);
        assert_int_equal(fastws_socket_send(socket, FASTWS_OPCODE_BINARY | way, message, sizeof message), 0);
    }
    int dropped = (int)stats_of(&pair.server).messages_dropped;
    assert_true(dropped > 0);
    assert_int_equal(fastws_socket_close(socket, 1000, "", 0), 0);
    int last = -1;
    for (int i = 0; i < COUNT - dropped; i++) {
        unsigned first = take_message(&pair.server, &client, &inflating);
        assert_int_equal(inflating.out.len, LEN);
        int number = inflating.out.ptr[0] | inflating.out.ptr[1] << 8;
        assert_true(number > last);
        assert_int_equal(first, number % 3 == 0 ? 0x82 : 0xc2);
        fill_pattern(message, sizeof message, (uint32_t)number + 1);
        assert_memory_equal(inflating.out.ptr + 2, message + 2, LEN - 2);
        last = number;
    }
    assert_int_equal(last, COUNT - 1);
    expect_close(&pair.server, &client, 1000);
    inflating_close(&inflating);
    client_close(&client);
    UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
    server_close(&pair.server);
}

/* ---- Memory ---- */

/* Returns what a connection costs that has talked and is silent. */
static size_t idle_len(int backend, enum fastws_deflate_mode mode) {
    enum { CLIENTS = 40, LEN = 3000 };
    struct pair pair;
    struct client clients[CLIENTS];
    struct fastws_deflate_stats stats;
    char text[LEN];
    pair_prepare(&pair, backend, mode);
    pair.server.config.deflate_idle_ms = 20;
    server_open(&pair.server);
    write_text(text, LEN, 1);
    for (int i = 0; i < CLIENTS; i++) client_open_deflate(&clients[i], &pair.server);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(fastws_socket_send(pair.server.sockets[i], FASTWS_OPCODE_TEXT, text, LEN), 0);
        client_send_frame(&pair.server, &clients[i], 0xc1, hello, sizeof hello);
        while ((client_frame(&pair.server, &clients[i]).first & 0x40) == 0) {}
    }
    UNTIL(&pair.server, pair.server.messages == CLIENTS);
    UNTIL(&pair.server, deflate_stats(&pair).compressors == 0 && deflate_stats(&pair).inflaters == 0);
    stats = deflate_stats(&pair);
    fastws_pool_trim(fastws_loop_get_pool(pair.server.loop));
    size_t live = pair.server.memory.live;
    for (int i = 0; i < CLIENTS; i++) client_close(&clients[i]);
    UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
    fastws_pool_trim(fastws_loop_get_pool(pair.server.loop));
    size_t len = (live - pair.server.memory.live) / CLIENTS;
    server_close(&pair.server);
    assert_true(stats.tails + stats.windows <= CLIENTS * len);
    return len;
}

static void costs_little_while_idle(void **state) {
    skip_without_zlib();
    size_t apart = 256 + fastws_deflate_sizeof() + 64; /* the socket, and what it knows of its compression */
    assert_in_range(idle_len(backend_of(state), FASTWS_DEFLATE_NO_TAKEOVER), 1, apart);
    assert_in_range(idle_len(backend_of(state), FASTWS_DEFLATE_TAIL), 1024, 1024 + apart);
    assert_true(1024 + apart <= 2048);
    assert_in_range(idle_len(backend_of(state), FASTWS_DEFLATE_TAKEOVER), 1024, 2048 + apart);
}

static void keeps_the_context_of_those_who_talk(void **state) {
    skip_without_zlib();
    struct pair pair;
    pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAKEOVER);
    pair.server.config.deflate_idle_ms = pair.dialer.config.deflate_idle_ms = 40;
    pair_open(&pair);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 8; i++) {
            echo_text(&pair, 3000 + i, i);
            assert_true(deflate_stats(&pair).compressors > 0);
        }
        UNTIL(&pair.server, deflate_stats(&pair).compressors == 0 && deflate_stats(&pair).inflaters == 0);
        assert_true(deflate_stats(&pair).windows > 0);
    }
    pair.server.config.deflate_idle_ms = pair.dialer.config.deflate_idle_ms = 0; /* never */
    echo_text(&pair, 3000, 9);
    uint64_t until_ms = clock_ms() + 100;
    while (clock_ms() < until_ms) turn(&pair.server, 10);
    assert_true(deflate_stats(&pair).compressors > 0);
    pair_close(&pair);
}

/* A dial and a message with the n-th allocation failing. Returns 1 if it failed. */
static int talk_without_memory(int backend, uint64_t n) {
    struct pair pair;
    pair_prepare(&pair, backend, FASTWS_DEFLATE_TAKEOVER);
    server_open(&pair.server);
    struct memory *memory = &pair.server.memory;
    memory->fail_at = memory->calls + n;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", fastws_listener_port(pair.server.listener));
    int error = dial(&pair.dialer, &pair.server, url);
    if (error < 0) assert_int_equal(error, FASTWS_ERR_NOMEM);
    if (error == 0) UNTIL(&pair.server, pair.dialer.opens + pair.dialer.refusals == 1);
    if (pair.dialer.opens == 1) {
        char text[2000];
        write_text(text, sizeof text, 1);
        error = fastws_socket_send(pair.dialer.socket, FASTWS_OPCODE_TEXT, text, sizeof text);
        if (error < 0) assert_int_equal(error, FASTWS_ERR_NOMEM);
        for (int i = 0; i < 10; i++) turn(&pair.server, 1);
        if (pair.dialer.closes == 0) fastws_socket_free(pair.dialer.socket);
    }
    int has_failed = memory->calls >= memory->fail_at;
    memory->fail_at = 0;
    UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
    bytes_free(&pair.dialer.in);
    server_close(&pair.server);
    return has_failed;
}

static void survives_a_failing_allocation_anywhere(void **state) {
    uint64_t n = 1;
    while (talk_without_memory(backend_of(state), n)) assert_true(++n < 100);
    assert_true(n > 10);
}

/* Without memory for what was agreed on there is no 101 that could not be kept. */
static void refuses_what_it_has_no_memory_for(void **state) {
    skip_without_zlib();
    int refused = 0;
    for (uint64_t n = 1; refused == 0; n++) {
        struct pair pair;
        struct client client;
        pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
        server_open(&pair.server);
        client_connect(&client, &pair.server);
        UNTIL(&pair.server, stats_of(&pair.server).sockets == 1);
        pair.server.memory.fail_at = pair.server.memory.calls + n;
        client_send_text(&pair.server, &client, REQUEST_DEFLATE);
        CLIENT_UNTIL(&pair.server, &client, client.is_over || head_len_of(&client) > 0);
        if (!client.is_over) {
            int status = client_head(&pair.server, &client);
            assert_int_equal(status, 500);
            assert_int_equal(pair.server.error, FASTWS_ERR_NOMEM);
            refused = status;
        }
        assert_true(n < 20);
        assert_int_equal(pair.server.opens, 0);
        assert_int_equal(pair.server.refusals, 1);
        client_close(&client);
        UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
        server_close(&pair.server);
    }
}

/* ---- Hostile peers ---- */

static void names_what_is_wrong_with_compressed_messages(void **state) {
    skip_without_zlib();
    /* Zeros that inflate to more than the limit, made by the library itself. */
    struct inflating maker;
    inflating_open(&maker);
    uint8_t *zeros = calloc(1, 3u << 20);
    assert_int_equal(fastws_deflate_compress(maker.deflate, zeros, 3u << 20, FASTWS_DEFLATE_END, &maker.out), 0);
    free(zeros);
    const struct {
        const void *payload;
        size_t len;
        unsigned code;
        int error;
    } cases[] = {
        {"\xff\xff\xff\xff", 4, 1007, FASTWS_ERR_DEFLATE_DATA},
        {"\x00\x01\x00\xfe\xff\xfe\x00", 7, 1007, FASTWS_ERR_UTF8}, /* a stored block with the byte FE */
        {maker.out.ptr, maker.out.len, 1009, FASTWS_ERR_MESSAGE_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair;
        struct client client, other;
        pair_prepare(&pair, backend_of(state), FASTWS_DEFLATE_TAIL);
        pair.server.conn_config.limits.max_message = 1u << 20;
        server_open(&pair.server);
        client_open_deflate(&client, &pair.server);
        client_open_deflate(&other, &pair.server);
        client_send_frame(&pair.server, &client, 0xc1, cases[i].payload, cases[i].len);
        expect_close(&pair.server, &client, cases[i].code);
        assert_int_equal(pair.server.error, cases[i].error);
        client_send_frame(&pair.server, &other, 0xc1, hello, sizeof hello);
        expect_frame(&pair.server, &other, 0x81, "Hello", 5);
        client_close(&client);
        client_close(&other);
        UNTIL(&pair.server, stats_of(&pair.server).sockets == 0);
        server_close(&pair.server);
    }
    inflating_close(&maker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(talks_in_every_mode),
        ON_BOTH(is_off_where_one_end_does_not_want_it),
        ON_BOTH(is_off_without_zlib),
        ON_BOTH(refuses_a_configuration_out_of_range),
        ON_BOTH(adopts_what_was_agreed_elsewhere),
        ON_BOTH(answers_a_batch_in_one_write),
        ON_BOTH(takes_requests_and_messages_cut_anywhere),
        ON_BOTH(compresses_a_prepared_message_once),
        ON_BOTH(lines_up_what_is_compressed_later),
        ON_BOTH(costs_little_while_idle),
        ON_BOTH(keeps_the_context_of_those_who_talk),
        ON_BOTH(survives_a_failing_allocation_anywhere),
        ON_BOTH(refuses_what_it_has_no_memory_for),
        ON_BOTH(names_what_is_wrong_with_compressed_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
