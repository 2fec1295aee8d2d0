/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB serial ports: FTDI's FT232 (as FTDI's data sheets and AN232B-05 tell, and QEMU's usb-serial
 * answers), and modems of the Communications Device Class (CDC 1.2, PSTN subclass 1.2: ACM).
 *
 * write() puts bytes into a ring, from every context; transfers take them out of it. While the
 * program does not poll nothing leaves, and what then finds the ring full is lost, as with a UART
 * that is stuck.
 */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/usb.h>

enum { FTDI = 1, ACM = 2 }; /* kinds, as the match entry's data say */
enum {                      /* FTDI's vendor requests */
       FTDI_RESET = 0,
       FTDI_MODEM_CONTROL = 1,
       FTDI_FLOW_CONTROL = 2,
       FTDI_BAUD_RATE = 3,
       FTDI_DATA = 4,
};
enum { FTDI_DTR_RTS = 0x0303 };   /* both on, both meant */
enum { FTDI_STATUS = 2 };         /* bytes before the data of each packet: modem, line */
enum { FTDI_LINE_ERRORS = 0x1e }; /* overrun, parity, framing, break */
enum {                            /* CDC's class requests */
       ACM_SET_LINE_CODING = 0x20,
       ACM_SET_CONTROL_LINE_STATE = 0x22,
       ACM_DTR_RTS = 3,
};
enum { CALL_MANAGEMENT = 0x01, UNION = 0x06 }; /* functional descriptors */
enum {
    RING = 4096, /* bytes; a power of two */
    CHUNK = 512, /* of one transfer out */
    MOST_FAILURES = 20,
    LEAST_BAUD = 50,
    MOST_BAUD = 12000000,
};
#define FTDI_CLOCK 24000000u  /* the baud rate is this by a divisor in eighths */
#define PAUSE (50 * BB_MSEC)  /* after a transfer that failed */
#define DRAIN (500 * BB_MSEC) /* until the last byte has left, before the line changes */

struct usb_serial {
    struct bb_device device;
    struct bb_console console;
    struct bb_usb_interface *control, *data; /* FTDI: the same */
    struct bb_usb_transfer in, out;
    struct bb_work send, repair;
    struct bb_timer_event again;
    uint32_t baud; /* parameter */
    uint8_t kind;
    bool sending; /* `out` is in flight */
    bool stopped;
    uint16_t failures; /* in a row */
    uint32_t head, tail;
    char ring[RING];
    uint32_t modem; /* FTDI: its last modem status */
    uint64_t line_errors, transfer_errors;
    struct bb_value values[3];
};

_Static_assert((RING & (RING - 1)) == 0, "positions wrap around");

static struct usb_serial *serial_of(struct bb_console *console)
{
    return bb_container_of(console, struct usb_serial, console);
}

/* ---- Errors ---- */

static void fail(struct usb_serial *serial, const char *why, int error)
{
    serial->stopped = true;
    bb_device_broken(&serial->device, why, error);
}

/* A transfer failed. Both directions go on together, after a while. */
static void trouble(struct usb_serial *serial, int error)
{
    if (serial->stopped || error == -ENODEV || error == -ECANCELED)
        return;
    serial->transfer_errors++;
    if (++serial->failures == MOST_FAILURES)
        fail(serial, "its transfers fail", error);
    else if (error == -EPIPE)
        bb_work_queue(&serial->repair);
    else
        bb_timer_event_at(&serial->again, bb_time() + PAUSE);
}

static void read_next(struct usb_serial *serial)
{
    int error = serial->stopped ? -ENODEV : bb_usb_submit(&serial->in);
    if (error && error != -EBUSY)
        trouble(serial, error);
}

static void go_on(struct usb_serial *serial)
{
    read_next(serial);
    bb_work_queue(&serial->send);
}

static void run_repair(struct bb_work *work)
{
    struct usb_serial *serial = bb_container_of(work, struct usb_serial, repair);
    int error = 0;
    if (serial->in.endpoint->halted)
        error = bb_usb_clear_halt(serial->in.endpoint);
    if (!error && serial->out.endpoint->halted)
        error = bb_usb_clear_halt(serial->out.endpoint);
    if (error)
        trouble(serial, error == -EPIPE ? -EIO : error);
    else
        go_on(serial);
}

