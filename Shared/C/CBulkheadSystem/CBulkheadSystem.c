#define _GNU_SOURCE
#include "CBulkheadSystem.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <unistd.h>

int bh_peer_credentials(int fd, uint32_t *uid, uint32_t *gid, int32_t *pid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return errno;
    *uid = credentials.uid;
    *gid = credentials.gid;
    *pid = credentials.pid;
    return 0;
}

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int bh_peer_in_group(int fd, uint32_t gid) {
    // As many as a Linux process may have (NGROUPS_MAX).
    socklen_t length = 65536 * sizeof(gid_t);
    gid_t *groups = malloc(length);
    if (groups == NULL) return -ENOMEM;
    int found = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) {
        found = -errno;
    } else {
        for (size_t at = 0; at < length / sizeof(gid_t) && !found; at++) found = groups[at] == gid;
    }
    free(groups);
    return found;
}

int bh_signal_on_parent_death(int signal) { return prctl(PR_SET_PDEATHSIG, signal) == 0 ? 0 : errno; }

int bh_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0) == 0 ? 0 : errno; }

int bh_lock_file(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int64_t bh_file_system_kind(const char *path) {
    struct statfs about;
    if (statfs(path, &about) != 0) return -errno;
    return (int64_t)(uint32_t)about.f_type;
}

int bh_sd_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == 0) return 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    int error = errno;
    close(fd);
    return sent < 0 ? -error : 1;
}

int bh_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }
