/* What a process takes for the world, staged: its wall clock is another one, and it dies at a call that was chosen.
 * Loaded with LD_PRELOAD. Monotonic clocks are never touched; what is not asked for passes through.
 *
 * STAGE_CLOCK=FILE    two 64-bit integers, read anew at every look at the clock: a mode and a number of nanoseconds.
 *                     Mode 0: the true time; 1: the true time plus the number; 2: the number, for as long as it stands.
 * STAGE_KILL=CALL:N:WHERE   the N-th CALL (fsync, write, rename, truncate, unlink) is the last: WHERE is before,
 *                     after, or for a write also inside, when half of it is on its way.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum place { NOWHERE, BEFORE, INSIDE, AFTER };

static const volatile int64_t *staged_clock;
static char fatal_call[16];
static long fatal_at;
static enum place fatal_place;
static long calls;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("STAGE_CLOCK");
    if (path != NULL) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            void *seen = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
            if (seen != MAP_FAILED) staged_clock = seen;
            close(file);
        }
        if (staged_clock == NULL) {
            fprintf(stderr, "stage: no clock in %s\n", path);
            _exit(99);
        }
    }
    const char *order = getenv("STAGE_KILL");
    if (order != NULL) {
        char where[16] = "";
        if (sscanf(order, "%15[a-z]:%ld:%15s", fatal_call, &fatal_at, where) != 3) {
            fprintf(stderr, "stage: no order to die: %s\n", order);
            _exit(99);
        }
        fatal_place = strcmp(where, "before") == 0 ? BEFORE : strcmp(where, "inside") == 0 ? INSIDE : AFTER;
    }
}

/* The wall clock. */

static void stage(struct timespec *at) {
    if (staged_clock == NULL) return;
    int64_t mode = staged_clock[0], number = staged_clock[1];
    if (mode == 0) return;
    int64_t ns = number;
    if (mode == 1) ns += (int64_t)at->tv_sec * 1000000000 + at->tv_nsec;
    if (ns < 0) ns = 0;
    at->tv_sec = ns / 1000000000;
    at->tv_nsec = ns % 1000000000;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int done = (int)syscall(SYS_clock_gettime, id, at);
    if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) stage(at);
    return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (at != NULL) *at = now.tv_sec;
    return now.tv_sec;
}

/* The last call. */

static enum place due(const char *call) {
    if (fatal_place == NOWHERE || strcmp(call, fatal_call) != 0) return NOWHERE;
    return __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == fatal_at ? fatal_place : NOWHERE;
}

static void die_if(int so) {
    if (so) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

#define STAGED(call, ...)                   \
    do {                                    \
        enum place place = due(call);       \
        die_if(place == BEFORE);            \
        long done = syscall(__VA_ARGS__);   \
        die_if(place != NOWHERE);           \
        return (int)done;                   \
    } while (0)

int fsync(int file) { STAGED("fsync", SYS_fsync, file); }
int fdatasync(int file) { STAGED("fsync", SYS_fdatasync, file); }
int rename(const char *from, const char *to) { STAGED("rename", SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); }
int ftruncate(int file, off_t length) { STAGED("truncate", SYS_ftruncate, file, length); }
int ftruncate64(int file, off64_t length) { STAGED("truncate", SYS_ftruncate, file, length); }
int unlink(const char *path) { STAGED("unlink", SYS_unlinkat, AT_FDCWD, path, 0); }

/* Only what goes to a file on disk counts as a write. */
static int on_disk(int file) {
    struct stat status;
    return file > 2 && fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

ssize_t write(int file, const void *bytes, size_t length) {
    enum place place = fatal_place == NOWHERE || !on_disk(file) ? NOWHERE : due("write");
    die_if(place == BEFORE);
    ssize_t done = syscall(SYS_write, file, bytes, place == INSIDE ? length / 2 : length);
    die_if(place != NOWHERE);
    return done;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    enum place place = fatal_place == NOWHERE || !on_disk(file) ? NOWHERE : due("write");
    die_if(place == BEFORE);
    ssize_t done = syscall(SYS_pwrite64, file, bytes, place == INSIDE ? length / 2 : length, at);
    die_if(place != NOWHERE);
    return done;
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) { return pwrite64(file, bytes, length, at); }
