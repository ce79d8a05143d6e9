#ifndef BULKHEAD_SYSTEM_H
#define BULKHEAD_SYSTEM_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The credentials of the process at the other end of a Unix socket (SO_PEERCRED). Returns 0, or an errno.
int bh_peer_credentials(int fd, uint32_t *uid, uint32_t *gid, int32_t *pid);
/// Whether `gid` is among the supplementary groups of that process (SO_PEERGROUPS): 1 yes, 0 no, -errno.
int bh_peer_in_group(int fd, uint32_t gid);
/// Asks the kernel to send `signal` to this process when its parent dies. Returns 0, or an errno.
int bh_signal_on_parent_death(int signal);
/// Keeps this process out of core dumps and away from ptrace by its own uid. Returns 0, or an errno.
int bh_set_undumpable(void);
/// Opens (mode 0600) and locks `path` exclusively without waiting. Returns a descriptor, or -errno (EWOULDBLOCK: taken).
int bh_lock_file(const char *path);
/// The kind of file system `path` lies on, as statfs(2) gives it (f_type, 32 bits), or -errno.
int64_t bh_file_system_kind(const char *path);
/// Sends `state` to the socket in $NOTIFY_SOCKET (sd_notify). Returns 1 sent, 0 no such variable, -errno.
int bh_sd_notify(const char *state);
/// A pipe whose ends do not survive exec: ends[0] to read, ends[1] to write. Returns 0, or an errno.
int bh_pipe(int ends[2]);
/// Gives every job of Swift Concurrency's global executor to `schedule`, on any thread. Call once, before the first task.
void bh_take_global_executor(void (*schedule)(void *job));
/// Runs such a job on this thread, as the global executor (no serial executor: an await that returns to generic code does not
/// go through the queue again).
void bh_run_job(void *job);
/// Ends the checks for overlapping accesses at run time, which packages are compiled with and this one is not.
void bh_skip_access_checks(void);
/// Starts the thread that aborts the process (SIGABRT, after one line on standard error) when the event loop has not called
/// `bh_watchdog_beat(0)` for `loop_ms`, or the blocking threads have not called `bh_watchdog_beat(1)` for `pool_ms`. Time in
/// which the whole process stood still (SIGSTOP) does not count. Call once. Returns 0, or an errno.
int bh_watchdog_start(uint32_t loop_ms, uint32_t pool_ms);
void bh_watchdog_beat(int which);
/// Memory (zeroed, rounded up to pages) between two pages that nobody may touch, locked, left out of dumps and of child
/// processes. `lock_error` is 0, or the errno of mlock: the memory may be swapped then. NULL: none was given.
void *bh_guarded_map(size_t bytes, int *lock_error);
/// Zeroes such memory and gives it back.
void bh_guarded_unmap(void *memory, size_t bytes);
#endif
