/*
 * The floor of the benchmark: what fan-out costs when a server does nothing but
 * write(2). One thread waits in epoll for connections and for Redis; a message
 * from Redis becomes one frame, which is written to every open connection in the
 * order in which they were accepted, by that thread or by two, half each.
 *
 * It takes no tokens, has everybody in one room, and answers each handshake with
 * the same bytes, which fit only Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
 * (the key of RFC 6455, section 1.3).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MAX_FDS = 1 << 20, FRAME_HEADER = 10, TICK_MS = 100, SEND_TIMEOUT_S = 5 };
enum opcode { OP_TEXT = 0x1, OP_CLOSE = 0x8, OP_PING = 0x9, OP_PONG = 0xA };

struct buffer {
	char *data;
	size_t len, cap;
};

static const char handshake[] = "HTTP/1.1 101 Switching Protocols\r\n"
				"Upgrade: websocket\r\n"
				"Connection: Upgrade\r\n"
				"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/* Owned by the main thread; the second one reads them during a fan-out only. */
static int members[MAX_FDS]; /* descriptors in accept order */
static size_t num_members;
static char is_open[MAX_FDS]; /* by descriptor: the handshake was answered */

static int epfd, burst, num_threads = 1;
static double ping_interval = 25;

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

static void append(struct buffer *b, const void *data, size_t n)
{
	if (b->len + n > b->cap) {
		b->cap = 2 * (b->len + n);
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			die("realloc");
	}
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

/* A server's frame (RFC 6455, section 5.2): FIN and opcode, length, payload. */
static void append_frame(struct buffer *b, enum opcode op, const char *payload, size_t n)
{
	unsigned char h[FRAME_HEADER] = {0x80 | op, n};
	size_t len = 2;

	if (n > 125) {
		int bytes = n > 0xFFFF ? 8 : 2;
		h[1] = bytes == 8 ? 127 : 126;
		for (int i = 0; i < bytes; i++)
			h[2 + i] = (uint64_t)n >> 8 * (bytes - 1 - i);
		len += bytes;
	}
	append(b, h, len);
	append(b, payload, n);
}

/* Members block for SEND_TIMEOUT_S at most; one that takes less than all of it
 * is ended, by way of epoll, which reports the end to the main thread. */
static void write_all(int fd, const struct buffer *b)
{
	if (write(fd, b->data, b->len) != (ssize_t)b->len)
		shutdown(fd, SHUT_RDWR);
}

static void write_range(const struct buffer *b, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (is_open[members[i]])
			write_all(members[i], b);
}

/* The second thread: waits for a buffer, writes it to the upper half. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const struct buffer *shared; /* guarded by mu; NULL when it is written */

static void *second_thread(void *unused)
{
	pthread_mutex_lock(&mu);
	for (;;) {
		while (!shared)
			pthread_cond_wait(&changed, &mu);
		const struct buffer *b = shared;
		pthread_mutex_unlock(&mu);
		write_range(b, num_members / 2, num_members);
		pthread_mutex_lock(&mu);
		shared = NULL;
		pthread_cond_signal(&changed);
	}
	return unused;
}

static void fan_out(const struct buffer *b)
{
	if (num_threads == 1) {
		write_range(b, 0, num_members);
		return;
	}
	pthread_mutex_lock(&mu);
	shared = b;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mu);
	write_range(b, 0, num_members / 2);
	pthread_mutex_lock(&mu);
	while (shared)
		pthread_cond_wait(&changed, &mu);
	pthread_mutex_unlock(&mu);
}

static void watch(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl");
}

static void accept_members(int listener)
{
	struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (fd >= MAX_FDS) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
		is_open[fd] = 0;
		members[num_members++] = fd;
		watch(fd);
	}
}

static void remove_member(int fd)
{
	for (size_t i = 0; i < num_members; i++) {
		if (members[i] == fd) {
			num_members--;
			memmove(members + i, members + i + 1, (num_members - i) * sizeof *members);
			break;
		}
	}
	close(fd);
}

