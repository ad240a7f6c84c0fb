#define _GNU_SOURCE
#include "StorageFaults.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SCOPES 16
#define DESCRIPTORS 65536

struct scope {
    int is_used;
    char folder[512];
    size_t length;
    struct storage_plan plan;
    int is_dead;
    struct storage_counts *counts;
    struct storage_counts own;
    char fired_on[512];
};

_Atomic int storage_scopes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct scope scopes[SCOPES];
/* The scope of each descriptor and 1; 0: none. */
static _Atomic unsigned char owners[DESCRIPTORS];

int storage_faults_armed(void) { return storage_is_armed(); }

int storage_scope_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS ? (int)atomic_load(&owners[fd]) - 1 : -1;
}

void storage_own(int fd, int scope) {
    if (fd >= 0 && fd < DESCRIPTORS) atomic_store(&owners[fd], (unsigned char)(scope + 1));
}

static int is_below(const struct scope *scope, const char *path) {
    return scope->is_used && strncmp(path, scope->folder, scope->length) == 0
        && (path[scope->length] == '/' || path[scope->length] == 0);
}

int storage_scope_of_path(const char *path) {
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < SCOPES && found < 0; index++)
        if (is_below(&scopes[index], path)) found = index;
    pthread_mutex_unlock(&lock);
    return found;
}

int storage_faults_covers(const char *path) {
    return storage_is_armed() && storage_scope_of_path(path) >= 0;
}

/* MARK: What happens at a call */

static int can_fail(int error, enum storage_call call, size_t length) {
    if (error != ENOSPC) return 1;
    switch (call) {
    case STORAGE_OPEN: return length != 0;
    case STORAGE_WRITE:
    case STORAGE_SYNC:
    case STORAGE_RESIZE:
    case STORAGE_RENAME:
    case STORAGE_MAKE_FOLDER: return 1;
    default: return 0;
    }
}

static void fire(struct scope *scope, uint64_t number, enum storage_call call, const char *path,
                 int fd) {
    if (scope->counts->fired != 0) return;
    scope->counts->fired = number;
    scope->counts->fired_call = call;
    memset(scope->fired_on, 0, sizeof scope->fired_on);
    if (path != NULL) {
        strncpy(scope->fired_on, path, sizeof scope->fired_on - 1);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, scope->fired_on, sizeof scope->fired_on - 1) < 0) {
            scope->fired_on[0] = 0;
        }
    }
}

/* Under the lock. */
static void die(struct scope *scope) {
    if (scope->plan.kills) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    scope->is_dead = 1;
}

static void decide(struct scope *scope, enum storage_call call, const char *path, int fd,
                   struct storage_turn *turn, int *error) {
    uint64_t number = ++scope->counts->total;
    scope->counts->calls[call]++;
    const struct storage_plan *plan = &scope->plan;
    if (number < plan->at) return;
    int is_first = scope->counts->fired == 0;
    switch (plan->action) {
    case STORAGE_COUNTS: return;
    case STORAGE_DIES:
        fire(scope, number, call, path, fd);
        die(scope);
        turn->is_refused = turn->is_dead = 1;
        *error = EIO;
        return;
    case STORAGE_TEARS:
        if (!is_first || call != STORAGE_WRITE) return;
        fire(scope, number, call, path, fd);
        turn->length /= 2;
        turn->dies_after = 1;
        return;
    case STORAGE_SHORTENS:
        if (!is_first || turn->length < 2 || (call != STORAGE_WRITE && call != STORAGE_READ)) {
            return;
        }
        fire(scope, number, call, path, fd);
        turn->length /= 2;
        return;
    case STORAGE_FAILS_ONCE:
        if (!is_first) return;
        /* fallthrough */
    case STORAGE_FAILS:
        if (!can_fail(plan->error, call, turn->length)) return;
        fire(scope, number, call, path, fd);
        turn->is_refused = 1;
        *error = plan->error;
        return;
    }
}

struct storage_turn storage_begin(int index, enum storage_call call, const char *path, int fd,
                                  size_t length) {
    struct storage_turn turn = {.scope = index, .length = length};
    if (index < 0) return turn;
    int error = 0;
    pthread_mutex_lock(&lock);
    struct scope *scope = &scopes[index];
    if (!scope->is_used) {
        turn.scope = -1;
    } else if (scope->is_dead) {
        turn.is_refused = turn.is_dead = 1;
        error = EIO;
    } else {
        decide(scope, call, path, fd, &turn, &error);
    }
    pthread_mutex_unlock(&lock);
    if (turn.is_refused) errno = error;
    return turn;
}

