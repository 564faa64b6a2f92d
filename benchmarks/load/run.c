/* Who asks when, and what came of it; see load.h.
 *
 * closed  each connection keeps `window` requests under way
 * open    requests go out on a schedule, over the connections in turn; the time of each counts from
 *         when it was due, so that a peer that stalls cannot hide what it made others wait
 * all     the first connection asks, all are answered; then it asks again
 * idle    connections are opened, asked once if there is a request, and kept until stdin ends
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_AT_ONCE = 32, BUFFER = 1 << 18, EVENTS = 512 };
static const uint64_t SECOND = 1000000000, LOOK = 100000000;
static const char UNASKED[] = "there came an answer that nobody asked for";

typedef struct {
    Link link;
    enum { CONNECTING, SHAKING, OPENING, GREETING, OPEN } state;
    size_t number, opening_sent, greeted;
    uint64_t issued;         /* answers that there are to be, so far */
    uint64_t owed;           /* requests that have not gone out wholly */
    size_t next, offset;     /* the first of them, in the cycle, and how much of it has gone */
    uint64_t *issued_at;     /* closed loop: of the requests under way */
    uint64_t since;          /* when it last got on */
    bool writing;
    Parser parser;
} Connection;

static Connection *connections;
static int poller, timer = -1;
static char *script;               /* all requests in a row, the first ones again at the end */
static size_t *script_at;
static size_t begun, settled;      /* connections */
static uint64_t now, started, measure_from, measure_until; /* ns */
static enum { SETTING_UP, WARMING_UP, MEASURING, DRAINING } phase;
static uint64_t total = UINT64_MAX, first_measured, issued, answered, scheduled; /* requests */
static uint64_t to_come, asked_at; /* mode all: answers to the present request */
static Histogram histogram;
static Bytes *kept;
static size_t kept_count;
static struct {
    uint64_t answers, bytes, unanswered, from, until;
    double own, server;
} measured;

/* --- small things */

static double processor_seconds(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t)) die("the server has ended");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double server_seconds(void) {
    clockid_t clock;
    if (!options.watch) return 0;
    if (clock_getcpuclockid(options.watch, &clock)) die("the server has ended");
    return processor_seconds(clock);
}

static _Noreturn void fail(const Connection *c, const char *what) {
    die("connection %zu, after %" PRIu64 " answers: %s", c->number, c->parser.answers, what);
}

/* --- what a connection sends */

static void watch(Connection *c, bool writing) {
    if (c->writing == writing) return;
    c->writing = writing;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, c->link.fd, &event)) die("epoll: %s", strerror(errno));
}

static void flush(Connection *c) {
    while (c->owed) {
        size_t many = c->owed < options.window ? (size_t)c->owed : options.window;
        const char *from = script + script_at[c->next] + c->offset;
        ssize_t sent = link_write(&c->link, from, (size_t)(script + script_at[c->next + many] - from));
        if (sent == LINK_BROKEN) fail(c, link_trouble());
        if (sent <= 0) {
            watch(c, sent == LINK_WAIT_WRITE);
            return;
        }
        c->offset += (size_t)sent;
        while (c->owed && c->offset >= options.requests[c->next].size) {
            c->offset -= options.requests[c->next].size;
            c->next = (c->next + 1) % options.request_count;
            c->owed--;
        }
    }
    watch(c, false);
}

/* One more request, to be flushed. */
static void issue(Connection *c) {
    if (c->issued == c->parser.answers) c->since = now;
    if (options.mode == CLOSED) c->issued_at[c->issued % options.window] = now;
    c->issued++;
    c->owed++;
    issued++;
}

static void ask_all(void) {
    for (size_t i = 0; i < options.connections; i++) {
        connections[i].since = now;
        connections[i].issued += options.at_once;
    }
    to_come = options.connections * options.at_once;
    asked_at = now;
    issued++;
    connections[0].owed++;
    flush(&connections[0]);
}

/* --- open loop: request k is due at started + k / rate, on connection k mod connections */

static uint64_t due(uint64_t request) {
    return started + (uint64_t)((double)request * 1e9 / options.rate);
}

static bool has_due(const Connection *c) {
    return c->issued * options.connections + c->number < scheduled;
}

static void issue_due(Connection *c) {
    while (has_due(c) && c->issued - c->parser.answers < options.window) issue(c);
    flush(c);
}

