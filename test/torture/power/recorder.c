/*
 * Preloaded into a server, writes down what it asks of the disk below one folder: names, octets, syncs, in their order.
 * `recording.ts` reads it and makes from it what a power cut could leave. Linux; every call is made by its number, so that
 * none of ours is met again.
 *
 *   POWER_ROOT  the folder, absolute, without symbolic links
 *   POWER_LOG   the file that is written
 *
 * A record, little-endian: u32 octets of all of it, u8 kind, u8 flag, u16 octets of the first path, u64 inode, u64 number,
 * then the first path and what is left (octets, or the second path). What changes something is written down after it was
 * done, a sync before and after.
 */
#include "../preload.h"
#include <limits.h>

enum kind { OPEN = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR };

struct record {
  uint32_t octets;
  uint8_t kind;
  uint8_t flag;
  uint16_t path;
  uint64_t inode;
  uint64_t number;
} __attribute__((packed));

static int log_fd = -1;
static _Atomic uint64_t syncs;

static void fail(const char *what) {
  dprintf(2, "power recorder: %s: %s\n", what, strerror(errno));
  _exit(97);
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWER_LOG");
  const char *folder = getenv("POWER_ROOT");
  if (path == NULL || folder == NULL) return;
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) fail(path);
  set_root(folder);
}

/* One writev to a file opened for appending is one piece, whoever else writes. */
static void put(enum kind kind, int flag, uint64_t inode, uint64_t number, const char *path,
                const struct iovec *rest, int count, size_t limit) {
  struct record record = {0, (uint8_t)kind, (uint8_t)flag, path == NULL ? 0 : (uint16_t)strlen(path), inode, number};
  struct iovec pieces[IOV_MAX];
  int saved = errno, at = 0;
  size_t all = sizeof record + record.path;
  pieces[at++] = (struct iovec){&record, sizeof record};
  if (record.path > 0) pieces[at++] = (struct iovec){(void *)path, record.path};
  for (int i = 0; i < count && limit > 0 && at < IOV_MAX; i++) {
    size_t octets = rest[i].iov_len < limit ? rest[i].iov_len : limit;
    pieces[at++] = (struct iovec){rest[i].iov_base, octets};
    limit -= octets;
    all += octets;
  }
  record.octets = (uint32_t)all;
  if (limit > 0 || syscall(SYS_writev, log_fd, pieces, at) != (ssize_t)all) fail("the log");
  errno = saved;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
  int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
  if (fd < 0 || fd >= DESCRIPTORS) return fd;
  atomic_store(&opened[fd], 0);
  struct stat status;
  if (!is_below(path) || fstat(fd, &status) != 0) return fd;
  put(OPEN, (S_ISDIR(status.st_mode) ? 1 : 0) | (flags & O_TRUNC ? 2 : 0), status.st_ino, 0, path, NULL, 0, 0);
  atomic_store(&opened[fd], status.st_ino);
  return fd;
}

static void wrote(uint64_t inode, ssize_t done, off_t at, const struct iovec *pieces, int count) {
  if (inode != 0 && done > 0) put(WRITE, 0, inode, (uint64_t)at, NULL, pieces, count, (size_t)done);
}

ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t at) {
  uint64_t inode = inode_of(fd);
  ssize_t done = syscall(SYS_pwrite64, fd, octets, count, at);
  struct iovec piece = {(void *)octets, count};
  wrote(inode, done, at, &piece, 1);
  return done;
}
ssize_t pwrite(int fd, const void *octets, size_t count, off_t at) { return pwrite64(fd, octets, count, at); }

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) {
  uint64_t inode = inode_of(fd);
  ssize_t done = syscall(SYS_pwritev, fd, pieces, count, (unsigned long)at, 0UL);
  wrote(inode, done, at, pieces, count);
  return done;
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) { return pwritev64(fd, pieces, count, at); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  uint64_t inode = inode_of(fd);
  ssize_t done = syscall(SYS_writev, fd, pieces, count);
  /* The place behind what was written, appended or not. */
  if (inode != 0 && done > 0) wrote(inode, done, (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - done, pieces, count);
  return done;
}
ssize_t write(int fd, const void *octets, size_t count) {
  if (inode_of(fd) == 0) return syscall(SYS_write, fd, octets, count);
  struct iovec piece = {(void *)octets, count};
  return writev(fd, &piece, 1);
}

int ftruncate64(int fd, off64_t octets) {
  uint64_t inode = inode_of(fd);
  int failed = (int)syscall(SYS_ftruncate, fd, octets);
  if (inode != 0 && failed == 0) put(TRUNCATE, 0, inode, (uint64_t)octets, NULL, NULL, 0, 0);
  return failed;
}
int ftruncate(int fd, off_t octets) { return ftruncate64(fd, octets); }

static int sync_by(long call, int fd) {
  uint64_t inode = inode_of(fd);
  if (inode == 0) return (int)syscall(call, fd);
  uint64_t number = atomic_fetch_add(&syncs, 1) + 1;
  put(SYNC_BEGIN, 0, inode, number, NULL, NULL, 0, 0);
  int failed = (int)syscall(call, fd);
  if (failed == 0) put(SYNC_END, 0, inode, number, NULL, NULL, 0, 0);
  return failed;
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

int rename(const char *from, const char *to) {
  int failed = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  struct iovec piece = {(void *)to, strlen(to)};
  if (failed == 0 && is_below(from) && is_below(to)) put(RENAME, 0, 0, 0, from, &piece, 1, piece.iov_len);
  return failed;
}

int unlinkat(int folder, const char *path, int flags) {
  int failed = (int)syscall(SYS_unlinkat, folder, path, flags);
  if (failed == 0 && is_below(path)) put(UNLINK, 0, 0, 0, path, NULL, 0, 0);
  return failed;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode) {
  int failed = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  if (failed == 0 && is_below(path)) put(MKDIR, 0, 0, 0, path, NULL, 0, 0);
  return failed;
}

/* What would escape being written down is refused, loudly. */
static int escape(const char *what) {
  errno = ENOSYS;
  fail(what);
  return -1;
}
int link(const char *from, const char *to) { return is_below(to) ? escape("link") : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }
int fallocate64(int fd, int mode, off64_t at, off64_t octets) { return inode_of(fd) != 0 ? escape("fallocate") : (int)syscall(SYS_fallocate, fd, mode, at, octets); }
int fallocate(int fd, int mode, off_t at, off_t octets) { return fallocate64(fd, mode, at, octets); }
int posix_fallocate(int fd, off_t at, off_t octets) { return inode_of(fd) != 0 ? escape("posix_fallocate") : (int)syscall(SYS_fallocate, fd, 0, at, octets); }
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t octets, unsigned flags) {
  return inode_of(out) != 0 ? escape("copy_file_range") : syscall(SYS_copy_file_range, in, in_at, out, out_at, octets, flags);
}
