/* pump: the least that can stand in front of a socket, to compare a relay with.
 *
 * pump SOCKET UPSTREAM: for each client of SOCKET, connect to UPSTREAM and copy bytes both ways, until
 * one side ends. It reads nothing of what it copies.
 */
#define _GNU_SOURCE
#include "checked.h"

#include <stdbool.h>
#include <sys/epoll.h>

enum { EVENTS_AT_ONCE = 256, BUFFER_BYTES = 65536 };

/* One end of a pair; `data` is what came from it and the other end has not taken yet. */
struct end {
	int fd;
	struct end *other, *next_freed;
	size_t start, size;
	bool closed;
	char data[BUFFER_BYTES];
};

static int poller;
static struct end *freed; /* at the end of a turn: events for them may still be queued */

static void watch(struct end *end, int operation)
{
	struct epoll_event event = {.data.ptr = end};
	event.events = (end->size ? 0 : EPOLLIN) | (end->other->size ? EPOLLOUT : 0);
	checked(epoll_ctl(poller, operation, end->fd, &event), "epoll_ctl");
}

static void part(struct end *end)
{
	for (struct end *each = end;; each = end->other) {
		close(each->fd);
		each->closed = true;
		each->next_freed = freed;
		freed = each;
		if (each == end->other)
			return;
	}
}

/* Give the other end what came from this one; false if that end is gone. */
static bool pass_on(struct end *from)
{
	ssize_t sent = send(from->other->fd, from->data + from->start, from->size,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN;
	from->start += (size_t)sent;
	from->size -= (size_t)sent;
	return true;
}

static bool take(struct end *end)
{
	ssize_t size = recv(end->fd, end->data, sizeof end->data, MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN;
	end->start = 0;
	end->size = (size_t)size;
	return size > 0 && pass_on(end);
}

static void serve(struct end *end, unsigned events)
{
	if (end->closed)
		return;
	bool waited = end->size, other_waited = end->other->size, alive = true;
	if (other_waited && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		alive = pass_on(end->other);
	if (alive && !waited && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		alive = take(end);
	if (!alive) {
		part(end);
	} else if (waited != !!end->size || other_waited != !!end->other->size) {
		watch(end, EPOLL_CTL_MOD);
		watch(end->other, EPOLL_CTL_MOD);
	}
}

static void begin(int client, const struct sockaddr_un *upstream)
{
	struct end *one = allocated(1, sizeof *one), *other = allocated(1, sizeof *other);
	*one = (struct end){.fd = client, .other = other};
	*other = (struct end){.other = one};
	other->fd = (int)checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	checked(connect(other->fd, (const struct sockaddr *)upstream, sizeof *upstream), "connect");
	watch(one, EPOLL_CTL_ADD);
	watch(other, EPOLL_CTL_ADD);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: pump SOCKET UPSTREAM");
	struct sockaddr_un upstream = address_of(argv[2]);
	int listening = bound(argv[1], SOCK_STREAM);
	poller = (int)checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	checked(epoll_ctl(poller, EPOLL_CTL_ADD, listening, &event), "epoll_ctl");
	for (;;) {
		struct epoll_event events[EVENTS_AT_ONCE];
		long ready = checked(epoll_wait(poller, events, EVENTS_AT_ONCE, -1), "epoll_wait");
		for (long number = 0; number < ready; number++) {
			if (events[number].data.ptr != NULL)
				serve(events[number].data.ptr, events[number].events);
			else
				begin((int)checked(accept4(listening, NULL, NULL, SOCK_CLOEXEC), "accept"),
				      &upstream);
		}
		while (freed != NULL) {
			struct end *next = freed->next_freed;
			free(freed);
			freed = next;
		}
	}
}
