/* SPDX-License-Identifier: MIT */
/* The rules that frame headers must keep: every header in every state, against the rules written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fastws/header.h>

static void tells_control_from_data_and_reserved_opcodes(void **state) {
    (void)state;
    static const char control[] = "0000000011111111";
    static const char reserved[] = "0001111100011111";
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        assert_int_equal(fastws_opcode_is_control(opcode), control[opcode] == '1');
        assert_int_equal(fastws_opcode_is_data(opcode), control[opcode] == '0');
        assert_int_equal(fastws_opcode_is_reserved(opcode), reserved[opcode] == '1');
    }
    assert_int_equal(fastws_opcode_is_reserved(16), 0);
    assert_int_equal(fastws_opcode_is_reserved(UINT32_MAX), 0);
}

static void packs_and_unpacks_rsv_bits(void **state) {
    (void)state;
    assert_int_equal(fastws_rsv_pack(1, 0, 0), FASTWS_RSV1);
    assert_int_equal(fastws_rsv_pack(0, 1, 0), FASTWS_RSV2);
    assert_int_equal(fastws_rsv_pack(0, 0, 1), FASTWS_RSV3);
    assert_int_equal(fastws_rsv_pack(-1, 2, 256), 7);
    for (unsigned rsv = 0; rsv < 8; rsv++) {
        int rsv1, rsv2, rsv3;
        fastws_rsv_unpack((uint8_t)(rsv | 0xf8), &rsv1, &rsv2, &rsv3);
        assert_int_equal(rsv1 * 4 + rsv2 * 2 + rsv3, rsv);
        assert_int_equal(fastws_rsv_pack(rsv1, rsv2, rsv3), rsv);
    }
}

/* The rules in the order in which gobwas asks them, each a test of its own: true means that the frame breaks it. */
static int breaks_rule(int rule, const struct fastws_header *h, unsigned state) {
    int control = h->opcode >= 8;
    int message_start = h->opcode == 1 || h->opcode == 2;
    switch (rule) {
    case 0:
        return !(h->opcode <= 2 || (h->opcode >= 8 && h->opcode <= 10));
    case 1:
        return control && h->length >= 126;
    case 2:
        return control && h->fin == 0;
    case 3:
        return h->rsv >= 8 || (h->rsv & 4 && !(message_start && state & FASTWS_STATE_EXTENDED)) ||
               (h->rsv & 2 && !(state & FASTWS_STATE_RSV2)) || (h->rsv & 1 && !(state & FASTWS_STATE_RSV3));
    case 4:
        return state & FASTWS_STATE_SERVER && h->masked == 0;
    case 5:
        return state & FASTWS_STATE_CLIENT && h->masked != 0;
    case 6:
        return message_start && state & FASTWS_STATE_FRAGMENTED;
    default:
        return h->opcode == 0 && !(state & FASTWS_STATE_FRAGMENTED);
    }
}

static const int rule_errors[] = {
    FASTWS_ERR_OPCODE_RESERVED,       FASTWS_ERR_CONTROL_LEN,
    FASTWS_ERR_CONTROL_FRAGMENTED,    FASTWS_ERR_RSV,
    FASTWS_ERR_MASK_REQUIRED,         FASTWS_ERR_MASK_UNEXPECTED,
    FASTWS_ERR_CONTINUATION_EXPECTED, FASTWS_ERR_CONTINUATION_UNEXPECTED,
};
enum { RULE_COUNT = sizeof rule_errors / sizeof rule_errors[0] };

/* Checks one header in one state and counts the rule that it broke first; RULE_COUNT where it broke none. */
static void check_one(const struct fastws_header *header, unsigned state, int counts[]) {
    int rule = 0;
    while (rule < RULE_COUNT && !breaks_rule(rule, header, state))
        rule++;
    int expected = rule < RULE_COUNT ? rule_errors[rule] : 0;
    int result = fastws_header_check(header, state);
    if (result != expected) {
        print_error("opcode %u fin %u rsv %u masked %u length %llu state %u\n", header->opcode, header->fin,
                    header->rsv, header->masked, (unsigned long long)header->length, state);
        assert_string_equal(fastws_error_name(result), fastws_error_name(expected));
    }
    counts[rule]++;
}

