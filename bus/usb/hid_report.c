/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Report descriptors and reports of human interface devices (HID 1.11, sections 5 and 6.2.2). A
 * descriptor is a row of short items that change a state, and main items that use it: each of
 * these appends values to its report.
 */
#include <string.h>

#include <busbar/usb_hid.h>

enum { USAGES = 32, STACK = 4, REPORTS = 16, MOST_BITS = BB_HID_REPORT * 8 };
enum { MAIN = 0, GLOBAL = 1, LOCAL = 2, LONG_ITEM = 0xfe };
enum { INPUT = 8, OUTPUT = 9, COLLECTION = 10, FEATURE = 11, END = 12 };
enum {
    USAGE_PAGE = 0,
    LOGICAL_MINIMUM = 1,
    LOGICAL_MAXIMUM = 2,
    REPORT_SIZE = 7,
    REPORT_ID = 8,
    REPORT_COUNT = 9,
    PUSH = 10,
    POP = 11,
};
enum { USAGE = 0, USAGE_MINIMUM = 1, USAGE_MAXIMUM = 2 };
enum { ROLL_OVER = 1, LAST_ERROR = 3 }; /* usages of the keyboard page that are no keys */

struct globals {
    uint16_t page;
    uint8_t report;
    uint32_t bits, count;
    int32_t low, high;
    uint32_t high_unsigned;
};

/* A row of usages that follow each other, with their page. */
struct usages {
    uint32_t first, last;
};

struct parser {
    struct bb_hid_layout *layout;
    struct globals now, stack[STACK];
    uint8_t depth;
    uint16_t collections; /* that are open */
    bool useful;          /* the outermost one is of a keyboard or a pointer */
    struct usages usages[USAGES];
    uint8_t usage_count;
    uint32_t minimum, maximum;
    bool has_minimum, has_maximum;
    struct {
        uint8_t report;
        bool output;
        uint32_t bits;
    } reports[REPORTS];
    uint8_t report_count;
};

/* ---- The descriptor ---- */

static uint32_t full_usage(const struct parser *parser, uint32_t value, unsigned size)
{
    return size == 4 ? value : (uint32_t)parser->now.page << 16 | value;
}

static void add_usages(struct parser *parser, uint32_t first, uint32_t last)
{
    if (parser->usage_count < USAGES && last >= first)
        parser->usages[parser->usage_count++] = (struct usages){first, last};
}

static int set_local(struct parser *parser, unsigned tag, uint32_t value, unsigned size)
{
    uint32_t usage = full_usage(parser, value, size);
    if (tag == USAGE)
        add_usages(parser, usage, usage);
    else if (tag == USAGE_MINIMUM)
        parser->minimum = usage, parser->has_minimum = true;
    else if (tag == USAGE_MAXIMUM)
        parser->maximum = usage, parser->has_maximum = true;
    else
        return 0;
    if (parser->has_minimum && parser->has_maximum) {
        add_usages(parser, parser->minimum, parser->maximum);
        parser->has_minimum = parser->has_maximum = false;
    }
    return 0;
}

static int32_t extend(uint32_t value, unsigned size)
{
    return size == 1 ? (int8_t)value : size == 2 ? (int16_t)value : (int32_t)value;
}

static int set_global(struct parser *parser, unsigned tag, uint32_t value, unsigned size)
{
    struct globals *now = &parser->now;
    switch (tag) {
    case USAGE_PAGE:
        now->page = (uint16_t)value;
        break;
    case LOGICAL_MINIMUM:
        now->low = extend(value, size);
        break;
    case LOGICAL_MAXIMUM:
        now->high = extend(value, size);
        now->high_unsigned = value;
        break;
    case REPORT_SIZE:
        now->bits = value;
        break;
    case REPORT_COUNT:
        now->count = value;
        break;
    case REPORT_ID:
        if (value == 0 || value > UINT8_MAX)
            return -EINVAL;
        now->report = (uint8_t)value;
        parser->layout->numbered = true;
        break;
    case PUSH:
        if (parser->depth == STACK)
            return -EINVAL;
        parser->stack[parser->depth++] = *now;
        break;
    case POP:
        if (!parser->depth)
            return -EINVAL;
        *now = parser->stack[--parser->depth];
        break;
    }
    return 0;
}

