/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices, drivers and how they meet.
 *
 * A driver is one file: an ops table for each face, a probe, and one BB_DRIVER line. The framework
 * matches it to a node, brings up the providers that it names, allocates its state zeroed, fills
 * the faces and calls probe. Whatever the device acquires (registers, interrupts, clocks, DMA
 * memory, timers) goes on one list, and is released in reverse order when probe fails or the device
 * is removed. remove() only quiesces the hardware.
 *
 *     struct pl031 {
 *         struct bb_device device;     // first
 *         struct bb_rtc rtc;           // a face: a member with the subsystem's name
 *         struct bb_regs regs;
 *     };
 *
 *     const struct bb_rtc_ops bb_ops_rtc_pl031 = { ... };
 *
 *     BB_DRIVER(rtc, pl031,
 *               .bus = &bb_mmio_bus,
 *               .match = BB_MATCH({"arm,pl031"}),
 *               .wants = BB_CLASSES(&bb_class_clock, &bb_class_irq),
 *               .probe = pl031_probe);
 *
 * Probe and remove run in early or thread context, never in an interrupt.
 */
#ifndef BUSBAR_DEVICE_H
#define BUSBAR_DEVICE_H

#include <busbar/base.h>
#include <busbar/node.h>
#include <busbar/param.h>

struct bb_face;

/* One thing that a device holds. It is embedded in what holds it, so that acquiring never
 * allocates. */
struct bb_resource {
    struct bb_resource *next;
    void (*release)(struct bb_resource *resource);
    const char *what; /* "reg", "irq": the step that a failure names */
};

/* A device: the running half of a node. First member of every driver's state. */
struct bb_device {
    struct bb_node *node;
    const struct bb_driver *driver;
    const char *name; /* alias ("serial0") or node name; for people */
    const void *data; /* of the match entry that was taken */
    struct bb_resource *resources;
    struct bb_device *next;   /* in the order of binding */
    struct bb_device **needs; /* providers that were pulled before probe */
    const char *step;         /* last thing that it tried to acquire */
    size_t bytes;             /* of arena: state and everything allocated for it */
    uint16_t need_count;
    uint16_t handles; /* bb_face_get() not yet put */
    uint16_t calls;   /* callbacks of it that run now */
    bool shared;      /* its hardware may still write to memory of it: that is never used again */
    bool removed;
};

struct bb_face_list {
    struct bb_face *first, *last;
};

/* What all drivers of a subsystem have in common. Defined by the subsystem: bb_class_rtc. */
struct bb_class {
    const char *name;          /* "rtc" */
    const char *property;      /* phandle list by which consumers name it: "clocks"; NULL: none */
    const char *cells;         /* "#clock-cells" */
    const void *removed;       /* ops that answer -ENODEV, for handles that outlive the device */
    struct bb_face_list *list; /* its running faces, in binding order */
    /* Entry `index` of what `node` asks of this class. NULL: the phandle list `property`. */
    int (*lookup)(const struct bb_node *node, size_t index, struct bb_phandle_args *args);
    /* Called when a face of the class starts and, with `running` false, when it goes. May be NULL.
     */
    int (*notify)(struct bb_face *face, bool running);
};

/* What a device offers: first member of struct bb_rtc, struct bb_console and so on. */
struct bb_face {
    const struct bb_class *class;
    struct bb_device *device;
    const void *ops;
    struct bb_face *next; /* of the same class */
};

struct bb_face_info {
    const struct bb_class *class;
    size_t offset; /* in the driver's state */
    const void *ops;
};

struct bb_match {
    const char *compatible;
    const void *data;
};

/* A way to reach devices. A bus claims a node when the node's parent is one of its kind. */
struct bb_bus {
    const char *name;
    bool (*claims)(const struct bb_node *node); /* NULL: only nodes appended with this bus */
};