static void schedule(void) {
    while (scheduled < total && due(scheduled) <= now)
        issue_due(&connections[scheduled++ % options.connections]);
    if (scheduled == total) return;
    uint64_t next = due(scheduled);
    struct itimerspec at = {.it_value = {(time_t)(next / SECOND), (long)(next % SECOND)}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL)) die("timer: %s", strerror(errno));
}

/* --- what comes back */

static void record(uint64_t since) {
    histogram_add(&histogram, now - since);
    measured.answers++;
}

static void begin(void);
static void begin_connection(void);

static void settle(void) {
    settled++;
    if (begun < options.connections) begin_connection();
    if (settled == options.connections) begin();
}

static void keep_answer(Connection *c) {
    kept[kept_count++] = c->parser.kept;
    c->parser.kept = (Bytes){0};
    c->parser.keep = kept_count < options.request_count;
}

static void begin_measuring(void);
static void end_measuring(void);

/* What is measured begins and ends with a whole round: one may take long. */
static void on_all_answered(void) {
    if (phase == MEASURING) record(asked_at);
    if (phase == WARMING_UP && now >= measure_from) {
        begin_measuring();
    } else if (phase == MEASURING && (now >= measure_until || issued >= total)) {
        end_measuring();
        return;
    }
    ask_all();
}

static void on_answer(void *context) {
    Connection *c = context;
    if (c->parser.answers > c->issued - c->owed) fail(c, UNASKED);
    if (c->parser.keep) keep_answer(c);
    answered++;
    if (options.mode == IDLE) {
        settle();
    } else if (options.mode == ALL) {
        if (!--to_come) on_all_answered();
    } else if (options.mode == OPEN_LOOP) {
        uint64_t request = (c->parser.answers - 1) * options.connections + c->number;
        if (request >= first_measured) record(due(request));
        if (has_due(c)) issue(c);
    } else {
        if (phase == MEASURING) record(c->issued_at[(c->parser.answers - 1) % options.window]);
        if (issued < total) issue(c);
    }
}

static void on_ping(void *context, const char *payload, size_t size) {
    Connection *c = context;
    char pong[131] = {(char)0x8a, (char)(0x80 | size), 0, 0, 0, 0};
    memcpy(pong + 6, payload, size);
    if (c->offset || link_write(&c->link, pong, size + 6) != (ssize_t)(size + 6))
        fail(c, "a ping could not be answered");
}

static void take(Connection *c, const char *data, size_t size) {
    Receiver receiver = {c, on_answer, on_ping};
    bool may_ping = options.expectation.framing == FRAMES;
    if (c->parser.answers == c->issued - c->owed && !may_ping) fail(c, UNASKED);
    uint64_t answers = c->parser.answers, position = c->parser.position;
    const char *wrong = answer_feed(&c->parser, &options.expectation, data, size, &receiver);
    if (wrong) fail(c, wrong);
    /* A peer that pings and never answers does not get on. */
    if (c->parser.answers != answers || c->parser.position != position) c->since = now;
    if (c->owed) flush(c);
}

static void become_open(Connection *c) {
    c->state = OPEN;
    c->parser.head_size = 0;
    if (options.mode != IDLE || !options.request_count) {
        settle();
    } else {
        issue(c);
        flush(c);
    }
}

static void take_opening(Connection *c, const char *data, size_t size) {
    c->since = now;
    if (c->state == OPENING) {
        size_t whole = answer_gather_head(&c->parser, &data, &size);
        if (!whole && c->parser.head_size == HEAD_MAX) fail(c, "the handshake's answer has no end");
        if (!whole) return;
        c->parser.head[whole - 1] = 0;
        if (strncmp(c->parser.head, options.accept, strlen(options.accept)) != 0) {
            c->parser.head[strcspn(c->parser.head, "\r\n")] = 0;
            die("the handshake was answered with: %.200s", c->parser.head);
        }
        c->state = GREETING;
    }
    size_t left = options.greeting.size - c->greeted, piece = size < left ? size : left;
    if (memcmp(data, options.greeting.data + c->greeted, piece) != 0) fail(c, "a wrong greeting");
    c->greeted += piece;
    if (c->greeted < options.greeting.size) return;
    become_open(c);
    if (size > piece) take(c, data + piece, size - piece);
}

static void on_readable(Connection *c) {
    static char buffer[BUFFER];
    for (;;) {
        ssize_t size = link_read(&c->link, buffer, BUFFER);
        if (size == LINK_WAIT_READ || size == LINK_WAIT_WRITE) return;
        if (size == 0) fail(c, "the peer closed the connection");
        if (size < 0) fail(c, link_trouble());
        now = now_ns();
        if (phase == MEASURING) measured.bytes += (uint64_t)size;
        if (c->state == OPEN)
            take(c, buffer, (size_t)size);
        else
            take_opening(c, buffer, (size_t)size);
        if (!c->link.tls) return;
    }
}

