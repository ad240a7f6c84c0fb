#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* struct pidfd_info of the kernel's uapi/linux/pidfd.h, its first version (64 bytes), and the
 * request with that size; later versions only add fields. */
struct clinux_pidfd_info {
    uint64_t mask;
    uint64_t cgroupid;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
#define CLINUX_PIDFD_INFO_EXIT (1ull << 3)
#define CLINUX_PIDFD_GET_INFO _IOWR(0xFF, 11, struct clinux_pidfd_info)

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

int clinux_peer_pidfd(int fd) {
    int pidfd = -1;
    socklen_t length = sizeof pidfd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) != 0) return -1;
    return pidfd;
}

int clinux_pidfd_exit_status(int pidfd, int *status) {
    struct clinux_pidfd_info info = {.mask = CLINUX_PIDFD_INFO_EXIT};
    if (ioctl(pidfd, CLINUX_PIDFD_GET_INFO, &info) != 0) return -1;
    if (!(info.mask & CLINUX_PIDFD_INFO_EXIT)) return 0;
    *status = info.exit_code;
    return 1;
}

int clinux_probe_exit_status(void) {
    pid_t child = vfork();
    if (child < 0) return 0;
    if (child == 0) _exit(7);
    int pidfd = clinux_pidfd_open(child);
    int status = 0, known = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (pidfd >= 0) {
        known = clinux_pidfd_exit_status(pidfd, &status) == 1 && WEXITSTATUS(status) == 7;
        close(pidfd);
    }
    return known;
}

static volatile sig_atomic_t clinux_window_changed;

static void clinux_note_window(int number) {
    (void)number;
    clinux_window_changed = 1;
}

static void clinux_copy_window(int from, int to) {
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) == 0) ioctl(to, TIOCSWINSZ, &size);
}

/* Writes all of it; -1 when the other side is gone. */
static int clinux_write_all(int fd, const unsigned char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

int clinux_bell(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void clinux_ring(int bell) {
    uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof one);
    (void)written;
}

void clinux_wait_for_bell(int bell, int milliseconds) {
    struct pollfd ready = {.fd = bell, .events = POLLIN};
    uint64_t count;
    if (poll(&ready, 1, milliseconds) <= 0) return;
    ssize_t got = read(bell, &count, sizeof count);
    (void)got;
}

static void clinux_ring_write(struct clinux_relay *shared, uint64_t at, const void *bytes,
                              size_t count) {
    size_t place = at % CLINUX_RELAY_RING, first = CLINUX_RELAY_RING - place;
    if (first > count) first = count;
    memcpy(shared->ring + place, bytes, first);
    memcpy(shared->ring, (const unsigned char *)bytes + first, count - first);
}

static void clinux_ring_read(const struct clinux_relay *shared, uint64_t at, void *bytes,
                             size_t count) {
    size_t place = at % CLINUX_RELAY_RING, first = CLINUX_RELAY_RING - place;
    if (first > count) first = count;
    memcpy(bytes, shared->ring + place, first);
    memcpy((unsigned char *)bytes + first, shared->ring, count - first);
}

/* Copies what was read for the reader, if there is room. */
static void clinux_relay_copy(struct clinux_relay *shared, int bell, const unsigned char *bytes,
                              size_t count) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t put = shared->put;
    uint64_t used = put - __atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE);
    struct clinux_relay_entry entry = {
        .time_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
        .missing = shared->missing,
        .length = (uint32_t)count};
    if (used + sizeof entry + count > CLINUX_RELAY_RING) {
        __atomic_add_fetch(&shared->missing, count, __ATOMIC_RELEASE);
        return;
    }
    clinux_ring_write(shared, put, &entry, sizeof entry);
    clinux_ring_write(shared, put + sizeof entry, bytes, count);
    shared->missing = 0;
    __atomic_store_n(&shared->put, put + sizeof entry + count, __ATOMIC_RELEASE);
    clinux_ring(bell);
}

int clinux_relay_take(struct clinux_relay *shared, struct clinux_relay_entry *entry,
                      unsigned char *out, uint32_t capacity) {
    uint64_t taken = shared->taken;
    uint64_t there = __atomic_load_n(&shared->put, __ATOMIC_ACQUIRE) - taken;
    if (there == 0) return 0;
    if (there < sizeof *entry) return -1;
    clinux_ring_read(shared, taken, entry, sizeof *entry);
    if (entry->length > capacity || entry->length > there - sizeof *entry) return -1;
    clinux_ring_read(shared, taken + sizeof *entry, out, entry->length);
    __atomic_store_n(&shared->taken, taken + sizeof *entry + entry->length, __ATOMIC_RELEASE);
    return 1;
}

