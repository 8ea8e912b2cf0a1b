// The last things that happened, for whoever asks.
#pragma once

#include "bytes.hpp"
#include "protocol.hpp"

namespace board {

class Journal {
public:
    static constexpr std::uint32_t depth = 64;
    static constexpr std::size_t entry_size = 16;

    // Appends an entry; returns its bytes.
    const std::uint8_t* note(std::uint64_t now_us, What what, std::uint8_t layer, std::uint16_t place,
                             std::int32_t value) {
        std::uint8_t* entry = entries_[next_ % depth];
        put32(entry, next_++);
        put32(entry + 4, static_cast<std::uint32_t>(now_us / 1000));
        entry[8] = static_cast<std::uint8_t>(what);
        entry[9] = layer;
        put16(entry + 10, place);
        put32(entry + 12, static_cast<std::uint32_t>(value));
        return entry;
    }

    // Number of the next entry, and of the oldest that is kept.
    std::uint32_t next() const { return next_; }
    std::uint32_t oldest() const { return next_ < depth ? 0 : next_ - depth; }
    const std::uint8_t* entry(std::uint32_t number) const { return entries_[number % depth]; }

private:
    std::uint8_t entries_[depth][entry_size] = {};
    std::uint32_t next_ = 0;
};

}  // namespace board