/* Answers {"type":"join_room","content":"ROOM"}; other messages are ignored. */
static void answer_text(struct buffer *out, const char *text)
{
	static const char key[] = "\"content\":\"";
	const char *room = strstr(text, key), *end;
	char joined[512];

	if (!strstr(text, "\"join_room\"") || !room)
		return;
	room += sizeof key - 1;
	end = strchr(room, '"');
	if (!end || end - room > 255)
		return;
	int n = snprintf(joined, sizeof joined, "{\"type\":\"joined\",\"room\":\"%.*s\"}", (int)(end - room), room);
	append_frame(out, OP_TEXT, joined, n);
}

/* Takes one masked frame of a client from the n bytes at p and returns its
 * length: 0 when it is not complete, -1 when the connection is to end. */
static ssize_t take_frame(struct buffer *out, const unsigned char *p, size_t n)
{
	size_t head = 6, len;
	char text[1 << 16];

	if (n < head)
		return 0;
	if (!(p[1] & 0x80) || (p[1] & 0x7F) == 127)
		return -1;
	len = p[1] & 0x7F;
	if (len == 126) {
		head = 8;
		len = p[2] << 8 | p[3];
	}
	if (n < head + len)
		return 0;
	for (size_t i = 0; i < len; i++)
		text[i] = p[head + i] ^ p[head - 4 + i % 4];
	text[len] = 0;
	switch (p[0] & 0x0F) {
	case OP_TEXT:
		answer_text(out, text);
		break;
	case OP_PING:
		append_frame(out, OP_PONG, text, len);
		break;
	case OP_CLOSE:
		append_frame(out, OP_CLOSE, text, len < 2 ? 0 : 2);
		break;
	}
	return (p[0] & 0x0F) == OP_CLOSE ? -1 : (ssize_t)(head + len);
}

/* Reads what a member sent: the request first, then frames. What is not
 * complete stays in the kernel, so that a connection needs no buffer here. */
static void read_member(int fd)
{
	static char in[1 << 17];
	static struct buffer out;
	ssize_t n = recv(fd, in, sizeof in - 1, MSG_PEEK | MSG_DONTWAIT), used = 0, frame = 0;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			remove_member(fd);
		return;
	}
	out.len = 0;
	if (!is_open[fd]) {
		in[n] = 0;
		char *end = strstr(in, "\r\n\r\n");
		if (!end)
			return;
		used = end + 4 - in;
		append(&out, handshake, sizeof handshake - 1);
		is_open[fd] = 1;
	}
	while (used < n && (frame = take_frame(&out, (unsigned char *)in + used, n - used)) > 0)
		used += frame;
	if (out.len)
		write_all(fd, &out);
	if (frame < 0)
		remove_member(fd);
	else if (used)
		recv(fd, in, used, MSG_DONTWAIT);
}

/* Pings an equal part of the members at each tick, each once per interval. */
static void ping_some(int timer)
{
	static struct buffer ping;
	static double due;
	static size_t next;
	uint64_t ticks;

	if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
		return;
	if (!ping.len)
		append_frame(&ping, OP_PING, "", 0);
	for (due += num_members * (ticks * TICK_MS / 1000.0) / ping_interval; due >= 1; due--) {
		if (next >= num_members)
			next = 0;
		if (num_members)
			write_range(&ping, next, next + 1);
		next++;
	}
}

/* Takes a line of RESP, "*3\r\n" say, and returns its number, -1 when it is not
 * complete. */
static long take_number(const char **p, const char *end)
{
	const char *eol = memchr(*p, '\n', end - *p);

	if (!eol)
		return -1;
	long n = strtol(*p + 1, NULL, 10);
	*p = eol + 1;
	return n;
}

/* Takes one push of Redis, an array of strings with an integer at the end of a
 * confirmation, and returns its length, 0 when it is not complete. last is set to
 * its last string when it is a message. */
static size_t take_push(const char *start, const char *end, const char **last, size_t *last_len)
{
	const char *p = start;
	long parts = take_number(&p, end);

	*last = NULL;
	for (long i = 0; i < parts; i++) {
		if (p == end)
			return 0;
		int is_string = *p == '$';
		long n = take_number(&p, end);
		if (n < 0 || (is_string && end - p < n + 2))
			return 0;
		*last = is_string ? p : NULL;
		*last_len = n;
		p += is_string ? n + 2 : 0;
	}
	return parts < 0 ? 0 : p - start;
}

/* Delivers the messages that have arrived, one by one or, in burst mode, all in
 * one write to each member. Returns how many confirmations were among them. */
