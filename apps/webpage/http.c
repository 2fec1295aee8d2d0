/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of HTTP/1.1 (RFC 9112): a state for each byte that may come next. */
#include <string.h>

#include "http.h"

enum state {
    METHOD,
    TARGET,
    VERSION,
    LINE_LF,    /* after the CR of the request line */
    NAME,       /* at the start of a header line, or in its name */
    VALUE_LEAD, /* blanks before a value */
    VALUE,
    VALUE_LF,
    LAST_LF, /* after the CR of the empty line */
};

enum field {
    FIELD_OTHER,
    FIELD_HOST,
    FIELD_CONNECTION,
    FIELD_ACCEPT_ENCODING,
    FIELD_IF_NONE_MATCH,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELDS,
};

static const char *const field_names[FIELDS] = {
    [FIELD_OTHER] = "",
    [FIELD_HOST] = "host",
    [FIELD_CONNECTION] = "connection",
    [FIELD_ACCEPT_ENCODING] = "accept-encoding",
    [FIELD_IF_NONE_MATCH] = "if-none-match",
    [FIELD_CONTENT_LENGTH] = "content-length",
    [FIELD_TRANSFER_ENCODING] = "transfer-encoding",
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_letter_or_digit(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* tchar of RFC 9110 section 5.6.2 */
static bool is_token(char c)
{
    return is_letter_or_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_visible(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 0x7f;
}

/* What stands in uri-host and port. */
static bool is_host(char c)
{
    return is_letter_or_digit(c) || (c && strchr("-._~!$&'()*+,;=%[]:", c));
}

static void collect(struct http_request *request, char c)
{
    if (request->used < sizeof(request->word) - 1)
        request->word[request->used++] = c;
    else
        request->cut = true;
}

static bool word_is(const struct http_request *request, const char *text)
{
    return !request->cut && strcmp(request->word, text) == 0;
}

static void word_begin(struct http_request *request)
{
    request->used = 0;
    request->cut = false;
}

/* "gzip;q=0" says that it is not wanted; any other weight that it is. */
static bool refused_by_weight(const char *parameters)
{
    const char *q = parameters;
    while (*q && !(q[0] == 'q' && q[1] == '='))
        q++;
    if (!*q)
        return false;
    for (q += 2; *q == '0' || *q == '.'; q++) {
    }
    return *q < '1' || *q > '9';
}

static void take_coding(struct http_request *request)
{
    size_t length = 0;
    while (request->word[length] && request->word[length] != ';' &&
           !is_blank(request->word[length]))
        length++;
    bool any = length == 1 && request->word[0] == '*';
    if (request->cut || (!any && (length != 4 || memcmp(request->word, "gzip", 4) != 0)))
        return;
    bool refused = refused_by_weight(request->word + length);
    request->plain |= refused && !any;
    request->gzip |= !refused;
}

static void take_etag(struct http_request *request)
{
    const char *tag =
        request->word[0] == 'w' && request->word[1] == '/' ? request->word + 2 : request->word;
    if (!request->cut && (strcmp(tag, "*") == 0 || strcmp(tag, request->etag) == 0))
        request->fresh = true;
}

static enum http_status take_length(struct http_request *request)
{
    uint32_t length = 0;
    if (!request->used || request->cut)
        return HTTP_BAD_REQUEST;
    for (const char *digit = request->word; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return HTTP_BAD_REQUEST;
        length =
            length > UINT32_MAX / 10 - 10 ? UINT32_MAX : length * 10 + (uint32_t)(*digit - '0');
    }
    if (request->length_set && request->length != length)
        return HTTP_BAD_REQUEST;
    request->length_set = true;
    request->length = length;
    request->body |= length > 0;
    return HTTP_MORE;
}

/* An element of a list, or a whole value, stands in `word`; blanks at its ends are gone. */
static enum http_status take_element(struct http_request *request)
{
    while (request->used && is_blank(request->word[request->used - 1]))
        request->used--;
    request->word[request->used] = '\0';
    enum http_status status = HTTP_MORE;
    switch ((enum field)request->field) {
    case FIELD_CONNECTION:
        request->close |= word_is(request, "close");
        break;
    case FIELD_ACCEPT_ENCODING:
        take_coding(request);
        break;
    case FIELD_IF_NONE_MATCH:
        take_etag(request);
        break;
    case FIELD_CONTENT_LENGTH:
        status = take_length(request);
        break;
    case FIELD_TRANSFER_ENCODING:
        request->body = true;
        break;
    case FIELD_HOST:
        status = request->used ? HTTP_MORE : HTTP_BAD_REQUEST;
        break;
    case FIELD_OTHER:
    case FIELDS:
        break;
    }
    word_begin(request);
    return status;
}

static enum http_status end_name(struct http_request *request)
{
    if (!request->used)
        return HTTP_BAD_REQUEST;
    request->word[request->used] = '\0';
    request->field = FIELD_OTHER;
    for (uint8_t i = FIELD_OTHER + 1; i < FIELDS; i++)
        if (word_is(request, field_names[i]))
            request->field = i;
    if (request->field == FIELD_HOST) {
        if (request->hosts)
            return HTTP_BAD_REQUEST;
        request->hosts = true;
    }
    word_begin(request);
    request->state = VALUE_LEAD;
    return HTTP_MORE;
}

static enum http_status end_method(struct http_request *request)
{
    request->word[request->used] = '\0';
    if (!request->used)
        return HTTP_BAD_REQUEST;
    request->method = strcmp(request->word, "GET") == 0    ? HTTP_GET
                      : strcmp(request->word, "HEAD") == 0 ? HTTP_HEAD
                                                           : HTTP_OTHER;
    request->used = 0;
    request->state = TARGET;
    return HTTP_MORE;
}

/* "http://name/path" asks for "/path" (RFC 9112 section 3.2.2). */
static void strip_authority(struct http_request *request)
{
    static const char scheme[] = "http://";
    char *target = request->target;
    for (size_t i = 0; i < sizeof(scheme) - 1; i++)
        if (lower(target[i]) != scheme[i])
            return;
    char *path = target + sizeof(scheme) - 1;
    while (*path && *path != '/' && *path != '?')
        path++;
    if (*path != '/')
        *--path = '/'; /* an empty path is "/" */
    memmove(target, path, strlen(path) + 1);
}

static enum http_status end_target(struct http_request *request)
{
    request->target[request->used] = '\0';
    strip_authority(request);
    /* "*" belongs to OPTIONS and "host:port" to CONNECT: methods that are refused by name. */
    if (!request->used || (request->target[0] != '/' && request->method != HTTP_OTHER))
        return HTTP_BAD_REQUEST;
    word_begin(request);
    request->state = VERSION;
    return HTTP_MORE;
}

static enum http_status end_version(struct http_request *request)
{
    const char *word = request->word;
    request->word[request->used] = '\0';
    if (request->used != 8 || memcmp(word, "HTTP/", 5) != 0 || word[5] < '0' || word[5] > '9' ||
        word[6] != '.' || word[7] < '0' || word[7] > '9')
        return HTTP_BAD_REQUEST;
    if (word[5] != '1')
        return HTTP_VERSION_NOT_SUPPORTED;
    request->minor = (uint8_t)(word[7] - '0');
    request->close = request->minor == 0;
    word_begin(request);
    return HTTP_MORE;
}

static enum http_status complete(struct http_request *request)
{
    if (!request->hosts && request->minor > 0)
        return HTTP_BAD_REQUEST;
    request->close |= request->body;
    request->gzip &= !request->plain;
    return HTTP_OK;
}

static enum http_status on_request_line(struct http_request *request, char c)
{
    enum http_status status;
    switch (request->state) {
    case METHOD:
        if (!request->used && (c == '\r' || c == '\n'))
            return HTTP_MORE; /* empty lines before a request */
        request->begun = true;
        if (c == ' ')
            return end_method(request);
        if (!is_token(c))
            return HTTP_BAD_REQUEST;
        if (request->used == HTTP_MAX_METHOD)
            return HTTP_NOT_IMPLEMENTED;
        collect(request, c);
        return HTTP_MORE;
    case TARGET:
        if (c == ' ')
            return end_target(request);
        if (!is_visible(c))
            return HTTP_BAD_REQUEST;
        if (request->used == HTTP_MAX_TARGET)
            return HTTP_URI_TOO_LONG;
        request->target[request->used++] = c;
        return HTTP_MORE;
    case VERSION:
        if (c != '\r' && c != '\n') {
            collect(request, c);
            return request->used > 8 ? HTTP_BAD_REQUEST : HTTP_MORE;
        }
        status = end_version(request);
        request->state = c == '\r' ? LINE_LF : NAME;
        return status;
    default:
        request->state = NAME;
        return c == '\n' ? HTTP_MORE : HTTP_BAD_REQUEST;
    }
}

static enum http_status on_value(struct http_request *request, char c)
{
    if (c == '\r' || c == '\n') {
        request->state = c == '\r' ? VALUE_LF : NAME;
        return take_element(request);
    }
    request->state = VALUE;
    /* What is above ASCII is opaque (obs-text); char is signed on some machines. */
    if ((unsigned char)c < ' ' ? c != '\t' : c == 0x7f)
        return HTTP_BAD_REQUEST;
    if (request->field == FIELD_OTHER)
        return HTTP_MORE;
    if (request->field == FIELD_HOST && !is_host(c) && !is_blank(c))
        return HTTP_BAD_REQUEST;
    bool list = request->field != FIELD_CONTENT_LENGTH && request->field != FIELD_HOST;
    if (c == ',' && list)
        return take_element(request);
    if (request->used || !is_blank(c))
        collect(request, lower(c));
    return HTTP_MORE;
}

static enum http_status on_header(struct http_request *request, char c)
{
    if (request->fields++ == HTTP_MAX_FIELDS)
        return HTTP_FIELDS_TOO_LARGE;
    switch (request->state) {
    case NAME:
        if (c == ':')
            return end_name(request);
        if (!request->used && c == '\r') {
            request->state = LAST_LF;
            return HTTP_MORE;
        }
        if (!request->used && c == '\n')
            return complete(request);
        if (!is_token(c))
            return HTTP_BAD_REQUEST; /* a folded line too */
        collect(request, lower(c));
        return HTTP_MORE;
    case VALUE_LEAD:
        return is_blank(c) ? HTTP_MORE : on_value(request, c);
    case VALUE:
        return on_value(request, c);
    case VALUE_LF:
        request->state = NAME;
        return c == '\n' ? HTTP_MORE : HTTP_BAD_REQUEST;
    default:
        return c == '\n' ? complete(request) : HTTP_BAD_REQUEST;
    }
}

void http_begin(struct http_request *request, const char *etag)
{
    memset(request, 0, sizeof(*request));
    request->etag = etag;
}

enum http_status http_feed(struct http_request *request, const void *data, size_t size,
                           size_t *taken)
{
    const char *bytes = data;
    enum http_status status = HTTP_MORE;
    size_t at = 0;
    while (at < size && status == HTTP_MORE) {
        char c = bytes[at++];
        status = request->state < NAME ? on_request_line(request, c) : on_header(request, c);
    }
    *taken = at;
    return status;
}

bool http_path_is(const struct http_request *request, const char *path)
{
    size_t length = strlen(path);
    const char *target = request->target;
    return strncmp(target, path, length) == 0 && (!target[length] || target[length] == '?');
}

enum http_status http_query_number(const struct http_request *request, const char *name,
                                   uint32_t *number)
{
    const char *at = strchr(request->target, '?');
    size_t length = strlen(name);
    for (; at; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, name, length) != 0 || at[length] != '=')
            continue;
        uint64_t sum = 0;
        const char *digit = at + length + 1;
        for (; *digit >= '0' && *digit <= '9' && sum <= UINT32_MAX; digit++)
            sum = sum * 10 + (uint64_t)(*digit - '0');
        if (digit == at + length + 1 || (*digit && *digit != '&') || sum > UINT32_MAX)
            return HTTP_BAD_REQUEST;
        *number = (uint32_t)sum;
        return HTTP_OK;
    }
    return HTTP_OK;
}

const char *http_reason(enum http_status status)
{
    switch (status) {
    case HTTP_OK:
        return "OK";
    case HTTP_NOT_MODIFIED:
        return "Not Modified";
    case HTTP_NOT_FOUND:
        return "Not Found";
    case HTTP_METHOD_NOT_ALLOWED:
        return "Method Not Allowed";
    case HTTP_REQUEST_TIMEOUT:
        return "Request Timeout";
    case HTTP_URI_TOO_LONG:
        return "URI Too Long";
    case HTTP_FIELDS_TOO_LARGE:
        return "Request Header Fields Too Large";
    case HTTP_NOT_IMPLEMENTED:
        return "Not Implemented";
    case HTTP_VERSION_NOT_SUPPORTED:
        return "HTTP Version Not Supported";
    case HTTP_MORE:
    case HTTP_BAD_REQUEST:
        break;
    }
    return "Bad Request";
}
