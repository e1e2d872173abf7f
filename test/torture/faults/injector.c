/*
 * Preloaded into a server, makes its calls to the disk fail below one folder: which, and how, is said through a page of
 * memory that it shares with `injector.ts`. Linux; every call is made by its number, so that none of ours is met again.
 *
 *   FAULT_ROOT  the folder, absolute, without symbolic links
 *   FAULT_PAGE  the file that is the page
 */
#include "../preload.h"
#include <sys/mman.h>
#include <time.h>

enum kind { OPEN = 1, READ = 2, WRITE = 4, SYNC = 8, CUT = 16, NAME = 32, MAP = 64 };

/* Little-endian; `injector.ts` knows the places. */
struct page {
  _Atomic uint64_t calls; /* calls of the kinds below since it was last set to 0 */
  uint64_t from, to;      /* of these, by their number from 1, both included, fail */
  _Atomic uint64_t hits;  /* how many have */
  uint32_t kinds;
  int32_t error;          /* an errno, or one of the following */
  _Atomic uint32_t last;  /* the kind of the last that did */
};
#define SLOW (-1)  /* done, after a second */
#define SHORT (-2) /* a write ends halfway; other calls are left alone */
#define LIE (-3)   /* a write is said to be done, and is not: no disk may; the negative control */

static struct page *page;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULT_PAGE");
  const char *folder = getenv("FAULT_ROOT");
  if (path == NULL || folder == NULL) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  void *map = (void *)syscall(SYS_mmap, NULL, 4096UL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0UL);
  if (fd < 0 || map == MAP_FAILED) {
    dprintf(2, "fault injector: %s: %s\n", path, strerror(errno));
    _exit(97);
  }
  syscall(SYS_close, fd);
  page = map;
  set_root(folder);
}

/* Whether this call fails, and with it errno; a slow one has waited. */
static int fails(int is_meant, enum kind kind) {
  if (!is_meant || (page->kinds & kind) == 0) return 0;
  uint64_t call = atomic_fetch_add(&page->calls, 1) + 1;
  if (call < page->from || call > page->to) return 0;
  if (page->error <= SHORT && kind != WRITE) return 0;
  atomic_store(&page->last, kind);
  atomic_fetch_add(&page->hits, 1);
  if (page->error == SLOW) {
    struct timespec second = {1, 0};
    nanosleep(&second, NULL);
    return 0;
  }
  if (page->error > 0) errno = page->error;
  return 1;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
  int is_meant = is_below(path);
  if (fails(is_meant, OPEN)) return -1;
  int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
  if (fd < 0 || fd >= DESCRIPTORS) return fd;
  struct stat status;
  atomic_store(&opened[fd], is_meant && fstat(fd, &status) == 0 ? status.st_ino : 0);
  return fd;
}

ssize_t read(int fd, void *into, size_t octets) {
  return fails(inode_of(fd) != 0, READ) ? -1 : syscall(SYS_read, fd, into, octets);
}
ssize_t pread64(int fd, void *into, size_t octets, off64_t at) {
  return fails(inode_of(fd) != 0, READ) ? -1 : syscall(SYS_pread64, fd, into, octets, at);
}
ssize_t pread(int fd, void *into, size_t octets, off_t at) { return pread64(fd, into, octets, at); }
ssize_t preadv64(int fd, const struct iovec *pieces, int count, off64_t at) {
  return fails(inode_of(fd) != 0, READ) ? -1 : syscall(SYS_preadv, fd, pieces, count, (unsigned long)at, 0UL);
}
ssize_t preadv(int fd, const struct iovec *pieces, int count, off_t at) { return preadv64(fd, pieces, count, at); }

/* What a write may do: all, half, nothing (-1), or nothing although it says otherwise. */
enum verdict { ALL, HALF, NONE, NOTHING_TOLD };
static enum verdict judge(int fd, size_t parts) {
  if (!fails(inode_of(fd) != 0, WRITE)) return ALL;
  if (page->error == LIE) return NOTHING_TOLD;
  return page->error != SHORT ? NONE : parts > 1 ? HALF : ALL;
}
static ssize_t all_of(const struct iovec *pieces, int count) {
  ssize_t octets = 0;
  for (int i = 0; i < count; i++) octets += (ssize_t)pieces[i].iov_len;
  return octets;
}
/* Octets or pieces by half; what is left of them is written by CALL. */
#define WRITE_AS(parts, told, CALL)        \
  size_t left = (size_t)(parts);           \
  switch (judge(fd, left)) {               \
    case NONE: return -1;                  \
    case NOTHING_TOLD: return (told);      \
    case HALF: left /= 2; /* fallthrough */ \
    case ALL: return (CALL);               \
  }                                        \
  return -1;

ssize_t write(int fd, const void *octets, size_t count) {
  WRITE_AS(count, (ssize_t)count, syscall(SYS_write, fd, octets, left))
}
ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t at) {
  WRITE_AS(count, (ssize_t)count, syscall(SYS_pwrite64, fd, octets, left, at))
}
ssize_t pwrite(int fd, const void *octets, size_t count, off_t at) { return pwrite64(fd, octets, count, at); }
ssize_t writev(int fd, const struct iovec *pieces, int count) {
  WRITE_AS(count, all_of(pieces, count), syscall(SYS_writev, fd, pieces, (int)left))
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) {
  WRITE_AS(count, all_of(pieces, count), syscall(SYS_pwritev, fd, pieces, (int)left, (unsigned long)at, 0UL))
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) { return pwritev64(fd, pieces, count, at); }

int ftruncate64(int fd, off64_t octets) { return fails(inode_of(fd) != 0, CUT) ? -1 : (int)syscall(SYS_ftruncate, fd, octets); }
int ftruncate(int fd, off_t octets) { return ftruncate64(fd, octets); }

int fsync(int fd) { return fails(inode_of(fd) != 0, SYNC) ? -1 : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return fails(inode_of(fd) != 0, SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd); }

int rename(const char *from, const char *to) {
  return fails(is_below(to), NAME) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) { return fails(is_below(path), NAME) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
int mkdir(const char *path, mode_t mode) {
  return fails(is_below(path), NAME) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

void *mmap64(void *at, size_t octets, int protection, int flags, int fd, off64_t offset) {
  if (fails(fd >= 0 && inode_of(fd) != 0, MAP)) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, octets, protection, flags, fd, offset);
}
void *mmap(void *at, size_t octets, int protection, int flags, int fd, off_t offset) {
  return mmap64(at, octets, protection, flags, fd, offset);
}
