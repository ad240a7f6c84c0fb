#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef FICLONE
#define FICLONE _IOW(0x94, 9, int)
#endif

/* Takes the result of a call that opens a descriptor. */
static unsigned clinux_if_opened(int fd, unsigned feature) {
    if (fd < 0) return 0;
    close(fd);
    return feature;
}

unsigned clinux_kernel_features(void) {
    unsigned found = clinux_if_opened(clinux_pidfd_open(getpid()), CLINUX_HAS_PIDFD_OPEN);
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0, 0x08 /* RESOLVE_BENEATH */};
    found |= clinux_if_opened(
        (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how), CLINUX_HAS_OPENAT2);
    /* Asks for the version: LANDLOCK_CREATE_RULESET_VERSION. */
    if (syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1u) > 0) found |= CLINUX_HAS_LANDLOCK;
    /* SECCOMP_GET_ACTION_AVAIL of SECCOMP_RET_ERRNO. */
    uint32_t action = 0x00050000;
    if (syscall(SYS_seccomp, 2u, 0u, &action) == 0) found |= CLINUX_HAS_SECCOMP;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
        found |= clinux_if_opened(clinux_peer_pidfd(pair[0]), CLINUX_HAS_PEER_PIDFD);
        close(pair[0]);
        close(pair[1]);
    }
    if (clinux_probe_exit_status()) found |= CLINUX_HAS_EXIT_INFO;
    return found;
}

int clinux_file_system(const char *path, struct clinux_file_system *out) {
    struct statfs status;
    if (statfs(path, &status) != 0) return -1;
    uint64_t block = (uint64_t)(status.f_frsize > 0 ? status.f_frsize : status.f_bsize);
    out->magic = (uint32_t)status.f_type;
    out->total_bytes = status.f_blocks * block;
    out->free_bytes = status.f_bavail * block;
    out->files = status.f_files;
    out->free_files = status.f_ffree;
    return 0;
}

int clinux_probe_reflink(const char *folder) {
    int from = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int to = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int result = -1;
    char block[4096] = {1};
    if (from >= 0 && to >= 0 && write(from, block, sizeof block) == (ssize_t)sizeof block)
        result = ioctl(to, FICLONE, from) == 0;
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    return result;
}

int clinux_clone(int in, int out) { return ioctl(out, FICLONE, in); }
