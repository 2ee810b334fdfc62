/* sink: takes every record that is sent to a datagram socket, and counts them.
 *
 * sink SOCKET: in place of journald. For each byte on standard input, print how many records came in
 * so far; end when it ends.
 */
#define _GNU_SOURCE
#include "checked.h"

#include <poll.h>

enum { RECORDS_AT_ONCE = 64, RECORD_BYTES = 4096 };

static unsigned long long records;

/* Take all that waits. Longer records are cut short: only their number matters. */
static void drain(int fd)
{
	static char data[RECORDS_AT_ONCE][RECORD_BYTES];
	static struct iovec parts[RECORDS_AT_ONCE];
	struct mmsghdr messages[RECORDS_AT_ONCE] = {0};
	for (int number = 0; number < RECORDS_AT_ONCE; number++) {
		parts[number] = (struct iovec){data[number], RECORD_BYTES};
		messages[number].msg_hdr.msg_iov = &parts[number];
		messages[number].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		int taken = recvmmsg(fd, messages, RECORDS_AT_ONCE, MSG_DONTWAIT, NULL);
		if (taken < 0 && errno == EAGAIN)
			return;
		records += (unsigned long long)checked(taken, "recvmmsg");
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
