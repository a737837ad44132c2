/* SPDX-License-Identifier: MIT */
/* Hostile and curious messages through a connection: the RFC's examples, bombs in bombs, storms of tiny fragments. */
#include "deflating.h"

#include <fastws/error.h>

#include "sending.h"

static struct fastws_deflate_config config;

/* Opens a server whose peer keeps its context. */
static void open_server(struct end *end, enum fastws_delivery delivery) {
    static const struct fastws_deflate_params agreed = {0};
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    config.level = 6; /* its match begins at the second letter, as lazy matching has it */
    end_prepare(end, FASTWS_ROLE_SERVER);
    end->config.delivery = (uint8_t)delivery;
    end_open(end);
    assert_int_equal(fastws_conn_set_deflate(end->conn, &config, &agreed), 0);
}

/* Feeds a frame as a client masks it, and joins what comes out. Returns the error of the connection, or 0. */
static int receive(struct end *end, unsigned first, const void *payload, size_t len, struct bytes *joined) {
    struct bytes wire = {0};
    struct fastws_event events[4];
    int n, error = 0;
    put_frame(&wire, FASTWS_ROLE_SERVER, first, payload, len);
    assert_int_equal(fastws_conn_feed(end->conn, wire.ptr, wire.len), 0);
    while (error == 0 && (n = fastws_conn_next(end->conn, events, 4)) > 0)
        for (int i = 0; i < n; i++) {
            error = events[i].error;
            if (events[i].kind == FASTWS_EVENT_MESSAGE || events[i].kind == FASTWS_EVENT_CHUNK)
                bytes_put(joined, events[i].ptr, (size_t)events[i].len);
        }
    bytes_free(&wire);
    return error;
}

/* RFC 7692 7.2.3, in the order of the RFC: the second refers to the first. */
static void reads_every_example_of_the_rfc(void **state) {
    (void)state;
    static const struct {
        const char *payload;
        size_t len;
    } examples[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7},                                                  /* 7.2.3.1: one block */
        {"\xf2\x00\x11\x00\x00", 5},                                                          /* 7.2.3.2: the window */
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11},                                 /* 7.2.3.3: stored */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8},                                              /* 7.2.3.4: BFINAL */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13},                         /* 7.2.3.5: two blocks */
    };
    for (int delivery = FASTWS_DELIVER_MESSAGES; delivery <= FASTWS_DELIVER_STREAM; delivery++) {
        struct end end;
        open_server(&end, (enum fastws_delivery)delivery);
        for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
            for (size_t cut = 0; cut <= examples[i].len; cut++) { /* in one frame, and in two of any lengths */
                struct bytes joined = {0};
                const char *payload = examples[i].payload;
                int is_whole = cut == examples[i].len;
                assert_int_equal(receive(&end, is_whole ? 0xc1 : 0x41, payload, cut, &joined), 0);
                if (!is_whole)
                    assert_int_equal(receive(&end, 0x80, payload + cut, examples[i].len - cut, &joined), 0);
                assert_int_equal(joined.len, 5);
                assert_memory_equal(joined.ptr, "Hello", 5);
                bytes_free(&joined);
            }
        }
        struct bytes joined = {0};
        assert_int_equal(receive(&end, 0xc1, "\x00", 1, &joined), 0); /* 7.2.3.6: an empty message */
        assert_int_equal(joined.len, 0);
        bytes_free(&joined);
        end_close(&end);
    }
}

static void writes_the_examples_of_the_rfc(void **state) {
    (void)state;
    struct end end;
    open_server(&end, FASTWS_DELIVER_MESSAGES);
    assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), 0);
    expect_only_sent(&end, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7); /* 7.2.3.1 */
    assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), 0);
    expect_only_sent(&end, 0xc1, "\xf2\x00\x11\x00\x00", 5); /* 7.2.3.2 */
    assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "", 0), 0);
    expect_only_sent(&end, 0xc1, "\x00", 1); /* 7.2.3.6 */
    end_close(&end);
}

/* What a bomb inflates to may be a bomb again: a connection inflates once. */
static void a_bomb_in_a_bomb_stays_one(void **state) {
    (void)state;
    struct stock *inner = stock_new(15, 15, 0), *outer = stock_new(15, 15, 0);
    uint8_t *zeros = calloc(1, MESSAGE_CAP);
    struct bytes joined = {0};
    struct end end;
    stock_compress(inner, zeros, MESSAGE_CAP);
    stock_compress(outer, inner->buffer, inner->len);
    assert_true(outer->len < inner->len);
    open_server(&end, FASTWS_DELIVER_MESSAGES);
    assert_int_equal(receive(&end, 0xc2, outer->buffer, outer->len, &joined), 0);
    assert_int_equal(joined.len, inner->len);
    assert_memory_equal(joined.ptr, inner->buffer, inner->len);
    /* Handed back, it goes off only where it is read. */
    joined.len = 0;
    assert_int_equal(receive(&end, 0xc2, inner->buffer, inner->len, &joined), 0);
    assert_int_equal(joined.len, MESSAGE_CAP);
    bytes_free(&joined);
    end_close(&end);
    free(zeros);
    stock_free(inner);
    stock_free(outer);
}

