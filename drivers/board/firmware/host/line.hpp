// A pseudo-terminal as a serial line, with the time that bytes take at a baud rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace host {

std::uint64_t now_us();

// Throws std::runtime_error where there is no pseudo-terminal.
class Line {
public:
    // baud 0: bytes take no time.
    explicit Line(std::uint32_t baud);

    const std::string& path() const { return path_; }
    int descriptor() const { return master_; }
    std::size_t receive(std::uint8_t* bytes, std::size_t count);
    std::size_t send(const std::uint8_t* bytes, std::size_t count);

private:
    // How many of the bytes that wait have gone over the line by now.
    std::size_t passed(std::uint64_t& since_us, std::size_t waiting) const;

    int master_;
    int slave_;  // kept open, so that a client that leaves is no error
    std::string path_;
    std::uint32_t baud_;
    std::uint64_t receiving_since_us_ = 0;
    std::uint64_t sending_since_us_ = 0;
};

}  // namespace host
