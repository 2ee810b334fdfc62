/* What every program here does alike: checks of system calls, and addresses. */
#ifndef CHECKED_H
#define CHECKED_H

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The result of a call, which is not an error. */
static inline long checked(long result, const char *what)
{
	if (result < 0)
		err(1, "%s", what);
	return result;
}

static inline void *allocated(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory == NULL)
		err(1, "calloc");
	return memory;
}

static inline struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		errx(1, "%s: longer than the address of a socket may be", path);
	strcpy(address.sun_path, path);
	return address;
}

/* A socket that is bound to `path`, and listens if it is one for streams. */
static inline int bound(const char *path, int type)
{
	struct sockaddr_un address = address_of(path);
	int fd = checked(socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "socket");
	checked(bind(fd, (struct sockaddr *)&address, sizeof address), path);
	if ((type & 0xf) == SOCK_STREAM)
		checked(listen(fd, 4096), "listen");
	return fd;
}

#endif
