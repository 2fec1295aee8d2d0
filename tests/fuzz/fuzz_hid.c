/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Report descriptors and reports that libFuzzer thinks of: the first byte is the descriptor's
 * length in units of two bytes, the rest is reports, each with its length in front. What is kept of
 * a descriptor must lie within a report; positions must lie on the screen; keys must be usages. Run
 * with -max_len=1024.
 */
#include <stdlib.h>
#include <string.h>

#include <busbar/usb_hid.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct bb_hid_layout *layout)
{
    must(layout->count <= BB_HID_FIELDS && layout->input_bytes <= BB_HID_REPORT);
    for (unsigned i = 0; i < layout->count; i++) {
        const struct bb_hid_field *field = &layout->fields[i];
        must(field->bits >= 1 && field->bits <= 32 && field->count && field->low <= field->high);
        must(field->offset + field->bits * field->count <= BB_HID_REPORT * 8);
        must(!(field->flags & BB_HID_CONSTANT));
        must(layout->numbered ? field->report && field->offset >= 8 : !field->report);
        if (field->output)
            must(field->page == BB_HID_LEDS && field->usage >= 1 && field->usage <= 3);
    }
}

/* Memory of its own, so that a byte too many is seen. */
static uint8_t *copy(const uint8_t *data, size_t size)
{
    uint8_t *memory = malloc(size + !size);
    memcpy(memory, data, size);
    return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bb_node node = {.name = "interface@0"};
    static struct bb_device device = {.node = &node, .name = "hid"};
    struct bb_hid_layout layout;
    struct bb_input input = {.face.device = &device};
    uint8_t lamps[BB_HID_REPORT];
    if (size < 1)
        return 0;
    size_t length = data[0] * 2u, at;
    length = length < size - 1 ? length : size - 1;
    uint8_t *descriptor = copy(data + 1, length);
    int error = bb_hid_parse(descriptor, length, &layout);
    free(descriptor);
    if (error)
        return 0;
    check(&layout);
    uint32_t features = bb_hid_features(&layout);
    for (unsigned i = 0; i < layout.count; i++)
        must(bb_hid_lamps(&layout, layout.fields[i].report, 7, lamps) <= BB_HID_REPORT);
    for (at = 1 + length; at < size;) {
        size_t some = data[at++] % (BB_HID_REPORT + 1);
        some = some < size - at ? some : size - at;
        uint8_t *report = copy(data + at, some);
        bb_hid_report(&layout, report, some, &input);
        free(report);
        at += some;
        must(input.x <= BB_INPUT_SPAN && input.y <= BB_INPUT_SPAN);
        must(features & BB_INPUT_HAS_BUTTONS || !input.buttons);
    }
    must(!input.events || features);
    bb_input_release_all(&input);
    bb_timer_event_cancel(&input.repeat);
    return 0;
}
