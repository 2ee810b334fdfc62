/* load: a closed loop of commands over many sessions of an admin socket.
 *
 * load -s SOCKET -l LINE [-n SESSIONS] [-i IDLE] [-t SECONDS | -c COUNT]
 *     Open SESSIONS + IDLE sessions, run the line once in each, and print {"ready": N}. Then wait for
 *     a line on standard input; run the line in SESSIONS of them, one command in flight in each, for
 *     SECONDS or until COUNT were answered; print what came of it as a line of JSON. Keep all sessions
 *     open until standard input ends.
 * load -s SOCKET -l LINE -n SESSIONS -b
 *     Connect all sessions at once, as fast as the server takes them; print when each had its stream
 *     header, counted from the first connect. Then run the line once in each: a session that is
 *     closed, or gets an error for an answer, counts as refused.
 *
 * Exit status 1, and a message, if a session is lost (but in a burst), or nothing comes in for
 * PATIENCE_MS.
 */
#define _GNU_SOURCE
#include "checked.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum {
	SESSIONS_MAX = 16384,
	LINE_BYTES_MAX = 65536,
	EVENTS_AT_ONCE = 256,
	PATIENCE_MS = 60000,
	TAG_BYTES = 64,	   /* as much of a tag as tells it from others */
	READ_BYTES = 1 << 18,
};

static const char HEADER[] = "<?xml version='1.0'?><stream:stream "
			     "xmlns:stream='http://etherx.jabber.org/streams' "
			     "xmlns='xmpp:prosody.im/admin' xml:lang='en' id=''>";

struct session {
	int fd;
	bool in_tag, open, lost, failed; /* failed: an answer was an error */
	bool waiting;			 /* for its first answer */
	char tag[TAG_BYTES + 1];
	size_t tag_bytes; /* of the whole tag, however much of it is kept */
	char last;	  /* byte of the tag */
	double header_at;
};

static struct session *sessions;
static int session_count, poller;
static struct sockaddr_un server;
static char *command;
static size_t command_bytes;

static int opened, unopened, waiting; /* sessions: unopened were lost before their header */
static long results, errors;
static unsigned long long received;
static bool burst;