/* Runs in a forked child of a process with threads: system calls only. */
static void clinux_relay(int input, int output, int bell, struct clinux_relay *shared) {
    static unsigned char bytes[1 << 16];
    struct pollfd ready = {.fd = input, .events = POLLIN};
    /* SIGWINCH, a change of the window or a question, comes while we wait and at no other time, so
     * that none is missed. */
    sigset_t window, waiting;
    sigemptyset(&window);
    sigaddset(&window, SIGWINCH);
    sigprocmask(SIG_BLOCK, &window, &waiting);
    sigdelset(&waiting, SIGWINCH);
    for (;;) {
        if (clinux_window_changed) {
            clinux_window_changed = 0;
            clinux_copy_window(output, input);
        }
        uint32_t asked = __atomic_load_n(&shared->asked, __ATOMIC_SEQ_CST);
        if (poll(&ready, 1, 0) == 0) {
            __atomic_store_n(&shared->answered, asked, __ATOMIC_SEQ_CST);
            if (ppoll(&ready, 1, NULL, &waiting) < 0) continue;
        }
        ssize_t count = read(input, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        /* A pseudo terminal that nobody holds open any more says EIO. */
        if (count <= 0) return;
        uint64_t carried = shared->carried;
        for (ssize_t i = 0; i < count; i++)
            shared->tail[(carried + (uint64_t)i) % CLINUX_RELAY_TAIL] = bytes[i];
        __atomic_store_n(&shared->carried, carried + (uint64_t)count, __ATOMIC_SEQ_CST);
        if (bell >= 0) clinux_relay_copy(shared, bell, bytes, (size_t)count);
        if (clinux_write_all(output, bytes, (size_t)count) != 0) return;
    }
}

pid_t clinux_start_relay(int input, int output, int bell, struct clinux_relay **shared) {
    void *memory = mmap(NULL, sizeof(struct clinux_relay), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -1;
    *shared = memory;
    pid_t child = fork();
    if (child != 0) return child;
    const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    struct sigaction window = {.sa_handler = clinux_note_window};
    sigaction(SIGWINCH, &window, NULL);
    prctl(PR_SET_NAME, "linaje-relay");
    /* 0 and 2 become the two ends, 1 the bell, everything else is closed. What they were may be 0 to 2
     * itself, so that they move out of the way first. */
    int ends[3] = {fcntl(input, F_DUPFD, 3), bell < 0 ? -1 : fcntl(bell, F_DUPFD, 3),
                   fcntl(output, F_DUPFD, 3)};
    if (dup2(ends[0], STDIN_FILENO) < 0 || dup2(ends[2], STDERR_FILENO) < 0) _exit(1);
    if (ends[1] < 0 || dup2(ends[1], STDOUT_FILENO) < 0) {
        close(STDOUT_FILENO);
        bell = -1;
    } else {
        bell = STDOUT_FILENO;
    }
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        for (int fd = 3; fd < 4096; fd++) close(fd);
    clinux_relay(STDIN_FILENO, STDERR_FILENO, bell, *shared);
    _exit(0);
}

uint64_t clinux_relay_tail(const struct clinux_relay *shared, unsigned char *out) {
    uint64_t carried = __atomic_load_n(&shared->carried, __ATOMIC_SEQ_CST);
    uint64_t first = carried > CLINUX_RELAY_TAIL ? carried - CLINUX_RELAY_TAIL : 0;
    for (uint64_t i = first; i < carried; i++) out[i - first] = shared->tail[i % CLINUX_RELAY_TAIL];
    return carried;
}

void clinux_relay_ask(struct clinux_relay *shared, pid_t relay) {
    __atomic_add_fetch(&shared->asked, 1, __ATOMIC_SEQ_CST);
    kill(relay, SIGWINCH);
}

int clinux_relay_answered(const struct clinux_relay *shared) {
    return __atomic_load_n(&shared->answered, __ATOMIC_SEQ_CST) ==
           __atomic_load_n(&shared->asked, __ATOMIC_SEQ_CST);
}

int clinux_open_terminal(int model, int *controller, int *terminal) {
    int first = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (first < 0) return -1;
    char name[128];
    int second = -1;
    if (grantpt(first) == 0 && unlockpt(first) == 0 && ptsname_r(first, name, sizeof name) == 0)
        second = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios modes;
    if (second < 0 || tcgetattr(second, &modes) != 0) {
        close(first);
        if (second >= 0) close(second);
        return -1;
    }
    /* The terminal behind it does what a terminal does to the bytes; once is enough. */
    cfmakeraw(&modes);
    tcsetattr(second, TCSANOW, &modes);
    clinux_copy_window(model, first);
    *controller = first;
    *terminal = second;
    return 0;
}

int clinux_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

static int clinux_is_ignored(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static sigset_t clinux_blocked_at_start;
static int clinux_pipe_ignored_at_start;

__attribute__((constructor)) static void clinux_note_start(void) {
    sigprocmask(SIG_BLOCK, NULL, &clinux_blocked_at_start);
    clinux_pipe_ignored_at_start = clinux_is_ignored(SIGPIPE);
    /* Ignored, it would let the kernel reap our children before we learn how they ended. */
    if (clinux_is_ignored(SIGCHLD)) signal(SIGCHLD, SIG_DFL);
}

int clinux_signals_at_start(sigset_t *blocked) {
    *blocked = clinux_blocked_at_start;
    return clinux_pipe_ignored_at_start;
}

static int clinux_caught_pipe = -1;

static void clinux_note_signal(int number, siginfo_t *info, void *context) {
    (void)context;
    int kept = errno;
    struct clinux_caught caught = {.signal = number, .from_terminal = info->si_code == SI_KERNEL};
    ssize_t written = write(clinux_caught_pipe, &caught, sizeof caught);
    (void)written;
    errno = kept;
}

void clinux_catch_signals(const int *signals, int count, int pipe) {
    clinux_caught_pipe = pipe;
    struct sigaction action = {.sa_sigaction = clinux_note_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    for (int i = 0; i < count; i++) {
        if (clinux_is_ignored(signals[i])) continue;
        sigaction(signals[i], &action, NULL);
    }
}

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

void clinux_limit_heap(void) {
    /* A fixed threshold also stops glibc from raising it to 32 MiB on its own. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, 2);
    /* Frames and batches come and go; given back each time, their pages are zeroed anew. */
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
}
