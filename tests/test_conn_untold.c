/* SPDX-License-Identifier: MIT */
/* Errors that the peer cannot be told of, for want of memory or random bytes: the event says 1006, and nothing goes
 * out. RFC 6455 7.1.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fastws/close.h>
#include <fastws/error.h>

#include "support.h"

/* A message that is not complete, so that the connection has what it needs to receive. */
static void begin_message(struct end *end) {
    end_receive_frame(end, 0x01, "", 0);
    assert_int_equal(end->last, 0);
}

/* Receives a frame with a reserved opcode. */
static struct fastws_event take_error(struct end *end) {
    struct fastws_event event = {0};
    struct bytes wire = {0};
    put_frame(&wire, (enum fastws_role)end->config.role, 0x83, "", 0);
    assert_int_equal(fastws_conn_feed(end->conn, wire.ptr, wire.len), 0);
    assert_int_equal(fastws_conn_next(end->conn, &event, 1), 1);
    assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
    assert_int_equal(event.error, FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_conn_next(end->conn, &event, 1), FASTWS_ERR_OPCODE_RESERVED);
    bytes_free(&wire);
    return event;
}

static void expect_untold(struct end *end) {
    assert_int_equal(take_error(end).close_code, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    assert_int_equal(fastws_conn_close_sent(end->conn), 0);
    assert_int_equal(fastws_conn_get_state(end->conn), FASTWS_CONN_FAILED);
    assert_int_equal(fastws_conn_is_over(end->conn), 1);
    expect_nothing_sent(end);
    end_close(end);
}

/* A client masks its close frame, too. */
static void says_1006_where_there_is_no_masking_key(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, FASTWS_ROLE_CLIENT);
    end_open(&end);
    begin_message(&end);
    end.keys.error = FASTWS_ERR_RANDOM;
    expect_untold(&end);
}

/* Another connection has the cork, so that the close frame needs memory of its own. */
static void says_1006_where_there_is_no_memory(void **state) {
    (void)state;
    struct end end;
    struct fastws_conn *other = end_open_beside_cork(&end, FASTWS_ROLE_SERVER, "queued");
    begin_message(&end);
    end.memory.fail_at = end.memory.calls + 1;
    end.memory.fail_on = 1;
    assert_int_equal(take_error(&end).close_code, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    assert_int_equal(fastws_conn_close_sent(end.conn), 0);
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_pending_len(other), 2 + 6);
    fastws_conn_free(other);
    end_close(&end);
}

static void says_1002_where_it_can(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, FASTWS_ROLE_CLIENT);
    end_open(&end);
    assert_int_equal(take_error(&end).close_code, FASTWS_CLOSE_PROTOCOL_ERROR);
    assert_int_equal(fastws_conn_close_sent(end.conn), FASTWS_CLOSE_PROTOCOL_ERROR);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_1006_where_there_is_no_masking_key),
        cmocka_unit_test(says_1006_where_there_is_no_memory),
        cmocka_unit_test(says_1002_where_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
