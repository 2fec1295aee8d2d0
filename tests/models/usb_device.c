/* SPDX-License-Identifier: BSD-2-Clause */
/* A USB device's half of each transaction (Universal Serial Bus Specification 2.0, chapter 8). */
#include "usb_device.h"

#include <string.h>

#include <busbar/time.h>

enum { IDLE, DATA_IN, DATA_OUT, STATUS_IN, STATUS_OUT, HALTED };

/* What a device is given by 9.2.6.2, 9.2.6.3 and 7.1.7.3. */
#define RESET_RECOVERY (10 * BB_MSEC)
#define ADDRESS_RECOVERY (2 * BB_MSEC)
#define DEBOUNCE (100 * BB_MSEC)

/* ---- Sockets ---- */

static void start_anew(struct usb_model *device)
{
    device->address = device->configuration = device->new_address = 0;
    device->remote_wakeup = false;
    device->stage = IDLE;
    memset(device->alternate, 0, sizeof device->alternate);
    usb_model_configure(device);
    if (device->was_reset)
        device->was_reset(device);
}

void usb_model_unpowered(struct usb_model *device)
{
    start_anew(device);
}

void usb_model_reset(struct usb_model *device)
{
    const struct usb_socket *socket = device->socket;
    bool slow = socket && (socket->slow || (socket->hub && socket->hub->running < BB_USB_HIGH));

    device->running = slow && device->speed == BB_USB_HIGH ? BB_USB_FULL : device->speed;
    device->resets++;
    start_anew(device);
    device->quiet_until = world_now() + RESET_RECOVERY;
    device->quiet_why = "10 ms after a reset (9.2.6.2)";
}

void usb_socket_power(struct usb_socket *socket, bool on)
{
    if (on && !socket->powered)
        socket->powered_at = world_now();
    socket->powered = on;
    if (on)
        return;
    socket->enabled = socket->suspended = socket->resetting = false;
    if (socket->device)
        usb_model_unpowered(socket->device);
}

void usb_socket_reset_begins(struct usb_socket *socket)
{
    uint64_t now = world_now();
    uint64_t since =
        socket->plugged_at > socket->powered_at ? socket->plugged_at : socket->powered_at;

    if (!socket->powered)
        world_fail(socket->name, "port %u is reset without power", socket->number);
    if (socket->resetting)
        world_fail(socket->name, "port %u is reset while it is", socket->number);
    if (socket->device && socket->seen && now - since < DEBOUNCE)
        world_fail(socket->name, "port %u is reset %llu us after its plug, which wants 100 ms",
                   socket->number, (unsigned long long)((now - since) / BB_USEC));
    socket->resetting = true;
    socket->enabled = socket->suspended = false;
    socket->reset_at = now;
}

void usb_socket_reset_ends(struct usb_socket *socket, uint64_t minimum)
{
    uint64_t took = world_now() - socket->reset_at;

    if (took < minimum)
        world_fail(socket->name, "port %u was reset for %llu us and wants %llu", socket->number,
                   (unsigned long long)(took / BB_USEC), (unsigned long long)(minimum / BB_USEC));
    socket->resetting = false;
    if (!socket->device || !socket->powered)
        return;
    usb_model_reset(socket->device);
    socket->enabled = true;
}

void usb_plug(struct usb_socket *socket, struct usb_model *device)
{
    usb_require(device, !device->socket, "it is plugged in twice");
    usb_require(device, !socket->device, "port %u of %s is taken", socket->number, socket->name);
    usb_require(device, device->device.size >= 8, "it has no device descriptor");
    device->socket = socket;
    device->running = device->speed;
    socket->device = device;
    socket->plugged_at = world_now();
    socket->seen = false;
    start_anew(device);
    if (socket->changed)
        socket->changed(socket);
}

void usb_unplug(struct usb_model *device)
{
    struct usb_socket *socket = device->socket;

    if (!socket)
        return;
    device->socket = NULL;
    socket->device = NULL;
    socket->enabled = socket->suspended = false;
    start_anew(device);
    if (socket->changed)
        socket->changed(socket);
}

/* ---- Who hears a token ---- */

struct search {
    uint8_t address;
    bool across; /* past a transaction translator */
    struct usb_model *found;
};

