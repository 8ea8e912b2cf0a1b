// Numbers in frames: little-endian, at any address.
#pragma once

#include <cstdint>
#include <cstring>

namespace board {

inline std::uint16_t get16(const std::uint8_t* from) {
    return static_cast<std::uint16_t>(from[0] | (from[1] << 8));
}

inline std::uint32_t get32(const std::uint8_t* from) {
    return static_cast<std::uint32_t>(get16(from)) | (static_cast<std::uint32_t>(get16(from + 2)) << 16);
}

inline void put16(std::uint8_t* to, std::uint16_t value) {
    to[0] = static_cast<std::uint8_t>(value & 0xFFU);
    to[1] = static_cast<std::uint8_t>(value >> 8);
}

inline void put32(std::uint8_t* to, std::uint32_t value) {
    put16(to, static_cast<std::uint16_t>(value & 0xFFFFU));
    put16(to + 2, static_cast<std::uint16_t>(value >> 16));
}

inline void put64(std::uint8_t* to, std::uint64_t value) {
    put32(to, static_cast<std::uint32_t>(value & 0xFFFFFFFFU));
    put32(to + 4, static_cast<std::uint32_t>(value >> 32));
}

inline void put_double(std::uint8_t* to, double value) {
    static_assert(sizeof(double) == 8, "scales are IEEE 754 doubles");
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    put64(to, bits);
}

}  // namespace board
