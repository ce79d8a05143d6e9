// Allocates exactly as often as it is told, in the six ways there are: what a count is checked against.
// `known N` makes N rounds of 6 allocations and 6 frees, and the same on a second thread: 12 N in all.
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

static long rounds;

static void *work(void *unused) {
    for (long i = 0; i < rounds; i++) {
        void *volatile all[6] = {malloc(10), calloc(3, 7), realloc(NULL, 40), NULL, aligned_alloc(64, 128), memalign(32, 96)};
        void *aligned = NULL;
        if (posix_memalign(&aligned, 64, 100) != 0) exit(1);
        all[3] = aligned;
        for (int k = 0; k < 6; k++) free(all[k]);
    }
    return unused;
}

int main(int count, char **words) {
    rounds = count > 1 ? atol(words[1]) : 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0) return 1;
    work(NULL);
    return pthread_join(thread, NULL);
}