static void look(struct search *search, const struct usb_socket *socket)
{
    struct usb_model *device = socket->device;

    if (!device || !socket->powered || !socket->enabled || socket->suspended)
        return;
    if (device->address == search->address) {
        usb_require(device, !search->found, "two devices listen to address %u: %s is the other",
                    device->address, search->found->name);
        search->found = device;
    }
    for (unsigned i = 0; i < device->socket_count; i++) {
        const struct usb_model *below = device->sockets[i].device;
        if (below && device->running == BB_USB_HIGH && below->running != BB_USB_HIGH &&
            !search->across)
            continue;
        look(search, &device->sockets[i]);
    }
}

static struct usb_model *find(const struct usb_socket *socket, uint8_t address, bool across)
{
    struct search search = {.address = address, .across = across};

    look(&search, socket);
    return search.found;
}

static struct usb_model *find_split(struct usb_socket *root, const struct usb_token *token)
{
    struct usb_model *hub = find(root, token->split_hub, false);

    if (!hub)
        return NULL;
    usb_require(hub, hub->socket_count && hub->running == BB_USB_HIGH,
                "a split at address %u, where no high-speed hub is", token->split_hub);
    usb_require(hub, token->split_port >= 1 && token->split_port <= hub->socket_count,
                "a split at port %u, of %u", token->split_port, hub->socket_count);
    struct usb_socket *port = &hub->sockets[token->split_port - 1];
    usb_require(hub, !port->device || !port->enabled || port->device->running != BB_USB_HIGH,
                "a split to a high-speed device at port %u", token->split_port);
    return find(port, token->address, false);
}

struct usb_model *usb_listener(struct usb_socket *root, const struct usb_token *token)
{
    struct usb_model *device;

    find(root, token->address, true); /* fails where two would listen */
    if (token->split_hub)
        device = find_split(root, token);
    else
        device = find(root, token->address, false);
    if (!device && !token->split_hub) {
        device = find(root, token->address, true);
        if (device)
            world_fail(device->name, "it is behind a high-speed hub and is spoken to without a "
                                     "split (11.14)");
    }
    if (device)
        usb_require(device, token->speed == device->running,
                    "spoken to at speed %u, and has speed %u", token->speed, device->running);
    return device;
}

enum usb_answer usb_transact(struct usb_socket *root, struct usb_token *token)
{
    struct usb_model *device = usb_listener(root, token);

    return device ? usb_model_transact(device, token) : USB_SILENCE;
}

/* ---- The control endpoint: 8.5.3 ---- */

static int carry_out(struct usb_model *device)
{
    int result =
        device->control ? device->control(device, &device->setup, device->buffer) : USB_OTHER;
    if (result == USB_OTHER)
        result = usb_model_standard(device, &device->setup, device->buffer);
    usb_require(device, result <= USB_MODEL_CONTROL, "its model returned %d bytes", result);
    return result;
}

static enum usb_answer stall_control(struct usb_model *device)
{
    device->stage = HALTED;
    device->stalls++;
    return USB_STALL;
}

/* Once, as soon as its outcome is wanted; USB_ACK when it is there. */
static enum usb_answer prepare(struct usb_model *device)
{
    if (device->refused)
        return stall_control(device);
    if (device->prepared)
        return USB_ACK;
    int result = carry_out(device);
    if (result == USB_WAIT)
        return USB_NAK;
    if (result < 0)
        return stall_control(device);
    device->prepared = true;
    device->size =
        (uint32_t)result < device->setup.length ? (uint32_t)result : device->setup.length;
    return USB_ACK;
}

static enum usb_answer control_setup(struct usb_model *device, const struct usb_token *token)
{
    usb_require(device, token->endpoint == 0, "SETUP to endpoint %u", token->endpoint);
    usb_require(device, token->length == 8 && token->toggle == 0, "SETUP with %u bytes and DATA%u",
                token->length, token->toggle);
    memcpy(&device->setup, token->data, 8);
    device->requests++;
    device->moved = device->size = 0;
    device->prepared = device->refused = false;
    device->new_address = 0;
    device->pipes[0][0].toggle = device->pipes[1][0].toggle = 1;
    device->pipes[0][0].ping = false;
    if (!device->setup.length)
        device->stage = STATUS_IN;
    else if (device->setup.request_type & BB_USB_IN)
        device->stage = DATA_IN;
    else
        device->stage = DATA_OUT;
    usb_require(device, device->setup.length <= USB_MODEL_CONTROL || device->stage != DATA_OUT,
                "a data stage of %u bytes", device->setup.length);
    return USB_ACK;
}

