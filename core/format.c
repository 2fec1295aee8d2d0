/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatted text: the part of printf that messages need. No floating point, no locale. */
#include <string.h>

#include <busbar/log.h>

struct sink {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, also what did not fit */
};

struct conversion {
    bool left, zero, precise;
    size_t width, precision;
};

static void fill(struct sink *sink, char c, size_t count)
{
    for (; count; count--, sink->length++)
        if (sink->length < sink->size)
            sink->buffer[sink->length] = c;
}

static void put(struct sink *sink, const char *text, size_t length)
{
    if (sink->length < sink->size) {
        size_t room = sink->size - sink->length;
        memcpy(sink->buffer + sink->length, text, length < room ? length : room);
    }
    sink->length += length;
}

/* Sign or 0x, leading zeros and text, in a field of at least `width`. */
static void put_field(struct sink *sink, const struct conversion *how, const char *sign,
                      size_t zeros, const char *text, size_t length)
{
    size_t all = strlen(sign) + zeros + length;
    size_t padding = how->width > all ? how->width - all : 0;
    fill(sink, ' ', how->left ? 0 : padding);
    put(sink, sign, strlen(sign));
    fill(sink, '0', zeros);
    put(sink, text, length);
    fill(sink, ' ', how->left ? padding : 0);
}

static void put_number(struct sink *sink, const struct conversion *how, uint64_t value,
                       unsigned base, char ten, const char *sign)
{
    char text[20]; /* 2^64 in decimal */
    size_t start = sizeof(text);
    for (; value; value /= base) {
        unsigned digit = (unsigned)(value % base);
        text[--start] = (char)(digit < 10 ? '0' + digit : (unsigned)ten + digit - 10);
    }
    size_t count = sizeof(text) - start;
    size_t least = how->precise ? how->precision : 1;
    if (how->zero && !how->left && !how->precise && how->width > strlen(sign))
        least = how->width - strlen(sign);
    put_field(sink, how, sign, least > count ? least - count : 0, text + start, count);
}

/* A number of the format, or for '*' the next argument, which may be negative. */
static const char *parse_size(const char *at, va_list *arguments, size_t *value, bool *negative)
{
    if (*at == '*') {
        int given = va_arg(*arguments, int);
        *negative |= given < 0;
        *value = given < 0 ? 0u - (unsigned)given : (unsigned)given;
        return at + 1;
    }
    for (; *at >= '0' && *at <= '9'; at++)
        *value = *value * 10 + (size_t)(*at - '0');
    return at;
}

/* One conversion from after its '%'; returns where it ends, NULL for one that is not known. */
static const char *convert(struct sink *sink, const char *at, va_list *arguments)
{
    struct conversion how = {0};
    bool loose = false; /* a precision below 0 is none */
    for (; *at == '-' || *at == '0'; at++)
        *(*at == '-' ? &how.left : &how.zero) = true;
    at = parse_size(at, arguments, &how.width, &how.left);
    if (*at == '.') {
        at = parse_size(at + 1, arguments, &how.precision, &loose);
        how.precise = !loose;
    }
    bool wide = *at == 'l' || *at == 'z'; /* long, long long and size_t: 64 bits each */
    while (*at == 'l' || *at == 'z')
        at++;
    switch (*at) {
    case 'd':
    case 'i': {
        int64_t value = wide ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
        uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        put_number(sink, &how, magnitude, 10, 'a', value < 0 ? "-" : "");
        break;
    }
    case 'u':
    case 'x':
    case 'X': {
        uint64_t value = wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
        put_number(sink, &how, value, *at == 'u' ? 10 : 16, *at == 'X' ? 'A' : 'a', "");
        break;
    }
    case 'p':
        put_number(sink, &how, (uintptr_t)va_arg(*arguments, void *), 16, 'a', "0x");
        break;
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        put_field(sink, &how, "", 0, &c, 1);
        break;
    }
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        text = text ? text : "(null)";
        put_field(sink, &how, "", 0, text,
                  how.precise ? strnlen(text, how.precision) : strlen(text));
        break;
    }
    case '%':
        fill(sink, '%', 1);
        break;
    default:
        return NULL;
    }
    return at + 1;
}

size_t bb_vformat(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {buffer, size, 0};
    va_list rest; /* a copy has the type va_list also where a parameter does not */
    va_copy(rest, arguments);
    while (*format) {
        const char *percent = format;
        while (*percent && *percent != '%')
            percent++;
        put(&sink, format, (size_t)(percent - format));
        if (!*percent)
            break;
        format = convert(&sink, percent + 1, &rest);
        if (!format) { /* the arguments no longer match: show the rest as it stands */
            put(&sink, percent, strlen(percent));
            break;
        }
    }
    va_end(rest);
    if (size)
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}

size_t bb_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = bb_vformat(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