static int read_redis(int fd)
{
	static struct buffer in, out;
	static char chunk[1 << 16];
	ssize_t n = read(fd, chunk, sizeof chunk);
	size_t used = 0, len, size;
	const char *payload;
	int confirmed = 0;

	if (n <= 0)
		die("connection to Redis");
	if (*chunk == '-' && !in.len)
		die("subscription refused by Redis");
	append(&in, chunk, n);
	out.len = 0;
	while ((len = take_push(in.data + used, in.data + in.len, &payload, &size)) > 0) {
		used += len;
		if (!payload) {
			confirmed++;
			continue;
		}
		append_frame(&out, OP_TEXT, payload, size);
		if (!burst) {
			fan_out(&out);
			out.len = 0;
		}
	}
	if (out.len)
		fan_out(&out);
	in.len -= used;
	memmove(in.data, in.data + used, in.len);
	return confirmed;
}

/* Splits "host:port", as found in an address or in redis://host:port/0. */
static struct addrinfo *resolve(const char *address, int flags)
{
	char host[256];
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found;

	snprintf(host, sizeof host, "%.*s", (int)strcspn(address, "/"), address);
	char *colon = strrchr(host, ':');
	if (colon)
		*colon = 0;
	if (!colon || getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found))
		die(address);
	return found;
}

static int connect_redis(const char *url)
{
	static const char subscribe[] = "PSUBSCRIBE websocket:room:*\r\nSUBSCRIBE websocket:broadcast\r\n";
	static const char scheme[] = "redis://";

	if (strncmp(url, scheme, sizeof scheme - 1) || strchr(url, '@'))
		die("--redis must be redis://HOST:PORT");
	struct addrinfo *a = resolve(url + sizeof scheme - 1, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		die("connect to Redis");
	freeaddrinfo(a);
	if (write(fd, subscribe, sizeof subscribe - 1) < 0)
		die("subscribe");
	for (int confirmed = 0; confirmed < 2;)
		confirmed += read_redis(fd);
	return fd;
}

static int listen_on(const char *address)
{
	struct addrinfo *a = resolve(address, AI_PASSIVE);
	struct sockaddr_in bound;
	socklen_t len = sizeof bound;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 65535) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		die("listen");
	freeaddrinfo(a);
	fprintf(stderr, "{\"message\":\"serving\",\"listen\":\"%s:%d\"}\n", inet_ntoa(bound.sin_addr), ntohs(bound.sin_port));
	return fd;
}

static int start_timer(void)
{
	struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
	struct itimerspec every = {.it_interval = tick, .it_value = tick};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0)
		die("timer");
	return fd;
}

static double seconds(const char *duration)
{
	char *unit;
	double n = strtod(duration, &unit);

	n *= strcmp(unit, "ms") == 0 ? 0.001 : strcmp(unit, "s") == 0 ? 1 : strcmp(unit, "m") == 0 ? 60 : 0;
	if (n <= 0)
		die("--ping-interval must be like 25s, 500ms or 1m");
	return n;
}

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", required_argument, NULL, 'l'},  {"secret", required_argument, NULL, 's'},
		{"redis", required_argument, NULL, 'r'},   {"ping-interval", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'}, {"burst", no_argument, NULL, 'b'},
		{0},
	};
	const char *listen_address = "127.0.0.1:0", *url = "redis://127.0.0.1:6379";
	pthread_t thread;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'l': listen_address = optarg; break;
		case 's': break; /* it takes no tokens */
		case 'r': url = optarg; break;
		case 'p': ping_interval = seconds(optarg); break;
		case 't': num_threads = atoi(optarg); break;
		case 'b': burst = 1; break;
		default: return 2;
		}
	}
	if (num_threads < 1 || num_threads > 2)
		die("--threads must be 1 or 2");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	if (num_threads == 2 && pthread_create(&thread, NULL, second_thread, NULL))
		die("thread");

	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		die("epoll_create1");
	int redis = connect_redis(url), timer = start_timer(), listener = listen_on(listen_address);
	watch(redis);
	watch(timer);
	watch(listener);
	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(epfd, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener)
				accept_members(listener);
			else if (fd == redis)
				read_redis(redis);
			else if (fd == timer)
				ping_some(timer);
			else
				read_member(fd);
		}
	}
}
