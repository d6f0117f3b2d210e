/*
 * The recorder: preloaded into a program, it logs every call that changes a file or a folder below one root, in
 * order over all threads and with the data, and on request makes one of those calls fail.
 *
 * BEATBOOK_RECORDER_ROOT   absolute path of the folder that is watched; without it nothing is done
 * BEATBOOK_RECORDER_LOG    where the log goes; without it nothing is logged
 * BEATBOOK_RECORDER_MARKS  a file: what is written to it becomes a mark, in order with the calls
 * BEATBOOK_RECORDER_FAULT  "KIND,FIRST,CALLS": from the FIRST-th counted call on, CALLS of them fail
 *
 * One lock is held around every call and its line of the log, so the order of the log is the order of the calls.
 * A call that copies inside the kernel (copy_file_range, sendfile) or maps a file to be written would carry bytes
 * past the log: the first two are refused with ENOSYS, for which every caller has another way, the third ends the
 * program. What a raw system call does is not seen; whoever replays the log compares it with the real folder.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum op {
	OP_OPEN = 1, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_RANGE, OP_RENAME, OP_UNLINK, OP_MKDIR, OP_RMDIR, OP_LINK,
	OP_ALLOCATE, OP_CLOSE, OP_DUP, OP_MARK, OP_FAULT, OP_COUNTED,
};

/* Kinds of call, as bits, so that a fault says which calls it counts. */
enum { READS = 1, SPACE = 2, SYNCS = 4, WRITES = 8, OTHER = 16 };

enum fault { FAULT_NONE, FAULT_EIO, FAULT_FULL, FAULT_SHORT, FAULT_SYNC };

struct head {
	uint8_t op;
	uint8_t flag;
	uint16_t error;
	int32_t fd;
	uint64_t offset;
	uint32_t first_bytes;
	uint32_t second_bytes;
};

#define FDS_MAX 4096
#define FILES_MAX 512
#define PAGES_MAX 4096
#define FLAG_CREATED 1
#define FLAG_FOLDER 2
#define FLAG_EMPTIED 4

static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_bytes;
static char marks[PATH_MAX];
static int log_fd = -1;
static enum fault fault_kind;
static int fault_counts;
static uint64_t fault_first, fault_calls, counted;
static char watched[FDS_MAX];

#define REAL(type, name, ...)                                                                                  \
	static type (*real_##name)(__VA_ARGS__);                                                                   \
	if (!real_##name) real_##name = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static void die(const char *why)
{
	dprintf(2, "recorder: %s\n", why);
	_exit(97);
}

static void put(const void *bytes, size_t length)
{
	const char *at = bytes;
	while (length > 0) {
		ssize_t put = syscall(SYS_write, log_fd, at, length);
		if (put < 0) {
			if (errno == EINTR) continue;
			die("the log cannot be written");
		}
		at += put;
		length -= (size_t)put;
	}
}

static void note(enum op op, int flag, int error, int fd, uint64_t offset, const void *first, size_t first_bytes,
	const void *second, size_t second_bytes)
{
	if (log_fd < 0) return;
	int saved = errno;
	struct head head = { (uint8_t)op, (uint8_t)flag, (uint16_t)error, fd, offset, (uint32_t)first_bytes,
		(uint32_t)second_bytes };
	put(&head, sizeof head);
	if (first_bytes) put(first, first_bytes);
	if (second_bytes) put(second, second_bytes);
	errno = saved;
}

static void note_path(enum op op, int flag, int fd, const char *path)
{
	note(op, flag, 0, fd, 0, path, strlen(path), NULL, 0);
}

__attribute__((constructor)) static void begin(void)
{
	const char *given = getenv("BEATBOOK_RECORDER_ROOT");
	if (!given || given[0] != '/' || strlen(given) >= sizeof root) return;
	strcpy(root, given);
	root_bytes = strlen(root);
	given = getenv("BEATBOOK_RECORDER_MARKS");
	if (given && strlen(given) < sizeof marks) strcpy(marks, given);
	given = getenv("BEATBOOK_RECORDER_FAULT");
	if (given) {
		char kind[16] = "";
		unsigned long long first = 0, calls = 0;
		if (sscanf(given, "%15[a-z],%llu,%llu", kind, &first, &calls) != 3) die("the fault is not KIND,FIRST,CALLS");
		fault_first = first;
		fault_calls = calls;
		if (!strcmp(kind, "eio")) fault_kind = FAULT_EIO, fault_counts = READS | SPACE | SYNCS | WRITES | OTHER;
		else if (!strcmp(kind, "full")) fault_kind = FAULT_FULL, fault_counts = SPACE;
		else if (!strcmp(kind, "short")) fault_kind = FAULT_SHORT, fault_counts = WRITES;
		else if (!strcmp(kind, "sync")) fault_kind = FAULT_SYNC, fault_counts = SYNCS;
		else die("an unknown kind of fault");
	}
	given = getenv("BEATBOOK_RECORDER_LOG");
	if (given) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0) die("the log cannot be made");
		/* High, so that the program sees the descriptors that it would see without it. */
		log_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FDS_MAX - 1);
		if (log_fd < 0) log_fd = fd;
		else syscall(SYS_close, fd);
	}
}

