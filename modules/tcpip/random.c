/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that a stranger cannot guess: SipHash-2-4 (Aumasson and Bernstein, 2012) under a secret
 * key, for ports, DNS identifiers and first sequence numbers (RFC 6056, 5452, 6528). */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/entropy.h>
#include <busbar/log.h>

#include <tcpip_hooks.h>

#include "glue.h"

static uint64_t key[2], counter;

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void mix(uint64_t v[4], unsigned rounds)
{
    while (rounds--) {
        v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
        v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
    }
}

static uint64_t hash(const uint64_t *words, size_t count)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    uint64_t last = (uint64_t)(count * 8) << 56;
    for (size_t i = 0; i <= count; i++) {
        uint64_t word = i < count ? words[i] : last;
        v[3] ^= word;
        mix(v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    mix(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void bb_tcpip_seed(void)
{
    if (bb_random(key, sizeof key, 100 * BB_MSEC) == 0)
        return;
    key[0] ^= bb_arch_counter();
    key[1] ^= bb_time() + (uintptr_t)&counter;
    bb_print(BB_WARNING, "tcpip: no source of randomness, so port and sequence numbers can be "
                         "guessed");
}

uint32_t bb_tcpip_random(void)
{
    counter++;
    return (uint32_t)hash(&counter, 1);
}

u32_t bb_tcpip_first_sequence(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                              u16_t remote_port)
{
    uint64_t words[5] = {(uint64_t)local_port << 16 | remote_port};
    if (IP_IS_V6(local)) {
        memcpy(words + 1, ip_2_ip6(local)->addr, 16);
        memcpy(words + 3, ip_2_ip6(remote)->addr, 16);
    } else {
        words[1] = ip4_addr_get_u32(ip_2_ip4(local));
        words[2] = ip4_addr_get_u32(ip_2_ip4(remote));
    }
    return (u32_t)(hash(words, BB_ARRAY_SIZE(words)) + bb_time() / (4 * BB_USEC));
}
