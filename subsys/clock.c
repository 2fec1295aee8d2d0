/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks: inputs of devices, on while at least one of them is held. */
#include <busbar/clock.h>

static struct bb_face_list clocks;

static int removed_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    (void)clock, (void)output, (void)hz;
    return -ENODEV;
}

static int removed_set_rate(struct bb_clock *clock, uint32_t output, uint64_t hz)
{
    (void)clock, (void)output, (void)hz;
    return -ENODEV;
}

static const struct bb_clock_ops removed = {
    .rate = removed_rate,
    .set_rate = removed_set_rate,
};

static const struct bb_clock_ops *ops_of(const struct bb_clock_input *input)
{
    return input->clock->face.ops;
}

static int switch_input(const struct bb_clock_input *input, bool on)
{
    for (struct bb_clock_input *other = input->clock->held; other; other = other->next)
        if (other->output == input->output)
            return 0;
    return ops_of(input)->enable ? ops_of(input)->enable(input->clock, input->output, on) : 0;
}

static void release(struct bb_resource *resource)
{
    struct bb_clock_input *input = bb_container_of(resource, struct bb_clock_input, resource);
    struct bb_clock_input **place = &input->clock->held;
    while (*place != input)
        place = &(*place)->next;
    *place = input->next;
    (void)switch_input(input, false);
    input->clock = NULL;
}

int bb_clock_get(struct bb_device *device, size_t index, struct bb_clock_input *input)
{
    struct bb_face *face;
    struct bb_phandle_args args;
    int error = bb_provider(device, &bb_class_clock, index, &face, &args);
    if (error)
        return error;
    *input = (struct bb_clock_input){
        .clock = bb_container_of(face, struct bb_clock, face),
        .output = args.count > 0 ? args.cells[0] : 0,
    };
    error = switch_input(input, true);
    if (error) {
        input->clock = NULL;
        return bb_fail(device, "clock", error);
    }
    input->next = input->clock->held;
    input->clock->held = input;
    error = bb_acquire(device, &input->resource, "clock", release);
    if (error)
        release(&input->resource);
    return error;
}

int bb_clock_index(const struct bb_device *device, const char *name)
{
    return bb_node_string_index(device->node, "clock-names", name);
}

int bb_clock_rate(const struct bb_clock_input *input, uint64_t *hz)
{
    *hz = 0;
    int error = ops_of(input)->rate(input->clock, input->output, hz);
    if (error)
        return error;
    return *hz ? 0 : -EIO;
}

int bb_clock_set_rate(const struct bb_clock_input *input, uint64_t hz)
{
    if (!ops_of(input)->set_rate)
        return -ENOTSUP;
    return ops_of(input)->set_rate(input->clock, input->output, hz);
}

const struct bb_class bb_class_clock = {
    .name = "clock",
    .property = "clocks",
    .cells = "#clock-cells",
    .removed = &removed,
    .list = &clocks,
};