/* A thread that is between its call and its line when the program ends may not be cut off there. */
__attribute__((destructor)) static void end(void)
{
	pthread_mutex_lock(&alone);
	note(OP_COUNTED, 0, 0, -1, counted, NULL, 0, NULL, 0);
}

/* The absolute path that a call means; 0 where it is not below the root. */
static int resolve(int dir, const char *path, char *out)
{
	if (!root_bytes || !path) return 0;
	if (path[0] == '/') {
		if (strlen(path) >= PATH_MAX) return 0;
		strcpy(out, path);
	} else if (dir == AT_FDCWD) {
		if (!getcwd(out, PATH_MAX)) return 0;
		size_t length = strlen(out);
		if (length + 1 + strlen(path) >= PATH_MAX) return 0;
		out[length] = '/';
		strcpy(out + length + 1, path);
	} else {
		char link[64];
		snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
		ssize_t length = readlink(link, out, PATH_MAX - 1);
		if (length < 0 || (size_t)length + 1 + strlen(path) >= PATH_MAX) return 0;
		out[length] = '/';
		strcpy(out + length + 1, path);
	}
	return !strncmp(out, root, root_bytes) && (out[root_bytes] == '/' || out[root_bytes] == 0);
}

static int is_watched(int fd) { return fd >= 0 && fd < FDS_MAX && watched[fd]; }

/* True where this call is to fail. Called once for a call, with the lock held. */
static int fails(int what)
{
	if (fault_kind == FAULT_NONE || !(what & fault_counts)) return 0;
	counted++;
	if (counted < fault_first || counted - fault_first >= fault_calls) return 0;
	note(OP_FAULT, 0, 0, -1, counted, NULL, 0, NULL, 0);
	return 1;
}

/* Pages that were read or written in this run come from memory afterwards, where no device can fail. */
static struct { ino_t number; unsigned char pages[PAGES_MAX / 8]; } cached[FILES_MAX];

static unsigned char *pages_of(int fd)
{
	struct stat about;
	if (fstat(fd, &about) != 0) return NULL;
	for (int at = 0; at < FILES_MAX; at++) {
		if (cached[at].number == about.st_ino) return cached[at].pages;
		if (!cached[at].number) {
			cached[at].number = about.st_ino;
			return cached[at].pages;
		}
	}
	return NULL;
}

/* Takes a stretch into memory; true where a part of it was not there. */
static int fetched(int fd, off64_t offset, size_t length)
{
	unsigned char *pages = pages_of(fd);
	int fresh = 0;
	if (!pages || !length) return !pages;
	for (uint64_t page = (uint64_t)offset / 4096; page <= ((uint64_t)offset + length - 1) / 4096; page++) {
		if (page >= PAGES_MAX) return 1;
		fresh |= !(pages[page / 8] >> (page % 8) & 1);
		pages[page / 8] |= (unsigned char)(1 << (page % 8));
	}
	return fresh;
}

static int refusal(void) { return fault_kind == FAULT_FULL ? ENOSPC : EIO; }

#define REFUSE(what)                                                                                           \
	if (fails(what)) {                                                                                         \
		pthread_mutex_unlock(&alone);                                                                          \
		errno = refusal();                                                                                     \
		return -1;                                                                                             \
	}

