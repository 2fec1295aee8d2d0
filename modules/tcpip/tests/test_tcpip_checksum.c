/* SPDX-License-Identifier: BSD-2-Clause */
/* The internet checksum against the words of RFC 1071, at every alignment and length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <busbar/tcpip.h>

static uint16_t plainly(const uint8_t *bytes, size_t length)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += i & 1 ? (uint64_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void check(unsigned (*byte)(unsigned i))
{
    for (size_t length = 0; length < 200; length++) {
        for (size_t at = 0; at < 9; at++) {
            uint8_t *bytes =
                malloc(at + length ? at + length : 1); /* its end is the end of the memory */
            for (size_t i = 0; i < at + length; i++)
                bytes[i] = (uint8_t)byte((unsigned)i);
            uint16_t sum = bb_tcpip_checksum(bytes + at, (int)length);
            if (sum != plainly(bytes + at, length))
                fail_msg("%zu bytes at %zu: 0x%x", length, at, sum);
            free(bytes);
        }
    }
}

static unsigned zeros(unsigned i)
{
    (void)i;
    return 0;
}
static unsigned ones(unsigned i)
{
    (void)i;
    return 0xff;
}
static unsigned mixed(unsigned i)
{
    return (i + 1) * 2654435761u >> 13;
}

static void test_every_alignment_and_length(void **state)
{
    (void)state;
    check(zeros);
    check(ones);
    check(mixed);
}

static void test_a_negative_length_is_none(void **state)
{
    (void)state;
    assert_int_equal(bb_tcpip_checksum("ab", -1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_alignment_and_length),
        cmocka_unit_test(test_a_negative_length_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