static void run_again(struct bb_timer_event *event)
{
    go_on(bb_container_of(event, struct usb_serial, again));
}

/* ---- Output ---- */

static void run_send(struct bb_work *work)
{
    struct usb_serial *serial = bb_container_of(work, struct usb_serial, send);
    uintptr_t state = bb_arch_irq_save();
    uint32_t waiting = serial->head - serial->tail, at = serial->tail % RING;
    bb_arch_irq_restore(state);
    if (serial->sending || serial->stopped || serial->again.armed || serial->repair.queued ||
        serial->repair.running || !waiting)
        return; /* after a failure go_on() comes, whoever writes meanwhile */
    uint32_t count = waiting < CHUNK ? waiting : CHUNK;
    uint32_t first = count < RING - at ? count : RING - at;
    memcpy(serial->out.data, serial->ring + at, first);
    memcpy((char *)serial->out.data + first, serial->ring, count - first);
    serial->out.length = count;
    serial->sending = true;
    int error = bb_usb_submit(&serial->out);
    if (error) {
        serial->sending = false;
        trouble(serial, error);
    }
}

/* What was sent leaves the ring only now: an error loses nothing that has not left. */
static void sent(struct bb_usb_transfer *transfer)
{
    struct usb_serial *serial = transfer->context;
    uintptr_t state = bb_arch_irq_save();
    serial->tail += transfer->actual;
    serial->sending = false;
    bb_arch_irq_restore(state);
    if (transfer->status) {
        trouble(serial, transfer->status);
    } else {
        serial->failures = 0;
        run_send(&serial->send);
    }
}

static int usb_serial_write(struct bb_console *console, const char *data, size_t size)
{
    struct usb_serial *serial = serial_of(console);
    if (serial->stopped)
        return -EIO;
    uintptr_t state = bb_arch_irq_save();
    uint32_t room = RING - (serial->head - serial->tail);
    uint32_t count = size < room ? (uint32_t)size : room, at = serial->head % RING;
    uint32_t first = count < RING - at ? count : RING - at;
    memcpy(serial->ring + at, data, first);
    memcpy(serial->ring, data + first, count - first);
    serial->head += count;
    bb_arch_irq_restore(state);
    if (count)
        bb_work_queue(&serial->send);
    return (int)count;
}

static bool usb_serial_idle(struct bb_console *console)
{
    const struct usb_serial *serial = serial_of(console);
    return serial->head == serial->tail || serial->stopped;
}

/* ---- Input ---- */

static void take(struct usb_serial *serial, const char *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        bb_console_input(&serial->console, data[i]);
}

static void take_packet(struct usb_serial *serial, const char *data, uint32_t length)
{
    if (length < FTDI_STATUS)
        return;
    serial->modem = (uint8_t)data[0];
    serial->line_errors += (data[1] & FTDI_LINE_ERRORS) != 0;
    take(serial, data + FTDI_STATUS, length - FTDI_STATUS);
}

static void received(struct bb_usb_transfer *transfer)
{
    struct usb_serial *serial = transfer->context;
    if (transfer->status) {
        trouble(serial, transfer->status);
        return;
    }
    serial->failures = 0;
    if (serial->kind == FTDI)
        take_packet(serial, transfer->data, transfer->actual);
    else
        take(serial, transfer->data, transfer->actual);
    read_next(serial);
}

/* ---- The line ---- */

static int ftdi_request(struct usb_serial *serial, unsigned number, unsigned value, unsigned index)
{
    return bb_usb_control(serial->control->device, BB_USB_VENDOR | BB_USB_TO_DEVICE, number, value,
                          index, NULL, 0);
}

/* AN232B-05: 14 bits of a divisor, and its eighths as a code of three bits of which the highest
 * stands in the index. 0 and 1 mean 1 and 1.5; nothing else lies below 2. */
