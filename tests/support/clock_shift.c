/* Shifts the wall clock of a process by the microseconds in the file $CLOCK_SHIFT, a 64-bit int that
   may change at any time. The monotonic clock is not shifted. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift;

__attribute__((constructor)) static void map(void) {
    const char *path = getenv("CLOCK_SHIFT");
    int file = path ? open(path, O_RDONLY) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) shift = page;
}

static int64_t now_ns(void) {
    struct timespec ts;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000000 + ts.tv_nsec + (shift ? *shift * 1000 : 0);
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    int64_t now = now_ns();
    tv->tv_sec = now / 1000000000;
    tv->tv_usec = now % 1000000000 / 1000;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
    if (clock != CLOCK_REALTIME) return syscall(SYS_clock_gettime, clock, ts);
    int64_t now = now_ns();
    ts->tv_sec = now / 1000000000;
    ts->tv_nsec = now % 1000000000;
    return 0;
}

time_t time(time_t *at) {
    time_t now = now_ns() / 1000000000;
    if (at) *at = now;
    return now;
}