static void take_address(struct usb_model *device)
{
    if (!device->new_address)
        return;
    device->address = device->new_address & 0x7f;
    device->new_address = 0;
    device->quiet_until = world_now() + ADDRESS_RECOVERY;
    device->quiet_why = "2 ms after SET_ADDRESS (9.2.6.3)";
}

/* `acked`: whether the host's handshake arrives. */
static enum usb_answer control_in(struct usb_model *device, struct usb_token *token, bool acked)
{
    struct usb_pipe *pipe = &device->pipes[1][0];
    uint32_t chunk = 0;

    if (device->stage == HALTED)
        return USB_STALL;
    usb_require(device, device->stage == STATUS_IN || device->stage == DATA_IN,
                "IN where the control transfer has no such stage: request %#x %#x, %u of %u bytes",
                device->setup.request_type, device->setup.request, device->moved,
                device->setup.length);
    enum usb_answer answer = prepare(device);
    if (answer != USB_ACK)
        return answer;
    if (device->stage == DATA_IN) {
        chunk = device->size - device->moved;
        chunk = chunk < pipe->packet ? chunk : pipe->packet;
    }
    token->toggle = device->stage == DATA_IN ? pipe->toggle : 1;
    token->length = chunk < token->room ? chunk : token->room;
    memcpy(token->data, device->buffer + device->moved, token->length);
    if (chunk > token->room)
        return USB_BABBLE;
    if (!acked)
        return USB_DATA;
    if (device->stage == STATUS_IN) {
        device->stage = IDLE;
        take_address(device);
        return USB_DATA;
    }
    pipe->toggle ^= 1;
    device->moved += chunk;
    if (chunk < pipe->packet || device->moved == device->setup.length)
        device->stage = STATUS_OUT;
    return USB_DATA;
}

static enum usb_answer control_out(struct usb_model *device, const struct usb_token *token)
{
    struct usb_pipe *pipe = &device->pipes[0][0];

    if (device->stage == HALTED)
        return USB_STALL;
    bool again = device->stage == IDLE && device->setup.request_type & BB_USB_IN;
    if (device->stage == STATUS_OUT || device->stage == DATA_IN || again) {
        if (device->refused)
            return stall_control(device);
        usb_require(device, token->length == 0 && token->toggle == 1,
                    "a status stage of %u bytes and DATA%u", token->length, token->toggle);
        device->stage = IDLE;
        return USB_ACK;
    }
    if (device->stage == STATUS_IN && token->toggle != pipe->toggle) {
        device->dropped++;
        return USB_ACK; /* the last packet again, whose handshake was lost */
    }
    usb_require(device, device->stage == DATA_OUT,
                "OUT where the control transfer has no such stage: request %#x %#x",
                device->setup.request_type, device->setup.request);
    if (device->refused)
        return stall_control(device);
    if (token->toggle != pipe->toggle) {
        device->dropped++;
        return USB_ACK;
    }
    uint32_t left = device->setup.length - device->moved;
    usb_require(device, token->length == (left < pipe->packet ? left : pipe->packet),
                "a data packet of %u bytes, %u left of wLength and a packet is %u", token->length,
                left, pipe->packet);
    memcpy(device->buffer + device->moved, token->data, token->length);
    device->moved += token->length;
    pipe->toggle ^= 1;
    if (device->moved == device->setup.length)
        device->stage = STATUS_IN;
    return USB_ACK;
}

/* ---- The other endpoints: 8.5.1, 8.5.2, 8.5.4 ---- */

static enum usb_answer halt(struct usb_model *device, struct usb_pipe *pipe)
{
    pipe->halted = true;
    pipe->ping = false;
    device->stalls++;
    return USB_STALL;
}

static enum usb_answer pipe_in(struct usb_model *device, struct usb_pipe *pipe,
                               struct usb_token *token, bool acked)
{
    unsigned endpoint = token->endpoint | 0x80u;

