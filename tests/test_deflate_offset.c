/* SPDX-License-Identifier: MIT */
/* Where a connection with compression says that an error is: in a compressed frame it names the frame, however that was
 * received; in all others the byte. */
#include "deflating.h"

#include <fastws/error.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

/* A text that the peer compresses, in two fragments with a ping between, or in one frame. */
struct refusal {
    const char *texts[2]; /* of each fragment; NULL: there is no second one */
    size_t lens[2];
    uint64_t max_message;  /* 0: none, as for the two below */
    uint64_t max_inflated;
    uint32_t max_ratio;
    int error;
    int frame;        /* the one in which it is */
    uint64_t in_text; /* error_offset */
};

#define TEXT(literal) {literal}, {sizeof literal - 1}
#define TEXTS(first, second) {first, second}, {sizeof first - 1, sizeof second - 1}
static const char zeros[100000];

static const struct refusal refusals[] = {
    {TEXT("caf\xe9 au lait, and more behind it"), 0, 0, 0, FASTWS_ERR_UTF8, 0, 4}, /* the space */
    {TEXT("caf\xc3"), 0, 0, 0, FASTWS_ERR_UTF8, 0, 4}, /* ends inside a character */
    {TEXTS("caf\xc3\xa9, caf\xc3", "\xa9, caf\xe9 au lait"), 0, 0, 0, FASTWS_ERR_UTF8, 1, 18},
    {TEXTS("caf\xc3", "!"), 0, 0, 0, FASTWS_ERR_UTF8, 1, 4},
    {TEXTS("", "caf\xc3"), 0, 0, 0, FASTWS_ERR_UTF8, 1, 4},
    {{zeros, zeros}, {60, 41}, 100, 0, 0, FASTWS_ERR_MESSAGE_TOO_LARGE, 1, 0},
    {{zeros, zeros}, {101, 1}, 100, 0, 0, FASTWS_ERR_MESSAGE_TOO_LARGE, 0, 0},
    {{zeros, zeros}, {60, 41}, 0, 100, 0, FASTWS_ERR_INFLATED_TOO_LARGE, 1, 0},
    {{zeros, zeros}, {10, sizeof zeros}, 0, 0, 10, FASTWS_ERR_INFLATED_RATIO, 1, 0},
};

/* Frames of one peer, and where each of them begins. */
struct wire {
    struct bytes bytes;
    size_t begins[8];
    int count;
};

static void put(struct wire *wire, enum fastws_role receiver, unsigned first, const void *payload, size_t len) {
    wire->begins[wire->count++] = wire->bytes.len;
    put_frame(&wire->bytes, receiver, first, payload, len);
}

/* Puts the frames of a text: begins[1] is its first, behind a good message. */
static void put_compressed(struct wire *wire, enum fastws_role receiver, const struct refusal *refusal) {
    struct stock *stock = stock_new(15, 15, 1);
    put(wire, receiver, 0x81, "good", 4);
    for (int i = 0; i < 2 && refusal->texts[i]; i++) {
        int is_last = i == 1 || !refusal->texts[1];
        stock_compress(stock, refusal->texts[i], refusal->lens[i]);
        /* The trail of a fragment stays: only that of the message is left out. RFC 7692 7.2.1. */
        unsigned first = (is_last ? 0x80u : 0u) | (i == 0 ? 0x41u : 0u);
        put(wire, receiver, first, stock->buffer, is_last ? stock->len : stock->len + 4);
        if (!is_last) put_frame(&wire->bytes, receiver, 0x89, "hi", 2);
    }
    stock_free(stock);
}

/* Receives it all in steps, and expects one error, at this byte. */
static void expect_error(struct end *end, const struct bytes *wire, size_t step, int error, uint64_t at,
                         uint64_t in_text) {
    struct fastws_event event;
    end_receive_in_steps(end, wire, step);
    assert_int_equal(end->last, error);
    memcpy(&event, end->log.bytes.ptr + end->log.bytes.len - sizeof event, sizeof event);
    assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
    assert_int_equal(event.close_code, fastws_error_close_code(error));
    assert_int_equal(event.error_offset, in_text);
    /* end_receive() has compared this with the stream_offset of the event. */
    assert_int_equal(fastws_conn_offset(end->conn), at);
}

/* Calls it for every input, delivery and length of a receive. */
enum { STEP_MAX = 300 }; /* all of them whole */
static void receive_in_every_way(void (*receive)(struct end *, size_t step, const void *), enum fastws_role role,
                                 const void *context) {
    for (size_t step = 1; step <= STEP_MAX; step++)
        for (int input = 0; input < INPUTS; input++)
            for (unsigned delivery = 0; delivery <= FASTWS_DELIVER_STREAM; delivery++) {
                struct end end;
                end_prepare(&end, role);
                end.input = (enum input)input;
                end.config.delivery = (uint8_t)delivery;
                receive(&end, step, context);
                end_close(&end);
            }
}