struct bb_driver {
    const char *name; /* "rtc/pl031" */
    const struct bb_bus *bus;
    const struct bb_match *match; /* up to an entry with compatible NULL */
    size_t state_size;
    const struct bb_face_info *faces;    /* up to an entry with class NULL */
    const struct bb_class *const *needs; /* every provider the node names is up before probe */
    const struct bb_class *const *wants; /* the same, but probe runs without those that are not */
    const struct bb_param *params;       /* up to an entry with name NULL */
    /* 0, or a negative errno value, which the reason names; -ENOSYS where this machine just lacks
     * the thing (a CPU without the instruction), which is no warning. */
    int (*probe)(struct bb_device *device);
    void (*remove)(struct bb_device *device); /* quiesce only; may be NULL */
    /* Consoles: write one character by polling a UART at `base`, set up by firmware or not, with no
     * device behind it. Early context; must not wait for ever. NULL for all others. */
    void (*early_putc)(uintptr_t base, char c);
    bool hotplug; /* its devices come and go: calls always go through the ops table */
};

#define BB_MATCH(...)                                                                              \
    (const struct bb_match[])                                                                      \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define BB_CLASSES(...)                                                                            \
    (const struct bb_class *const[])                                                               \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* The faces of a driver. `_Generic` refuses an ops table or a member of the wrong type. */
