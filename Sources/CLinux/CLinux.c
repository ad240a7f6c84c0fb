#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int clinux_peer_credentials(int fd, struct clinux_peer *out) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    out->pid = credentials.pid;
    out->uid = credentials.uid;
    out->gid = credentials.gid;
    return 0;
}

int clinux_peer_groups(int fd, gid_t *groups, int capacity) {
    socklen_t length = (socklen_t)((size_t)capacity * sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) return -1;
    return (int)(length / sizeof(gid_t));
}

int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0u); }

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

void clinux_limit_heap(void) {
    /* A fixed threshold also stops glibc from raising it to 32 MiB on its own. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, 2);
}

static int signal_pipe[2] = {-1, -1};
static volatile sig_atomic_t stop_caught;

static void on_signal(int number) {
    int kept = errno;
    unsigned char byte = (unsigned char)number;
    if (number != SIGHUP) {
        stop_caught = 1;
    }
    /* A full pipe holds enough of them. */
    ssize_t written = write(signal_pipe[1], &byte, 1);
    (void)written;
    errno = kept;
}

int clinux_catch_signals(void) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        struct sigaction old;
        sigfillset(&action.sa_mask);
        /* A shell that starts a program in the background asks it to ignore its terminal's ^C. */
        if (numbers[i] == SIGINT && sigaction(SIGINT, NULL, &old) == 0 &&
            old.sa_handler == SIG_IGN) {
            continue;
        }
        sigaction(numbers[i], &action, NULL);
    }
    return signal_pipe[0];
}

int clinux_stop_was_caught(void) { return stop_caught; }

ssize_t clinux_copy_range(int in, int out, size_t length) {
    return copy_file_range(in, NULL, out, NULL, length, 0);
}
