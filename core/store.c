/* SPDX-License-Identifier: BSD-2-Clause */
/* The store: a list of pointers to values that stay where they are. */
#include <string.h>

#include <busbar/log.h>
#include <busbar/store.h>

static struct bb_value *first;

static const char *owner(const struct bb_value *value)
{
    return value->device ? value->device->name : "core";
}

static void withdraw(struct bb_resource *resource)
{
    struct bb_value *value = bb_container_of(resource, struct bb_value, resource);
    struct bb_value **at = &first;
    while (*at != value)
        at = &(*at)->next;
    *at = value->next;
}

BB_NOINLINE int bb_publish(struct bb_device *device, struct bb_value *value,
                           enum bb_value_type type, const char *name, const char *unit,
                           const void *pointer)
{
    *value = (struct bb_value){
        .device = device, .name = name, .unit = unit, .type = type, .pointer = pointer};
    int error = device ? bb_acquire(device, &value->resource, "store", withdraw) : 0;
    struct bb_value **at = &first;
    while (*at)
        at = &(*at)->next;
    if (error == 0)
        *at = value;
    return error;
}

const struct bb_value *bb_value_first(void)
{
    return first;
}

const struct bb_value *bb_value_find(const char *name)
{
    for (const struct bb_value *value = first; value; value = value->next) {
        size_t length = strlen(owner(value));
        if (strncmp(name, owner(value), length) == 0 && name[length] == '.' &&
            strcmp(name + length + 1, value->name) == 0)
            return value;
    }
    return NULL;
}

size_t bb_value_name(const struct bb_value *value, char *buffer, size_t size)
{
    return bb_format(buffer, size, "%s.%s", owner(value), value->name);
}

size_t bb_value_text(const struct bb_value *value, char *buffer, size_t size)
{
    const void *at = value->pointer;
    switch (value->type) {
    case BB_VALUE_U32:
        return bb_format(buffer, size, "%u", *(const uint32_t *)at);
    case BB_VALUE_U64:
        return bb_format(buffer, size, "%lu", *(const uint64_t *)at);
    case BB_VALUE_I64:
        return bb_format(buffer, size, "%ld", *(const int64_t *)at);
    case BB_VALUE_BOOL:
        return bb_format(buffer, size, "%s", *(const bool *)at ? "yes" : "no");
    case BB_VALUE_TEXT:
        break;
    }
    return bb_format(buffer, size, "%s", at ? (const char *)at : "");
}
