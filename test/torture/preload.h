/*
 * What every library shares that a server loads before the C library: which files are below one folder, and how a file
 * is opened. Linux; every call is made by its number, so that none of ours is met again. Included once, by the library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS 65536
/* Inodes of what was opened below the folder; another file may have the descriptor by now, so each use looks. */
static _Atomic uint64_t opened[DESCRIPTORS];
static const char *root;
static size_t root_octets;

/* The folder, absolute, without symbolic links. Nothing is below it before it is named. */
static void set_root(const char *path) {
  root_octets = strlen(path);
  root = path;
}

static int is_below(const char *path) {
  return root != NULL && path != NULL && strncmp(path, root, root_octets) == 0 &&
         (path[root_octets] == '/' || path[root_octets] == '\0');
}

/* Of a file or folder below; else 0. */
static uint64_t inode_of(int fd) {
  struct stat status;
  if (root == NULL || fd < 0 || fd >= DESCRIPTORS) return 0;
  uint64_t inode = atomic_load(&opened[fd]);
  if (inode == 0) return 0;
  int saved = errno;
  int is_same = fstat(fd, &status) == 0 && status.st_ino == inode && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
  errno = saved;
  return is_same ? inode : 0;
}

/* The library's own: opens, and notes the inode of what is below. */
static int open_at(int folder, const char *path, int flags, mode_t mode);

#define MODE(flags)                                      \
  mode_t mode = 0;                                       \
  if ((flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { \
    va_list list;                                        \
    va_start(list, flags);                               \
    mode = va_arg(list, mode_t);                         \
    va_end(list);                                        \
  }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return open_at(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return open_at(folder, path, flags, mode); }