/* How many bits the report has so far, its number included; NULL: too many reports. */
static uint32_t *bits_of(struct parser *parser, bool output)
{
    uint8_t report = parser->now.report;
    for (unsigned i = 0; i < parser->report_count; i++)
        if (parser->reports[i].report == report && parser->reports[i].output == output)
            return &parser->reports[i].bits;
    if (parser->report_count == REPORTS)
        return NULL;
    parser->reports[parser->report_count].report = report;
    parser->reports[parser->report_count].output = output;
    parser->reports[parser->report_count].bits = report ? 8 : 0;
    return &parser->reports[parser->report_count++].bits;
}

static bool is_wanted(uint32_t usage, bool output)
{
    uint32_t page = usage >> 16, of_page = usage & 0xffff;
    if (output)
        return page == BB_HID_LEDS && of_page >= 1 && of_page <= 3;
    return page == BB_HID_KEYS || page == BB_HID_BUTTONS ||
           (page == BB_HID_DESKTOP &&
            (of_page == BB_HID_X || of_page == BB_HID_Y || of_page == BB_HID_WHEEL)) ||
           (page == BB_HID_CONSUMER && of_page == BB_HID_PAN);
}

static void add_field(struct parser *parser, const struct bb_hid_field *field)
{
    struct bb_hid_layout *layout = parser->layout;
    if (parser->useful && layout->count < BB_HID_FIELDS)
        layout->fields[layout->count++] = *field;
}

/* A value for each usage; the last usage stands for all that is left (6.2.2.8). Rows are cut where
 * usages begin or end to be of interest, which they do for whole pages but for the axes. */
static void add_variables(struct parser *parser, struct bb_hid_field field, uint32_t count)
{
    for (unsigned i = 0; i < parser->usage_count && count; i++) {
        struct usages row = parser->usages[i];
        uint32_t length = row.last - row.first < count ? row.last - row.first + 1 : count;
        bool axes = row.first >> 16 == BB_HID_DESKTOP || field.output;
        for (uint32_t at = 0; at < length;) {
            uint32_t some = axes ? 1 : length, usage = row.first + at;
            field.page = (uint16_t)(usage >> 16);
            field.usage = (uint16_t)usage;
            field.count = (uint16_t)some;
            if (is_wanted(usage, field.output))
                add_field(parser, &field);
            field.offset = (uint16_t)(field.offset + some * field.bits);
            at += some;
        }
        count -= length;
    }
}

static void add_array(struct parser *parser, struct bb_hid_field field)
{
    const struct usages *row = &parser->usages[0];
    if (!parser->usage_count || field.low < 0 || field.output || !is_wanted(row->first, false) ||
        row->first >> 16 == BB_HID_DESKTOP)
        return;
    field.page = (uint16_t)(row->first >> 16);
    field.usage = (uint16_t)row->first;
    field.last = row->last >> 16 == row->first >> 16 ? (uint16_t)row->last : UINT16_MAX;
    add_field(parser, &field);
}

static int add_values(struct parser *parser, uint32_t flags, bool output)
{
    const struct globals *now = &parser->now;
    uint32_t *used = bits_of(parser, output);
    if (!used)
        return -E2BIG;
    if (now->bits > MOST_BITS || now->count > MOST_BITS ||
        now->bits * now->count > MOST_BITS - *used)
        return -E2BIG;
    struct bb_hid_field field = {.report = now->report,
                                 .output = output,
                                 .flags = (uint8_t)flags,
                                 .bits = (uint8_t)now->bits,
                                 .offset = (uint16_t)*used,
                                 .count = (uint16_t)now->count,
                                 .low = now->low,
                                 .high = now->high};
    /* Makers write 255 in one byte where they do not mean -1. */
    if (field.high < field.low)
        field.high = now->high_unsigned > INT32_MAX ? INT32_MAX : (int32_t)now->high_unsigned;
    *used += now->bits * now->count;
    if (!output && parser->layout->input_bytes < (*used + 7) / 8)
        parser->layout->input_bytes = (uint16_t)((*used + 7) / 8);
    if (flags & BB_HID_CONSTANT || !now->count || !now->bits || now->bits > 32 ||
        field.high < field.low)
        return 0;
    if (flags & BB_HID_VARIABLE)
        add_variables(parser, field, now->count);
    else
        add_array(parser, field);
    return 0;
}

