// SPDX-License-Identifier: Apache-2.0
// The program that plays scenarios inside the oracle's virtual machine. It is PID 1 there.
//
// Theory of operation. The plan (/plan, made by ../plan.ts) holds scenarios one after the other. A child process plays
// each of them in a network namespace of its own, so every scenario starts with an IPVS without services, connections or
// changed sysctls. The child owns the director's two network devices, TAPs named c0 and s0: a frame written to a TAP is
// received by the director, a frame read from a TAP was transmitted by the director. TAP delivers synchronously: when
// write() returns, everything that the kernel transmits at once because of the frame can be read.
//
// The machine has a virtual clock that skips idle time (QEMU's -icount sleep=off), so sleeping costs nothing.
//
// Plan, one directive a line:
//   scenario NAME      begins a scenario
//   ip ARGUMENTS       a line for `ip -batch`, nft LINE: a line for `nft -f`; both run at the next other directive
//   sysctl PATH VALUE  PATH below /proc/sys
//   devices            creates the TAPs
//   start              lets the devices settle, then begins the scenario's clock
//   at NANOSECONDS     sleeps until that time since the start
//   step N             names the step that what follows belongs to
//   rx PORT HEX        the director receives a frame
//   run COMMAND…       runs a command, without a shell
//   end                ends the scenario
// Transcript, on the debug console (I/O port 0xe9):
//   scenario NAME / step N NS / tx PORT NS HEX / out TEXT / status CODE / fault TEXT / end
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { debug_port = 0xe9, port_count = 2, longest_frame = 70000, longest_line = 2 * longest_frame + 64 };

// A new device sends reports of joined multicast groups for up to two seconds. After three seconds they are over.
static const uint64_t settle_ns = 3000000000ull;
static const uint64_t second_ns = 1000000000ull;

// The kernel rounds timers up, long timers more: those of up to 1048 s to multiples of 4096 ticks of 4 ms. Every scenario
// begins at a multiple of that, so that an entry expires equally late in every run.
static const uint64_t timer_raster_ns = 16384000000ull;

static const char* const port_names[port_count] = {"c0", "s0"};
static int taps[port_count];
static uint64_t origin_ns;

static char* transcript;
static size_t transcript_length;
static FILE* out;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * second_ns + (uint64_t)t.tv_nsec;
}

static long long since_start(void) {
  return (long long)(now_ns() - origin_ns);
}

static void flush_transcript(void) {
  fflush(out);
  for (size_t i = 0; i < transcript_length; i++) outb((unsigned char)transcript[i], debug_port);
}

static void open_transcript(void) {
  if (ioperm(debug_port, 1, 1) < 0) perror("ioperm");
  out = open_memstream(&transcript, &transcript_length);
}

static void fault(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(out, "fault ");
  vfprintf(out, format, arguments);
  fputc('\n', out);
  va_end(arguments);
}

static void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) fault("%s = %s: %s", path, text, strerror(errno));
  if (fd >= 0) close(fd);
}