static int ftdi_divisor(uint32_t baud, uint32_t *encoded)
{
    static const uint8_t codes[8] = {0, 3, 2, 4, 1, 5, 6, 7};
    uint32_t eighths = baud ? (FTDI_CLOCK + baud / 2) / baud : 0;
    if (eighths < 8 || eighths >= 0x4000 * 8 || (eighths > 8 && eighths < 16 && eighths != 12))
        return -EINVAL;
    uint32_t real = FTDI_CLOCK / eighths, off = real > baud ? real - baud : baud - real;
    if ((uint64_t)off * 100 > (uint64_t)baud * 3)
        return -EINVAL;
    *encoded = eighths == 8    ? 0
               : eighths == 12 ? 1
                               : eighths >> 3 | (uint32_t)codes[eighths & 7] << 14;
    return 0;
}

static int ftdi_set_line(struct usb_serial *serial, const struct bb_console_line *line)
{
    uint32_t divisor = 0;
    int error = line->data_bits < 7 ? -EINVAL : ftdi_divisor(line->baud, &divisor);
    if (!error)
        error = ftdi_request(serial, FTDI_BAUD_RATE, divisor & 0xffff, divisor >> 16);
    if (error < 0)
        return error;
    unsigned stop = line->stop_bits == 2 ? 2 : 0;
    return ftdi_request(serial, FTDI_DATA,
                        line->data_bits | (unsigned)line->parity << 8 | stop << 11, 0);
}

static int acm_set_line(struct usb_serial *serial, const struct bb_console_line *line)
{
    uint8_t coding[7] = {
        [4] = line->stop_bits == 2 ? 2 : 0, [5] = (uint8_t)line->parity, [6] = line->data_bits};
    if (line->baud < LEAST_BAUD || line->baud > MOST_BAUD)
        return -EINVAL;
    memcpy(coding, &line->baud, sizeof(line->baud));
    return bb_usb_control(serial->control->device, BB_USB_CLASS | BB_USB_TO_INTERFACE,
                          ACM_SET_LINE_CODING, 0, serial->control->number, coding, sizeof(coding));
}

static bool has_drained(void *context)
{
    return usb_serial_idle(context);
}

static int usb_serial_set_line(struct bb_console *console, const struct bb_console_line *line)
{
    struct usb_serial *serial = serial_of(console);
    if (line->data_bits < 5 || line->data_bits > 8 || line->stop_bits < 1 || line->stop_bits > 2 ||
        (unsigned)line->parity > BB_PARITY_EVEN)
        return -EINVAL;
    (void)bb_wait(has_drained, console, DRAIN); /* what is left goes at the new speed */
    if (serial->device.removed)
        return -ENODEV;
    int error = serial->kind == FTDI ? ftdi_set_line(serial, line) : acm_set_line(serial, line);
    return error == -EPIPE ? -EINVAL : error < 0 ? error : 0;
}

/* ---- Coming and going ---- */

/* The data interface that the union, or else the call management descriptor, names. */
static int claim_data(struct usb_serial *serial)
{
    struct bb_device *device = &serial->device;
    const uint8_t *names = bb_usb_descriptor(serial->control, BB_USB_CLASS_INTERFACE, UNION, 5);
    if (!names)
        names = bb_usb_descriptor(serial->control, BB_USB_CLASS_INTERFACE, CALL_MANAGEMENT, 5);
    if (!names)
        return bb_fail(device, "union descriptor", -EINVAL);
    if (names[4] == serial->control->number) {
        serial->data = serial->control;
        return 0;
    }
    int error = bb_usb_claim_number(device, names[4], &serial->data);
    if (error)
        return bb_fail(device, "data interface", error);
    if (!bb_usb_endpoint(serial->data, BB_USB_BULK, BB_USB_IN))
        error = bb_usb_set_interface(serial->data, 1);
    return error ? bb_fail(device, "data interface", error) : 0;
}

static int prepare_transfers(struct usb_serial *serial)
{
    struct bb_usb_endpoint *in = bb_usb_endpoint(serial->data, BB_USB_BULK, BB_USB_IN);
    struct bb_usb_endpoint *out = bb_usb_endpoint(serial->data, BB_USB_BULK, BB_USB_OUT);
    if (!in || !out)
        return bb_fail(&serial->device, "bulk endpoints", -EINVAL);
    /* One packet: a longer transfer would wait for what follows a full one. */
    serial->in = (struct bb_usb_transfer){.endpoint = in,
                                          .data = bb_usb_alloc(&serial->device, in->packet),
                                          .length = in->packet,
                                          .timeout = BB_FOREVER,
                                          .done = received,
                                          .context = serial};
    serial->out = (struct bb_usb_transfer){.endpoint = out,
                                           .data = bb_usb_alloc(&serial->device, CHUNK),
                                           .timeout = BB_FOREVER,
                                           .done = sent,
                                           .context = serial};
    return serial->in.data && serial->out.data ? 0 : -ENOMEM;
}