static int opened(int dir, const char *path, int flags, mode_t mode)
{
	REAL(int, openat, int, const char *, int, ...);
	char full[PATH_MAX];
	if (root_bytes && marks[0] && path && !strcmp(path, marks)) {
		int fd = real_openat(dir, path, flags, mode);
		if (fd >= 0 && fd < FDS_MAX) watched[fd] = 2;
		return fd;
	}
	if (!resolve(dir, path, full)) {
		int fd = real_openat(dir, path, flags, mode);
		if (fd >= 0 && fd < FDS_MAX) watched[fd] = 0;
		return fd;
	}
	pthread_mutex_lock(&alone);
	struct stat before;
	int known = fstatat(AT_FDCWD, full, &before, 0) == 0;
	int changes = (flags & O_CREAT && !known) || flags & O_TRUNC;
	REFUSE(changes ? SPACE | OTHER : OTHER);
	int fd = real_openat(dir, path, flags, mode);
	if (fd >= 0) {
		struct stat after;
		if (fd >= FDS_MAX || fstat(fd, &after) != 0) die("too many open files");
		watched[fd] = 1;
		int flag = (known ? 0 : FLAG_CREATED) | (S_ISDIR(after.st_mode) ? FLAG_FOLDER : 0)
			| (flags & O_TRUNC && known && before.st_size > 0 ? FLAG_EMPTIED : 0);
		note_path(OP_OPEN, flag, fd, full);
	}
	pthread_mutex_unlock(&alone);
	return fd;
}

#define MODE(flags)                                                                                            \
	mode_t mode = 0;                                                                                           \
	if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {                                             \
		va_list more;                                                                                          \
		va_start(more, flags);                                                                                 \
		mode = (mode_t)va_arg(more, int);                                                                      \
		va_end(more);                                                                                          \
	}

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd)
{
	REAL(int, close, int);
	if (!is_watched(fd)) return real_close(fd);
	pthread_mutex_lock(&alone);
	watched[fd] = 0;
	note(OP_CLOSE, 0, 0, fd, 0, NULL, 0, NULL, 0);
	int closed = real_close(fd);
	pthread_mutex_unlock(&alone);
	return closed;
}

/* The library closes the descriptor of a folder by itself. */
int closedir(DIR *folder)
{
	REAL(int, closedir, DIR *);
	int fd = dirfd(folder);
	if (fd >= 0 && fd < FDS_MAX) watched[fd] = 0;
	return real_closedir(folder);
}

static int doubled(int from, int to)
{
	if (to >= 0 && is_watched(from)) {
		if (to >= FDS_MAX) die("too many open files");
		pthread_mutex_lock(&alone);
		watched[to] = watched[from];
		note(OP_DUP, 0, 0, from, (uint64_t)to, NULL, 0, NULL, 0);
		pthread_mutex_unlock(&alone);
	}
	return to;
}

int dup(int fd) { REAL(int, dup, int); return doubled(fd, real_dup(fd)); }
int dup2(int fd, int to) { REAL(int, dup2, int, int); return doubled(fd, real_dup2(fd, to)); }
int dup3(int fd, int to, int flags) { REAL(int, dup3, int, int, int); return doubled(fd, real_dup3(fd, to, flags)); }

static int controlled(int fd, int command, void *argument)
{
	REAL(int, fcntl, int, int, ...);
	int answer = real_fcntl(fd, command, argument);
	return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? doubled(fd, answer) : answer;
}

#define ARGUMENT(after)                                                                                        \
	va_list more;                                                                                              \
	va_start(more, after);                                                                                     \
	void *argument = va_arg(more, void *);                                                                     \
	va_end(more);

int fcntl(int fd, int command, ...) { ARGUMENT(command) return controlled(fd, command, argument); }
int fcntl64(int fd, int command, ...) { ARGUMENT(command) return controlled(fd, command, argument); }

/* Writes all calls down that carry bytes; `offset` is -1 for the place of the descriptor. */
static ssize_t written(int fd, const struct iovec *parts, int count, off64_t offset)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
	pthread_mutex_lock(&alone);
	struct iovec cut;
	if (watched[fd] == 1) {
		int bad = fails(SPACE | WRITES);
		/* A disk that fills up takes a part first. */
		int takes_half = fault_kind == FAULT_SHORT || (fault_kind == FAULT_FULL && fault_calls > 1 && counted == fault_first);
		if (bad && (!takes_half || count != 1 || parts[0].iov_len < 2)) {
			pthread_mutex_unlock(&alone);
			errno = refusal();
			return -1;
		}
		if (bad) {
			cut.iov_base = parts[0].iov_base;
			cut.iov_len = parts[0].iov_len / 2;
			parts = &cut;
		}
	}
	ssize_t put = offset < 0 ? real_writev(fd, parts, count) : real_pwritev64(fd, parts, count, offset);
	if (put > 0) {
		char *bytes = malloc((size_t)put);
		if (!bytes) die("no memory");
		size_t at = 0;
		for (int part = 0; part < count && at < (size_t)put; part++) {
			size_t length = parts[part].iov_len;
			if (length > (size_t)put - at) length = (size_t)put - at;
			memcpy(bytes + at, parts[part].iov_base, length);
			at += length;
		}
		/* After an append the place of the descriptor is where the bytes end. */
		off64_t begin = offset >= 0 ? offset : watched[fd] == 2 ? 0 : lseek64(fd, 0, SEEK_CUR) - put;
		if (watched[fd] == 1) fetched(fd, begin, at);
		note(watched[fd] == 2 ? OP_MARK : OP_WRITE, 0, 0, fd, (uint64_t)begin, NULL, 0, bytes, at);
		free(bytes);
	}
	pthread_mutex_unlock(&alone);
	return put;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	REAL(ssize_t, write, int, const void *, size_t);
	if (!is_watched(fd)) return real_write(fd, bytes, length);
	struct iovec part = { (void *)bytes, length };
	return written(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	return is_watched(fd) ? written(fd, parts, count, -1) : real_writev(fd, parts, count);
}

