#define _GNU_SOURCE
#include "CSQLiteCalls.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "StorageFileCalls.h"

void sqlite_calls_keep_log(void *database) {
    if (database != NULL) sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* MARK: The table
 *
 * Locks, which end with the process and touch no disk, and what asks about the process itself, stay
 * SQLite's own: fcntl, getcwd, geteuid, getpagesize, munmap, mremap, readlink, ioctl. So does
 * openDirectory, which opens by "open". */

static int call_open(const char *path, int flags, int mode) {
    return storage_open(path, flags, (mode_t)mode);
}

static int call_fstat(int fd, struct stat *out) { return storage_fstat(fd, out); }

static const struct {
    const char *name;
    sqlite3_syscall_ptr call;
} table[] = {
    {"open", (sqlite3_syscall_ptr)call_open},
    {"close", (sqlite3_syscall_ptr)storage_close},
    {"access", (sqlite3_syscall_ptr)storage_access},
    {"stat", (sqlite3_syscall_ptr)storage_stat},
    {"fstat", (sqlite3_syscall_ptr)call_fstat},
    {"lstat", (sqlite3_syscall_ptr)storage_lstat},
    {"ftruncate", (sqlite3_syscall_ptr)storage_ftruncate},
    {"read", (sqlite3_syscall_ptr)storage_read},
    {"pread", (sqlite3_syscall_ptr)storage_pread},
    {"pread64", (sqlite3_syscall_ptr)storage_pread},
    {"write", (sqlite3_syscall_ptr)storage_write},
    {"pwrite", (sqlite3_syscall_ptr)storage_pwrite},
    {"pwrite64", (sqlite3_syscall_ptr)storage_pwrite},
    {"fchmod", (sqlite3_syscall_ptr)storage_fchmod},
    {"fchown", (sqlite3_syscall_ptr)storage_fchown},
    {"fallocate", (sqlite3_syscall_ptr)storage_fallocate},
    {"unlink", (sqlite3_syscall_ptr)storage_unlink},
    {"mkdir", (sqlite3_syscall_ptr)storage_mkdir},
    {"rmdir", (sqlite3_syscall_ptr)storage_rmdir},
    {"mmap", (sqlite3_syscall_ptr)storage_mmap},
};

/* MARK: What is not in the table: fsync and fdatasync */

/* The methods of one open file, with where it is. */
struct methods {
    sqlite3_io_methods own;
    const sqlite3_io_methods *original;
    char path[];
};

static int (*original_open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
static int (*original_delete)(sqlite3_vfs *, const char *, int);

static int counted_sync(sqlite3_file *file, int flags) {
    const struct methods *methods = (const struct methods *)file->pMethods;
    if (storage_faults_turn(STORAGE_SYNC, methods->path) != 0) return SQLITE_IOERR_FSYNC;
    return methods->original->xSync(file, flags);
}

static int counted_close(sqlite3_file *file) {
    struct methods *methods = (struct methods *)file->pMethods;
    int result = methods->original->xClose(file);
    free(methods);
    return result;
}

static int counted_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                        int *out) {
    int result = original_open(vfs, path, file, flags, out);
    if (result != SQLITE_OK || path == NULL || !storage_faults_covers(path)) return result;
    size_t length = strlen(path) + 1;
    struct methods *methods = malloc(sizeof *methods + length);
    if (methods == NULL) {
        file->pMethods->xClose(file);
        file->pMethods = NULL;
        return SQLITE_NOMEM;
    }
    methods->original = file->pMethods;
    methods->own = *file->pMethods;
    methods->own.xSync = counted_sync;
    methods->own.xClose = counted_close;
    memcpy(methods->path, path, length);
    file->pMethods = &methods->own;
    return SQLITE_OK;
}

/* The file's own unlink is in the table; the fsync of its folder is not. */
static int counted_delete(sqlite3_vfs *vfs, const char *path, int syncs) {
    if (syncs && storage_faults_turn(STORAGE_SYNC, path) != 0) return SQLITE_IOERR_DIR_FSYNC;
    return original_delete(vfs, path, syncs);
}

static void install(void) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (vfs == NULL || vfs->iVersion < 3 || vfs->xSetSystemCall == NULL) return;
    for (size_t index = 0; index < sizeof table / sizeof *table; index++)
        if (vfs->xGetSystemCall(vfs, table[index].name) != NULL)
            vfs->xSetSystemCall(vfs, table[index].name, table[index].call);
    original_open = vfs->xOpen;
    original_delete = vfs->xDelete;
    vfs->xOpen = counted_open;
    vfs->xDelete = counted_delete;
}

void sqlite_calls_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (storage_faults_armed()) pthread_once(&once, install);
}