long storage_end(const struct storage_turn *turn, long result) {
    if (turn->scope < 0 || !turn->dies_after) return result;
    pthread_mutex_lock(&lock);
    die(&scopes[turn->scope]);
    pthread_mutex_unlock(&lock);
    errno = EIO;
    return -1;
}

int storage_faults_turn(enum storage_call call, const char *path) {
    if (!storage_is_armed()) return 0;
    return storage_begin(storage_scope_of_path(path), call, path, -1, 0).is_refused ? -1 : 0;
}

/* MARK: Scopes */

int storage_faults_begin(const char *folder) {
    size_t length = strlen(folder);
    if (length == 0 || length >= sizeof scopes[0].folder) {
        errno = EINVAL;
        return -1;
    }
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < SCOPES && found < 0; index++)
        if (!scopes[index].is_used) found = index;
    if (found >= 0) {
        struct scope *scope = &scopes[found];
        memset(scope, 0, sizeof *scope);
        memcpy(scope->folder, folder, length);
        scope->length = length;
        scope->counts = &scope->own;
        scope->is_used = 1;
        /* What others opened while nothing was armed is nobody's. */
        if (atomic_load(&storage_scopes) == 0)
            for (int fd = 0; fd < DESCRIPTORS; fd++) atomic_store(&owners[fd], 0);
        atomic_fetch_add(&storage_scopes, 1);
    }
    pthread_mutex_unlock(&lock);
    if (found < 0) errno = EAGAIN;
    return found;
}

void storage_faults_plan(int index, struct storage_plan plan) {
    if (index < 0 || index >= SCOPES) return;
    pthread_mutex_lock(&lock);
    scopes[index].plan = plan;
    scopes[index].is_dead = 0;
    memset(scopes[index].counts, 0, sizeof *scopes[index].counts);
    scopes[index].fired_on[0] = 0;
    pthread_mutex_unlock(&lock);
}

struct storage_counts storage_faults_counts(int index) {
    struct storage_counts counts = {0};
    if (index < 0 || index >= SCOPES) return counts;
    pthread_mutex_lock(&lock);
    if (scopes[index].is_used) counts = *scopes[index].counts;
    pthread_mutex_unlock(&lock);
    return counts;
}

void storage_faults_fired_on(int index, char *out, size_t capacity) {
    if (capacity == 0) return;
    out[0] = 0;
    if (index < 0 || index >= SCOPES) return;
    pthread_mutex_lock(&lock);
    snprintf(out, capacity, "%s", scopes[index].fired_on);
    pthread_mutex_unlock(&lock);
}

void storage_faults_end(int index) {
    if (index < 0 || index >= SCOPES) return;
    pthread_mutex_lock(&lock);
    if (scopes[index].is_used) {
        scopes[index].is_used = 0;
        for (int fd = 0; fd < DESCRIPTORS; fd++)
            if (atomic_load(&owners[fd]) == index + 1) atomic_store(&owners[fd], 0);
        atomic_fetch_sub(&storage_scopes, 1);
    }
    pthread_mutex_unlock(&lock);
}

/* MARK: Another process */

static struct storage_counts *shared_counts(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return NULL;
    void *mapped = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct storage_counts)) == 0) {
        mapped = mmap(NULL, sizeof(struct storage_counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      0);
    }
    close(fd);
    return mapped == MAP_FAILED ? NULL : mapped;
}

int storage_faults_from(const char *text, const char *report) {
    static const struct {
        const char *name;
        enum storage_action action;
    } words[] = {
        {"count", STORAGE_COUNTS}, {"kill", STORAGE_DIES}, {"tear", STORAGE_TEARS},
        {"shorten", STORAGE_SHORTENS}, {"once", STORAGE_FAILS_ONCE}, {"fail", STORAGE_FAILS},
    };
    char word[16];
    unsigned long long at = 0;
    int error = 0, start = 0;
    if (sscanf(text, "%15s %llu %d %n", word, &at, &error, &start) < 3 || start == 0) return -1;
    struct storage_plan plan = {.at = at, .error = error, .kills = 1};
    size_t found = 0;
    while (found < sizeof words / sizeof *words && strcmp(words[found].name, word) != 0) found++;
    if (found == sizeof words / sizeof *words) return -1;
    plan.action = words[found].action;
    int scope = storage_faults_begin(text + start);
    if (scope < 0) return -1;
    if (report != NULL) {
        struct storage_counts *counts = shared_counts(report);
        if (counts == NULL) return -1;
        scopes[scope].counts = counts;
    }
    storage_faults_plan(scope, plan);
    return 0;
}

const char *storage_faults_from_environment(void) {
    const char *text = getenv("LINAJE_STORAGE_FAULTS");
    if (text == NULL) return NULL;
    return storage_faults_from(text, getenv("LINAJE_STORAGE_REPORT")) == 0 ? NULL : text;
}
