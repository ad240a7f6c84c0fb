/* The one place through which the daemon's storage makes system calls on files, and where tests make
 * them fail. Each `storage_x` is the call x: the same arguments, the same result, errno. Those that
 * take what Swift cannot be given here are in StorageFileCalls.h, for C.
 *
 * In production nothing is armed, and a call costs one relaxed load and a branch more. A test arms a
 * *scope*, all files below a folder: its calls are counted, and at the one that the plan names the
 * process dies or the call fails. What is not below the folder is neither counted nor harmed, so that
 * tests of one process do not disturb each other. */
#ifndef CSTORAGECALLS_H
#define CSTORAGECALLS_H

/* No other headers: what they define would be this module's for Swift. */
#include <stddef.h>
#include <stdint.h>

int storage_open(const char *path, int flags, unsigned mode);
int storage_close(int fd);
long storage_read(int fd, void *bytes, size_t count);
long storage_pread(int fd, void *bytes, size_t count, int64_t offset);
long storage_write(int fd, const void *bytes, size_t count);
long storage_pwrite(int fd, const void *bytes, size_t count, int64_t offset);
int storage_fsync(int fd);
int storage_fdatasync(int fd);
int storage_ftruncate(int fd, int64_t size);
/* As posix_fallocate: returns an error number. */
int storage_fallocate(int fd, int64_t offset, int64_t length);
int storage_rename(const char *from, const char *to);
int storage_link(const char *from, const char *to);
int storage_unlink(const char *path);
int storage_rmdir(const char *path);
int storage_mkdir(const char *path, unsigned mode);
int storage_chmod(const char *path, unsigned mode);
int storage_chown(const char *path, uint32_t owner, uint32_t group);
int storage_fchown(int fd, uint32_t owner, uint32_t group);
/* As copy_file_range, from where `in` stands to where `out` stands: inside the kernel, and without
 * copying where the file system can share blocks. It is a write of `out`. */
long storage_copy_range(int in, int out, size_t length);

/* What stat(2) says of a file. */
struct storage_status {
    uint64_t size;
    uint32_t mode;
    uint32_t owner;
    uint32_t group;
};

/* Follows a link at the end of the path. */
int storage_status_of(const char *path, struct storage_status *out);
/* Does not. */
int storage_status_of_link(const char *path, struct storage_status *out);
int storage_status_of_file(int fd, struct storage_status *out);

/* Begins to list a folder; NULL with errno. */
void *storage_open_folder(const char *path);
/* Fills `name` (256 bytes) with the next of its names, "." and ".." left out, and returns 1; 0 when
 * there is none, -1 with errno. */
int storage_next_name(void *folder, char *name);
void storage_close_folder(void *folder);

/* What a call does. */
enum storage_call {
    STORAGE_OPEN,
    STORAGE_CLOSE,
    STORAGE_READ,
    STORAGE_WRITE,
    STORAGE_SYNC,
    /* Truncates or allocates. */
    STORAGE_RESIZE,
    /* Renames or links. */
    STORAGE_RENAME,
    STORAGE_UNLINK,
    STORAGE_MAKE_FOLDER,
    STORAGE_LIST,
    /* Looks at size, kind or access. */
    STORAGE_STATUS,
    /* Changes mode or owner. */
    STORAGE_MODE,
    STORAGE_MAP,
    STORAGE_CALLS
};

enum storage_action {
    /* Only counts. */
    STORAGE_COUNTS,
    /* The process dies before call `at`. */
    STORAGE_DIES,
    /* The first write from call `at` on writes half of its bytes; then the process dies. */
    STORAGE_TEARS,
    /* The first read or write from call `at` on does half of its bytes, which is no error. */
    STORAGE_SHORTENS,
    /* The first call from `at` on that can fail so fails with `error`. */
    STORAGE_FAILS_ONCE,
    /* All calls from `at` on that can fail so fail with `error`. */
    STORAGE_FAILS
};

struct storage_plan {
    enum storage_action action;
    /* The first call is 1. */
    uint64_t at;
    /* EIO: all calls can fail so. ENOSPC: those that take space. */
    int error;
    /* Death is SIGKILL; otherwise no call of the scope has any effect from then on, and all fail:
     * the disk stays as a death of the process at this moment would leave it. */
    int kills;
};

/* What the calls of a scope came to; may be a file that others read (see `storage_faults_from`). */
struct storage_counts {
    uint64_t total;
    uint64_t calls[STORAGE_CALLS];
    /* The number of the call at which the plan first did something; 0: it has not. */
    uint64_t fired;
    /* Its enum storage_call. */
    uint64_t fired_call;
};

/* Begins a scope: all files whose paths begin with `folder` and that are opened from now on. Returns
 * its number, or -1 with errno for too many scopes or too long a path. */
int storage_faults_begin(const char *folder);

/* Sets what happens, and begins to count anew. A scope that is dead lives again. */
void storage_faults_plan(int scope, struct storage_plan plan);

struct storage_counts storage_faults_counts(int scope);

/* What the call that fired was on; empty when that is not known. */
void storage_faults_fired_on(int scope, char *out, size_t capacity);

/* Ends the scope. Its files must be closed. */
void storage_faults_end(int scope);

/* Arms what `text` says: "ACTION AT ERROR FOLDER", ACTION one of count, kill, tear, shorten, once,
 * fail. The counts are kept in the file `report`, when it is not NULL, which somebody else may look
 * into at any time. Returns 0, or -1 for what it does not understand. */
int storage_faults_from(const char *text, const char *report);

/* The same with LINAJE_STORAGE_FAULTS and LINAJE_STORAGE_REPORT of the environment, when they
 * are set. Returns what is not understood, or NULL. For debug builds: see CONTRIBUTING.md. */
const char *storage_faults_from_environment(void);

/* For those whose library makes the call by itself (SQLite and its fsync): returns 0 when it may be
 * made now, -1 and errno when it fails instead. */
int storage_faults_turn(enum storage_call call, const char *path);

/* Whether a path is in any scope. */
int storage_faults_covers(const char *path);

/* Whether any scope is armed. */
int storage_faults_armed(void);

#endif