static double now(void)
{
	struct timespec time;
	checked(clock_gettime(CLOCK_MONOTONIC, &time), "clock_gettime");
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double processor_seconds(void)
{
	struct rusage usage;
	checked(getrusage(RUSAGE_SELF, &usage), "getrusage");
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void stop_waiting(struct session *session)
{
	waiting -= session->waiting;
	session->waiting = false;
}

static void lose(struct session *session, const char *why)
{
	if (!burst)
		errx(1, "session %td of %d: %s after %ld answers", session - sessions, session_count, why,
		     results);
	if (session->lost)
		return;
	session->lost = true;
	unopened += !session->open;
	stop_waiting(session);
	checked(epoll_ctl(poller, EPOLL_CTL_DEL, session->fd, NULL), "epoll_ctl");
}

/* One short write to a socket that has room: the server has read all that went before. */
static void say(struct session *session, const char *data, size_t size)
{
	ssize_t sent = send(session->fd, data, size, MSG_NOSIGNAL);
	if (sent < 0)
		lose(session, strerror(errno));
	else if ((size_t)sent != size)
		errx(1, "send: %zd of %zu bytes", sent, size);
}

/* Connect to the server with all sessions, one after the other; each waits for room in the backlog. */
static void *connect_all(void *unused)
{
	(void)unused;
	for (struct session *session = sessions; session < sessions + session_count; session++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
		session->fd = (int)checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
		checked(connect(session->fd, (struct sockaddr *)&server, sizeof server), "connect");
		if (send(session->fd, HEADER, sizeof HEADER - 1, MSG_NOSIGNAL) < 0 && errno != EPIPE)
			err(1, "send");
		checked(epoll_ctl(poller, EPOLL_CTL_ADD, session->fd, &event), "epoll_ctl");
	}
	return NULL;
}

/* Look at a tag that is complete; return whether it ends the answer to a command. */
static bool tag_ended(struct session *session)
{
	static const char RESULT[] = "repl-result";
	const char *tag = session->tag;
	if (!session->open && strncmp(tag, "stream:stream", 13) == 0) {
		session->open = true;
		session->header_at = now();
		opened++;
	} else if (strncmp(tag, "stream:error", 12) == 0 || strncmp(tag, "/stream:stream", 14) == 0) {
		lose(session, "the server ended the stream");
	} else if (strncmp(tag, RESULT, sizeof RESULT - 1) == 0) {
		if (strstr(tag, "type='error'") != NULL || strstr(tag, "type=\"error\"") != NULL) {
			session->failed = true;
			errors++;
		}
		return session->last == '/';
	} else {
		return tag[0] == '/' && strncmp(tag + 1, RESULT, sizeof RESULT - 1) == 0;
	}
	return false;
}

/* Read what there is; return how many answers it ended. */
static int take(struct session *session)
{
	static char data[READ_BYTES];
	ssize_t size = recv(session->fd, data, sizeof data, 0);
	int ended = 0;
	if (size <= 0) {
		lose(session, size < 0 ? strerror(errno) : "the server closed it");
		return 0;
	}
	received += (unsigned long long)size;
	for (const char *at = data, *end = data + size; at < end; at++) {
		if (!session->in_tag) {
			at = memchr(at, '<', (size_t)(end - at));
			if (at == NULL)
				break;
			session->in_tag = true;
			session->tag_bytes = 0;
		} else if (*at == '>') {
			session->in_tag = false;
			session->tag[session->tag_bytes < TAG_BYTES ? session->tag_bytes : TAG_BYTES] = '\0';
			ended += tag_ended(session);
		} else {
			if (session->tag_bytes < TAG_BYTES)
				session->tag[session->tag_bytes] = *at;
			session->tag_bytes++;
			session->last = *at;
		}
	}
	results += ended;
	if (ended)
		stop_waiting(session);
	return ended;
}

/* Wait for what comes in. Each session that ended an answer is asked again while `again` says so. */
static void one_turn(bool (*again)(void))
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int ready = epoll_wait(poller, events, EVENTS_AT_ONCE, PATIENCE_MS);
	if (ready < 0 && errno == EINTR)
		return;
	checked(ready, "epoll_wait");
	if (ready == 0)
		errx(1, "nothing comes in; %d of %d sessions open, %ld answers", opened, session_count,
		     results);
	for (int number = 0; number < ready; number++) {
		struct session *session = events[number].data.ptr;
		if (take(session) && again != NULL && again())
			say(session, command, command_bytes);
	}
}

static void ask_once_in_each(void)
{
	for (struct session *session = sessions; session < sessions + session_count; session++)
		if (!session->lost) {
			session->waiting = true;
			waiting++;
			say(session, command, command_bytes);
		}
	while (waiting > 0)
		one_turn(NULL);
}

static double deadline;
static long sent, count;

static bool goes_on(void)
{
	if (count ? sent >= count : now() >= deadline)
		return false;
	sent++;
	return true;
}

static void run_loop(int active, double seconds)
{
	double started = now(), processor = processor_seconds();
	results = errors = 0;
	received = 0;
	deadline = started + seconds;
	for (int number = 0; number < active && goes_on(); number++)
		say(&sessions[number], command, command_bytes);
	while (results < sent)
		one_turn(goes_on);
	double took = now() - started;
	printf("{\"commands\": %ld, \"errors\": %ld, \"seconds\": %.6f, \"processor\": %.6f, "
	       "\"received\": %llu}\n",
	       results, errors, took, processor_seconds() - processor, received);
}

static int in_order(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;
	return (a > b) - (a < b);
}

static void run_burst(void)
{
	pthread_t connecting;
	double started = now();
	if ((errno = pthread_create(&connecting, NULL, connect_all, NULL)) != 0)
		err(1, "pthread_create");
	while (opened + unopened < session_count)
		one_turn(NULL);
	if ((errno = pthread_join(connecting, NULL)) != 0)
		err(1, "pthread_join");
	double *waits = allocated((size_t)session_count, sizeof *waits);
	int waited = 0, refused = 0;
	for (int number = 0; number < session_count; number++)
		if (sessions[number].open)
			waits[waited++] = sessions[number].header_at - started;
	qsort(waits, (size_t)waited, sizeof *waits, in_order);
	ask_once_in_each();
	for (int number = 0; number < session_count; number++)
		refused += sessions[number].lost || sessions[number].failed;
	printf("{\"sessions\": %d, \"refused\": %d, \"median\": %.6f, \"max\": %.6f}\n", session_count,
	       refused, waited ? waits[waited / 2] : 0.0, waited ? waits[waited - 1] : 0.0);
	free(waits);
}

/* The stanza of a line, its text escaped. */
static void write_command(const char *line)
{
	if (strlen(line) > LINE_BYTES_MAX)
		errx(2, "-l: more than %d bytes", LINE_BYTES_MAX);
	command = allocated(strlen(line) * 5 + 64, 1);
	char *at = stpcpy(command, "<repl-input repl='0'>");
	for (; *line; line++)
		switch (*line) {
		case '<': at = stpcpy(at, "&lt;"); break;
		case '>': at = stpcpy(at, "&gt;"); break;
		case '&': at = stpcpy(at, "&amp;"); break;
		default: *at++ = *line;
		}
	at = stpcpy(at, "</repl-input>");
	command_bytes = (size_t)(at - command);
}

static double number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end || !(value >= least && value <= most))
		errx(2, "%s: expected a number from %g to %g", text, least, most);
	return value;
}

int main(int argc, char **argv)
{
	int active = 1, idle = 0, option;
	double seconds = 0;
	while ((option = getopt(argc, argv, "s:l:n:i:t:c:b")) != -1)
		switch (option) {
		case 's': server = address_of(optarg); break;
		case 'l': write_command(optarg); break;
		case 'n': active = (int)number(optarg, 0, SESSIONS_MAX); break;
		case 'i': idle = (int)number(optarg, 0, SESSIONS_MAX); break;
		case 't': seconds = number(optarg, 0.001, 3600); break;
		case 'c': count = (long)number(optarg, 1, 1e9); break;
		case 'b': burst = true; break;
		default: return 2;
		}
	if (!server.sun_family || command == NULL || optind != argc || active + idle == 0)
		errx(2, "usage: load -s SOCKET -l LINE [-n SESSIONS] [-i IDLE] [-t SECONDS | -c COUNT] [-b]");
	session_count = active + idle;
	sessions = allocated((size_t)session_count, sizeof *sessions);
	poller = (int)checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	if (burst) {
		run_burst();
		return 0;
	}
	connect_all(NULL);
	while (opened < session_count)
		one_turn(NULL);
	ask_once_in_each();
	printf("{\"ready\": %d}\n", session_count);
	checked(fflush(stdout), "standard output");
	if (getchar() == EOF)
		return 0;
	run_loop(active, seconds);
	checked(fflush(stdout), "standard output");
	while (getchar() != EOF) {
	}
	return 0;
}