/* --- how connections come to be */

static void begin_connection(void) {
    Connection *c = &connections[begun];
    c->number = begun++;
    c->link = link_connect(options.port, 1 + (int)c->number % options.sources, options.tls);
    c->since = now;
    c->writing = true;
    c->parser.head = allocate(HEAD_MAX, 1);
    c->parser.keep = kept && c->number == 0;
    if (options.mode == CLOSED) c->issued_at = allocate(options.window, sizeof *c->issued_at);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->link.fd, &event)) die("epoll: %s", strerror(errno));
}

static void send_opening(Connection *c) {
    size_t left = options.opening.size - c->opening_sent;
    if (left) {
        ssize_t sent = link_write(&c->link, options.opening.data + c->opening_sent, left);
        if (sent == LINK_BROKEN) fail(c, link_trouble());
        if (sent > 0) c->opening_sent += (size_t)sent;
    }
    watch(c, c->opening_sent < options.opening.size);
    if (!options.opening.size) become_open(c);
}

static void on_connected(Connection *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->link.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) die("cannot connect to port %d: %s", options.port, strerror(error));
    c->state = options.tls ? SHAKING : OPENING;
}

static void on_event(Connection *c, uint32_t events) {
    if (c->state == CONNECTING) on_connected(c);
    if (c->state == SHAKING) {
        int result = link_shake(&c->link);
        if (result == LINK_BROKEN) fail(c, link_trouble());
        watch(c, result == LINK_WAIT_WRITE);
        if (result) return;
        c->state = OPENING;
        c->since = now;
        send_opening(c);
    } else if (events & EPOLLOUT) {
        if (c->state == OPENING) send_opening(c);
        else flush(c);
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) || c->link.tls) on_readable(c);
}

/* --- the course of a run */

static double own_seconds(void) { return processor_seconds(CLOCK_PROCESS_CPUTIME_ID); }

static void begin_measuring(void) {
    phase = MEASURING;
    measured.from = now;
    if (options.mode != OPEN_LOOP && !options.count) measure_until += now - measure_from;
    measured.own = own_seconds();
    measured.server = server_seconds();
}

static void end_measuring(void) {
    measured.until = now_ns();
    measured.own = own_seconds() - measured.own;
    measured.server = server_seconds() - measured.server;
    phase = DRAINING;
}

static void begin(void) {
    now = started = now_ns();
    phase = WARMING_UP;
    measure_from = now + (options.count ? 0 : (uint64_t)(options.warmup * 1e9));
    measure_until = options.count ? UINT64_MAX : measure_from + (uint64_t)(options.seconds * 1e9);
    total = options.count ? options.count : UINT64_MAX;
    if (measure_from == now) begin_measuring();
    if (options.mode == IDLE) {
        printf("{\"open\": %zu}\n", options.connections);
        fflush(stdout);
    } else if (options.mode == ALL) {
        ask_all();
    } else if (options.mode == OPEN_LOOP) {
        if (!options.count) {
            first_measured = (uint64_t)(options.rate * options.warmup);
            total = first_measured + (uint64_t)(options.rate * options.seconds);
        }
        schedule();
    } else {
        for (uint64_t i = 0; i < options.connections * options.window && issued < total; i++)
            issue(&connections[i % options.connections]);
        for (size_t i = 0; i < options.connections; i++) flush(&connections[i]);
    }
}

/* Count what is under way with the time that it has waited. */
static void give_up_the_rest(void) {
    for (size_t i = 0; i < options.connections; i++)
        for (uint64_t k = connections[i].parser.answers;; k++) {
            uint64_t request = k * options.connections + i;
            if (request >= total) break;
            if (request < first_measured) continue;
            histogram_add(&histogram, now - due(request));
            measured.unanswered++;
        }
}

/* Whether the run is at its end. */
static bool advance(void) {
    if (phase == SETTING_UP || options.mode == IDLE) return false;
    if (options.mode == ALL) return phase == DRAINING;
    if (phase == WARMING_UP && now >= measure_from) begin_measuring();
    /* However little time there is, a closed loop has one answer to tell of. */
    bool enough = options.mode == OPEN_LOOP || measured.answers;
    if (phase == MEASURING && ((now >= measure_until && enough) || answered >= total))
        end_measuring();
    if (phase != DRAINING) return false;
    if (options.mode != OPEN_LOOP || answered >= total) return true;
    if (now < measure_until + (uint64_t)(options.limit * 1e9)) return false;
    give_up_the_rest();
    return true;
}