/* Sticks and wheels for games have axes and buttons too. */
static bool is_useful(const struct parser *parser)
{
    uint32_t usage = parser->usage_count ? parser->usages[0].first : 0;
    return usage >> 16 == BB_HID_DESKTOP &&
           ((usage & 0xffff) == BB_HID_POINTER || (usage & 0xffff) == BB_HID_MOUSE ||
            (usage & 0xffff) == BB_HID_KEYBOARD || (usage & 0xffff) == BB_HID_KEYPAD);
}

static int do_main(struct parser *parser, unsigned tag, uint32_t value)
{
    int error = 0;
    if (tag == COLLECTION && parser->collections++ == 0)
        parser->useful = is_useful(parser);
    else if (tag == INPUT || tag == OUTPUT)
        error = add_values(parser, value, tag == OUTPUT);
    else if (tag == END)
        error = parser->collections-- ? 0 : -EINVAL;
    parser->usage_count = 0;
    parser->has_minimum = parser->has_maximum = false;
    return error;
}

int bb_hid_parse(const uint8_t *descriptor, size_t length, struct bb_hid_layout *layout)
{
    struct parser parser = {.layout = layout};
    *layout = (struct bb_hid_layout){0};
    for (size_t at = 0; at < length;) {
        uint8_t head = descriptor[at++];
        unsigned size = (head & 3) == 3 ? 4 : head & 3, tag = head >> 4;
        if (head == LONG_ITEM) { /* none is defined */
            if (length - at < 2 || length - at - 2 < descriptor[at])
                return -EINVAL;
            at += 2u + descriptor[at];
            continue;
        }
        if (length - at < size)
            return -EINVAL;
        uint32_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= (uint32_t)descriptor[at + i] << 8 * i;
        at += size;
        unsigned type = head >> 2 & 3;
        int error = type == MAIN     ? do_main(&parser, tag, value)
                    : type == GLOBAL ? set_global(&parser, tag, value, size)
                    : type == LOCAL  ? set_local(&parser, tag, value, size)
                                     : -EINVAL;
        if (error)
            return error;
    }
    return parser.collections ||
                   (layout->numbered && parser.reports[0].report == 0 && parser.report_count)
               ? -EINVAL
               : 0;
}

uint32_t bb_hid_features(const struct bb_hid_layout *layout)
{
    uint32_t features = 0;
    for (unsigned i = 0; i < layout->count; i++) {
        const struct bb_hid_field *field = &layout->fields[i];
        if (field->output)
            continue;
        if (field->page == BB_HID_KEYS)
            features |= BB_INPUT_HAS_KEYS;
        else if (field->page == BB_HID_BUTTONS)
            features |= BB_INPUT_HAS_BUTTONS;
        else if (field->usage == BB_HID_X)
            features |=
                field->flags & BB_HID_RELATIVE ? BB_INPUT_HAS_MOVES : BB_INPUT_HAS_POSITIONS;
        else if (field->usage == BB_HID_WHEEL || field->usage == BB_HID_PAN)
            features |= BB_INPUT_HAS_WHEEL;
    }
    return features;
}

/* ---- Reports ---- */

/* Value `index` of a field; false where the report is too short for it. */
static bool get_value(const struct bb_hid_field *field, unsigned index, const uint8_t *report,
                      size_t length, int32_t *value)
{
    uint32_t first = field->offset + index * field->bits, end = first + field->bits;
    uint64_t bits = 0;
    if (end > length * 8)
        return false;
    for (uint32_t byte = first / 8; byte * 8 < end; byte++)
        bits |= (uint64_t)report[byte] << (byte - first / 8) * 8;
    bits = bits >> first % 8 & (UINT64_MAX >> (64 - field->bits));
    if (field->low < 0 && bits >> (field->bits - 1))
        bits |= UINT64_MAX << field->bits;
    *value = (int32_t)(uint32_t)bits;
    return true;
}

/* All that a report says, gathered before anyone is told. */
struct picture {
    bool keys_told, buttons_told, roll_over;
    uint32_t keys[BB_INPUT_KEYS / 32];
    uint32_t buttons;
    int32_t x, y, wheel, pan;
    const struct bb_hid_field *x_field, *y_field;
};

