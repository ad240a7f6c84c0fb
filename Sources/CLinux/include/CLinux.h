/* Linux calls that Swift's Glibc overlay does not show: variadic or macro-only ones, and those
 * newer than the C library. Each returns what the system call returns: -1 and errno on failure. */
#ifndef CLINUX_H
#define CLINUX_H

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
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

/* A descriptor of the process at the other end of a Unix socket (SO_PEERPIDFD, Linux 6.5): the
 * process that connected, wherever it lives and whoever has its number by now. */
int clinux_peer_pidfd(int fd);

/* How the process behind a pidfd ended, as wait(2) would have told its parent (PIDFD_GET_INFO with
 * PIDFD_INFO_EXIT, Linux 6.15). Returns 1 and fills `status` when it is known, 0 when it is not yet
 * (the process runs, or its parent has not reaped it), -1 where the kernel does not tell. */
int clinux_pidfd_exit_status(int pidfd, int *status);

/* Whether this kernel tells of a process that has ended how it did: 1 or 0. Makes a process. */
int clinux_probe_exit_status(void);

/* The tail of what a relay has carried, and a copy of it for whoever started it; shared between the
 * two. */
#define CLINUX_RELAY_TAIL 16384
#define CLINUX_RELAY_RING (1u << 20)

/* What stands before the bytes of each entry in the ring. */
struct clinux_relay_entry {
    /* When the bytes were read, in microseconds since 1970 UTC. */
    int64_t time_us;
    /* Bytes before these that found no room. */
    uint64_t missing;
    uint32_t length;
    uint32_t reserved;
};

struct clinux_relay {
    /* Bytes carried. The last of them are in `tail`, byte n at n % CLINUX_RELAY_TAIL. */
    volatile uint64_t carried;
    /* How often it was asked whether there is nothing to read, and up to which of these questions it
     * has found nothing. */
    volatile uint32_t asked;
    volatile uint32_t answered;
    unsigned char tail[CLINUX_RELAY_TAIL];
    /* Bytes of entries that the relay has put into the ring, and that its reader has taken; byte n is at
     * n % CLINUX_RELAY_RING. The relay never waits for the reader: what finds no room is counted. */
    volatile uint64_t put;
    volatile uint64_t taken;
    /* Bytes that found no room and are in no entry yet. */
    volatile uint64_t missing;
    unsigned char ring[CLINUX_RELAY_RING];
};

/* Forks a process that carries bytes from `input` to `output` until the end of input, and goes on
 * when its parent is gone: nothing that writes into `input` ever notices it. It ignores the signals
 * a terminal sends, closes every other descriptor, follows changes of the window's size when `input`
 * is a pseudo terminal, and ends when `output` does not take any more. With a `bell`, an event
 * descriptor, it also puts what it carries into the ring and rings after each entry. Returns its process
 * id and fills `shared`; the caller closes `input`. */
pid_t clinux_start_relay(int input, int output, int bell, struct clinux_relay **shared);

/* Takes the oldest entry out of the ring: fills `entry` and at most `capacity` bytes of `out`, which
 * must be 65536, and returns 1; 0 when there is none; -1 for a ring that makes no sense. */
int clinux_relay_take(struct clinux_relay *shared, struct clinux_relay_entry *entry,
                      unsigned char *out, uint32_t capacity);

/* An event descriptor that never blocks, closed on exec. */
int clinux_bell(void);

/* Waits at most `milliseconds` until the bell has rung since it was waited for last. */
void clinux_wait_for_bell(int bell, int milliseconds);

/* Rings it. */
void clinux_ring(int bell);

/* Asks the relay whether there is nothing to read. */
void clinux_relay_ask(struct clinux_relay *shared, pid_t relay);

/* Whether it has found nothing to read since it was asked last. */
int clinux_relay_answered(const struct clinux_relay *shared);

/* Copies the last bytes carried, at most CLINUX_RELAY_TAIL, and says how many were carried in all. */
uint64_t clinux_relay_tail(const struct clinux_relay *shared, unsigned char *out);

/* Opens a pseudo terminal that passes bytes on as they are, with the window size of `model`. Both
 * ends are closed on exec. */
