/* A peer that answers without thinking: the load's own speed is measured on it, and clients'.
 * It ends with its standard input.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 1 << 18 };

typedef struct Peer {
    int fd;
    bool open, last, writing; /* handshake done; close when all is sent */
    size_t rest;        /* of a request that has not come whole: its bytes, or those of an empty line */
    char *queue;        /* what the socket has not taken yet, from `taken` to `queued` */
    size_t taken, queued, room;
    struct Peer *next, *previous;
} Peer;

static int poller;
static Peer everybody = {.next = &everybody, .previous = &everybody};

static void finish(Peer *peer) {
    peer->next->previous = peer->previous;
    peer->previous->next = peer->next;
    close(peer->fd);
    free(peer->queue);
    free(peer);
}

static void set_writing(Peer *peer, bool writing) {
    if (writing == peer->writing) return;
    peer->writing = writing;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = peer};
    epoll_ctl(poller, EPOLL_CTL_MOD, peer->fd, &event);
}

static void enqueue(Peer *peer, const char *data, size_t size) {
    if (peer->taken == peer->queued) peer->taken = peer->queued = 0;
    if (peer->queued + size > peer->room) {
        peer->room = 2 * (peer->queued + size);
        peer->queue = realloc(peer->queue, peer->room);
        if (!peer->queue) die("out of memory");
    }
    memcpy(peer->queue + peer->queued, data, size);
    peer->queued += size;
}

/* Send what can be sent.  Whether the peer is still there. */
static bool push(Peer *peer) {
    while (peer->taken < peer->queued) {
        const char *from = peer->queue + peer->taken;
        ssize_t sent = send(peer->fd, from, peer->queued - peer->taken, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent < 0) break;
        peer->taken += (size_t)sent;
    }
    set_writing(peer, peer->taken < peer->queued);
    return peer->writing || !peer->last;
}

/* Of the bytes "\r\n\r\n", how many the data so far ends with. */
static size_t step(size_t seen, char byte) {
    if (byte == "\r\n\r\n"[seen]) return seen + 1;
    return byte == '\r' ? 1 : 0;
}

/* How many requests end in the data. */
static size_t requests_in(Peer *peer, const Service *service, const char *data, size_t size) {
    size_t many = 0;
    if (service->unit) {
        many = (peer->rest + size) / service->unit;
        peer->rest = (peer->rest + size) % service->unit;
        return many;
    }
    for (size_t i = 0; i < size; i++)
        if ((peer->rest = step(peer->rest, data[i])) == 4) {
            peer->rest = 0;
            many++;
        }
    return many;
}

static bool answer(Peer *peer, const Service *service, const char *data, size_t size) {
    if (service->echo) {
        enqueue(peer, data, size);
        return push(peer);
    }
    if (!peer->open) {
        const char *end = memmem(data, size, "\r\n\r\n", 4);
        if (!end) return false;
        enqueue(peer, service->opening.data, service->opening.size);
        peer->open = true;
        size -= (size_t)(end + 4 - data);
        data = end + 4;
    }
    size_t many = requests_in(peer, service, data, size);
    if (!service->unit && memmem(data, size, "Connection: close", 17)) peer->last = true;
    if (service->to_all) {
        for (Peer *other = everybody.next; many && other != &everybody; other = other->next) {
            for (size_t i = 0; i < many; i++)
                enqueue(other, service->answer.data, service->answer.size);
            if (other != peer) push(other);
        }
    } else {
        for (size_t i = 0; i < many; i++) enqueue(peer, service->answer.data, service->answer.size);
    }
    return push(peer);
}

static void welcome(int listener, const Service *service) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        set_nodelay(fd);
        Peer *peer = allocate(1, sizeof *peer);
        *peer = (Peer){.fd = fd, .open = !service->opening.size, .next = everybody.next,
                       .previous = &everybody};
        everybody.next->previous = peer;
        everybody.next = peer;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_somewhere(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        die("no port can be had: %s", strerror(errno));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

_Noreturn void serve(const Service *service) {
    static char buffer[BUFFER];
    static struct epoll_event events[EVENTS];
    int listener = listen_somewhere();
    poller = epoll_create1(EPOLL_CLOEXEC);
    /* Without a pipe there, for one started by hand, it runs until it is killed. */
    struct epoll_event end = {.events = EPOLLIN, .data.ptr = &everybody};
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &end);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int many = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < many; i++) {
            Peer *peer = events[i].data.ptr;
            if (!peer) {
                welcome(listener, service);
                continue;
            }
            if (peer == &everybody) exit(0);
            if (events[i].events & EPOLLOUT && !push(peer)) {
                finish(peer);
                continue;
            }
            ssize_t size = recv(peer->fd, buffer, BUFFER, 0);
            if (size < 0 && errno == EAGAIN) continue;
            if (size <= 0 || !answer(peer, service, buffer, (size_t)size)) finish(peer);
        }
    }
}