static ssize_t placed(int fd, const void *bytes, size_t length, off64_t offset)
{
	REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
	if (!is_watched(fd)) return real_pwrite64(fd, bytes, length, offset);
	struct iovec part = { (void *)bytes, length };
	return written(fd, &part, 1, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return placed(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return placed(fd, bytes, length, at); }

static ssize_t placed_parts(int fd, const struct iovec *parts, int count, off64_t offset)
{
	REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
	return is_watched(fd) ? written(fd, parts, count, offset) : real_pwritev64(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return placed_parts(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
	return placed_parts(fd, parts, count, at);
}

static ssize_t got(int fd, void *bytes, size_t length, off64_t offset)
{
	REAL(ssize_t, read, int, void *, size_t);
	REAL(ssize_t, pread64, int, void *, size_t, off64_t);
	if (!is_watched(fd)) return offset < 0 ? real_read(fd, bytes, length) : real_pread64(fd, bytes, length, offset);
	pthread_mutex_lock(&alone);
	off64_t from = offset >= 0 ? offset : lseek64(fd, 0, SEEK_CUR);
	ssize_t got = offset < 0 ? real_read(fd, bytes, length) : real_pread64(fd, bytes, length, offset);
	/* Where the end of a file is, the system knows without the device. */
	if (got > 0 && fetched(fd, from, (size_t)got) && fails(READS)) {
		if (offset < 0) lseek64(fd, from, SEEK_SET);
		pthread_mutex_unlock(&alone);
		memset(bytes, 0, (size_t)got);
		errno = refusal();
		return -1;
	}
	pthread_mutex_unlock(&alone);
	return got;
}

ssize_t read(int fd, void *bytes, size_t length) { return got(fd, bytes, length, -1); }
ssize_t pread(int fd, void *bytes, size_t length, off_t at) { return got(fd, bytes, length, at); }
ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) { return got(fd, bytes, length, at); }

static int cut(int fd, off64_t length)
{
	REAL(int, ftruncate64, int, off64_t);
	if (!is_watched(fd)) return real_ftruncate64(fd, length);
	pthread_mutex_lock(&alone);
	struct stat now;
	/* Making a file shorter needs no room. */
	REFUSE(fstat(fd, &now) == 0 && length > now.st_size ? SPACE | OTHER : OTHER);
	int done = real_ftruncate64(fd, length);
	if (!done) note(OP_TRUNCATE, 0, 0, fd, (uint64_t)length, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&alone);
	return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int cut_path(const char *path, off64_t length)
{
	char full[PATH_MAX];
	REAL(int, truncate64, const char *, off64_t);
	if (resolve(AT_FDCWD, path, full)) die("truncate by path is not recorded");
	return real_truncate64(path, length);
}

int truncate(const char *path, off_t length) { return cut_path(path, length); }
int truncate64(const char *path, off64_t length) { return cut_path(path, length); }

static int allocated(int fd, int how, off64_t from, off64_t length)
{
	REAL(int, fallocate64, int, int, off64_t, off64_t);
	if (is_watched(fd)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return real_fallocate64(fd, how, from, length);
}

int fallocate(int fd, int how, off_t from, off_t length) { return allocated(fd, how, from, length); }
int fallocate64(int fd, int how, off64_t from, off64_t length) { return allocated(fd, how, from, length); }
int posix_fallocate(int fd, off_t from, off_t length) { return allocated(fd, 0, from, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t from, off64_t length) { return allocated(fd, 0, from, length) ? errno : 0; }

/* A failed sync is logged as one: what was dirty may be gone, and the next sync says yes. */
static int synced(int fd, int (*real)(int))
{
	pthread_mutex_lock(&alone);
	if (fails(SYNCS)) {
		note(OP_SYNC, 0, EIO, fd, 0, NULL, 0, NULL, 0);
		pthread_mutex_unlock(&alone);
		errno = refusal();
		return -1;
	}
	int done = real(fd);
	if (!done) note(OP_SYNC, 0, 0, fd, 0, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&alone);
	return done;
}

int fsync(int fd)
{
	REAL(int, fsync, int);
	return is_watched(fd) ? synced(fd, real_fsync) : real_fsync(fd);
}

int fdatasync(int fd)
{
	REAL(int, fdatasync, int);
	return is_watched(fd) ? synced(fd, real_fdatasync) : real_fdatasync(fd);
}

int sync_file_range(int fd, off64_t from, off64_t length, unsigned int how)
{
	REAL(int, sync_file_range, int, off64_t, off64_t, unsigned int);
	if (!is_watched(fd)) return real_sync_file_range(fd, from, length, how);
	pthread_mutex_lock(&alone);
	REFUSE(SYNCS);
	int done = real_sync_file_range(fd, from, length, how);
	if (!done) note(OP_RANGE, 0, 0, fd, (uint64_t)from, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&alone);
	return done;
}

static int renamed(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	REAL(int, renameat2, int, const char *, int, const char *, unsigned int);
	char old[PATH_MAX], new[PATH_MAX];
	int inside = resolve(from_dir, from, old), also = resolve(to_dir, to, new);
	if (!inside && !also) return real_renameat2(from_dir, from, to_dir, to, flags);
	if (!inside || !also || flags) die("a rename across the root, or of a kind that is not recorded");
	pthread_mutex_lock(&alone);
	REFUSE(SPACE | OTHER);
	int done = real_renameat2(from_dir, from, to_dir, to, flags);
	if (!done) note(OP_RENAME, 0, 0, -1, 0, old, strlen(old), new, strlen(new));
	pthread_mutex_unlock(&alone);
	return done;
}

int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return renamed(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned int flags)
{
	return renamed(a, from, b, to, flags);
}

static int unlinked(int dir, const char *path, int flags)
{
	REAL(int, unlinkat, int, const char *, int);
	char full[PATH_MAX];
	if (!resolve(dir, path, full)) return real_unlinkat(dir, path, flags);
	pthread_mutex_lock(&alone);
	REFUSE(OTHER);
	int done = real_unlinkat(dir, path, flags);
	if (!done) note_path(flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, 0, -1, full);
	pthread_mutex_unlock(&alone);
	return done;
}

int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinked(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int dir, const char *path, int flags) { return unlinked(dir, path, flags); }

int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(int, mkdirat, int, const char *, mode_t);
	char full[PATH_MAX];
	if (!resolve(dir, path, full)) return real_mkdirat(dir, path, mode);
	pthread_mutex_lock(&alone);
	struct stat known;
	if (fstatat(AT_FDCWD, full, &known, 0) != 0) REFUSE(SPACE | OTHER);
	int done = real_mkdirat(dir, path, mode);
	if (!done) note_path(OP_MKDIR, 0, -1, full);
	pthread_mutex_unlock(&alone);
	return done;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	REAL(int, linkat, int, const char *, int, const char *, int);
	char full[PATH_MAX];
	if (resolve(b, to, full)) die("a hard link is not recorded");
	return real_linkat(a, from, b, to, flags);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned int flags)
{
	REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned int);
	if (!is_watched(out)) return real_copy_file_range(in, from, out, to, length, flags);
	errno = ENOSYS;
	return -1;
}

ssize_t sendfile(int out, int in, off_t *from, size_t length)
{
	REAL(ssize_t, sendfile, int, int, off_t *, size_t);
	if (!is_watched(out)) return real_sendfile(out, in, from, length);
	errno = ENOSYS;
	return -1;
}

ssize_t sendfile64(int out, int in, off64_t *from, size_t length)
{
	REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
	if (!is_watched(out)) return real_sendfile64(out, in, from, length);
	errno = ENOSYS;
	return -1;
}

static void *mapped(void *at, size_t length, int may, int how, int fd, off64_t offset)
{
	REAL(void *, mmap64, void *, size_t, int, int, int, off64_t);
	if (fd >= 0 && is_watched(fd) && may & PROT_WRITE && how & MAP_SHARED) die("a file is mapped to be written");
	return real_mmap64(at, length, may, how, fd, offset);
}

void *mmap(void *at, size_t length, int may, int how, int fd, off_t offset)
{
	return mapped(at, length, may, how, fd, offset);
}

void *mmap64(void *at, size_t length, int may, int how, int fd, off64_t offset)
{
	return mapped(at, length, may, how, fd, offset);
}
