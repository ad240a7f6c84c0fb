/* Linux calls that Swift's Glibc overlay does not show: variadic or macro-only ones, and those
 * newer than the C library. Each returns what the system call returns: -1 and errno on failure. */
#ifndef CLINUX_H
#define CLINUX_H

#include <spawn.h>
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

/* A descriptor of process `pid` (pidfd_open, Linux 5.3). */
int clinux_pidfd_open(pid_t pid);

/* Makes a spawned process close every descriptor from `first` on, whoever opened it meanwhile
 * (posix_spawn_file_actions_addclosefrom_np, glibc 2.34). Returns an error number. */
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/* Catches SIGTERM, SIGINT (unless it is ignored) and SIGHUP from now on: each writes its number as a
 * byte into a pipe, whose end to read from, which does not block, is returned. Once per process. */
int clinux_catch_signals(void);

/* Whether SIGTERM or SIGINT was caught. */
int clinux_stop_was_caught(void);

/* Copies at most `length` bytes from where `in` stands to where `out` stands, inside the kernel and
 * without copying where the file system can share blocks (copy_file_range, Linux 4.5). */
ssize_t clinux_copy_range(int in, int out, size_t length);

/* Keeps glibc's heap small in a process of many threads: large blocks are mapped by themselves and
 * go back to the kernel when they are freed, and there are at most two arenas. Call it first. */
void clinux_limit_heap(void);

#endif
