// Bytes become frames, or are dropped: after any damage it is deaf until the line has been silent.
#pragma once

#include "protocol.hpp"

namespace board {

class Receiver {
public:
    enum class Found { nothing, frame, bad_check, too_long };

    // The buffer has room for header_size + payload_max + check_size bytes.
    Receiver(std::uint8_t* buffer, std::size_t payload_max, std::uint32_t gap_us)
        : buffer_(buffer), payload_max_(payload_max), gap_us_(gap_us) {}

    // Looks at the clock: drops what has stopped in the middle, and listens again after a silence.
    void tick(std::uint64_t now_us);
    // How many bytes it wants next, and where to; 0 while a frame has not been let go.
    std::size_t wanted() const;
    std::uint8_t* room();
    // Takes what was put there. Anything but `nothing` has a header that can be trusted, and holds until let_go().
    Found take(std::size_t count, std::uint64_t now_us);
    void let_go();

    Type type() const { return static_cast<Type>(buffer_[1]); }
    std::uint16_t sequence() const;
    const std::uint8_t* payload() const { return buffer_ + header_size; }
    std::size_t length() const;
    // CRC-32 of the frame, or of its header where there is no payload.
    std::uint32_t check() const;
    std::uint32_t damaged() const { return damaged_; }

private:
    Found judged();
    Found damage(Found found);

    std::uint8_t* buffer_;
    std::size_t payload_max_;
    std::uint32_t gap_us_;
    std::size_t held_ = 0;
    bool whole_ = false;
    bool deaf_ = false;
    std::uint64_t last_byte_us_ = 0;
    std::uint32_t damaged_ = 0;
    std::uint8_t dropped_[64] = {};
};

}  // namespace board
