#include "receiver.hpp"

#include "bytes.hpp"
#include "checks.hpp"

namespace board {

void Receiver::tick(std::uint64_t now_us) {
    if (now_us - last_byte_us_ < gap_us_ || whole_) {
        return;
    }
    deaf_ = false;
    if (held_ > 0) {
        held_ = 0;
        ++damaged_;
    }
}

std::size_t Receiver::wanted() const {
    if (whole_) {
        return 0;
    }
    if (deaf_) {
        return sizeof dropped_;
    }
    if (held_ < header_size) {
        return header_size - held_;
    }
    return header_size + length() + check_size - held_;  // only reached with a payload
}

std::uint8_t* Receiver::room() { return deaf_ ? dropped_ : buffer_ + held_; }

Receiver::Found Receiver::take(std::size_t count, std::uint64_t now_us) {
    if (count == 0) {
        return Found::nothing;
    }
    last_byte_us_ = now_us;
    if (deaf_) {
        return Found::nothing;
    }
    held_ += count;
    return judged();
}

void Receiver::let_go() {
    whole_ = false;
    held_ = 0;
}

Receiver::Found Receiver::judged() {
    if (held_ > 0 && buffer_[0] != start_byte) {
        return damage(Found::nothing);
    }
    if (held_ < header_size) {
        return Found::nothing;
    }
    if (held_ == header_size) {
        if (crc16(buffer_, header_size - 2) != get16(buffer_ + header_size - 2)) {
            return damage(Found::nothing);
        }
        if (length() > payload_max_) {
            return damage(Found::too_long);
        }
    }
    if (length() > 0) {
        const std::size_t covered = header_size + length();
        if (held_ < covered + check_size) {
            return Found::nothing;
        }
        if (crc32(buffer_, covered) != get32(buffer_ + covered)) {
            return damage(Found::bad_check);
        }
    }
    whole_ = true;
    return Found::frame;
}

Receiver::Found Receiver::damage(Found found) {
    ++damaged_;
    deaf_ = true;
    held_ = 0;  // type() and sequence() still tell of the header
    return found;
}

std::uint16_t Receiver::sequence() const { return get16(buffer_ + 2); }

std::size_t Receiver::length() const { return get16(buffer_ + 4); }

std::uint32_t Receiver::check() const {
    return length() > 0 ? get32(buffer_ + header_size + length()) : crc32(buffer_, header_size);
}

}  // namespace board
