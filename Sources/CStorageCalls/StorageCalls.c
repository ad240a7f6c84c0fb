#define _GNU_SOURCE
#include "StorageFaults.h"
#include "StorageFileCalls.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A call on a path or a descriptor that has no bytes to shorten. */
#define TURN(kind, path, fd, scope, call)                                                          \
    do {                                                                                           \
        if (!storage_is_armed()) return call;                                                      \
        struct storage_turn turn = storage_begin(scope, kind, path, fd, 0);                        \
        if (turn.is_refused) return -1;                                                            \
        return storage_end(&turn, call);                                                           \
    } while (0)
#define ON_PATH(kind, path, call) TURN(kind, path, -1, storage_scope_of_path(path), call)
#define ON_FILE(kind, fd, call) TURN(kind, NULL, fd, storage_scope_of(fd), call)

int storage_open(const char *path, int flags, unsigned mode) {
    if (!storage_is_armed()) return open(path, flags, mode);
    int scope = storage_scope_of_path(path);
    /* Only one that may make a file takes space. */
    struct storage_turn turn = storage_begin(scope, STORAGE_OPEN, path, -1, flags & O_CREAT);
    if (turn.is_refused) return -1;
    int fd = open(path, flags, mode);
    storage_own(fd, scope);
    return (int)storage_end(&turn, fd);
}

int storage_close(int fd) {
    if (!storage_is_armed()) return close(fd);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_CLOSE, NULL, fd, 0);
    /* Whatever it says, the descriptor is gone, as Linux does it. */
    int error = errno;
    storage_own(fd, -1);
    int result = close(fd);
    if (turn.is_refused && !turn.is_dead) {
        errno = error;
        return -1;
    }
    return result;
}

long storage_read(int fd, void *bytes, size_t count) {
    if (!storage_is_armed()) return read(fd, bytes, count);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_READ, NULL, fd, count);
    return turn.is_refused ? -1 : storage_end(&turn, read(fd, bytes, turn.length));
}

long storage_pread(int fd, void *bytes, size_t count, int64_t offset) {
    if (!storage_is_armed()) return pread(fd, bytes, count, offset);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_READ, NULL, fd, count);
    return turn.is_refused ? -1 : storage_end(&turn, pread(fd, bytes, turn.length, offset));
}

long storage_write(int fd, const void *bytes, size_t count) {
    if (!storage_is_armed()) return write(fd, bytes, count);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_WRITE, NULL, fd, count);
    return turn.is_refused ? -1 : storage_end(&turn, write(fd, bytes, turn.length));
}

long storage_pwrite(int fd, const void *bytes, size_t count, int64_t offset) {
    if (!storage_is_armed()) return pwrite(fd, bytes, count, offset);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_WRITE, NULL, fd, count);
    return turn.is_refused ? -1 : storage_end(&turn, pwrite(fd, bytes, turn.length, offset));
}

int storage_fsync(int fd) { ON_FILE(STORAGE_SYNC, fd, fsync(fd)); }
int storage_fdatasync(int fd) { ON_FILE(STORAGE_SYNC, fd, fdatasync(fd)); }
int storage_ftruncate(int fd, int64_t size) { ON_FILE(STORAGE_RESIZE, fd, ftruncate(fd, size)); }
int storage_fchmod(int fd, mode_t mode) { ON_FILE(STORAGE_MODE, fd, fchmod(fd, mode)); }
int storage_fstat(int fd, struct stat *out) { ON_FILE(STORAGE_STATUS, fd, fstat(fd, out)); }

int storage_fchown(int fd, uint32_t owner, uint32_t group) {
    ON_FILE(STORAGE_MODE, fd, fchown(fd, owner, group));
}

int storage_fallocate(int fd, int64_t offset, int64_t length) {
    if (!storage_is_armed()) return posix_fallocate(fd, offset, length);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_RESIZE, NULL, fd, 0);
    if (turn.is_refused) return errno;
    return (int)storage_end(&turn, posix_fallocate(fd, offset, length));
}

