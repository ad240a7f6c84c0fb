/* Linux calls that Swift's Glibc overlay does not show: variadic or macro-only ones, and those
 * newer than the C library. Each returns what the system call returns: -1 and errno on failure. */
#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <sys/types.h>

/* The credentials of a connected Unix socket's peer, taken at connect time (SO_PEERCRED). */
struct clinux_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* Fills `out` with the peer's credentials. */
int clinux_peer_credentials(int fd, struct clinux_peer *out);

/* Fills `groups` with at most `capacity` supplementary groups of the peer (SO_PEERGROUPS) and
 * returns how many there are, or -1 with errno ERANGE when `capacity` is too small. */
int clinux_peer_groups(int fd, gid_t *groups, int capacity);

/* A descriptor of the peer's process (SO_PEERPIDFD, Linux 6.5). -1 where the kernel lacks it. */
int clinux_peer_pidfd(int fd);

/* A descriptor of process `pid` (pidfd_open, Linux 5.3). */
int clinux_pidfd_open(pid_t pid);

/* Asks the kernel to send `signal` to this process when its parent ends (PR_SET_PDEATHSIG). */
int clinux_set_parent_death_signal(int signal);

/* Advises the kernel that the file's cached pages are not needed (POSIX_FADV_DONTNEED). */
int clinux_drop_cache(int fd);

/* Opens `path` read-only beneath `directory` without following any symbolic link
 * (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, Linux 5.6). */
int clinux_open_beneath(int directory, const char *path, int flags, mode_t mode);

/* Makes core dumps and ptrace by others impossible (PR_SET_DUMPABLE 0). */
int clinux_set_undumpable(void);

#endif
