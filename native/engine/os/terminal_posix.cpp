// terminal.h for Linux, macOS and the BSDs.
#ifndef _WIN32

#include "terminal.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static std::atomic<bool> interrupted{false};
static int               wake_fds[2] = {-1, -1}; // a pipe: the handler may run in any thread
static termios           original_state;
static std::atomic<bool> have_original{false};
static std::atomic<bool> has_mode{false}; // other than as it was found

static unsigned char input[4096]; // read, not yet asked for
static size_t        input_pos  = 0;
static size_t        input_size = 0;

bool terminal_input_is_tty()  { return isatty(STDIN_FILENO);  }
bool terminal_output_is_tty() { return isatty(STDOUT_FILENO); }
bool terminal_error_is_tty()  { return isatty(STDERR_FILENO); }

bool terminal_is_dumb() {
    const char * term = getenv("TERM");
    return !term || !*term || strcmp(term, "dumb") == 0;
}

bool terminal_can_edit() {
    return terminal_input_is_tty() && terminal_output_is_tty() && !terminal_is_dumb();
}

void terminal_open() {
    if (fcntl(STDIN_FILENO, F_GETFD) < 0) {
        open("/dev/null", O_RDONLY); // started without input: the number must not go to the pipe below
    }
    if (wake_fds[0] < 0 && pipe(wake_fds) == 0) {
        for (int fd : wake_fds) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
    if (tcgetattr(STDIN_FILENO, &original_state) == 0) {
        have_original = true;
    }
}

void terminal_set_mode(terminal_mode mode) {
    if (!have_original) {
        return;
    }
    has_mode = mode != TERMINAL_MODE_ORIGINAL;
    termios state = original_state;
    if (mode != TERMINAL_MODE_ORIGINAL) {
        state.c_lflag &= ~(ICANON | ECHO);
        state.c_cc[VMIN]  = 1;
        state.c_cc[VTIME] = 0;
    }
    if (mode == TERMINAL_MODE_RAW) {
        state.c_iflag &= ~(IXON | ICRNL | INLCR | ISTRIP);
        state.c_lflag &= ~(ISIG | IEXTEN);
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &state);
}

void terminal_close() {
    if (have_original) {
        tcsetattr(STDIN_FILENO, TCSANOW, &original_state);
    }
}

void terminal_reset() {
    static const char END[] = "\x1b[0m\x1b[?2004l";
    terminal_close();
    if (has_mode) {
        const ssize_t ignored = write(STDOUT_FILENO, END, sizeof(END) - 1);
        (void) ignored;
    }
}

static void wake_drain() {
    char buffer[64];
    while (read(wake_fds[0], buffer, sizeof(buffer)) > 0) {
    }
}

int terminal_read() {
    while (input_pos == input_size) {
        pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {wake_fds[0], POLLIN, 0}};
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return TERMINAL_END;
        }
        if (fds[1].revents) {
            terminal_interrupt_clear();
            return TERMINAL_INTERRUPT;
        }
        const ssize_t n = read(STDIN_FILENO, input, sizeof(input));
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n <= 0) {
            return TERMINAL_END;
        }
        input_pos  = 0;
        input_size = (size_t) n;
    }
    return input[input_pos++];
}

bool terminal_pending(int timeout_ms) {
    if (input_pos < input_size) {
        return true;
    }
    pollfd fd = {STDIN_FILENO, POLLIN, 0};
    return poll(&fd, 1, timeout_ms) > 0;
}

int terminal_columns() {
    winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

void terminal_suspend() {
    terminal_set_mode(TERMINAL_MODE_ORIGINAL);
    kill(0, SIGTSTP); // the whole job, as the key would; other threads may take it, so give it a moment
    usleep(20000);
    terminal_set_mode(TERMINAL_MODE_RAW);
}

void terminal_interrupt() {
    const int saved_errno = errno;
    interrupted = true;
    if (wake_fds[1] >= 0) {
        const ssize_t ignored = write(wake_fds[1], "", 1);
        (void) ignored;
    }
    errno = saved_errno;
}

bool terminal_interrupted() {
    return interrupted;
}

void terminal_interrupt_clear() {
    wake_drain();
    interrupted = false;
}

#endif