int storage_rename(const char *from, const char *to) {
    ON_PATH(STORAGE_RENAME, to, rename(from, to));
}

int storage_link(const char *from, const char *to) { ON_PATH(STORAGE_RENAME, to, link(from, to)); }
int storage_unlink(const char *path) { ON_PATH(STORAGE_UNLINK, path, unlink(path)); }
int storage_rmdir(const char *path) { ON_PATH(STORAGE_UNLINK, path, rmdir(path)); }

int storage_mkdir(const char *path, unsigned mode) {
    ON_PATH(STORAGE_MAKE_FOLDER, path, mkdir(path, mode));
}

int storage_chmod(const char *path, unsigned mode) { ON_PATH(STORAGE_MODE, path, chmod(path, mode)); }

int storage_chown(const char *path, uint32_t owner, uint32_t group) {
    ON_PATH(STORAGE_MODE, path, chown(path, owner, group));
}

long storage_copy_range(int in, int out, size_t length) {
    if (!storage_is_armed()) return copy_file_range(in, NULL, out, NULL, length, 0);
    struct storage_turn turn =
        storage_begin(storage_scope_of(out), STORAGE_WRITE, NULL, out, length);
    if (turn.is_refused) return -1;
    return storage_end(&turn, copy_file_range(in, NULL, out, NULL, turn.length, 0));
}

int storage_access(const char *path, int mode) {
    ON_PATH(STORAGE_STATUS, path, access(path, mode));
}

int storage_stat(const char *path, struct stat *out) {
    ON_PATH(STORAGE_STATUS, path, stat(path, out));
}

int storage_lstat(const char *path, struct stat *out) {
    ON_PATH(STORAGE_STATUS, path, lstat(path, out));
}

void *storage_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    if (!storage_is_armed()) return mmap(address, length, protection, flags, fd, offset);
    struct storage_turn turn = storage_begin(storage_scope_of(fd), STORAGE_MAP, NULL, fd, 0);
    if (turn.is_refused) return MAP_FAILED;
    void *mapped = mmap(address, length, protection, flags, fd, offset);
    storage_end(&turn, 0);
    return mapped;
}

static int status(int result, const struct stat *found, struct storage_status *out) {
    if (result == 0) {
        out->size = found->st_size < 0 ? 0 : (uint64_t)found->st_size;
        out->mode = found->st_mode;
        out->owner = found->st_uid;
        out->group = found->st_gid;
    }
    return result;
}

int storage_status_of(const char *path, struct storage_status *out) {
    struct stat found;
    return status(storage_stat(path, &found), &found, out);
}

int storage_status_of_link(const char *path, struct storage_status *out) {
    struct stat found;
    return status(storage_lstat(path, &found), &found, out);
}

int storage_status_of_file(int fd, struct storage_status *out) {
    struct stat found;
    return status(storage_fstat(fd, &found), &found, out);
}

void *storage_open_folder(const char *path) {
    if (!storage_is_armed()) return opendir(path);
    int scope = storage_scope_of_path(path);
    struct storage_turn turn = storage_begin(scope, STORAGE_LIST, path, -1, 0);
    if (turn.is_refused) return NULL;
    DIR *folder = opendir(path);
    if (folder != NULL) storage_own(dirfd(folder), scope);
    return folder;
}

int storage_next_name(void *folder, char *name) {
    if (storage_is_armed()) {
        int fd = dirfd(folder);
        if (storage_begin(storage_scope_of(fd), STORAGE_LIST, NULL, fd, 0).is_refused) return -1;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) return errno == 0 ? 0 : -1;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
        return 1;
    }
}

/* Nothing is written by it: it is not counted. */
void storage_close_folder(void *folder) {
    if (storage_is_armed()) storage_own(dirfd(folder), -1);
    closedir(folder);
}
