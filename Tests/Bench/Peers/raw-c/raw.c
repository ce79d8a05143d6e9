// The floor: equal payload over a Unix stream socket, nothing else.
//   raw serve|serve-epoll SOCKET --size N
//   raw call|call-epoll SOCKET --size N --count N [--warmup N]
//   raw stream SOCKET --size N --count N     (the server writes messages of N bytes in blocks of 64 KiB)
// `serve` asks each connection for eight bytes first: 0 for echo, else the number of messages to stream.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long size = 1024, count = 20000, warmup = -1;
static int use_epoll;

static void fail(const char *what) {
    fprintf(stderr, "raw: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + time.tv_nsec;
}

static int watch(int descriptor) {
    if (!use_epoll) return -1;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll");
    return poll;
}

static int get(int descriptor, int poll, char *bytes, long length) {
    struct epoll_event event;
    for (long got = 0; got < length;) {
        if (poll >= 0 && epoll_wait(poll, &event, 1, -1) < 0) fail("epoll_wait");
        ssize_t result = read(descriptor, bytes + got, length - got);
        if (result <= 0) return 0;
        got += result;
    }
    return 1;
}

static int put(int descriptor, const char *bytes, long length) {
    for (long sent = 0; sent < length;) {
        ssize_t result = send(descriptor, bytes + sent, length - sent, MSG_NOSIGNAL);
        if (result <= 0) return 0;
        sent += result;
    }
    return 1;
}

static void serve(const struct sockaddr_un *address) {
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(address->sun_path);
    if (bind(listener, (const void *)address, sizeof *address) != 0 || listen(listener, 8) != 0) fail(address->sun_path);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) fail("accept");
        char *bytes = calloc(1, size > 65536 ? size : 65536);
        uint64_t wanted;
        if (!get(peer, -1, (char *)&wanted, sizeof wanted)) wanted = 0;
        int poll = watch(peer);
        if (wanted == 0) while (get(peer, poll, bytes, size) && put(peer, bytes, size)) {}
        long block = 65536 / size;
        for (uint64_t left = wanted; left > 0;) {
            long some = left < (uint64_t)block ? (long)left : block;
            if (!put(peer, bytes, some * size)) break;
            left -= some;
        }
        free(bytes);
        if (poll >= 0) close(poll);
        close(peer);
    }
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double cpu(const struct rusage *u) {
    return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e6 + u->ru_utime.tv_usec + u->ru_stime.tv_usec;
}

static void report(double seconds, const struct rusage *before, const struct rusage *after) {
    printf("\"count\":%ld,\"seconds\":%f,\"cpu_us\":%.0f,\"switches\":%ld}\n", count, seconds, cpu(after) - cpu(before),
           after->ru_nvcsw + after->ru_nivcsw - before->ru_nvcsw - before->ru_nivcsw);
}

static int dial(const struct sockaddr_un *address, uint64_t wanted) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(descriptor, (const void *)address, sizeof *address) != 0) fail(address->sun_path);
    if (!put(descriptor, (char *)&wanted, sizeof wanted)) fail("the peer closed");
    return descriptor;
}

static void call(const struct sockaddr_un *address) {
    int descriptor = dial(address, 0), poll = watch(descriptor);
    char *bytes = malloc(size);
    uint64_t *took = malloc(count * sizeof *took);
    memset(bytes, 7, size);
    for (long i = 0; i < (warmup < 0 ? count / 10 : warmup); i++)
        if (!put(descriptor, bytes, size) || !get(descriptor, poll, bytes, size)) fail("the peer closed");
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t began = now();
    for (long i = 0; i < count; i++) {
        uint64_t start = now();
        if (!put(descriptor, bytes, size) || !get(descriptor, poll, bytes, size)) fail("the peer closed");
        took[i] = now() - start;
    }
    double seconds = (now() - began) / 1e9;
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    qsort(took, count, sizeof *took, by_value);
    printf("{\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,", took[count / 2] / 1e3, took[(long)(count * 0.99)] / 1e3,
           took[(long)(count * 0.999)] / 1e3);
    report(seconds, &before, &after);
}

static void stream(const struct sockaddr_un *address) {
    int descriptor = dial(address, count);
    char *bytes = malloc(65536);
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t began = now();
    for (long left = count * size; left > 0;) {
        ssize_t got = read(descriptor, bytes, 65536);
        if (got <= 0) fail("the peer closed");
        left -= got;
    }
    double seconds = (now() - began) / 1e9;
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    printf("{");
    report(seconds, &before, &after);
}

int main(int arguments, char **words) {
    if (arguments < 3) {
        fputs("usage: raw serve|serve-epoll|call|call-epoll|stream SOCKET [--size N] [--count N] [--warmup N]\n", stderr);
        return 64;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(words[2]) >= sizeof address.sun_path) { errno = ENAMETOOLONG; fail(words[2]); }
    strcpy(address.sun_path, words[2]);
    for (int i = 3; i + 1 < arguments; i += 2) {
        long value = atol(words[i + 1]);
        if (strcmp(words[i], "--size") == 0) size = value;
        else if (strcmp(words[i], "--count") == 0) count = value;
        else if (strcmp(words[i], "--warmup") == 0) warmup = value;
    }
    use_epoll = strstr(words[1], "-epoll") != NULL;
    if (strncmp(words[1], "serve", 5) == 0) serve(&address);
    else if (strncmp(words[1], "call", 4) == 0) call(&address);
    else if (strcmp(words[1], "stream") == 0) stream(&address);
    else return 64;
    return 0;
}
