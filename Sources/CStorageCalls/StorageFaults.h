/* Between the calls and the scopes. */
#ifndef STORAGE_FAULTS_H
#define STORAGE_FAULTS_H

#include "CStorageCalls.h"

#include <errno.h>
#include <stdatomic.h>

/* How many scopes are armed. */
extern _Atomic int storage_scopes;

static inline int storage_is_armed(void) {
    return __builtin_expect(atomic_load_explicit(&storage_scopes, memory_order_relaxed) != 0, 0);
}

/* A call that is being made. */
struct storage_turn {
    /* -1: in no scope. */
    int scope;
    /* The call is not to be made, errno says why. */
    int is_refused;
    /* Of nothing but a dead process: to be released without a word. */
    int is_dead;
    /* The process dies when it has been made. */
    int dies_after;
    /* How many bytes it may read or write. */
    size_t length;
};

struct storage_turn storage_begin(int scope, enum storage_call call, const char *path, int fd,
                                  size_t length);
/* Returns what the call is to return. */
long storage_end(const struct storage_turn *turn, long result);

int storage_scope_of_path(const char *path);
int storage_scope_of(int fd);
void storage_own(int fd, int scope);

#endif