/* One byte of a compressed message in each frame, with pings between: memory as for the message in one frame. */
static void ten_thousand_tiny_fragments_are_one_message(void **state) {
    (void)state;
    uint8_t *message = malloc(MESSAGE_CAP);
    size_t len = write_message(message, MESSAGE_CAP, 5);
    struct stock *stock = stock_new(15, 15, 0);
    stock_compress(stock, message, len);
    assert_true(stock->len > 10000);
    for (int delivery = FASTWS_DELIVER_MESSAGES; delivery <= FASTWS_DELIVER_STREAM; delivery++) {
        struct bytes joined = {0};
        struct end end;
        open_server(&end, (enum fastws_delivery)delivery);
        for (size_t i = 0; i < stock->len; i++) {
            unsigned first = (i == 0 ? 0x41u : 0x00u) | (i + 1 == stock->len ? 0x80u : 0u);
            assert_int_equal(receive(&end, first, stock->buffer + i, 1, &joined), 0);
            if (i % 1000 == 0) assert_int_equal(receive(&end, 0x89, "?", 1, &joined), 0);
            end_drain(&end, SIZE_MAX);
            end.sent.len = 0;
        }
        assert_int_equal(joined.len, len);
        assert_memory_equal(joined.ptr, message, len);
        assert_true(end.memory.peak < 1u << 20);
        bytes_free(&joined);
        end_close(&end);
    }
    stock_free(stock);
    free(message);
}

/* RSV1 does not buy more frames than a plain message has. */
static void empty_fragments_of_a_compressed_message_have_their_limit(void **state) {
    (void)state;
    struct bytes joined = {0};
    struct end end;
    open_server(&end, FASTWS_DELIVER_MESSAGES);
    uint32_t max = end.config.limits.max_empty_fragments;
    int error = receive(&end, 0x41, "", 0, &joined);
    for (uint32_t i = 1; i < max && error == 0; i++) error = receive(&end, 0x00, "", 0, &joined);
    assert_int_equal(error, 0);
    assert_int_equal(receive(&end, 0x00, "", 0, &joined), FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS);
    bytes_free(&joined);
    end_close(&end);
}

/* An extension of the user's beside it: RSV1 of a compressed message is not shown to be claimed again, RSV2 is. */
static int claim(void *context, struct fastws_header *header) {
    uint8_t *seen = context;
    *seen |= header->rsv;
    header->rsv &= (uint8_t)~FASTWS_RSV2;
    return 0;
}

static void rsv1_is_claimed_once(void **state) {
    (void)state;
    static const struct fastws_deflate_params agreed = {0};
    uint8_t seen = 0;
    const struct fastws_extension extension = {.receive = claim, .context = &seen};
    struct bytes joined = {0};
    struct end end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(&end, FASTWS_ROLE_SERVER);
    end.config.extensions = &extension;
    end.config.extension_count = 1;
    end_open(&end);
    assert_int_equal(fastws_conn_set_deflate(end.conn, &config, &agreed), 0);
    assert_int_equal(receive(&end, 0xe1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, &joined), 0); /* RSV1 and RSV2 */
    assert_int_equal(seen, FASTWS_RSV2);
    assert_memory_equal(joined.ptr, "Hello", 5);
    assert_int_equal(receive(&end, 0x91, "", 0, &joined), FASTWS_ERR_RSV); /* RSV3 is nobody's */
    bytes_free(&joined);
    end_close(&end);
}

/* Sets the bits that it is told to on whatever goes out. */
static int mark(void *context, struct fastws_header *header) {
    header->rsv |= *(const uint8_t *)context;
    return 0;
}

/* It used to go out with RSV1, for the peer to inflate what was not compressed, and on continuation frames, too. */
static void rsv1_is_not_an_extension_s_to_set(void **state) {
    (void)state;
    static const struct fastws_deflate_params agreed = {0};
    struct fastws_prepared *prepared;
    uint8_t bits = FASTWS_RSV1;
    const struct fastws_extension extension = {.send = mark, .context = &bits};
    struct end end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(&end, FASTWS_ROLE_SERVER);
    end.config.extensions = &extension;
    end.config.extension_count = 1;
    end_open(&end);
    assert_int_equal(fastws_conn_set_deflate(end.conn, &config, &agreed), 0);
    assert_int_equal(fastws_prepared_new(NULL, 1, "Hello", 5, &prepared), 0);
    assert_int_equal(fastws_conn_send(end.conn, 1, "Hello", 5), FASTWS_ERR_RSV);
    assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), FASTWS_ERR_RSV);
    assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), FASTWS_ERR_RSV);
    assert_int_equal(fastws_conn_pending_len(end.conn), 0);
    bits = FASTWS_RSV2;
    assert_int_equal(fastws_conn_begin(end.conn, 1 | FASTWS_SEND_COMPRESSED), 0);
    assert_int_equal(fastws_conn_write(end.conn, "Hello", 5), 0);
    assert_int_equal(fastws_conn_flush_fragment(end.conn), 0);
    bits = FASTWS_RSV1;
    assert_int_equal(fastws_conn_finish(end.conn), FASTWS_ERR_RSV);
    end_drain(&end, 4096);
    assert_int_equal(end.sent.ptr[0], 0x61); /* RSV1 and RSV2 on the first frame, and no second one */
    fastws_prepared_release(prepared);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_example_of_the_rfc),
        cmocka_unit_test(writes_the_examples_of_the_rfc),
        cmocka_unit_test(a_bomb_in_a_bomb_stays_one),
        cmocka_unit_test(ten_thousand_tiny_fragments_are_one_message),
        cmocka_unit_test(empty_fragments_of_a_compressed_message_have_their_limit),
        cmocka_unit_test(rsv1_is_claimed_once),
        cmocka_unit_test(rsv1_is_not_an_extension_s_to_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
