/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: typed values that devices publish (counters, settings, text) and that anyone can list
 * and read by name, "<device>.<value>": "serial0.received". The value stays where it is, in the
 * device's state; the store only points at it. It disappears with its device.
 *
 *     bb_publish_u64(device, &pl011->received_item, "received", "bytes", &pl011->received);
 *
 * Publishing is for probe (thread and early context). Reading: thread context.
 */
#ifndef BUSBAR_STORE_H
#define BUSBAR_STORE_H

#include <busbar/device.h>

enum bb_value_type { BB_VALUE_U32, BB_VALUE_U64, BB_VALUE_I64, BB_VALUE_BOOL, BB_VALUE_TEXT };

/* One published value. Embedded in the publisher's state; the fields belong to the store. */
struct bb_value {
    struct bb_resource resource;
    struct bb_device *device; /* NULL: core's own, shown as "core.<name>" */
    const char *name;
    const char *unit; /* "bytes", "Hz", "mC" (1/1000 degree Celsius), ""; for people */
    enum bb_value_type type;
    const void *pointer; /* text: const char * */
    struct bb_value *next;
};

int bb_publish(struct bb_device *device, struct bb_value *value, enum bb_value_type type,
               const char *name, const char *unit, const void *pointer);

static inline int bb_publish_u32(struct bb_device *device, struct bb_value *value, const char *name,
                                 const char *unit, const uint32_t *pointer)
{
    return bb_publish(device, value, BB_VALUE_U32, name, unit, pointer);
}
static inline int bb_publish_u64(struct bb_device *device, struct bb_value *value, const char *name,
                                 const char *unit, const uint64_t *pointer)
{
    return bb_publish(device, value, BB_VALUE_U64, name, unit, pointer);
}
static inline int bb_publish_text(struct bb_device *device, struct bb_value *value,
                                  const char *name, const char *pointer)
{
    return bb_publish(device, value, BB_VALUE_TEXT, name, "", pointer);
}

const struct bb_value *bb_value_first(void);
const struct bb_value *bb_value_find(const char *name); /* "serial0.received" */
/* "serial0.received" and "1234"; always terminated, return the full length. */
size_t bb_value_name(const struct bb_value *value, char *buffer, size_t size);
size_t bb_value_text(const struct bb_value *value, char *buffer, size_t size);

#endif
