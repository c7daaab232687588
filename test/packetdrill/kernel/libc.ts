/** The system calls that scripts make, of the C library. */
import koffi from 'koffi';

const library = koffi.load('libc.so.6');

export const libc = {
  open: library.func('int open(const char *path, int flags)'),
  ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)'),
  read: library.func('long read(int fd, void *buffer, unsigned long length)'),
  write: library.func('long write(int fd, const void *buffer, unsigned long length)'),
  socket: library.func('int socket(int domain, int type, int protocol)'),
  bind: library.func('int bind(int fd, const void *address, int length)'),
  connect: library.func('int connect(int fd, const void *address, int length)'),
  listen: library.func('int listen(int fd, int backlog)'),
  accept4: library.func('int accept4(int fd, void *address, void *length, int flags)'),
  close: library.func('int close(int fd)'),
  shutdown: library.func('int shutdown(int fd, int how)'),
  send: library.func('long send(int fd, const void *buffer, unsigned long length, int flags)'),
  sendto: library.func(
    'long sendto(int fd, const void *buffer, unsigned long length, int flags, const void *address, int size)',
  ),
  recv: library.func('long recv(int fd, void *buffer, unsigned long length, int flags)'),
  setsockopt: library.func('int setsockopt(int fd, int level, int name, const void *value, int length)'),
  getsockopt: library.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  fcntl: library.func('int fcntl(int fd, int command, int argument)'),
  poll: library.func('int poll(void *fds, unsigned long count, int timeout)'),
};

/** The name of the last call's errno, as scripts have it. */
export function errnoName(): string {
  const number = koffi.errno();
  for (const [name, value] of Object.entries(koffi.os.errno))
    if (value === number && name !== 'EWOULDBLOCK') return name;
  return `E${number}`;
}
