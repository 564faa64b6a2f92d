/* The command line; see load.h. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

Options options = {
    .mode = CLOSED, .sources = 1, .connections = 1, .window = 1, .at_once = 1, .seconds = 1,
    .limit = 10, .accept = "HTTP/1.1 101", .expectation = {.opcode = 0x81, .repeat = 1},
};

_Noreturn void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) die("out of memory");
    return memory;
}

Bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die("%s: %s", path, strerror(errno));
    fseek(file, 0, SEEK_END);
    Bytes bytes = {.size = (size_t)ftell(file)};
    rewind(file);
    bytes.data = allocate(bytes.size + 1, 1);
    if (fread(bytes.data, 1, bytes.size, file) != bytes.size) die("%s cannot be read", path);
    fclose(file);
    return bytes;
}

static void raise_file_limit(size_t wanted) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) limit.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        die("%zu open files are too many for this user: raise it with ulimit -n", wanted);
}

static void add(Bytes **list, size_t *count, const char *path) {
    *list = realloc(*list, (*count + 1) * sizeof **list);
    if (!*list) die("out of memory");
    (*list)[(*count)++] = read_file(path);
}

static size_t choose(const char *value, const char *names) {
    size_t number = 0, size = strlen(value);
    for (const char *name = names; *name; name += strcspn(name, " "), number++) {
        name += *name == ' ';
        if (!strncmp(name, value, size) && (name[size] == ' ' || !name[size])) return number;
    }
    die("%s is none of %s", value, names);
}

static const struct option NAMES[] = {
    {"mode", 1, 0, 'm'},       {"port", 1, 0, 'p'},     {"connections", 1, 0, 'c'},
    {"window", 1, 0, 'w'},     {"at-once", 1, 0, 'o'},  {"seconds", 1, 0, 's'},
    {"warmup", 1, 0, 'u'},     {"rate", 1, 0, 'r'},     {"limit", 1, 0, 'l'},
    {"count", 1, 0, 'n'},      {"watch", 1, 0, 'W'},    {"request", 1, 0, 'q'},
    {"answer", 1, 0, 'a'},     {"repeat", 1, 0, 'R'},   {"framing", 1, 0, 'f'},
    {"opcode", 1, 0, 'O'},     {"compressed", 0, 0, 'z'}, {"opening", 1, 0, 'g'},
    {"accept", 1, 0, 'A'},     {"greeting", 1, 0, 'G'}, {"tls", 0, 0, 't'},
    {"sources", 1, 0, 'S'},    {"echo", 0, 0, 'e'},     {"unit", 1, 0, 'U'},
    {"to-all", 0, 0, 'T'},     {0, 0, 0, 0},
};

static void set_option(int name, const char *value, Service *service) {
    Expectation *expectation = &options.expectation;
    switch (name) {
    case 'm': options.mode = (Mode)choose(value, "closed open all idle"); break;
    case 'p': options.port = atoi(value); break;
    case 'c': options.connections = strtoul(value, NULL, 10); break;
    case 'w': options.window = strtoul(value, NULL, 10); break;
    case 'o': options.at_once = strtoul(value, NULL, 10); break;
    case 's': options.seconds = atof(value); break;
    case 'u': options.warmup = atof(value); break;
    case 'r': options.rate = atof(value); break;
    case 'l': options.limit = atof(value); break;
    case 'n': options.count = strtoull(value, NULL, 10); break;
    case 'W': options.watch = atoi(value); break;
    case 'q': add(&options.requests, &options.request_count, value); break;
    case 'a': add(&expectation->expected, &expectation->count, value); break;
    case 'R': expectation->repeat = strtoul(value, NULL, 10); break;
    case 'f': expectation->framing = (Framing)choose(value, "fixed http frames"); break;
    case 'O': expectation->opcode = (unsigned char)atoi(value); break;
    case 'z': expectation->compressed = true; break;
    case 'g': options.opening = service->opening = read_file(value); break;
    case 'A': options.accept = value; break;
    case 'G': options.greeting = read_file(value); break;
    case 't': options.tls = true; break;
    case 'S': options.sources = atoi(value); break;
    case 'e': service->echo = true; break;
    case 'U': service->unit = strtoul(value, NULL, 10); break;
    case 'T': service->to_all = true; break;
    default: exit(2);
    }
}

static void check_options(void) {
    if (options.mode != IDLE && !options.request_count) die("there is no --request");
    if (options.request_count != options.expectation.count)
        die("each --request needs its --answer");
    if (!options.connections || !options.window || !options.at_once || options.sources < 1)
        die("counts must be positive");
    if (options.mode == OPEN_LOOP && options.rate <= 0) die("an open loop needs a --rate");
    if (options.tls) link_prepare_tls();
}

int main(int count, char **arguments) {
    if (count < 2) die("usage: %s run|serve|percentiles|features [--OPTION VALUE ...]", *arguments);
    const char *command = arguments[1];
    Service service = {0};
    for (int name; (name = getopt_long(count - 1, arguments + 1, "", NAMES, NULL)) != -1;)
        set_option(name, optarg, &service);
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(command, "features")) {
        printf("{\"tls\": %s}\n", link_has_tls() ? "true" : "false");
    } else if (!strcmp(command, "percentiles")) {
        print_percentiles();
    } else if (!strcmp(command, "serve")) {
        raise_file_limit(16384);
        if (options.expectation.count) service.answer = options.expectation.expected[0];
        serve(&service);
    } else if (!strcmp(command, "run")) {
        check_options();
        raise_file_limit(options.connections + 64);
        run();
    } else {
        die("no such command: %s", command);
    }
    return 0;
}
