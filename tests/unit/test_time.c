/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: exact conversions, no drift over years, a source that changes. */
#include "harness.h"

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/time.h>

#define YEAR (365 * 24 * 3600ull)

static const uint64_t rates[] = {1,        3,        1000,     32768,      1000000,    19200000,
                                 24000000, 54000000, 62500000, 1000000000, 10000000000};

static uint64_t ticks;

static uint64_t tick_counter(void)
{
    return ticks;
}

static uint64_t host_counter(void *context)
{
    return *(uint64_t *)context;
}

static void test_conversions_are_exact(void **state)
{
    uint64_t seed = 99;
    (void)state;
    for (size_t r = 0; r < BB_ARRAY_SIZE(rates); r++)
        for (unsigned i = 0; i < 20000; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint64_t value = seed >> (i % 64), hz = rates[r];
            unsigned __int128 ns = (unsigned __int128)value * BB_SEC / hz;
            if (ns <= UINT64_MAX)
                assert_true(bb_ticks_to_ns(value, hz) == (uint64_t)ns);
            unsigned __int128 up = ((unsigned __int128)value * hz + BB_SEC - 1) / BB_SEC;
            assert_true(bb_ns_to_ticks(value, hz) == (up > UINT64_MAX ? UINT64_MAX : (uint64_t)up));
        }
    assert_true(bb_ns_to_ticks(UINT64_MAX, 10000000000) == UINT64_MAX);
    assert_true(bb_ns_to_ticks(0, 54000000) == 0);
    assert_true(bb_ns_to_ticks(1, 54000000) == 1);
    assert_true(bb_ticks_to_ns(5, 0) == 0);
}

static void test_no_drift_over_years(void **state)
{
    (void)state;
    for (size_t r = 0; r < BB_ARRAY_SIZE(rates); r++) {
        uint64_t hz = rates[r];
        ticks = 12345;
        bb_time_source(tick_counter, hz);
        uint64_t start = bb_time();
        for (uint64_t year = 1; year <= 12; year++) {
            ticks = 12345 + year * YEAR * hz;
            assert_true(bb_time() - start == year * YEAR * BB_SEC);
        }
        ticks++; /* never back, never ahead by more than a tick */
        uint64_t step = bb_time() - start - 12 * YEAR * BB_SEC;
        assert_true(step == BB_SEC / hz || hz > BB_SEC);
    }
}

static void test_time_starts_at_zero(void **state)
{
    uint64_t counter = 1ull << 40;
    (void)state;
    bb_host_cpu =
        (struct bb_host_cpu){.counter = host_counter, .counter_hz = 62500000, .context = &counter};
    assert_true(bb_time() == 0);
    counter += 62500000;
    assert_true(bb_time() == BB_SEC);
}

static void test_a_new_source_goes_on(void **state)
{
    uint64_t counter = 5000;
    (void)state;
    bb_host_cpu =
        (struct bb_host_cpu){.counter = host_counter, .counter_hz = 54000000, .context = &counter};
    (void)bb_time();
    counter += 54000000 * 3;
    uint64_t before = bb_time();
    ticks = 7;
    bb_time_source(tick_counter, 1000000);
    assert_true(bb_time() == before && before == 3 * BB_SEC);
    ticks += 2000000;
    assert_true(bb_time() == 5 * BB_SEC);
    bb_time_source(bb_arch_counter, bb_arch_counter_hz());
    assert_true(bb_time() == 5 * BB_SEC);
    counter += 54;
    assert_true(bb_time() == 5 * BB_SEC + BB_USEC);
}

static void test_delay_waits_at_least(void **state)
{
    (void)state;
    for (uint64_t ns = 0; ns < 300000; ns = ns * 2 + 1) {
        uint64_t before = bb_time();
        bb_delay(ns);
        assert_true(bb_time() - before >= ns);
    }
}

static void test_no_counter_hangs_nothing(void **state)
{
    uint64_t counter = 5;
    (void)state;
    bb_host_cpu =
        (struct bb_host_cpu){.counter = host_counter, .counter_hz = 0, .context = &counter};
    assert_true(bb_time() == 0);
    bb_delay(BB_MSEC);
    counter = 500;
    assert_true(bb_time() == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversions_are_exact),
        cmocka_unit_test(test_no_drift_over_years),
        cmocka_unit_test(test_time_starts_at_zero),
        cmocka_unit_test(test_a_new_source_goes_on),
        cmocka_unit_test(test_delay_waits_at_least),
        cmocka_unit_test(test_no_counter_hangs_nothing),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
