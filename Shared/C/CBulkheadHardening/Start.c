// What must hold before main, and so before a secret or a key is read: by `serve` and by every verb.
#define _GNU_SOURCE
#include "CBulkheadHardening.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

static int ends_with(const char *name, size_t length, const char *end) {
    size_t wanted = strlen(end);
    return length >= wanted && strncasecmp(name + length - wanted, end, wanted) == 0;
}

// Variables that hold a secret by their name: nothing here reads one, and /proc shows them for as long as the process lives.
static void forget_secrets_of_environment(void) {
    static const char *const ends[] = {"_KEY", "_TOKEN", "_SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "_CREDENTIAL"};
    char **kept = environ;
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        char *value = strchr(*at, '=');
        int is_secret = 0;
        for (size_t end = 0; value != NULL && end < sizeof ends / sizeof *ends; end++)
            is_secret |= ends_with(*at, (size_t)(value - *at), ends[end]);
        if (is_secret)
            explicit_bzero(value, strlen(value));
        else
            *kept++ = *at;
    }
    if (kept != NULL) *kept = NULL;
}

static void refuse(const char *text) {
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
    _exit(78);
}

__attribute__((constructor)) static void harden(void) {
    const struct rlimit none = {0, 0};
    struct rlimit present = {1, 1};
    // A filter of system calls may forbid the change: then it must have been made from outside.
    if (setrlimit(RLIMIT_CORE, &none) != 0) getrlimit(RLIMIT_CORE, &present);
    else present.rlim_cur = 0;
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || present.rlim_cur != 0)
        refuse("bulkhead-credentials: core dumps cannot be switched off, and a dump would hold secrets\n");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    // A backtracer prints registers and the memory they point to: after a crash nothing of this process is shown.
    static const int crashes[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGTRAP};
    for (size_t at = 0; at < sizeof crashes / sizeof *crashes; at++) signal(crashes[at], SIG_DFL);
    forget_secrets_of_environment();
}
