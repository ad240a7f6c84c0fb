#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- The file system: Landlock (Documentation/userspace-api/landlock.rst) --- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* Of the uapi header, which is older than what the kernel may know. */
#define FS_EXECUTE (1ull << 0)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_OF_VERSION_1 0x1fffull
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define NET_ALL 3ull
#define SCOPE_ALL 3ull
#define RULE_PATH_BENEATH 1

struct ruleset {
    uint64_t files, net, scoped;
};

struct __attribute__((packed)) rule {
    uint64_t allowed;
    int32_t parent;
};

static int clinux_allow(int ruleset, const char *path, uint64_t allowed) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    /* What is not there cannot be read either. */
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    struct stat status;
    if (fstat(fd, &status) != 0) {
        close(fd);
        return -1;
    }
    if (!S_ISDIR(status.st_mode)) allowed &= ~FS_READ_DIR;
    struct rule rule = {allowed, fd};
    long done = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0u);
    int number = errno;
    close(fd);
    errno = number;
    return done == 0 ? 0 : -1;
}

int clinux_confine_files(
    const char *const *readable, const char *const *unlisted, const char *const *executable,
    bool network) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1u);
    /* Containers answer EPERM to calls that they do not know. */
    if (version < 0) return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -1;
    struct ruleset wanted = {FS_OF_VERSION_1, 0, 0};
    if (version >= 2) wanted.files |= FS_REFER;
    if (version >= 3) wanted.files |= FS_TRUNCATE;
    if (version >= 4 && !network) wanted.net = NET_ALL;
    if (version >= 5) wanted.files |= FS_IOCTL_DEV;
    if (version >= 6) wanted.scoped = SCOPE_ALL;
    size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, size, 0u);
    if (ruleset < 0) return -1;
    int failed = 0;
    for (; !failed && *readable; readable++)
        failed = clinux_allow(ruleset, *readable, FS_READ_FILE | FS_READ_DIR) != 0;
    for (; !failed && *unlisted; unlisted++)
        failed = clinux_allow(ruleset, *unlisted, FS_READ_FILE) != 0;
    for (; !failed && *executable; executable++)
        failed = clinux_allow(ruleset, *executable, FS_READ_FILE | FS_EXECUTE) != 0;
    failed = failed || syscall(SYS_landlock_restrict_self, ruleset, 0u) != 0;
    int number = errno;
    close(ruleset);
    errno = number;
    return failed ? -1 : (int)version;
}

/* --- System calls: seccomp (seccomp(2)) --- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "tell seccomp what this architecture is called"
#endif

/* What a program needs that computes and speaks on the descriptors it was given. */
static const int clinux_allowed[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_close, SYS_fstat,
    SYS_lseek, SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_readlinkat, SYS_getdents64,
    SYS_getcwd, SYS_fcntl, SYS_dup, SYS_dup3, SYS_pipe2, SYS_ppoll, SYS_pselect6, SYS_epoll_create1,
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime,
    SYS_timerfd_gettime, SYS_recvfrom, SYS_shutdown, SYS_getsockopt, SYS_getsockname,
    SYS_getpeername,
    /* Memory. */
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_membarrier, SYS_mincore,
    /* Threads and time. */
    SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_get_priority_max,
    SYS_sched_get_priority_min, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep,
    SYS_nanosleep, SYS_gettimeofday, SYS_times, SYS_restart_syscall, SYS_exit, SYS_exit_group,
    /* Signals of its own. */
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend, SYS_sigaltstack, SYS_wait4,
    /* Who and where it is. */
    SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getgroups, SYS_getpgid, SYS_getsid, SYS_getrusage, SYS_sysinfo, SYS_uname, SYS_getrandom,
    SYS_umask, SYS_getpriority,
    /* The program itself: Landlock says which. */
    SYS_execve,
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
#ifdef SYS_epoll_pwait2
    SYS_epoll_pwait2,
#endif
#ifdef __x86_64__
    SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_getdents, SYS_dup2, SYS_pipe, SYS_poll,
    SYS_select, SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_time, SYS_getrlimit,
    SYS_arch_prctl, SYS_getpgrp, SYS_alarm, SYS_pause,
#endif
};

#define STATEMENT(code, value) ((struct sock_filter)BPF_STMT(code, value))
#define JUMP(code, value, yes, no) ((struct sock_filter)BPF_JUMP(code, value, yes, no))
#define LOAD(field) STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE(number) STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))
#define ALLOW STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define MOST 512

struct program {
    struct sock_filter steps[MOST];
    unsigned short count;
};

static void clinux_add(struct program *program, struct sock_filter step) {
    if (program->count < MOST) program->steps[program->count++] = step;
}

/* A call that is allowed when its argument, of which `mask` counts, is one of `values`. Otherwise it
 * is refused with `number`. */
static void clinux_allow_if(
    struct program *program, int call, int argument, uint32_t mask, const uint32_t *values,
    unsigned char count, int number) {
    clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, count + 4));
    /* The low half: all of these arguments are ints. */
    unsigned offset = (unsigned)offsetof(struct seccomp_data, args) + 8u * (unsigned)argument;
    clinux_add(program, STATEMENT(BPF_LD | BPF_W | BPF_ABS, offset));
    clinux_add(program, STATEMENT(BPF_ALU | BPF_AND | BPF_K, mask));
    for (unsigned char i = 0; i < count; i++)
        clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, values[i], count - i, 0));
    clinux_add(program, REFUSE(number));
    clinux_add(program, ALLOW);
}

