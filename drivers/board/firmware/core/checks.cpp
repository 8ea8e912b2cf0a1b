#include "checks.hpp"

#include <array>

namespace board {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) {
            rest = (rest & 1U) != 0 ? (rest >> 1) ^ 0xEDB88320U : rest >> 1;
        }
        table[byte] = rest;
    }
    return table;
}

constexpr std::array<std::uint32_t, 256> table = make_table();

}  // namespace

std::uint16_t crc16(const std::uint8_t* bytes, std::size_t count) {
    std::uint16_t rest = 0xFFFF;
    for (std::size_t i = 0; i < count; ++i) {
        rest = static_cast<std::uint16_t>(rest ^ (bytes[i] << 8));
        for (int bit = 0; bit < 8; ++bit) {
            rest = static_cast<std::uint16_t>((rest & 0x8000U) != 0 ? (rest << 1) ^ 0x1021 : rest << 1);
        }
    }
    return rest;
}

std::uint32_t crc32(const std::uint8_t* bytes, std::size_t count) {
    std::uint32_t rest = 0xFFFFFFFFU;
    for (std::size_t i = 0; i < count; ++i) {
        rest = table[(rest ^ bytes[i]) & 0xFFU] ^ (rest >> 8);
    }
    return rest ^ 0xFFFFFFFFU;
}

}  // namespace board
