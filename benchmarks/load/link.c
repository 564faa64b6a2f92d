/* One connection's bytes: a socket that does not block, with TLS around it where asked for. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
static SSL_CTX *context;
#endif

static char trouble[256];

const char *link_trouble(void) { return trouble; }

void set_nodelay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct sockaddr_in loopback(int last, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl((127u << 24) + (uint32_t)last);
    return address;
}

Link link_connect(int port, int source, bool tls) {
    Link link = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (link.fd < 0) die("no socket can be had: %s", strerror(errno));
    set_nodelay(link.fd);
    struct sockaddr_in from = loopback(source, 0), to = loopback(1, port);
    int on = 1;
    /* The port is chosen when the peer is known, so that one port serves for several peers. */
    setsockopt(link.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(link.fd, (struct sockaddr *)&from, sizeof from))
        die("127.0.0.%d cannot be connected from: %s", source, strerror(errno));
    if (connect(link.fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        die("cannot connect to port %d: %s", port, strerror(errno));
#ifdef WITH_TLS
    if (tls) {
        SSL *ssl = SSL_new(context);
        if (!ssl || !SSL_set_fd(ssl, link.fd)) die("no TLS connection can be made");
        SSL_set_connect_state(ssl);
        link.tls = ssl;
    }
#else
    (void)tls;
#endif
    return link;
}

static ssize_t plain_result(ssize_t size, int wait) {
    if (size >= 0) return size;
    if (errno == EAGAIN || errno == EINTR) return wait;
    snprintf(trouble, sizeof trouble, "%s", strerror(errno));
    return LINK_BROKEN;
}

#ifdef WITH_TLS

int link_has_tls(void) { return 1; }

void link_prepare_tls(void) {
    context = SSL_CTX_new(TLS_client_method());
    if (!context) die("OpenSSL does not start");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static ssize_t tls_result(SSL *ssl, int result) {
    if (result > 0) return result;
    int error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_READ) return LINK_WAIT_READ;
    if (error == SSL_ERROR_WANT_WRITE) return LINK_WAIT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, trouble, sizeof trouble);
    else
        snprintf(trouble, sizeof trouble, "%s", errno ? strerror(errno) : "closed without a word");
    return LINK_BROKEN;
}

int link_shake(Link *link) {
    ERR_clear_error();
    ssize_t result = tls_result(link->tls, SSL_do_handshake(link->tls));
    if (result == 0) snprintf(trouble, sizeof trouble, "closed during TLS's handshake");
    return result > 0 ? 0 : result == 0 ? LINK_BROKEN : (int)result;
}

ssize_t link_read(Link *link, void *buffer, size_t size) {
    if (!link->tls) return plain_result(recv(link->fd, buffer, size, 0), LINK_WAIT_READ);
    ERR_clear_error();
    return tls_result(link->tls, SSL_read(link->tls, buffer, (int)size));
}

ssize_t link_write(Link *link, const void *data, size_t size) {
    if (!link->tls) return plain_result(send(link->fd, data, size, MSG_NOSIGNAL), LINK_WAIT_WRITE);
    ERR_clear_error();
    return tls_result(link->tls, SSL_write(link->tls, data, (int)size));
}

#else

int link_has_tls(void) { return 0; }

void link_prepare_tls(void) { die("this was built without OpenSSL, so there is no TLS"); }

int link_shake(Link *link) {
    (void)link;
    return LINK_BROKEN;
}

ssize_t link_read(Link *link, void *buffer, size_t size) {
    return plain_result(recv(link->fd, buffer, size, 0), LINK_WAIT_READ);
}

ssize_t link_write(Link *link, const void *data, size_t size) {
    return plain_result(send(link->fd, data, size, MSG_NOSIGNAL), LINK_WAIT_WRITE);
}

#endif
