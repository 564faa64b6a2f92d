/* A load generator: one thread, epoll, any number of connections.  Linux only.
 *
 * histogram.c  latencies in logarithmic buckets, and their percentiles
 * link.c       one connection's bytes, plain or through TLS
 * answer.c     where an answer begins and ends, and whether it is the right one
 * serve.c      a peer that answers without thinking
 * run.c        who asks when, and what came of it
 * main.c       the command line
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    char *data;
    size_t size;
} Bytes;

/* One line on standard error, and the end of the process with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t now_ns(void);
void *allocate(size_t count, size_t size);
Bytes read_file(const char *path);

/* --- histogram.c: values below 256 are exact, others up to 1/128 too high */

enum { BUCKETS = 58 * 128 };

typedef struct {
    uint64_t counts[BUCKETS];
    uint64_t count, max;
    double sum;
} Histogram;

void histogram_add(Histogram *histogram, uint64_t value);
/* The value that `percent` of all values do not exceed; 0 when there are none. */
uint64_t histogram_percentile(const Histogram *histogram, double percent);

/* --- link.c */

typedef struct {
    int fd;
    void *tls; /* SSL *, or NULL */
} Link;

/* What `link_read`, `link_write` and `link_shake` return besides a size. */
enum { LINK_WAIT_READ = -1, LINK_WAIT_WRITE = -2, LINK_BROKEN = -3 };

int link_has_tls(void);
void link_prepare_tls(void);
/* Begin to connect to 127.0.0.1:`port` from 127.0.0.`source`. */
Link link_connect(int port, int source, bool tls);
/* Go on with TLS's handshake: 0 when it is done, else what to wait for. */
int link_shake(Link *link);
ssize_t link_read(Link *link, void *buffer, size_t size);
ssize_t link_write(Link *link, const void *data, size_t size);
/* Why the last operation was LINK_BROKEN. */
const char *link_trouble(void);
void set_nodelay(int fd);

/* --- answer.c */

typedef enum { FIXED, HTTP, FRAMES } Framing;

typedef struct {
    Framing framing;
    bool compressed;       /* frames have RSV1, and a size and content that C does not know */
    unsigned char opcode;  /* the first byte of a frame */
    Bytes *expected;       /* what each request of the cycle is answered with */
    size_t count, repeat;  /* an answer is `expected`, `repeat` times over */
} Expectation;

typedef struct {
    char *head;            /* of an answer that has not come whole, or a control frame */
    size_t head_size;
    bool in_body;
    uint64_t need, position;
    uint64_t answers;
    Bytes kept;            /* the present answer's body, where it is to be kept */
    bool keep;
} Parser;

typedef struct {
    void *context;
    void (*answered)(void *context);
    /* A control frame came in: answer it. */
    void (*ping)(void *context, const char *payload, size_t size);
} Receiver;

enum { HEAD_MAX = 16384 };

/* Move the bytes of an HTTP head to the parser's.  The size of a whole head, or 0. */
size_t answer_gather_head(Parser *parser, const char **data, size_t *size);
/* Take what has come.  NULL, or what is wrong with it. */
const char *answer_feed(Parser *parser, const Expectation *expectation, const char *data,
                        size_t size, const Receiver *receiver);

/* --- serve.c */

typedef struct {
    bool echo;       /* send back what comes */
    size_t unit;     /* bytes that are one request; 0: up to an empty line, as in HTTP */
    bool to_all;     /* the answer goes to every connection */
    Bytes opening;   /* what answers the handshake, where there is one */
    Bytes answer;
} Service;

_Noreturn void serve(const Service *service);

/* --- run.c */

typedef enum { CLOSED, OPEN_LOOP, ALL, IDLE } Mode;

typedef struct {
    Mode mode;
    int port, sources;
    bool tls;
    size_t connections, window, at_once;
    double seconds, warmup, rate, limit;
    uint64_t count;
    pid_t watch;
    Bytes *requests;
    size_t request_count;
    Bytes opening, greeting;
    const char *accept;
    Expectation expectation;
} Options;

extern Options options;

/* Do what the options say, and print what came of it. */
void run(void);
/* Read numbers from standard input, and print their percentiles. */
void print_percentiles(void);

#endif