#define BB_FACES_1(chip, a)                                                                        \
    (const struct bb_face_info[])                                                                  \
    {                                                                                              \
        BB_FACE(chip, a),                                                                          \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define BB_FACES_2(chip, a, b)                                                                     \
    (const struct bb_face_info[])                                                                  \
    {                                                                                              \
        BB_FACE(chip, a), BB_FACE(chip, b),                                                        \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define BB_FACES_3(chip, a, b, c)                                                                  \
    (const struct bb_face_info[])                                                                  \
    {                                                                                              \
        BB_FACE(chip, a), BB_FACE(chip, b), BB_FACE(chip, c),                                      \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define BB_FACES_PICK(a, b, c, macro, ...) macro
#define BB_FACES(chip, ...)                                                                        \
    BB_FACES_PICK(__VA_ARGS__, BB_FACES_3, BB_FACES_2, BB_FACES_1, )(chip, __VA_ARGS__)
#define BB_FACE(chip, face_)                                                                         \
    {                                                                                                \
        .class = &bb_class_##face_,                                                                \
        .offset = _Generic(&((struct chip *)0)->face_,                                             \
                           struct bb_##face_ *: offsetof(struct chip, face_)),                     \
        .ops = _Generic(&bb_ops_##face_##_##chip,                                                  \
                        const struct bb_##face_##_ops *: &bb_ops_##face_##_##chip), \
    }

/*
 * Declares the driver <subsystem>/<chip>: state `struct <chip>`, ops `bb_ops_<subsystem>_<chip>`,
 * symbol `bb_driver_<subsystem>_<chip>`. One face named <subsystem>, unless `.faces` says
 * otherwise.
 */
#define BB_DRIVER(subsystem, chip, ...)                                                            \
    BB_DRIVER_STATE(subsystem, chip, .faces = BB_FACES(chip, subsystem), __VA_ARGS__)
/* The same for a driver that offers nothing itself: it appends nodes for others. */
#define BB_DRIVER_FACELESS(subsystem, chip, ...)                                                   \
    BB_DRIVER_STATE(subsystem, chip, .faces = NULL, __VA_ARGS__)
#define BB_DRIVER_STATE(subsystem, chip, ...)                                                      \
    _Static_assert(offsetof(struct chip, device) == 0,                                             \
                   "the state of " #chip " must begin with its struct bb_device");                 \
    _Pragma("GCC diagnostic push")                                                                 \
        _Pragma("GCC diagnostic ignored \"-Woverride-init\"") extern const struct bb_driver        \
            bb_driver_##subsystem##_##chip;                                                        \
    const struct bb_driver bb_driver_##subsystem##_##chip = {                                      \
        .name = #subsystem "/" #chip, .state_size = sizeof(struct chip), __VA_ARGS__};             \
    _Pragma("GCC diagnostic pop") _Static_assert(1, "")

/* The manifest's drivers, in its order; made by the build. */
extern const struct bb_driver *const bb_drivers[];
extern const size_t bb_driver_count;
/* Compatible strings of hardware that no tree describes: the manifest's `nodes`, up to a NULL. */
extern const char *const bb_platform_nodes[];
/* Where messages go before a tree names a console, and without one; driver NULL: nowhere. */
extern const struct bb_early_console {
    const struct bb_driver *driver;
    uint64_t address;
} bb_early_console;

/* Binds every enabled node that names a device, those too that drivers append meanwhile. Called
 * once, at start; bb_bind() binds a node that is appended later. */
void bb_bind_all(void);
/* Binds one node and, before it, what it needs. 0 when it runs now; else the negative errno value
 * that its reason explains. */
int bb_bind(struct bb_node *node);
/* Whether a bind is under way, and the caller runs inside its probe: no node may go now. */
bool bb_bind_is_busy(void);
/* Whether some bus reaches children of this node, so that it needs no driver of its own. */
bool bb_node_is_bus(const struct bb_node *node);
/* One line for a person: "running", "no driver in this image knows it", "waiting for /clock (...)".
 * Always terminated; returns its length. */
size_t bb_node_reason(const struct bb_node *node, char *buffer, size_t size);

struct bb_device *bb_device_first(void);
#define bb_for_each_device(device)                                                                 \
    for (struct bb_device *device = bb_device_first(); device; device = device->next)
/* The device at work in a probe, interrupt or deferred call, or NULL. */
struct bb_device *bb_device_current(void);
/* Takes the device out: its faces answer -ENODEV from now on, its remove() quiesces, then
 * everything it held is released, and its queued work and timers are cancelled. -EBUSY while a
 * callback of it or of a device below it runs, another device needs it, or a device on its node's
 * children runs; in release builds also while somebody holds a face of a driver that is not
 * hot-pluggable, since calls may be bound straight to the driver there. Thread context. */
int bb_device_remove(struct bb_device *device);

/* ---- For drivers and subsystems ---- */

/* Puts a resource on the device's list; `release` is called exactly once. Fails only where a test
 * injects a fault: then nothing was acquired and the caller passes the error on. */
int bb_acquire(struct bb_device *device, struct bb_resource *resource, const char *what,
               void (*release)(struct bb_resource *resource));
/* Notes what failed for the reason line, and returns `error`: return bb_fail(device, "self-test",
 * -EIO) */
int bb_fail(struct bb_device *device, const char *step, int error);
/* A running device is beyond help: notes why in its node and in the log. It stays where it is; its
 * driver makes every call answer `error` from now on. `why` must stay valid. Thread context. */
void bb_device_broken(struct bb_device *device, const char *why, int error);
/* Zeroed arena memory that belongs to the device; NULL when the arena is full. */
void *bb_device_alloc(struct bb_device *device, size_t size, size_t alignment);
/* Looks up entry `index` of what the device's node asks of `class`, brings the provider up and
 * returns its face. -ENOENT when the node names none, or an error that the reason explains. */
int bb_provider(struct bb_device *device, const struct bb_class *class, size_t index,
                struct bb_face **face, struct bb_phandle_args *args);

static inline struct bb_face *bb_face_first(const struct bb_class *class)
{
    return class->list->first;
}
/* The face of this class whose device has this name, alias or node path; NULL when there is none.
 */
struct bb_face *bb_face_by_name(const struct bb_class *class, const char *name);
/* Holds a face across bb_poll(): after removal it answers -ENODEV until it is put. */
static inline void bb_face_get(struct bb_face *face)
{
    face->device->handles++;
}
static inline void bb_face_put(struct bb_face *face)
{
    BB_ASSERT(face->device->handles > 0);
    face->device->handles--;
}

/* Typed first, next and by_name for a class, as static inline functions. */
#define BB_CLASS_FINDERS(class_)                                                                   \
    extern const struct bb_class bb_class_##class_;                                                \
    static inline struct bb_##class_ *bb_##class_##_first(void)                                    \
    {                                                                                              \
        return (struct bb_##class_ *)bb_face_first(&bb_class_##class_);                            \
    }                                                                                              \
    static inline struct bb_##class_ *bb_##class_##_next(const struct bb_##class_ *previous)       \
    {                                                                                              \
        return (struct bb_##class_ *)previous->face.next;                                          \
    }                                                                                              \
    static inline struct bb_##class_ *bb_##class_##_by_name(const char *name)                      \
    {                                                                                              \
        return (struct bb_##class_ *)bb_face_by_name(&bb_class_##class_, name);                    \
    }

#endif