static void judges_every_header_in_every_state(void **state) {
    (void)state;
    const uint64_t lengths[] = {0, 125, 126, 65536, (uint64_t)1 << 62};
    int counts[RULE_COUNT + 1] = {0};
    for (unsigned bits = 0; bits < 1u << 6; bits++)
        for (unsigned opcode = 0; opcode < 18; opcode++)
            for (unsigned flags = 0; flags < 1u << 6; flags++)
                for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
                    struct fastws_header header = {.length = lengths[i],
                                                   .opcode = (uint8_t)opcode,
                                                   .rsv = (uint8_t)(flags >> 2),
                                                   .fin = flags & 1,
                                                   .masked = flags >> 1 & 1};
                    check_one(&header, bits, counts);
                }
    for (int rule = 0; rule <= RULE_COUNT; rule++)
        assert_in_range(counts[rule], 100, 1000000);
}

static int check(unsigned opcode, unsigned fin, unsigned rsv, unsigned masked, uint64_t length, unsigned state) {
    struct fastws_header header = {.length = length,
                                   .opcode = (uint8_t)opcode,
                                   .rsv = (uint8_t)rsv,
                                   .fin = (uint8_t)fin,
                                   .masked = (uint8_t)masked};
    return fastws_header_check(&header, state);
}

static void refuses_an_unmasked_frame_from_a_client(void **state) {
    (void)state;
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 0, 5, FASTWS_STATE_SERVER), FASTWS_ERR_MASK_REQUIRED);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 1, 5, FASTWS_STATE_SERVER), 0);
}

static void refuses_a_masked_frame_from_a_server(void **state) {
    (void)state;
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 1, 5, FASTWS_STATE_CLIENT), FASTWS_ERR_MASK_UNEXPECTED);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 0, 5, FASTWS_STATE_CLIENT), 0);
}

/* gobwas lets all three bits pass once any extension was negotiated. */
static void an_extension_claims_rsv1_and_no_other_bit(void **state) {
    (void)state;
    unsigned extended = FASTWS_STATE_EXTENDED;
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV1, 0, 5, 0), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV1, 0, 5, extended), 0);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV2, 0, 5, extended), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV3, 0, 5, extended), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV2, 0, 5, FASTWS_STATE_RSV2), 0);
    assert_int_equal(check(FASTWS_OPCODE_PING, 1, FASTWS_RSV3, 0, 5, FASTWS_STATE_RSV3), 0);
}

static void refuses_rsv1_on_control_and_continuation_frames(void **state) {
    (void)state;
    unsigned every_claim = FASTWS_STATE_EXTENDED | FASTWS_STATE_RSV2 | FASTWS_STATE_RSV3 | FASTWS_STATE_FRAGMENTED;
    assert_int_equal(check(FASTWS_OPCODE_PING, 1, FASTWS_RSV1, 0, 5, every_claim), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_CLOSE, 1, FASTWS_RSV1, 0, 2, every_claim), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 1, FASTWS_RSV1, 0, 5, every_claim), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 1, FASTWS_RSV2, 0, 5, every_claim), 0);
}

static void lets_control_frames_stand_between_fragments(void **state) {
    (void)state;
    unsigned fragmented = FASTWS_STATE_FRAGMENTED;
    assert_int_equal(check(FASTWS_OPCODE_PING, 1, 0, 0, 125, fragmented), 0);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 0, 0, 0, 126, fragmented), 0);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 0, 5, fragmented), FASTWS_ERR_CONTINUATION_EXPECTED);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 1, 0, 0, 5, 0), FASTWS_ERR_CONTINUATION_UNEXPECTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_control_from_data_and_reserved_opcodes),
        cmocka_unit_test(packs_and_unpacks_rsv_bits),
        cmocka_unit_test(judges_every_header_in_every_state),
        cmocka_unit_test(refuses_an_unmasked_frame_from_a_client),
        cmocka_unit_test(refuses_a_masked_frame_from_a_server),
        cmocka_unit_test(an_extension_claims_rsv1_and_no_other_bit),
        cmocka_unit_test(refuses_rsv1_on_control_and_continuation_frames),
        cmocka_unit_test(lets_control_frames_stand_between_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