static void see_usage(struct picture *picture, const struct bb_hid_field *field, uint32_t usage)
{
    if (field->page == BB_HID_BUTTONS) {
        if (usage >= 1 && usage <= BB_INPUT_BUTTONS)
            picture->buttons |= 1u << (usage - 1);
    } else if (usage > LAST_ERROR) {
        bb_input_mark_key(picture->keys, usage);
    } else if (usage >= ROLL_OVER) {
        picture->roll_over = true; /* more keys are down than it can tell, or it failed */
    }
}

static void see_value(struct picture *picture, const struct bb_hid_field *field, unsigned index,
                      int32_t value)
{
    uint32_t usage = field->usage + index;
    if (field->page == BB_HID_KEYS || field->page == BB_HID_BUTTONS) {
        if (!(field->flags & BB_HID_VARIABLE)) {
            if (value < field->low || value > field->high ||
                (uint32_t)(value - field->low) > (uint32_t)(field->last - field->usage))
                return;
            see_usage(picture, field, field->usage + (uint32_t)(value - field->low));
        } else if (value) {
            see_usage(picture, field, usage);
        }
    } else if (usage == BB_HID_X && field->page == BB_HID_DESKTOP) {
        picture->x = value, picture->x_field = field;
    } else if (usage == BB_HID_Y && field->page == BB_HID_DESKTOP) {
        picture->y = value, picture->y_field = field;
    } else if (usage == BB_HID_WHEEL && field->page == BB_HID_DESKTOP) {
        picture->wheel = value;
    } else if (usage == BB_HID_PAN && field->page == BB_HID_CONSUMER) {
        picture->pan = value;
    }
}

static uint32_t place(const struct bb_hid_field *field, int32_t value)
{
    int64_t low = field->low, span = (int64_t)field->high - low;
    int64_t at = value < low ? 0 : value > field->high ? span : value - low;
    return span ? (uint32_t)((at * BB_INPUT_SPAN + span / 2) / span) : 0;
}

static void tell(const struct picture *picture, struct bb_input *input)
{
    if (picture->keys_told && !picture->roll_over)
        bb_input_set_keys(input, picture->keys);
    if (picture->x_field && picture->y_field) {
        if (picture->x_field->flags & picture->y_field->flags & BB_HID_RELATIVE)
            bb_input_move(input, picture->x, picture->y);
        else if (!((picture->x_field->flags | picture->y_field->flags) & BB_HID_RELATIVE))
            bb_input_position(input, place(picture->x_field, picture->x),
                              place(picture->y_field, picture->y));
    }
    if (picture->buttons_told)
        bb_input_set_buttons(input, picture->buttons);
    bb_input_wheel(input, picture->pan, picture->wheel);
}

void bb_hid_report(const struct bb_hid_layout *layout, const uint8_t *report, size_t length,
                   struct bb_input *input)
{
    struct picture picture = {0};
    uint8_t number = layout->numbered && length ? report[0] : 0;
    for (unsigned i = 0; i < layout->count; i++) {
        const struct bb_hid_field *field = &layout->fields[i];
        if (field->output || field->report != number)
            continue;
        for (unsigned index = 0; index < field->count; index++) {
            int32_t value;
            if (!get_value(field, index, report, length, &value)) {
                picture.roll_over = true; /* it does not tell of all keys */
                break;
            }
            picture.keys_told |= field->page == BB_HID_KEYS;
            picture.buttons_told |= field->page == BB_HID_BUTTONS;
            see_value(&picture, field, index, value);
        }
    }
    tell(&picture, input);
}

size_t bb_hid_lamps(const struct bb_hid_layout *layout, uint8_t report, uint32_t leds,
                    uint8_t data[BB_HID_REPORT])
{
    size_t bits = 0;
    memset(data, 0, BB_HID_REPORT);
    data[0] = report;
    for (unsigned i = 0; i < layout->count; i++) {
        const struct bb_hid_field *field = &layout->fields[i];
        uint32_t end = (uint32_t)field->offset + field->bits;
        if (!field->output || field->report != report)
            continue;
        if (leds >> (field->usage - 1) & 1) /* usages 1 to 3: num, caps and scroll lock */
            data[field->offset / 8] |= (uint8_t)(1u << field->offset % 8);
        bits = end > bits ? end : bits;
    }
    return (bits + 7) / 8;
}
