/* SPDX-License-Identifier: BSD-2-Clause */
/* Displays: their names and modes, and the node for the console that each one has. */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/display.h>
#include <busbar/log.h>
#include <busbar/param.h>

enum { USUAL_WIDTH = 1024, USUAL_HEIGHT = 768 };

static struct bb_face_list displays;

static int removed_set_mode(struct bb_display *display, uint32_t width, uint32_t height)
{
    (void)display, (void)width, (void)height;
    return -ENODEV;
}

static int removed_blank(struct bb_display *display, bool dark)
{
    (void)display, (void)dark;
    return -ENODEV;
}

static void removed_flush(struct bb_display *display)
{
    (void)display;
}

static const struct bb_display_ops removed = {
    .set_mode = removed_set_mode,
    .blank = removed_blank,
    .flush = removed_flush,
};

const struct bb_bus bb_display_bus = {.name = "display"};

/* ---- Modes ---- */

static bool is_size(uint64_t width, uint64_t height)
{
    return width >= BB_DISPLAY_MIN_WIDTH && width <= BB_DISPLAY_MAX &&
           height >= BB_DISPLAY_MIN_HEIGHT && height <= BB_DISPLAY_MAX;
}

static const char *parse_number(const char *text, uint32_t *number)
{
    const char *begin = text;
    for (*number = 0; *text >= '0' && *text <= '9' && text - begin < 5; text++)
        *number = *number * 10 + (uint32_t)(*text - '0');
    return text;
}

int bb_display_parse_mode(const char *text, uint32_t *width, uint32_t *height)
{
    uint32_t across, down;
    const char *at = parse_number(text, &across);
    if (*at != 'x')
        return -EINVAL;
    at = parse_number(at + 1, &down);
    if (*at || !is_size(across, down))
        return -EINVAL;
    *width = across;
    *height = down;
    return 0;
}

void bb_display_default_mode(uint32_t *width, uint32_t *height)
{
    const char *parameter = bb_param_get("display.mode");
    if (parameter && bb_display_parse_mode(parameter, width, height) == 0)
        return;
    if (!is_size(*width, *height)) {
        *width = USUAL_WIDTH;
        *height = USUAL_HEIGHT;
    }
    if (parameter)
        bb_print(BB_WARNING, "display.mode=%s is no size such as 1024x768: %ux%u is used",
                 parameter, *width, *height);
}

/* What the driver says of its memory. */
static int check(const struct bb_display *display)
{
    if (!is_size(display->width, display->height))
        return bb_fail(display->face.device, "size", -EINVAL);
    if (display->stride % 8 || display->stride / 4 < display->width)
        return bb_fail(display->face.device, "stride", -EINVAL);
    if (!display->memory || (uintptr_t)display->memory % 8)
        return bb_fail(display->face.device, "memory", -EINVAL);
    return 0;
}

int bb_display_set_mode(struct bb_display *display, uint32_t width, uint32_t height)
{
    if (!BB_BOUND_DISPLAY.set_mode)
        return -ENOTSUP;
    if (!is_size(width, height))
        return -EINVAL;
    int error = BB_BOUND_DISPLAY.set_mode(display, width, height);
    if (!display->face.device->removed && check(display))
        display->width = display->height = 0;
    if (display->client && !display->face.device->removed)
        display->client->changed(display->client);
    return error;
}

void bb_display_flush(struct bb_display *display)
{
    bb_arch_barrier(); /* combined writes leave the core */
    if (BB_BOUND_DISPLAY.flush)
        BB_BOUND_DISPLAY.flush(display);
}

/* ---- Coming and going ---- */

/* Displays that come after start find nobody who binds what hangs below them. */
static void bind_consoles(struct bb_work *work)
{
    (void)work;
    for (struct bb_display *display = bb_display_first(); display;
         display = bb_display_next(display))
        if (display->console && display->console->state == BB_NODE_UNBOUND)
            (void)bb_bind(display->console);
}

static int append_console(struct bb_display *display)
{
    static const char compatible[] = "busbar,framebuffer-console";
    static const struct bb_property property = {"compatible", compatible, sizeof(compatible)};
    static struct bb_work work;
    int error = bb_node_append(display->face.device->node, &bb_display_bus, "console", &property, 1,
                               &display->console);
    work.run = bind_consoles;
    if (!error)
        bb_work_queue(&work);
    return error;
}

static int display_notify(struct bb_face *face, bool running)
{
    struct bb_display *display = bb_container_of(face, struct bb_display, face);
    if (!running)
        return 0;
    int error = check(display);
    if (error)
        return error;
    bb_name_device(face->device, &display->name, "display");
    error = bb_publish_u32(face->device, &display->values[0], "width", "pixels", &display->width);
    if (!error)
        error =
            bb_publish_u32(face->device, &display->values[1], "height", "pixels", &display->height);
    return error ? error : append_console(display);
}

const struct bb_class bb_class_display = {
    .name = "display",
    .removed = &removed,
    .list = &displays,
    .notify = display_notify,
};