/* Speed and format, then the lines that say that somebody is here. */
static int open_line(struct usb_serial *serial)
{
    struct bb_device *device = &serial->device;
    const struct bb_console_line line = {bb_console_default_baud(device, serial->baud), 8, 1,
                                         BB_PARITY_NONE};
    int error = 0;
    if (serial->kind == FTDI) {
        error = ftdi_request(serial, FTDI_RESET, 0, 0);
        if (error >= 0)
            error = ftdi_request(serial, FTDI_FLOW_CONTROL, 0, 0);
        if (error >= 0)
            error = ftdi_set_line(serial, &line);
        if (error >= 0)
            error = ftdi_request(serial, FTDI_MODEM_CONTROL, FTDI_DTR_RTS, 0);
        return error < 0 ? bb_fail(device, "line", error) : 0;
    }
    error = acm_set_line(serial, &line);
    if (error >= 0 || error == -EPIPE) /* where there is no line there is nothing to set */
        error = bb_usb_control(serial->control->device, BB_USB_CLASS | BB_USB_TO_INTERFACE,
                               ACM_SET_CONTROL_LINE_STATE, ACM_DTR_RTS, serial->control->number,
                               NULL, 0);
    return error < 0 && error != -EPIPE ? bb_fail(device, "line", error) : 0;
}

static int publish(struct usb_serial *serial)
{
    struct bb_device *device = &serial->device;
    int error =
        bb_publish_u64(device, &serial->values[0], "transfer_errors", "", &serial->transfer_errors);
    if (error || serial->kind != FTDI)
        return error;
    error =
        bb_publish_u64(device, &serial->values[1], "line_errors", "packets", &serial->line_errors);
    return error ? error : bb_publish_u32(device, &serial->values[2], "modem", "", &serial->modem);
}

static int usb_serial_probe(struct bb_device *device)
{
    struct usb_serial *serial = bb_container_of(device, struct usb_serial, device);
    serial->kind = *(const uint8_t *)device->data;
    int error = bb_usb_claim(device, &serial->control);
    if (error)
        return error;
    serial->data = serial->control;
    if (serial->kind == ACM)
        error = claim_data(serial);
    if (!error)
        error = prepare_transfers(serial);
    if (!error)
        error = open_line(serial);
    if (!error)
        error = publish(serial);
    if (error)
        return error;
    serial->send = (struct bb_work){.run = run_send, .device = device};
    serial->repair = (struct bb_work){.run = run_repair, .device = device};
    serial->again = (struct bb_timer_event){.run = run_again, .device = device};
    error = bb_usb_submit(&serial->in);
    return error ? bb_fail(device, "input", error) : 0;
}

static void usb_serial_remove(struct bb_device *device)
{
    struct usb_serial *serial = bb_container_of(device, struct usb_serial, device);
    serial->stopped = true;
    bb_usb_cancel_wait(&serial->in);
    bb_usb_cancel_wait(&serial->out);
}

const struct bb_console_ops bb_ops_console_usb_serial = {
    .write = usb_serial_write,
    .set_line = usb_serial_set_line,
    .idle = usb_serial_idle,
};

static const uint8_t ftdi = FTDI, acm = ACM;

BB_DRIVER(console, usb_serial, .bus = &bb_usb_bus, .hotplug = true,
          .match = BB_MATCH({"usbif403,6001.config1.0", &ftdi}, {"usbif403,6015.config1.0", &ftdi},
                            {"usbif,class2.2.1", &acm}, {"usbif,class2.2.0", &acm}),
          .params = BB_PARAMS({"baud", offsetof(struct usb_serial, baud), BB_PARAM_U32}),
          .probe = usb_serial_probe, .remove = usb_serial_remove);
