/* Where an answer begins and ends, and whether it is the right one.
 *
 * Three framings: a size known beforehand; HTTP/1 with Content-Length; WebSocket frames, among
 * which there may be pings.  A connection's first answers are compared whole, one of each request
 * of the cycle; later ones by their size and their first bytes.
 */
#define _GNU_SOURCE
#include "load.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIRST_BYTES = 32 };

static char complaint[512];

static const char *complain(const char *what, const char *data, size_t size) {
    int at = snprintf(complaint, sizeof complaint, "%s", what);
    for (size_t i = 0; i < size && i < 60 && at < (int)sizeof complaint - 8; i++) {
        unsigned char c = (unsigned char)data[i];
        const char *form = isprint(c) && c != '\\' ? "%c" : "\\x%02x";
        at += snprintf(complaint + at, sizeof complaint - (size_t)at, form, c);
    }
    return complaint;
}

static const Bytes *expected(const Parser *parser, const Expectation *expectation) {
    return &expectation->expected[parser->answers % expectation->count];
}

static uint64_t expected_size(const Parser *parser, const Expectation *expectation) {
    return expected(parser, expectation)->size * expectation->repeat;
}

static bool read_content_length(const char *head, const char *end, uint64_t *length) {
    static const char name[] = "content-length:";
    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line;
         line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if ((size_t)(end - line) > sizeof name && !strncasecmp(line, name, sizeof name - 1)) {
            *length = strtoull(line + sizeof name - 1, NULL, 10);
            return true;
        }
    }
    return false;
}

size_t answer_gather_head(Parser *parser, const char **data, size_t *size) {
    size_t before = parser->head_size, from = before > 3 ? before - 3 : 0;
    size_t more = *size < HEAD_MAX - before ? *size : HEAD_MAX - before;
    memcpy(parser->head + before, *data, more);
    char *end = memmem(parser->head + from, before + more - from, "\r\n\r\n", 4);
    size_t whole = end ? (size_t)(end + 4 - parser->head) : 0;
    size_t taken = end ? whole - before : more;
    parser->head_size += taken;
    *data += taken;
    *size -= taken;
    return whole;
}

static const char *begin_http(Parser *parser, const Expectation *expectation, size_t whole) {
    parser->head[whole - 1] = 0;
    if (strncmp(parser->head, "HTTP/1.1 200", 12) != 0)
        return complain("wrong answer, not a 200: ", parser->head, whole);
    if (!read_content_length(parser->head, parser->head + whole - 1, &parser->need))
        return complain("an answer without a Content-Length: ", parser->head, whole);
    if (parser->need != expected_size(parser, expectation)) {
        char what[120];
        snprintf(what, sizeof what, "wrong answer, a body of %llu bytes instead of %llu: ",
                 (unsigned long long)parser->need,
                 (unsigned long long)expected_size(parser, expectation));
        return complain(what, parser->head, whole);
    }
    return NULL;
}

/* The size of the head of a frame of which the first bytes are there. */
static size_t frame_head_size(const Parser *parser) {
    if (parser->head_size < 2) return 2;
    unsigned size = (unsigned char)parser->head[1] & 0x7f;
    size_t head = size == 127 ? 10 : size == 126 ? 4 : 2;
    /* A control frame is short and comes in whole, with its head. */
    return (unsigned char)parser->head[0] & 0x08 ? head + size : head;
}

static bool gather_frame(Parser *parser, const char **data, size_t *size) {
    size_t wanted;
    while ((wanted = frame_head_size(parser)) > parser->head_size) {
        if (!*size) return false;
        size_t taken = wanted - parser->head_size;
        if (taken > *size) taken = *size;
        memcpy(parser->head + parser->head_size, *data, taken);
        parser->head_size += taken;
        *data += taken;
        *size -= taken;
    }
    return true;
}