static void create_taps(void) {
  for (int i = 0; i < port_count; i++) {
    struct ifreq request = {0};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    strcpy(request.ifr_name, port_names[i]);
    taps[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (taps[i] < 0 || ioctl(taps[i], TUNSETIFF, &request) < 0) fault("%s: %s", port_names[i], strerror(errno));
  }
}

static void read_taps(int recording) {
  static const char digits[] = "0123456789abcdef";
  static unsigned char frame[longest_frame];
  static char hex[2 * longest_frame + 1];
  for (int i = 0; i < port_count; i++) {
    ssize_t length;
    while ((length = read(taps[i], frame, sizeof frame)) > 0) {
      if (!recording) continue;
      for (ssize_t k = 0; k < length; k++) {
        hex[2 * k] = digits[frame[k] >> 4];
        hex[2 * k + 1] = digits[frame[k] & 15];
      }
      hex[2 * length] = 0;
      fprintf(out, "tx %s %lld %s\n", port_names[i], since_start(), hex);
    }
  }
}

static void wait_until(uint64_t deadline_ns, int recording) {
  for (;;) {
    read_taps(recording);
    uint64_t now = now_ns();
    if (now >= deadline_ns) return;
    uint64_t rest = deadline_ns - now;
    struct timespec timeout = {(time_t)(rest / second_ns), (long)(rest % second_ns)};
    struct pollfd polled[port_count] = {{taps[0], POLLIN, 0}, {taps[1], POLLIN, 0}};
    ppoll(polled, port_count, &timeout, NULL);
  }
}

// Runs a program with `input` on its standard input; its output goes to the transcript line by line.
static int run(char* const arguments[], const char* input, size_t input_length) {
  int in_pipe[2], out_pipe[2];
  if (pipe2(in_pipe, O_CLOEXEC) < 0 || pipe2(out_pipe, O_CLOEXEC) < 0) return -1;
  pid_t child = vfork();
  if (child == 0) {
    dup2(in_pipe[0], 0);
    dup2(out_pipe[1], 1);
    dup2(out_pipe[1], 2);
    execvp(arguments[0], arguments);
    _exit(127);
  }
  close(in_pipe[0]);
  close(out_pipe[1]);
  if (input_length > 0 && write(in_pipe[1], input, input_length) < 0) fault("%s: %s", arguments[0], strerror(errno));
  close(in_pipe[1]);
  FILE* lines = fdopen(out_pipe[0], "r");
  char line[4096];
  while (fgets(line, sizeof line, lines)) {
    line[strcspn(line, "\n")] = 0;
    fprintf(out, "out %s\n", line);
  }
  fclose(lines);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_line(char* line) {
  char* arguments[256];
  int count = 0;
  for (char* word = strtok(line, " "); word && count < 255; word = strtok(NULL, " ")) arguments[count++] = word;
  arguments[count] = NULL;
  fprintf(out, "status %d\n", count ? run(arguments, "", 0) : 0);
}

// Lines for one program that reads them all at once.
struct batch {
  char* arguments[4];
  char text[60000];
  size_t length;
};
static struct batch ip_lines = {{"ip", "-batch", "-", NULL}, "", 0};
static struct batch nft_lines = {{"nft", "-f", "-", NULL}, "", 0};

static void add_line(struct batch* batch, const char* line) {
  batch->length += (size_t)snprintf(batch->text + batch->length, sizeof batch->text - batch->length, "%s\n", line);
}

static void run_batch(struct batch* batch) {
  if (batch->length == 0) return;
  int status = run(batch->arguments, batch->text, batch->length);
  if (status != 0) fault("%s ended with %d", batch->arguments[0], status);
  batch->length = 0;
}

static void receive(char* text) {
  static unsigned char frame[longest_frame];
  size_t length = 0;
  int port = strncmp(text, port_names[1], 2) == 0;
  for (const char* hex = text + 3; hex[0] && hex[1] && length < sizeof frame; hex += 2) {
    unsigned byte = 0;
    sscanf(hex, "%2x", &byte);
    frame[length++] = (unsigned char)byte;
  }
  if (write(taps[port], frame, length) < 0) fprintf(out, "out refused by %s: %s\n", port_names[port], strerror(errno));
  read_taps(1);
}

static void start_clock(void) {
  wait_until(now_ns() + settle_ns, 0);
  origin_ns = (now_ns() / timer_raster_ns + 1) * timer_raster_ns;
  wait_until(origin_ns, 0);
}

static void run_directive(char* line) {
  char* text = strchr(line, ' ');
  text = text ? text + 1 : line + strlen(line);
  if (!strncmp(line, "ip ", 3)) return add_line(&ip_lines, text);
  if (!strncmp(line, "nft ", 4)) return add_line(&nft_lines, text);
  run_batch(&ip_lines);
  run_batch(&nft_lines);
  if (!strncmp(line, "sysctl ", 7)) {
    char* value = strchr(text, ' ');
    char path[512];
    snprintf(path, sizeof path, "/proc/sys/%.*s", (int)(value - text), text);
    write_file(path, value + 1);
  } else if (!strcmp(line, "devices")) {
    create_taps();
  } else if (!strcmp(line, "start")) {
    start_clock();
  } else if (!strncmp(line, "at ", 3)) {
    wait_until(origin_ns + strtoull(text, NULL, 10), 1);
  } else if (!strncmp(line, "step ", 5)) {
    fprintf(out, "step %s %lld\n", text, since_start());
  } else if (!strncmp(line, "rx ", 3)) {
    receive(text);
  } else if (!strncmp(line, "run ", 4)) {
    run_line(text);
    read_taps(1);
  } else {
    fault("unknown directive: %s", line);
  }
}

static void play(FILE* plan, char* line) {
  open_transcript();
  fprintf(out, "%s\n", line);
  if (unshare(CLONE_NEWNET) < 0) fault("unshare: %s", strerror(errno));
  while (fgets(line, longest_line, plan)) {
    line[strcspn(line, "\n")] = 0;
    if (!strcmp(line, "end")) break;
    run_directive(line);
  }
  fprintf(out, "end\n");
  flush_transcript();
}

static void play_all(FILE* plan) {
  static char line[longest_line];
  while (fgets(line, sizeof line, plan)) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "scenario ", 9) != 0) continue;
    long position = ftell(plan);
    pid_t child = fork();
    if (child == 0) {
      fseek(plan, position, SEEK_SET);
      play(plan, line);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    // The child shares the plan's file offset, but not what this process has buffered of it.
    fseek(plan, position, SEEK_SET);
  }
}

int main(void) {
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  setenv("PATH", "/bin:/sbin", 1);
  open_transcript();
  char* setup[] = {"/bin/busybox", "sh", "/setup", NULL};
  if (run(setup, "", 0) != 0) fault("/setup failed");
  FILE* plan = fopen("/plan", "re");
  if (!plan) fault("/plan: %s", strerror(errno));
  fprintf(out, "boot\n");
  flush_transcript();
  if (plan) play_all(plan);
  reboot(RB_POWER_OFF);
  return 1;
}
