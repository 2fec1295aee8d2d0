/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Displays: memory that is shown. A pixel is 32 bits; row y begins `stride * y` bytes into the
 * memory. Write it, never read it: it is not cached, and reading it back takes a hundred times as
 * long.
 *
 *     struct bb_display *display = bb_display_first();
 *     uint32_t *row = (uint32_t *)(display->memory + y * display->stride);
 *     row[x] = bb_display_pixel(display, 0xff, 0x80, 0x00);
 *     bb_display_flush(display);
 *
 * Thread context, but for bb_display_pixel(), bb_display_flush() and the memory itself, which every
 * context may use. Displays get the names display0, display1 ... in binding order, unless the tree
 * has an alias. Below each display hangs a node "console" with the compatible string
 * "busbar,framebuffer-console": text, where its driver is linked. It draws only what somebody
 * prints to it, so a program that draws itself gives the parameter `console=` a serial one.
 */
#ifndef BUSBAR_DISPLAY_H
#define BUSBAR_DISPLAY_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/name.h>
#include <busbar/poll.h>
#include <busbar/store.h>

#define BB_DISPLAY_MIN_WIDTH 320 /* pixels; what is smaller or larger is refused */
#define BB_DISPLAY_MIN_HEIGHT 200
#define BB_DISPLAY_MAX 4096 /* of either */

enum bb_display_format {
    BB_DISPLAY_XRGB8888, /* 0x00rrggbb */
    BB_DISPLAY_XBGR8888, /* 0x00bbggrr */
};

struct bb_display;

/* Who draws text or a picture that fills the screen, and must know of another size. */
struct bb_display_client {
    /* The mode has changed: all of the memory is to be drawn again, where it is now. */
    void (*changed)(struct bb_display_client *client);
};

struct bb_display {
    struct bb_face face;
    /* Set by the driver in probe and in set_mode; read by everyone. While the mode changes the
     * width is 0, and it is set last: a handler of an interrupt may look. */
    uint32_t width, height; /* pixels; 0: there is no memory now, nothing may be drawn */
    uint32_t stride;        /* bytes from one row to the next, a multiple of 8 */
    enum bb_display_format format;
    uint8_t *memory; /* stride * height bytes that may be written, aligned to 8 */
    /* The rest is the subsystem's. */
    struct bb_display_client *client; /* or NULL */
    struct bb_node *console;
    struct bb_value values[2];
    struct bb_name name; /* "display0" */
};

struct bb_display_ops {
    /* Shows as many pixels, in memory that may be elsewhere afterwards and holds anything. -EINVAL
     * for a size that the display cannot show, or another error; the old mode then stays, or where
     * that fails too, width and height are 0 and nothing may be drawn. NULL: fixed. */
    int (*set_mode)(struct bb_display *display, uint32_t width, uint32_t height);
    /* Dark, and back again; the memory keeps what it holds. NULL: cannot. */
    int (*blank)(struct bb_display *display, bool dark);
    /* Shows what was written to the memory since the last call. Every context. NULL: it shows by
     * itself, as soon as the writes are through. */
    void (*flush)(struct bb_display *display);
};

BB_CLASS_FINDERS(display)

#ifndef BB_BOUND_DISPLAY
#define BB_BOUND_DISPLAY (*(const struct bb_display_ops *)display->face.ops)
#endif

static inline int bb_display_blank(struct bb_display *display, bool dark)
{
    return BB_BOUND_DISPLAY.blank ? BB_BOUND_DISPLAY.blank(display, dark) : -ENOTSUP;
}
/* Changes the mode and tells the client. */
int bb_display_set_mode(struct bb_display *display, uint32_t width, uint32_t height);
/* What was drawn is to be seen now. */
void bb_display_flush(struct bb_display *display);
/* A colour as this display wants it; channels are 0 to 255. */
static inline uint32_t bb_display_pixel(const struct bb_display *display, uint32_t red,
                                        uint32_t green, uint32_t blue)
{
    return display->format == BB_DISPLAY_XRGB8888 ? red << 16 | green << 8 | blue
                                                  : blue << 16 | green << 8 | red;
}
/* "1024x768", the whole text: -EINVAL when it is no size, or one that no display may have. */
int bb_display_parse_mode(const char *text, uint32_t *width, uint32_t *height);
/* The mode to begin with: the parameter `display.mode=1024x768`, where it makes sense; else what is
 * given, where that makes sense (the panel's own size); else 1024x768. For drivers' probes. */
void bb_display_default_mode(uint32_t *width, uint32_t *height);

/* Where the console hangs. */
extern const struct bb_bus bb_display_bus;

#endif
