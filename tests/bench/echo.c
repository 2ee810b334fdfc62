/* echo: an admin socket that does nothing but answer, to show how fast the load generator can be.
 *
 * echo SOCKET [JOURNAL]: what a client sends first gets a stream header; each stanza after it a result.
 * A client has one command in flight, so what is read at once is one stanza. With JOURNAL, two records
 * go there before each result, as long as the service's: what no server that keeps a record can beat.
 */
#define _GNU_SOURCE
#include "checked.h"

#include <sys/epoll.h>

enum { CLIENTS_MAX = 16384, EVENTS_AT_ONCE = 256 };

static const char HEADER[] = "<?xml version='1.0'?><stream:stream "
			     "xmlns:stream='http://etherx.jabber.org/streams' "
			     "xmlns='xmpp:prosody.im/admin'>";
static const char RESULT[] = "<repl-result>OK: 1</repl-result>";

enum { RECORDS = 2, RECORD_BYTES = 640 };

static char opened[CLIENTS_MAX];

static int journal = -1;
static struct sockaddr_un journal_address;

static void leave_records(void)
{
	static const char record[RECORD_BYTES];
	for (int number = 0; number < RECORDS && journal >= 0; number++)
		checked(sendto(journal, record, sizeof record, 0, (struct sockaddr *)&journal_address,
			       sizeof journal_address),
			"sendto");
}

static void serve(int fd)
{
	char data[65536];
	ssize_t size = recv(fd, data, sizeof data, 0);
	if (size <= 0) {
		opened[fd] = 0;
		close(fd);
		return;
	}
	if (data[size - 1] != '>') /* the rest is still to come */
		return;
	const char *answer = opened[fd] ? RESULT : HEADER;
	if (opened[fd])
		leave_records();
	if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		err(1, "send");
	opened[fd] = 1;
}

int main(int argc, char **argv)
{
	if (argc != 2 && argc != 3)
		errx(2, "usage: echo SOCKET [JOURNAL]");
	if (argc == 3) {
		journal = checked(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
		journal_address = address_of(argv[2]);
	}
	int listening = bound(argv[1], SOCK_STREAM);
	int poller = (int)checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listening};
	checked(epoll_ctl(poller, EPOLL_CTL_ADD, listening, &event), "epoll_ctl");
	for (;;) {
		struct epoll_event events[EVENTS_AT_ONCE];
		long ready = checked(epoll_wait(poller, events, EVENTS_AT_ONCE, -1), "epoll_wait");
		for (long number = 0; number < ready; number++) {
			if (events[number].data.fd != listening) {
				serve(events[number].data.fd);
				continue;
			}
			event.data.fd = (int)checked(accept4(listening, NULL, NULL, SOCK_CLOEXEC), "accept");
			if (event.data.fd >= CLIENTS_MAX)
				errx(1, "more than %d clients", CLIENTS_MAX);
			checked(epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
		}
	}
}
