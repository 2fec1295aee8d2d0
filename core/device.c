/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices once they are matched: their faces, what they hold, how they leave. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/hooks.h>
#include <busbar/log.h>

#include "core.h"

static struct bb_device *first_device, *last_device;
static struct bb_device *current; /* at work now */

#ifdef BB_TEST
int bb_fault_at; /* the n-th acquisition from now fails; 0: none */
#define FAULT_DUE (bb_fault_at > 0 && --bb_fault_at == 0)
#else
#define FAULT_DUE false
#endif

struct bb_device *bb_device_first(void)
{
    return first_device;
}

struct bb_device *bb_device_newest(void)
{
    return last_device;
}

struct bb_device *bb_device_current(void)
{
    return current;
}

struct bb_device *bb_device_enter(struct bb_device *device)
{
    struct bb_device *previous = current;
    current = device;
    return previous;
}

int bb_acquire(struct bb_device *device, struct bb_resource *resource, const char *what,
               void (*release)(struct bb_resource *resource))
{
    device->step = what;
    if (FAULT_DUE)
        return -ENOMEM;
    *resource = (struct bb_resource){device->resources, release, what};
    device->resources = resource;
    return 0;
}

int bb_fail(struct bb_device *device, const char *step, int error)
{
    device->step = step;
    return error;
}

void *bb_device_alloc(struct bb_device *device, size_t size, size_t alignment)
{
    void *memory = FAULT_DUE ? NULL : bb_arena_take(device->node->arena, size, alignment);
    if (memory)
        device->bytes += size;
    else
        device->step = "memory";
    return memory;
}

static struct bb_face *face_of(struct bb_device *device, const struct bb_class *class)
{
    bb_for_each_face (face, info, device)
        if (info->class == class)
            return face;
    return NULL;
}

/* Asserted only: release builds name it and never call it. */
__attribute__((unused)) static bool declared(const struct bb_class *const *list,
                                             const struct bb_class *class)
{
    for (; list && *list; list++)
        if (*list == class)
            return true;
    return false;
}

int bb_provider(struct bb_device *device, const struct bb_class *class, size_t index,
                struct bb_face **face, struct bb_phandle_args *args)
{
    BB_ASSERT(declared(device->driver->needs, class) || declared(device->driver->wants, class));
    device->step = class->name;
    int error = bb_class_lookup(class, device->node, index, args);
    if (error < 0)
        return error == -ERANGE ? -ENOENT : error;
    error = bb_bind(args->node);
    if (error < 0)
        return error;
    *face = face_of(args->node->device, class);
    return *face ? 0 : -ENODEV;
}

struct bb_face *bb_face_by_name(const struct bb_class *class, const char *name)
{
    const struct bb_node *node = bb_node_find(name);
    for (struct bb_face *face = class->list->first; face; face = face->next)
        if (face->device->node == node || strcmp(face->device->name, name) == 0)
            return face;
    return NULL;
}

static void list_face(struct bb_face *face)
{
    struct bb_face_list *list = face->class->list;
    face->next = NULL;
    *(list->last ? &list->last->next : &list->first) = face;
    list->last = face;
}

static void unlist_face(struct bb_face *face)
{
    struct bb_face_list *list = face->class->list;
    struct bb_face *before = NULL, *at;
    for (at = list->first; at && at != face; at = at->next)
        before = at;
    if (!at)
        return; /* probe failed */
    *(before ? &before->next : &list->first) = face->next;
    if (list->last == face)
        list->last = before;
    if (face->class->notify && !bb_binder.dry)
        face->class->notify(face, false);
}

int bb_device_start(struct bb_device *device)
{
    device->node->device = device;
    bb_for_each_face (face, info, device) {
        list_face(face);
        int error = info->class->notify && !bb_binder.dry ? info->class->notify(face, true) : 0;
        if (error < 0) {
            device->step = info->class->name;
            return error;
        }
    }
    *(last_device ? &last_device->next : &first_device) = device;
    last_device = device;
    return 0;
}

void bb_device_release(struct bb_device *device)
{
    bb_for_each_face (face, info, device) {
        unlist_face(face);
        face->ops = info->class->removed;
    }
    if (device->node->device == device && device->driver->remove)
        device->driver->remove(device);
    while (device->resources) {
        struct bb_resource *resource = device->resources;
        device->resources = resource->next;
        resource->release(resource);
    }
    bb_poll_forget(device);
    device->node->device = NULL;
}

static bool is_needed(const struct bb_device *device)
{
    bb_for_each_device (other) {
        if (other->node->parent == device->node)
            return true;
        for (const struct bb_node *at = other->node; at && other->calls; at = at->parent)
            if (at == device->node)
                return true; /* its driver, or one below, is at work */
        for (uint16_t i = 0; i < other->need_count; i++)
            if (other->needs[i] == device)
                return true;
    }
    return false;
}

int bb_device_remove(struct bb_device *device)
{
    if (device->removed)
        return -ENODEV;
    if (is_needed(device))
        return -EBUSY;
#ifndef BB_DEBUG
    if (device->handles && !device->driver->hotplug)
        return -EBUSY; /* the build may have bound calls straight to the driver */
#endif
    device->removed = true;
    struct bb_device *previous = bb_device_enter(device);
    bb_device_release(device);
    bb_device_leave(previous);
    struct bb_device *before = NULL;
    for (struct bb_device *at = first_device; at != device; at = at->next)
        before = at;
    *(before ? &before->next : &first_device) = device->next;
    if (last_device == device)
        last_device = before;
    device->node->state = BB_NODE_FAILED;
    device->node->reason = (struct bb_reason){.code = BB_REASON_REMOVED, .error = -ENODEV};
    return 0;
}

void bb_device_reset(void)
{
    bb_for_each_device (device)
        bb_for_each_face (face, info, device)
            *info->class->list = (struct bb_face_list){0};
    first_device = last_device = current = NULL;
}