/* A call that is allowed when its argument, all 64 bits of it, is zero: a pointer to nothing. */
static void clinux_allow_if_null(struct program *program, int call, int argument) {
    unsigned offset = (unsigned)offsetof(struct seccomp_data, args) + 8u * (unsigned)argument;
    clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 6));
    clinux_add(program, STATEMENT(BPF_LD | BPF_W | BPF_ABS, offset));
    clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2));
    clinux_add(program, STATEMENT(BPF_LD | BPF_W | BPF_ABS, offset + 4));
    clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    clinux_add(program, REFUSE(EPERM));
    clinux_add(program, ALLOW);
}

/* Clients of the internet, none of this machine: a socket of AF_UNIX would reach its services, and
 * nobody can call where nothing listens. Names are resolved with a look at the interfaces
 * (AF_NETLINK), which are changed by nobody without a capability. */
static const int clinux_allowed_with_network[] = {
    SYS_connect, SYS_bind, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvmsg, SYS_recvmmsg,
    SYS_setsockopt,
};

static void clinux_allow_network(struct program *program) {
    size_t count = sizeof clinux_allowed_with_network / sizeof *clinux_allowed_with_network;
    for (size_t i = 0; i < count; i++) {
        uint32_t call = (uint32_t)clinux_allowed_with_network[i];
        clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
        clinux_add(program, ALLOW);
    }
    uint32_t families[] = {2 /* AF_INET */, 10 /* AF_INET6 */, 16 /* AF_NETLINK */};
    clinux_allow_if(program, SYS_socket, 0, ~0u, families, 3, EAFNOSUPPORT);
}

/* The first instructions: a call of another architecture, or of the 32-bit pointers of this one, ends
 * the process, because its number means something else. */
static void clinux_begin(struct program *program) {
    clinux_add(program, LOAD(arch));
    clinux_add(program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    clinux_add(program, STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    clinux_add(program, LOAD(nr));
#ifdef __x86_64__
    clinux_add(program, JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1));
    clinux_add(program, STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
#endif
}

static void clinux_add_conditions(struct program *program) {
    uint32_t mine[] = {(uint32_t)getpid()};
    clinux_allow_if(program, SYS_kill, 0, ~0u, mine, 1, EPERM);
    clinux_allow_if(program, SYS_tgkill, 0, ~0u, mine, 1, EPERM);
    /* Limits are asked for, not set: root could lift them. */
    clinux_allow_if_null(program, SYS_prlimit64, 2);
    /* Threads, no processes. */
    uint32_t thread[] = {CLONE_THREAD};
    uint32_t kinds = CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC
        | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    clinux_allow_if(program, SYS_clone, 0, kinds, thread, 1, EPERM);
    /* Only to look, also where there is no Landlock. */
    uint32_t none[] = {0};
    uint32_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    clinux_allow_if(program, SYS_openat, 2, writing, none, 1, EACCES);
#ifdef SYS_open
    clinux_allow_if(program, SYS_open, 1, writing, none, 1, EACCES);
#endif
    /* Without an address: the peer of what it was given, nobody else. */
    clinux_allow_if(program, SYS_sendto, 5, ~0u, none, 1, EPERM);
    /* TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. */
    uint32_t requests[] = {0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451};
    clinux_allow_if(program, SYS_ioctl, 1, ~0u, requests, 6, ENOTTY);
    uint32_t options[] = {
        PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_DUMPABLE,
        PR_CAPBSET_READ, PR_GET_SECCOMP, 0x53564d41 /* PR_SET_VMA */};
    clinux_allow_if(program, SYS_prctl, 0, ~0u, options, 8, EINVAL);
}

int clinux_confine_calls(bool network) {
    struct program program = {.count = 0};
    clinux_begin(&program);
    for (size_t i = 0; i < sizeof clinux_allowed / sizeof *clinux_allowed; i++) {
        clinux_add(&program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)clinux_allowed[i], 0, 1));
        clinux_add(&program, ALLOW);
    }
    if (network) clinux_allow_network(&program);
    clinux_add_conditions(&program);
    /* Runtimes give their threads priorities and do not bear a refusal: it is as if they had. */
    clinux_add(&program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 0, 1));
    clinux_add(&program, REFUSE(0));
#ifdef SYS_clone3
    /* Its arguments cannot be seen; the C library then takes clone. */
    clinux_add(&program, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
    clinux_add(&program, REFUSE(ENOSYS));
#endif
    clinux_add(&program, REFUSE(EPERM));
    if (program.count >= MOST) {
        errno = E2BIG;
        return -1;
    }
    struct sock_fprog filter = {.len = program.count, .filter = program.steps};
    /* SECCOMP_SET_MODE_FILTER, all threads at once (SECCOMP_FILTER_FLAG_TSYNC). */
    return syscall(SYS_seccomp, 1u, 1u, &filter) == 0 ? 0 : -1;
}

int clinux_give_up_privileges(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    /* Of the bounding set first, so that the program that takes our place has none as root either. Who
     * may not do that has none to lose. */
    for (unsigned long number = 0; number < 64; number++) prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &header, none);
}