    if (pipe->halted)
        return USB_STALL;
    if (!pipe->unacked) {
        int length = device->in ? device->in(device, endpoint, pipe->data) : USB_WAIT;
        if (length == USB_WAIT)
            return USB_NAK;
        if (length == USB_HALT)
            return halt(device, pipe);
        usb_require(device,
                    length >= 0 && (length <= pipe->packet || device->lenient) &&
                        length <= USB_MODEL_PACKET,
                    "its model sends %d bytes through endpoint %#x, whose packet is %u", length,
                    endpoint, pipe->packet);
        pipe->length = (uint32_t)length;
        pipe->unacked = true;
    }
    token->toggle = pipe->toggle;
    token->length = pipe->length < token->room ? pipe->length : token->room;
    memcpy(token->data, pipe->data, token->length);
    if (pipe->length > token->room)
        return USB_BABBLE;
    if (acked) {
        pipe->unacked = false;
        pipe->toggle ^= 1;
        if (device->sent)
            device->sent(device, endpoint);
    }
    return USB_DATA;
}

static enum usb_answer pipe_out(struct usb_model *device, struct usb_pipe *pipe,
                                const struct usb_token *token)
{
    bool pings = device->running == BB_USB_HIGH && pipe->type == BB_USB_BULK;

    usb_require(device, token->length <= pipe->packet || device->lenient,
                "a packet of %u bytes to endpoint %u, which takes %u", token->length,
                token->endpoint, pipe->packet);
    if (pipe->halted)
        return USB_STALL;
    usb_require(device, !pipe->ping, "OUT to endpoint %u where PING is due (8.5.1)",
                token->endpoint);
    if (token->toggle != pipe->toggle) {
        device->dropped++;
        return USB_ACK;
    }
    int result =
        device->out ? device->out(device, token->endpoint, token->data, token->length) : USB_WAIT;
    if (result == USB_HALT)
        return halt(device, pipe);
    pipe->ping = pings && result != 0;
    if (result == USB_WAIT)
        return USB_NAK;
    pipe->toggle ^= 1;
    return pipe->ping ? USB_NYET : USB_ACK;
}

static enum usb_answer ping(struct usb_model *device, struct usb_pipe *pipe,
                            const struct usb_token *token)
{
    usb_require(device,
                device->running == BB_USB_HIGH &&
                    (pipe->type == BB_USB_BULK || pipe->type == BB_USB_CONTROL),
                "PING to endpoint %u, which is no high-speed bulk or control one", token->endpoint);
    if (pipe->halted || (token->endpoint == 0 && device->stage == HALTED))
        return USB_STALL;
    if (token->endpoint && device->ready && !device->ready(device, token->endpoint))
        return USB_NAK;
    pipe->ping = false;
    return USB_ACK;
}

struct usb_pipe *usb_pipe_of(struct usb_model *device, unsigned endpoint)
{
    struct usb_pipe *pipe = &device->pipes[endpoint >> 7 & 1][endpoint & 15];
    return pipe->exists ? pipe : NULL;
}

/* ---- Scripts ---- */

static uint32_t count_of(struct usb_model *device, unsigned pipe)
{
    if (pipe == USB_EVERY_PIPE)
        return device->transactions;
    if (pipe == USB_CONTROL_PIPE)
        return device->pipes[0][0].count;
    return device->pipes[pipe >> 7 & 1][pipe & 15].count;
}

void usb_fault(struct usb_model *device, unsigned pipe, uint32_t at, uint32_t count,
               enum usb_fault_kind kind)
{
    for (unsigned i = 0; i < USB_FAULTS; i++) {
        if (device->faults[i].kind != USB_GOOD)
            continue;
        device->faults[i] =
            (struct usb_fault){kind, (uint8_t)pipe, count_of(device, pipe) + at, count};
        return;
    }
    world_fail(device->name, "too many scripts");
}

static enum usb_fault_kind fault_now(struct usb_model *device, const struct usb_token *token)
{
    unsigned here =
        token->endpoint ? token->endpoint | (token->kind == USB_IN ? 0x80u : 0) : USB_CONTROL_PIPE;

    for (unsigned i = 0; i < USB_FAULTS; i++) {
        const struct usb_fault *fault = &device->faults[i];
        uint32_t next = count_of(device, fault->pipe) + 1;
        uint32_t count = fault->count ? fault->count : 1;
        if (fault->kind != USB_GOOD && (fault->pipe == USB_EVERY_PIPE || fault->pipe == here) &&
            next >= fault->at && next - fault->at < count)
            return fault->kind;
    }
    return USB_GOOD;
}

