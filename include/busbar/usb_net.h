/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet over a pair of bulk endpoints: what network functions on USB have in common, whatever
 * they put around their frames. A driver says how a frame is wrapped and unwrapped; queues, buffers
 * and recovery are done here. Its state begins like this, and its ops are those below:
 *
 *     struct usb_thing {
 *         struct bb_device device;
 *         union {
 *             struct bb_net net;         // the face
 *             struct bb_usb_net usb;     // which begins with it
 *         };
 *     };
 *
 *     static const struct bb_usb_net_format format = {.chores = thing_chores};
 *     ...
 *     error = bb_usb_net_prepare(&chip->usb, &format, data_interface);
 *
 * Without wrap() and unwrap() a frame is a transfer: it is received straight into a buffer of the
 * pool, and sent straight from one that is aligned to BB_USB_ALIGNMENT. Receiving transfers are as
 * long as the buffers are, so that one that is not ended by a short packet is no frame. The filter
 * is set behind the client's back, since a request to the device takes time and clients ask for it
 * where they cannot wait: set_filter() answers 0, and chores() does it soon after.
 *
 * Thread context.
 */
#ifndef BUSBAR_USB_NET_H
#define BUSBAR_USB_NET_H

#include <busbar/net.h>
#include <busbar/usb.h>

#define BB_USB_NET_RECEIVES 16 /* transfers that wait for frames */
#define BB_USB_NET_MESSAGES 2  /* the same where a transfer brings several */
#define BB_USB_NET_SENDS 8
#define BB_USB_NET_MTU 1500
/* Bytes of a message to send, at most: a frame, and what is around it. */
#define BB_USB_NET_MESSAGE 1600
#define BB_USB_NET_NOTICE 64 /* bytes of one packet of the interrupt endpoint */

struct bb_usb_net;

struct bb_usb_net_format {
    /* Writes the message that carries `frame`, of `length` bytes, to `message`, which has
     * BB_USB_NET_MESSAGE bytes; returns its size. bb_usb_net_copy() helps. NULL: the frame. */
    uint32_t (*wrap)(struct bb_usb_net *usb, const struct bb_buffer *frame, uint32_t length,
                     uint8_t *message);
    /* Looks through what has come, and hands each frame to bb_usb_net_received(). NULL: it is the
     * frame. With it, `room` is how many bytes there may be, a multiple of 512. */
    void (*unwrap)(struct bb_usb_net *usb, const uint8_t *data, uint32_t length);
    uint32_t room;
    /* Where not everybody ends with a short packet what says itself how long it is: asked when as
     * much as was asked for has come, and `length` bytes are there. How many more belong to it; 0:
     * it is whole, UINT32_MAX: it makes no sense. NULL: a short packet is the end. */
    uint32_t (*missing)(struct bb_usb_net *usb, const uint8_t *data, uint32_t length);
    /* A packet came from the interrupt endpoint. Must not wait. */
    void (*notice)(struct bb_usb_net *usb, const uint8_t *data, uint32_t length);
    /* After bb_usb_net_work(), at start, at stop, and for a new filter: what needs requests to the
     * device. May wait. */
    void (*chores)(struct bb_usb_net *usb);
};

struct bb_usb_net_slot {
    struct bb_usb_transfer transfer;
    struct bb_usb_net *usb;
    struct bb_buffer *buffer; /* received into, or the frame that is sent */
    void *memory;
    uint32_t have; /* bytes in `memory` that wait for more */
    bool busy;
};

struct bb_usb_net_list {
    struct bb_buffer *first, *last;
    unsigned count;
};

struct bb_usb_net {
    struct bb_net net;
    const struct bb_usb_net_format *format;
    struct bb_usb_device *device;
    struct bb_usb_endpoint *in, *out;
    struct bb_net_filter filter; /* that the client asked for last */
    bool filter_changed;         /* and chores() has to set; it clears it, unless that failed */
    bool unfinished;             /* chores() has something else of its own to do: the same */
    bool started;                /* a client has it open */
    bool gone;                   /* unplugged; it will be removed soon */
    /* The rest is not the driver's. */
    bool armed, full, oversize;
    bool resting;      /* receiving failed, and goes on after `retry` */
    uint8_t failures;  /* in a row, of the receiving endpoint */
    uint8_t deaf;      /* and of the interrupt endpoint, */
    uint8_t undone;    /* and of chores() */
    uint16_t receives; /* of the slots below that are in use */
    struct bb_usb_net_slot receive[BB_USB_NET_RECEIVES], send[BB_USB_NET_SENDS];
    struct bb_usb_net_list empty, received, sent;
    struct bb_usb_transfer listening;
    struct bb_work ready_work, chores_work;
    struct bb_timer_event retry;
};

/* Takes the bulk endpoints of `data`, in its current setting; sets queues and depth, MTU and link
 * to the usual where they are 0. -ENOENT without them, -ENOMEM. */
int bb_usb_net_prepare(struct bb_usb_net *usb, const struct bb_usb_net_format *format,
                       struct bb_usb_interface *data);
/* Begins to listen to an interrupt endpoint: notice(). To be called last in probe. */
int bb_usb_net_listen(struct bb_usb_net *usb, struct bb_usb_endpoint *endpoint);
/* Has chores() run soon. */
void bb_usb_net_work(struct bb_usb_net *usb);
/* From unwrap(): a frame, which is copied; `flags` as of a buffer. One of a wrong length is counted
 * as an error. */
void bb_usb_net_received(struct bb_usb_net *usb, const uint8_t *frame, uint32_t length,
                         uint16_t flags);
/* Copies a whole frame, all its parts. */
void bb_usb_net_copy(const struct bb_buffer *frame, uint8_t *to);

/* The ops: as <busbar/net.h> has them. */
int bb_usb_net_start(struct bb_net *net);
void bb_usb_net_stop(struct bb_net *net);
int bb_usb_net_send(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                    unsigned count);
int bb_usb_net_sent(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit);
int bb_usb_net_receive(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                       unsigned limit);
int bb_usb_net_refill(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                      unsigned count);
bool bb_usb_net_arm(struct bb_net *net, unsigned queue);
int bb_usb_net_set_filter(struct bb_net *net, const struct bb_net_filter *filter);

#define BB_USB_NET_OPS                                                                             \
    {                                                                                              \
        .start = bb_usb_net_start, .stop = bb_usb_net_stop, .send = bb_usb_net_send,               \
        .sent = bb_usb_net_sent, .receive = bb_usb_net_receive, .refill = bb_usb_net_refill,       \
        .arm = bb_usb_net_arm, .set_filter = bb_usb_net_set_filter,                                \
    }

#endif
