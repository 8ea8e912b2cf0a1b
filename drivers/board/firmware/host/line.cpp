#include "line.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace host {
namespace {

constexpr std::uint64_t bits_per_byte = 10;

}  // namespace

std::uint64_t now_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

Line::Line(std::uint32_t baud) : master_(-1), slave_(-1), baud_(baud) {
    char name[128] = {};
    termios raw{};
    cfmakeraw(&raw);
    raw.c_cflag |= CS8 | CREAD | CLOCAL;
    if (openpty(&master_, &slave_, name, &raw, nullptr) != 0 || fcntl(master_, F_SETFL, O_NONBLOCK) != 0) {
        throw std::runtime_error("no pseudo-terminal");
    }
    path_ = name;
}

std::size_t Line::receive(std::uint8_t* bytes, std::size_t count) {
    int waiting = 0;
    if (ioctl(master_, FIONREAD, &waiting) != 0 || waiting <= 0) {
        receiving_since_us_ = 0;
        return 0;
    }
    count = std::min(count, passed(receiving_since_us_, static_cast<std::size_t>(waiting)));
    if (count == 0) {
        return 0;
    }
    const ssize_t taken = ::read(master_, bytes, count);
    if (taken <= 0) {
        return 0;
    }
    receiving_since_us_ += baud_ == 0 ? 0 : static_cast<std::uint64_t>(taken) * bits_per_byte * 1'000'000 / baud_;
    return static_cast<std::size_t>(taken);
}

std::size_t Line::send(const std::uint8_t* bytes, std::size_t count) {
    if (sending_since_us_ + 1000 < now_us()) {
        sending_since_us_ = 0;  // the line was idle
    }
    count = std::min(count, passed(sending_since_us_, count));
    if (count == 0) {
        return 0;
    }
    const ssize_t taken = ::write(master_, bytes, count);
    if (taken <= 0) {
        return 0;
    }
    sending_since_us_ += baud_ == 0 ? 0 : static_cast<std::uint64_t>(taken) * bits_per_byte * 1'000'000 / baud_;
    return static_cast<std::size_t>(taken);
}

std::size_t Line::passed(std::uint64_t& since_us, std::size_t waiting) const {
    if (baud_ == 0) {
        return waiting;
    }
    const std::uint64_t now = now_us();
    if (since_us == 0) {
        since_us = now;
    }
    return std::min<std::size_t>(waiting, static_cast<std::size_t>((now - since_us) * baud_ / bits_per_byte / 1'000'000));
}

}  // namespace host
