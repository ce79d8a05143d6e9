#include "CBulkheadSystem.h"
#include <stdint.h>

/* The Swift runtime's own hook for whoever replaces the global executor (swift/Runtime/Concurrency.h). */
#define SWIFT_CC __attribute__((swiftcall))
typedef SWIFT_CC void (*bh_original_enqueue)(void *job);
extern SWIFT_CC void (*swift_task_enqueueGlobal_hook)(void *job, bh_original_enqueue original);
extern SWIFT_CC void swift_job_run(void *job, void *identity, uintptr_t implementation);

static void (*schedule_job)(void *job);

static SWIFT_CC void enqueue(void *job, bh_original_enqueue original) {
    (void)original;
    schedule_job(job);
}

void bh_take_global_executor(void (*schedule)(void *job)) {
    schedule_job = schedule;
    __atomic_store_n(&swift_task_enqueueGlobal_hook, enqueue, __ATOMIC_RELEASE);
}

/* The runtime's own switch (swift/Runtime/Exclusivity.h). */
extern _Bool _swift_disableExclusivityChecking;

void bh_skip_access_checks(void) { _swift_disableExclusivityChecking = 1; }

void bh_run_job(void *job) { swift_job_run(job, 0, 0); }