static enum usb_answer answer_well(struct usb_model *device, struct usb_pipe *pipe,
                                   struct usb_token *token, bool acked)
{
    if (token->kind == USB_SETUP)
        return control_setup(device, token);
    if (token->kind == USB_PING)
        return ping(device, pipe, token);
    if (token->kind == USB_IN)
        return token->endpoint ? pipe_in(device, pipe, token, acked)
                               : control_in(device, token, acked);
    return token->endpoint ? pipe_out(device, pipe, token) : control_out(device, token);
}

static enum usb_answer stall_by_script(struct usb_model *device, struct usb_pipe *pipe,
                                       struct usb_token *token)
{
    if (token->endpoint)
        return halt(device, pipe);
    if (token->kind != USB_SETUP)
        return stall_control(device);
    control_setup(device, token); /* SETUP itself is never refused: 8.5.3 */
    device->refused = true;
    return USB_ACK;
}

static enum usb_answer babble(struct usb_token *token)
{
    if (token->kind != USB_IN)
        return USB_SILENCE;
    memset(token->data, 0x5a, token->room);
    token->length = token->room;
    return USB_BABBLE;
}

static enum usb_answer send_empty(struct usb_pipe *pipe, struct usb_token *token)
{
    token->length = 0;
    token->toggle = pipe->toggle;
    pipe->toggle ^= 1;
    return USB_DATA;
}

static enum usb_answer send_old(const struct usb_pipe *pipe, struct usb_token *token)
{
    token->length = 0;
    token->toggle = pipe->toggle ^ 1;
    return USB_DATA;
}

static enum usb_answer misbehave(struct usb_model *device, struct usb_pipe *pipe,
                                 struct usb_token *token, enum usb_fault_kind kind)
{
    enum usb_answer answer;

    switch (kind) {
    case USB_FAULT_STALL:
        return stall_by_script(device, pipe, token);
    case USB_FAULT_NAK:
        if (token->kind == USB_SETUP)
            return USB_SILENCE;
        pipe->ping |= device->running == BB_USB_HIGH && token->kind == USB_OUT && token->endpoint &&
                      pipe->type == BB_USB_BULK;
        return USB_NAK;
    case USB_FAULT_BABBLE:
        return babble(token);
    case USB_FAULT_LOST_ACK:
        answer = answer_well(device, pipe, token, false);
        return token->kind == USB_IN || answer == USB_NAK || answer == USB_STALL ? answer
                                                                                 : USB_SILENCE;
    case USB_FAULT_TOGGLE:
        return token->kind == USB_IN ? send_old(pipe, token) : USB_SILENCE;
    case USB_FAULT_SHORT:
        return token->kind == USB_IN && token->endpoint ? send_empty(pipe, token)
                                                        : answer_well(device, pipe, token, true);
    case USB_FAULT_UNPLUG:
        usb_unplug(device);
        return USB_SILENCE;
    case USB_FAULT_UNPLUG_AFTER:
        answer = answer_well(device, pipe, token, true);
        usb_unplug(device);
        return answer;
    default:
        return USB_SILENCE;
    }
}

/* Whether a script made this another transaction than it would have been. */
static bool spoiled(const struct usb_token *token, enum usb_fault_kind kind, enum usb_answer answer)
{
    if (kind == USB_FAULT_LOST_ACK)
        return answer != USB_NAK && answer != USB_STALL;
    if (kind == USB_FAULT_SHORT)
        return token->kind == USB_IN && token->endpoint;
    return kind != USB_GOOD;
}

enum usb_answer usb_model_transact(struct usb_model *device, struct usb_token *token)
{
    struct usb_pipe *pipe = &device->pipes[token->kind == USB_IN][token->endpoint & 15];

    usb_require(device, world_now() >= device->quiet_until, "a token within %s", device->quiet_why);
    if (token->endpoint && device->lenient && !pipe->exists)
        return USB_SILENCE;
    usb_require(device, pipe->exists,
                "a token to endpoint %u %s, which it does not have in configuration %u",
                token->endpoint, token->kind == USB_IN ? "IN" : "OUT", device->configuration);
    enum usb_fault_kind kind = fault_now(device, token);
    enum usb_answer answer = kind == USB_GOOD ? answer_well(device, pipe, token, true)
                                              : misbehave(device, pipe, token, kind);
    if (answer != USB_NAK || kind == USB_FAULT_NAK) {
        (token->endpoint ? pipe : &device->pipes[0][0])->count++;
        device->transactions++;
    }
    device->applied += spoiled(token, kind, answer);
    return answer;
}
