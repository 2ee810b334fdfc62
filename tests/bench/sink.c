/* sink: takes every record that is sent to a datagram socket, and counts them. A datagram may have
 * several, in each of which is one line with its priority.
 *
 * sink SOCKET: in place of journald. For each byte on standard input, print how many records came in
 * so far; end when it ends.
 */
#define _GNU_SOURCE
#include "checked.h"

#include <poll.h>

enum { DATAGRAMS_AT_ONCE = 64, DATAGRAM_BYTES = 256 * 1024 };

static unsigned long long records;

static unsigned long long records_in(const char *data, size_t length)
{
	static const char line[] = "\nPRIORITY=";
	const char *end = data + length;
	unsigned long long found = 0;
	while ((data = memmem(data, (size_t)(end - data), line, sizeof(line) - 1))) {
		found++;
		data++;
	}
	return found;
}

/* Take all that waits. */
static void drain(int fd)
{
	static char data[DATAGRAMS_AT_ONCE][DATAGRAM_BYTES];
	static struct iovec parts[DATAGRAMS_AT_ONCE];
	struct mmsghdr messages[DATAGRAMS_AT_ONCE] = {0};
	for (int number = 0; number < DATAGRAMS_AT_ONCE; number++) {
		parts[number] = (struct iovec){data[number], DATAGRAM_BYTES};
		messages[number].msg_hdr.msg_iov = &parts[number];
		messages[number].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		int taken = recvmmsg(fd, messages, DATAGRAMS_AT_ONCE, MSG_DONTWAIT, NULL);
		if (taken < 0 && errno == EAGAIN)
			return;
		checked(taken, "recvmmsg");
		for (int number = 0; number < taken; number++)
			records += records_in(data[number], messages[number].msg_len);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: sink SOCKET");
	struct pollfd polled[] = {{.fd = bound(argv[1], SOCK_DGRAM), .events = POLLIN},
				  {.fd = STDIN_FILENO, .events = POLLIN}};
	for (;;) {
		char asked;
		checked(poll(polled, 2, -1), "poll");
		drain(polled[0].fd);
		if (!polled[1].revents)
			continue;
		if (checked(read(STDIN_FILENO, &asked, 1), "standard input") == 0)
			return 0;
		printf("%llu\n", records);
		checked(fflush(stdout), "standard output");
	}
}
