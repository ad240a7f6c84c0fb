/* More calls, for C only: see CStorageCalls.h. */
#ifndef STORAGE_FILE_CALLS_H
#define STORAGE_FILE_CALLS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "CStorageCalls.h"

int storage_fchmod(int fd, mode_t mode);
int storage_access(const char *path, int mode);
int storage_stat(const char *path, struct stat *out);
int storage_lstat(const char *path, struct stat *out);
int storage_fstat(int fd, struct stat *out);
void *storage_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);

#endif
