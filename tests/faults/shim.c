// Preloaded into an exporter: fails one call, or kills at it, or logs what a disk would have held after a power cut.
//
// Only calls on files below FAULT_FOLDER count. FAULT_CALL=n fails the n-th with FAULT_ERRNO, or with FAULT_ERRNO=-1
// kills the process there. FAULT_LOG is a file that gets a line for each call: its number, name, path, offset and
// length.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int calls, log_descriptor = -1;

static int is_below(const char *path) {
    char there[PATH_MAX];
    const char *folder = getenv("FAULT_FOLDER");
    if (folder == NULL || path == NULL) return 0;
    if (path[0] != '/') {
        if (getcwd(there, sizeof there) == NULL) return 0;
        path = there;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}

static const char *path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    return path;
}

// Count a call; nonzero, with errno set, if it is the one to fail.
static int fails(const char *name, const char *path, long long offset, long long length) {
    if (!is_below(path)) return 0;
    const int number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    const char *log = getenv("FAULT_LOG"), *which = getenv("FAULT_CALL"), *error = getenv("FAULT_ERRNO");
    if (log != NULL) {
        if (log_descriptor < 0) log_descriptor = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        char line[PATH_MAX + 100];
        const int size = snprintf(line, sizeof line, "%d\t%s\t%s\t%lld\t%lld\n", number, name, path, offset, length);
        if (REAL(write)(log_descriptor, line, size) != size) abort();
    }
    if (which == NULL || error == NULL || number != atoi(which)) return 0;
    if (atoi(error) < 0) kill(getpid(), SIGKILL);
    errno = atoi(error);
    return 1;
}

static int descriptor_fails(const char *name, int descriptor, long long offset, long long length) {
    char path[PATH_MAX];
    const char *found = path_of(descriptor, path);
    return found != NULL && found[0] == '/' && fails(name, found, offset, length);  // no pipe
}

ssize_t write(int descriptor, const void *data, size_t size) {
    if (descriptor_fails("write", descriptor, lseek(descriptor, 0, SEEK_CUR), size)) return -1;
    return REAL(write)(descriptor, data, size);
}

int fsync(int descriptor) {
    if (descriptor_fails("fsync", descriptor, 0, 0)) return -1;
    return REAL(fsync)(descriptor);
}

#define TRUNCATES(name, type)                                        \
    int name(int descriptor, type size) {                            \
        if (descriptor_fails(#name, descriptor, 0, size)) return -1; \
        return REAL(name)(descriptor, size);                         \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

#define OPENS(name)                               \
    int name(const char *path, int flags, ...) {  \
        va_list more;                             \
        va_start(more, flags);                    \
        const mode_t mode = va_arg(more, int);    \
        va_end(more);                             \
        if (fails("open", path, 0, 0)) return -1; \
        return REAL(name)(path, flags, mode);     \
    }
OPENS(open)
OPENS(open64)

// The same on a name in an open folder, of which the folder counts.
static int fails_in(const char *name, int folder, const char *path) {
    char found[PATH_MAX];
    if (folder == AT_FDCWD || path[0] == '/') return fails(name, path, 0, 0);
    return path_of(folder, found) != NULL && fails(name, found, 0, 0);
}

#define OPENS_IN(name)                                       \
    int name(int folder, const char *path, int flags, ...) { \
        va_list more;                                        \
        va_start(more, flags);                               \
        const mode_t mode = va_arg(more, int);               \
        va_end(more);                                        \
        if (fails_in("open", folder, path)) return -1;       \
        return REAL(name)(folder, path, flags, mode);        \
    }
OPENS_IN(openat)
OPENS_IN(openat64)

int rename(const char *from, const char *to) {
    if (fails("rename", from, 0, 0)) return -1;
    return REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    if (fails_in("rename", from_folder, from)) return -1;
    return REAL(renameat)(from_folder, from, to_folder, to);
}

int link(const char *from, const char *to) {
    if (fails("link", from, 0, 0)) return -1;
    return REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (fails_in("link", from_folder, from)) return -1;
    return REAL(linkat)(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path) {
    if (fails("unlink", path, 0, 0)) return -1;
    return REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    if (fails_in("unlink", folder, path)) return -1;
    return REAL(unlinkat)(folder, path, flags);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    if (fails_in("mkdir", folder, path)) return -1;
    return REAL(mkdirat)(folder, path, mode);
}

int fchmod(int descriptor, mode_t mode) {
    if (descriptor_fails("fchmod", descriptor, 0, 0)) return -1;
    return REAL(fchmod)(descriptor, mode);
}

int fchown(int descriptor, uid_t owner, gid_t group) {
    if (descriptor_fails("fchown", descriptor, 0, 0)) return -1;
    return REAL(fchown)(descriptor, owner, group);
}