static void open_deflating(struct end *end, struct fastws_deflate_config *config) {
    static const struct fastws_deflate_params agreed = {0};
    end_open(end);
    assert_int_equal(fastws_conn_set_deflate(end->conn, config, &agreed), 0);
}

static void refuse(struct end *end, size_t step, const void *context) {
    const struct refusal *refusal = context;
    struct fastws_deflate_config config;
    struct wire wire = {.count = 0};
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    config.max_ratio = refusal->max_ratio;
    if (refusal->max_inflated > 0) config.max_inflated = refusal->max_inflated;
    end->config.limits.max_message = refusal->max_message;
    open_deflating(end, &config);
    put_compressed(&wire, (enum fastws_role)end->config.role, refusal);
    expect_error(end, &wire.bytes, step, refusal->error, wire.begins[1 + refusal->frame], refusal->in_text);
    bytes_free(&wire.bytes);
}

static void what_a_compressed_message_inflates_to_names_the_frame(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        receive_in_every_way(refuse, SERVER, &refusals[i]);
        receive_in_every_way(refuse, CLIENT, &refusals[i]);
    }
}

/* ---- Frames that are no DEFLATE ---- */

struct broken {
    const char *payloads[2]; /* of two frames of a message, the second may be NULL */
    size_t lens[2];
    int error;
    int frame;
};

static const struct broken broken[] = {
    {TEXT("\x07"), FASTWS_ERR_DEFLATE_DATA, 0},                                      /* a block of type 3 */
    {TEXT("\xf2\x48\xcd"), FASTWS_ERR_DEFLATE_TRUNCATED, 0},                         /* "He", inside its block */
    {TEXTS("\xf2\x48\xcd", "\xc9\xc9\x07\x00\x06"), FASTWS_ERR_DEFLATE_DATA, 1},     /* "Hello", then type 3 */
    {TEXTS("\xf2\x48\xcd", "\xc9\xc9"), FASTWS_ERR_DEFLATE_TRUNCATED, 1},            /* "Hello" without its end */
    {TEXTS("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x06", "\x00"), FASTWS_ERR_DEFLATE_DATA, 0},
};

static void refuse_broken(struct end *end, size_t step, const void *context) {
    const struct broken *it = context;
    enum fastws_role role = (enum fastws_role)end->config.role;
    struct fastws_deflate_config config;
    struct wire wire = {.count = 0};
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    open_deflating(end, &config);
    put(&wire, role, 0x82, "good", 4);
    put(&wire, role, it->payloads[1] ? 0x42 : 0xc2, it->payloads[0], it->lens[0]);
    if (it->payloads[1]) put(&wire, role, 0x80, it->payloads[1], it->lens[1]);
    expect_error(end, &wire.bytes, step, it->error, wire.begins[1 + it->frame], 0);
    bytes_free(&wire.bytes);
}

static void what_is_no_deflate_names_the_frame(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        receive_in_every_way(refuse_broken, SERVER, &broken[i]);
        receive_in_every_way(refuse_broken, CLIENT, &broken[i]);
    }
}

/* ---- What is not compressed ---- */

static void refuse_plain(struct end *end, size_t step, const void *context) {
    (void)context;
    enum fastws_role role = (enum fastws_role)end->config.role;
    size_t header_len = role == SERVER ? 6 : 2;
    struct fastws_deflate_config config;
    struct wire wire = {.count = 0};
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    open_deflating(end, &config);
    put(&wire, role, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7); /* RFC 7692 7.2.3.1 */
    put(&wire, role, 0x81, "ab\xff", 3);
    expect_error(end, &wire.bytes, step, FASTWS_ERR_UTF8, wire.begins[1] + header_len + 2, 2);
    bytes_free(&wire.bytes);
}

static void a_plain_text_behind_a_compressed_one_names_the_byte(void **state) {
    (void)state;
    receive_in_every_way(refuse_plain, SERVER, NULL);
    receive_in_every_way(refuse_plain, CLIENT, NULL);
}

/* Without an error it is the bytes of the peer that count, not what they inflate to. */
static void compressed_bytes_are_what_is_counted(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct end end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(&end, CLIENT);
    open_deflating(&end, &config);
    end_receive_frame(&end, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    assert_int_equal(fastws_conn_offset(end.conn), 9);
    end_receive(&end, "\xc1\x07\xf2\x00", 4);
    assert_int_equal(fastws_conn_offset(end.conn), 13);
    fastws_conn_eof(end.conn);
    end_take_events(&end);
    assert_int_equal(end.last, FASTWS_ERR_UNEXPECTED_EOF);
    assert_int_equal(fastws_conn_offset(end.conn), 13);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_compressed_message_inflates_to_names_the_frame),
        cmocka_unit_test(what_is_no_deflate_names_the_frame),
        cmocka_unit_test(a_plain_text_behind_a_compressed_one_names_the_byte),
        cmocka_unit_test(compressed_bytes_are_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