int clinux_open_terminal(int model, int *controller, int *terminal);

/* A pipe, both ends closed on exec. */
int clinux_pipe(int *ends);

/* What this program was started with, noted before any thread or library could change it: the
 * blocked signals, and whether SIGPIPE was ignored. A program that it starts inherits the same. */
int clinux_signals_at_start(sigset_t *blocked);

/* A signal that was caught. */
struct clinux_caught {
    int32_t signal;
    /* 1 when the kernel itself sent it, as it does to the whole foreground group of a terminal. */
    int32_t from_terminal;
};

/* From now on each of these signals is written to `pipe` as a struct clinux_caught, unless it is
 * ignored now: then it stays so. */
void clinux_catch_signals(const int *signals, int count, int pipe);

/* What a kernel may lack, as bits; Linux 6.1 has all but the last two. */
#define CLINUX_HAS_PIDFD_OPEN 1u  /* pidfd_open, Linux 5.3 */
#define CLINUX_HAS_OPENAT2 2u     /* openat2 with RESOLVE_BENEATH, Linux 5.6 */
#define CLINUX_HAS_LANDLOCK 4u    /* Landlock, Linux 5.13, when it is switched on */
#define CLINUX_HAS_SECCOMP 8u     /* seccomp filters */
#define CLINUX_HAS_PEER_PIDFD 16u /* SO_PEERPIDFD, Linux 6.5 */
#define CLINUX_HAS_EXIT_INFO 32u  /* PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15 */

/* Which of them this kernel has, found by trying each. Makes a process and waits for its end. */
unsigned clinux_kernel_features(void);

/* Opens folder `path` below the open folder `folder`, to be used as the place of other calls (O_PATH),
 * never through a symbolic link and never outside (openat2, Linux 5.6); ENOSYS on an older kernel. */
int clinux_open_beneath(int folder, const char *path);

/* The same for a folder that stands in `folder` itself; on every kernel. */
int clinux_open_step(int folder, const char *name);

/* A file system (statfs(2)). */
struct clinux_file_system {
    uint64_t magic;
    uint64_t total_bytes;
    /* What is free for those who are not root. */
    uint64_t free_bytes;
    /* Files it can hold, 0 where there is no bound. */
    uint64_t files;
    uint64_t free_files;
};

/* Fills `out` with the file system that holds `path`. */
int clinux_file_system(const char *path, struct clinux_file_system *out);

/* Whether files in `folder` can share their blocks (FICLONE): 1 or 0; -1 where no file without a
 * name can be made there to try it. */
int clinux_probe_reflink(const char *folder);

/* Gives file `out` the content of file `in` by sharing its blocks (FICLONE). */
int clinux_clone(int in, int out);

/* Makes a spawned process close every descriptor from `first` on, whoever opened it meanwhile
 * (posix_spawn_file_actions_addclosefrom_np, glibc 2.34). Returns an error number. */
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/* Lets this thread, and what it starts from now on, see nothing of the file system but these paths and
 * what lies beneath (NULL at the end; those that are not there are passed over), in `unlisted` only
 * files whose names it knows, execute nothing but these files, write nowhere, and, without `network`,
 * make no TCP connection (Landlock; the newer the kernel the more of it). Returns the version of
 * Landlock, 0 on a kernel without, -1 with errno. */
int clinux_confine_files(
    const char *const *readable, const char *const *unlisted, const char *const *executable,
    bool network);

/* Lets this process, and the program that takes its place, only compute and speak on descriptors that
 * it has: no sockets, processes, namespaces, signals to others, devices, changes of files (seccomp).
 * With `network` it may be a client of the internet too. What is refused fails with an error. */
int clinux_confine_calls(bool network);

/* Gives up for good all capabilities, and what set-user-ID programs would grant. */
int clinux_give_up_privileges(void);

/* Keeps glibc's heap small in a process of many threads: large blocks are mapped by themselves and
 * go back to the kernel when they are freed, and there are at most two arenas, which keep up to
 * 32 MiB of what is freed. Call it first. */
void clinux_limit_heap(void);

#endif
