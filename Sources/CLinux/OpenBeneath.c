#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH of linux/openat2.h. */
#define CLINUX_RESOLVE (0x02ull | 0x04ull | 0x08ull)

int clinux_open_beneath(int folder, const char *path) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_PATH | O_DIRECTORY | O_CLOEXEC, 0, CLINUX_RESOLVE};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

int clinux_open_step(int folder, const char *name) {
    return openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