static const char *begin_frame(Parser *parser, const Expectation *expectation,
                               const Receiver *receiver, bool *is_control) {
    const unsigned char *head = (const unsigned char *)parser->head;
    unsigned short_size = head[1] & 0x7f;
    *is_control = head[0] & 0x08;
    if (*is_control) {
        if (head[0] == 0x89)
            receiver->ping(receiver->context, parser->head + 2, short_size);
        else if (head[0] != 0x8a)
            return complain("closed with a frame: ", parser->head, parser->head_size);
        return NULL;
    }
    if (!expectation->count) return "there came a frame that nobody asked for";
    unsigned first = expectation->opcode | (expectation->compressed ? 0x40 : 0);
    if (head[0] != first || head[1] & 0x80)
        return complain("wrong answer, a frame of another kind: ", parser->head, parser->head_size);
    parser->need = short_size;
    if (short_size > 125) {
        parser->need = 0;
        for (size_t i = 2; i < parser->head_size; i++) parser->need = parser->need << 8 | head[i];
    }
    if (!expectation->compressed && parser->need != expected_size(parser, expectation))
        return complain("wrong answer, a frame of another size: ", parser->head, parser->head_size);
    return NULL;
}

static void keep(Parser *parser, const char *data, size_t size) {
    parser->kept.data = realloc(parser->kept.data, parser->kept.size + size + 1);
    if (!parser->kept.data) die("out of memory");
    memcpy(parser->kept.data + parser->kept.size, data, size);
    parser->kept.size += size;
}

static const char *check_body(Parser *parser, const Expectation *expectation, const char *data,
                              size_t size) {
    if (parser->keep) keep(parser, data, size);
    if (expectation->compressed) return NULL;
    const Bytes *unit = expected(parser, expectation);
    bool whole = parser->answers < expectation->count;
    uint64_t position = parser->position, end = position + size;
    if (!whole && end > FIRST_BYTES) end = FIRST_BYTES;
    for (size_t at = 0; position + at < end;) {
        size_t offset = (size_t)((position + at) % unit->size);
        size_t piece = unit->size - offset;
        if (piece > end - position - at) piece = (size_t)(end - position - at);
        if (memcmp(data + at, unit->data + offset, piece) != 0)
            return complain("wrong answer: ", data + at, piece);
        at += piece;
    }
    return NULL;
}

static const char *begin(Parser *parser, const Expectation *expectation, const char **data,
                         size_t *size, const Receiver *receiver) {
    const char *wrong = NULL;
    bool is_control = false;
    if (expectation->framing == FIXED) {
        parser->need = expected_size(parser, expectation);
    } else if (expectation->framing == HTTP) {
        size_t whole = answer_gather_head(parser, data, size);
        if (!whole)
            return parser->head_size == HEAD_MAX ? "an answer's head has no end" : NULL;
        wrong = begin_http(parser, expectation, whole);
    } else {
        if (!gather_frame(parser, data, size)) return NULL;
        wrong = begin_frame(parser, expectation, receiver, &is_control);
    }
    parser->head_size = 0;
    parser->in_body = !is_control;
    parser->position = 0;
    return wrong;
}

const char *answer_feed(Parser *parser, const Expectation *expectation, const char *data,
                        size_t size, const Receiver *receiver) {
    while (size || (parser->in_body && !parser->need)) {
        if (!parser->in_body) {
            const char *wrong = begin(parser, expectation, &data, &size, receiver);
            if (wrong) return wrong;
            if (!parser->in_body) continue;
        }
        uint64_t left = parser->need - parser->position;
        size_t piece = size < left ? size : (size_t)left;
        const char *wrong = check_body(parser, expectation, data, piece);
        if (wrong) return wrong;
        parser->position += piece;
        data += piece;
        size -= piece;
        if (parser->position < parser->need) break;
        parser->in_body = false;
        parser->answers++;
        receiver->answered(receiver->context);
    }
    return NULL;
}