static void look_for_stalls(void) {
    for (size_t i = 0; i < begun; i++) {
        const Connection *c = &connections[i];
        bool waits = c->state != OPEN || c->parser.answers < c->issued;
        if (!waits || now < c->since + (uint64_t)(options.limit * 1e9)) continue;
        static const char *const what[] = {"no connection", "no TLS", "no answer to the handshake",
                                           "no greeting", "no answer"};
        die("connection %zu, after %" PRIu64 " answers: %s within %g seconds", c->number,
            c->parser.answers, what[c->state], options.limit);
    }
}

static int patience(void) {
    uint64_t until = now + LOOK;
    uint64_t change = phase == WARMING_UP ? measure_from : phase == MEASURING ? measure_until : 0;
    if (change > now && change < until) until = change;
    return (int)((until - now + 999999) / 1000000);
}

static void print_latency(void) {
    static const char *const names[] = {"50", "90", "99", "99.9"};
    printf("\"latency\": {");
    for (size_t i = 0; i < 4; i++)
        printf("\"%s\": %" PRIu64 ", ", names[i], histogram_percentile(&histogram, atof(names[i])));
    printf("\"max\": %" PRIu64 ", \"mean\": %.1f}", histogram.max,
           histogram.count ? histogram.sum / (double)histogram.count : 0.0);
}

static void report(void) {
    double seconds = (double)(measured.until - measured.from) / 1e9;
    printf("{\"answers\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"seconds\": %.9f, \"busy\": %.4f, "
           "\"server_seconds\": %.9f, \"unanswered\": %" PRIu64 ", \"kept\": [",
           measured.answers, measured.bytes, seconds, seconds > 0 ? measured.own / seconds : 0.0,
           measured.server, measured.unanswered);
    for (size_t i = 0; i < kept_count; i++) {
        printf(i ? ", \"" : "\"");
        for (size_t k = 0; k < kept[i].size; k++) printf("%02x", (unsigned char)kept[i].data[k]);
        printf("\"");
    }
    printf("], ");
    print_latency();
    printf("}\n");
}

static void add_to_poll(int fd, void *mark) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll: %s", strerror(errno));
}

static void prepare_script(void) {
    size_t many = options.request_count, size = 0;
    if (!many) return;
    script_at = allocate(many + options.window + 1, sizeof *script_at);
    for (size_t i = 0; i < many + options.window; i++) {
        script_at[i] = size;
        size += options.requests[i % many].size;
    }
    script_at[many + options.window] = size;
    script = allocate(size, 1);
    for (size_t i = 0; i < many + options.window; i++) {
        const Bytes *request = &options.requests[i % many];
        memcpy(script + script_at[i], request->data, request->size);
    }
}

void run(void) {
    static struct epoll_event events[EVENTS];
    uint64_t looked;
    prepare_script();
    connections = allocate(options.connections, sizeof *connections);
    if (options.expectation.compressed) kept = allocate(options.request_count, sizeof *kept);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (options.mode == OPEN_LOOP) {
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        add_to_poll(timer, &timer);
    }
    if (options.mode == IDLE) add_to_poll(STDIN_FILENO, NULL);
    now = looked = now_ns();
    while (begun < options.connections && begun < OPENING_AT_ONCE) begin_connection();
    while (!advance()) {
        int many = epoll_wait(poller, events, EVENTS, patience());
        if (many < 0 && errno != EINTR) die("epoll: %s", strerror(errno));
        now = now_ns();
        for (int i = 0; i < many; i++) {
            char byte;
            if (!events[i].data.ptr) {
                if (read(STDIN_FILENO, &byte, 1) <= 0) return;
            } else if (events[i].data.ptr == &timer) {
                uint64_t times;
                if (read(timer, &times, sizeof times) < 0) continue;
            } else {
                on_event(events[i].data.ptr, events[i].events);
            }
        }
        now = now_ns();
        if (options.mode == OPEN_LOOP && phase != SETTING_UP) schedule();
        if (now >= looked + LOOK) {
            looked = now;
            look_for_stalls();
        }
    }
    report();
}

void print_percentiles(void) {
    uint64_t value;
    while (scanf("%" SCNu64, &value) == 1) histogram_add(&histogram, value);
    printf("{");
    print_latency();
    printf("}\n");
}
