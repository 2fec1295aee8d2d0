/* SPDX-License-Identifier: BSD-2-Clause */
/* The store: published values, by name and in order, gone with their device. */
#include "harness.h"

#include <string.h>

#include <busbar/store.h>
#include <core/core.h>

static const struct bb_driver driver = {.name = "test/chip"};
static struct bb_node node_a, node_b;
static struct bb_device a = {.node = &node_a, .driver = &driver, .name = "serial0"};
static struct bb_device b = {.node = &node_b, .driver = &driver, .name = "uart@7e2.0"};
static struct bb_value values[6];

static const char *name_of(const struct bb_value *value)
{
    static char text[64];
    size_t length = bb_value_name(value, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    return text;
}

static const char *text_of(const struct bb_value *value)
{
    static char text[64];
    assert_non_null(value);
    size_t length = bb_value_text(value, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    return text;
}

static void test_values_by_name_and_type(void **state)
{
    static uint32_t u32 = 5;
    static uint64_t u64 = UINT64_MAX;
    static int64_t i64 = INT64_MIN;
    static bool flag;
    (void)state;
    assert_null(bb_value_first());
    assert_int_equal(bb_publish_u32(&a, &values[0], "errors", "", &u32), 0);
    assert_int_equal(bb_publish_u64(&a, &values[1], "received", "bytes", &u64), 0);
    assert_int_equal(bb_publish(&b, &values[2], BB_VALUE_I64, "offset", "ns", &i64), 0);
    assert_int_equal(bb_publish(&b, &values[3], BB_VALUE_BOOL, "linked", "", &flag), 0);
    assert_int_equal(bb_publish_text(NULL, &values[4], "version", "0.1"), 0);
    assert_int_equal(bb_publish_text(NULL, &values[5], "nothing", NULL), 0);
    for (size_t i = 0; i < 6; i++)
        assert_ptr_equal(bb_value_find(name_of(&values[i])), &values[i]);
    assert_string_equal(name_of(&values[1]), "serial0.received");
    assert_string_equal(text_of(bb_value_find("serial0.errors")), "5");
    u32 = 6; /* the value itself, not a copy */
    assert_string_equal(text_of(bb_value_find("serial0.errors")), "6");
    assert_string_equal(text_of(bb_value_find("serial0.received")), "18446744073709551615");
    assert_string_equal(text_of(bb_value_find("uart@7e2.0.offset")), "-9223372036854775808");
    assert_string_equal(text_of(bb_value_find("uart@7e2.0.linked")), "no");
    assert_string_equal(text_of(bb_value_find("core.version")), "0.1");
    assert_string_equal(text_of(bb_value_find("core.nothing")), "");
    assert_null(bb_value_find("serial0"));
    assert_null(bb_value_find("serial0."));
    assert_null(bb_value_find(""));
    assert_null(bb_value_find("serial0.receive"));
    size_t count = 0;
    for (const struct bb_value *value = bb_value_first(); value; value = value->next)
        assert_ptr_equal(value, &values[count++]);
    assert_int_equal(count, 6);
}

static void test_values_leave_with_their_device(void **state)
{
    static const uint32_t number = 1;
    (void)state;
    assert_int_equal(bb_publish_u32(&a, &values[0], "one", "", &number), 0);
    assert_int_equal(bb_publish_u32(&b, &values[1], "one", "", &number), 0);
    assert_int_equal(bb_publish_u32(&a, &values[2], "two", "", &number), 0);
    bb_device_release(&a);
    assert_null(bb_value_find("serial0.one"));
    assert_null(bb_value_find("serial0.two"));
    assert_ptr_equal(bb_value_first(), &values[1]);
    assert_null(values[1].next);
    assert_int_equal(bb_publish_u32(&a, &values[0], "one", "", &number), 0);
    assert_ptr_equal(values[1].next, &values[0]);
}

extern int bb_fault_at;

static void test_a_refused_value_is_not_listed(void **state)
{
    static const uint32_t number = 1;
    (void)state;
    bb_fault_at = 1;
    assert_int_equal(bb_publish_u32(&a, &values[0], "one", "", &number), -ENOMEM);
    assert_null(bb_value_first());
    assert_null(a.resources);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_by_name_and_type),
        cmocka_unit_test(test_values_leave_with_their_device),
        cmocka_unit_test(test_a_refused_value_is_not_listed),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
