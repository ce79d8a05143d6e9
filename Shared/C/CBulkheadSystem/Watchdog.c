// A thread of its own that watches the others: what it watches may be unable to run anything, its own timers included.
#include "CBulkheadSystem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { watched = 2, look_ms = 500, standstill_ms = 2000 };

static _Atomic uint64_t last_beat[watched];
static uint64_t limit_ms[watched];
static const char *const complaint[watched] = {
    "watchdog: the event loop stood still; aborting so that a new process takes over\n",
    "watchdog: no blocking thread took work; aborting so that a new process takes over\n",
};

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void bh_watchdog_beat(int which) { atomic_store_explicit(&last_beat[which], now_ms(), memory_order_relaxed); }

static size_t length(const char *text) {
    size_t count = 0;
    while (text[count]) count++;
    return count;
}

// By the signal itself, not by a handler of the runtime that would wait for the threads that hang.
static void die(void) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGABRT);
    signal(SIGABRT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    abort();
}

static void *watch(void *unused) {
    (void)unused;
    uint64_t looked = now_ms();
    for (;;) {
        const struct timespec pause = {0, look_ms * 1000000L};
        nanosleep(&pause, NULL);
        const uint64_t now = now_ms();
        // It slept far longer than it asked for: the process was stopped, and the others with it.
        if (now - looked > standstill_ms) {
            for (int which = 0; which < watched; which++) bh_watchdog_beat(which);
        }
        looked = now;
        for (int which = 0; which < watched; which++) {
            const uint64_t beat = atomic_load_explicit(&last_beat[which], memory_order_relaxed);
            // A beat may have come after `now` was read.
            if (beat >= now || now - beat <= limit_ms[which]) continue;
            if (write(STDERR_FILENO, complaint[which], length(complaint[which])) < 0) { /* aborts all the same */ }
            die();
        }
    }
    return NULL;
}

int bh_watchdog_start(uint32_t loop_ms, uint32_t pool_ms) {
    limit_ms[0] = loop_ms;
    limit_ms[1] = pool_ms;
    for (int which = 0; which < watched; which++) bh_watchdog_beat(which);
    pthread_t thread;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    // Signals belong to the main thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&thread, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}
